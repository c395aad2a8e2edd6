"""Frames and quarantined bytes to rows of `frames`: what was said, and what became of it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.aaf5.codec import ENVELOPE_BYTES, START_BYTES
from core.aaf5.codec import decode_body as decode_aaf5_body
from core.aaf5.messages import TABLE as AAF5_MESSAGES
from core.directory import PileDirectory
from core.ykc.codec import HEADER_BYTES, START_BYTE, decode_body
from core.ykc.messages import MESSAGES
from ingest.aaf5_protocol import AAF5
from ingest.aaf5_types import CODE, RECORD, SESSION_PARTS, text_of
from ingest.protocols import BY_NUMBER
from ingest.record_buffer import FRAME_DOWN, PROTOCOL_AAF5, QUARANTINE
from ingest.table_rows import TableRows
from ingest.ykc_types import trade_no_of

if TYPE_CHECKING:
    from ingest.batch import Batch

CHECKSUM_BYTES = 2
SMALLEST_FRAME = HEADER_BYTES + CHECKSUM_BYTES

# Reasons of quarantine by their number in the record: the splitters' kinds, and from 20 on what the dialogue refused.
QUARANTINE_VERDICTS = {
    3: "encrypted",
    10: "garbage",
    11: "bad_length",
    12: "bad_checksum",
    20: "not_logged_in",
    21: "foreign_pile",
    22: "refused",
    23: "repeated_record",
    24: "put_off_record",
}
_WHOLE_FRAME_REASONS = (3, 20, 21, 22, 23, 24)


def frame_rows(
    batch: "Batch", picked: NDArray[np.intp], operators: NDArray[np.uint32], directory: PileDirectory
) -> TableRows:
    """Rows of the picked records, all of them frames or quarantined bytes.

    Column `protocol` is left to its first value, "ykc", where no other occurs: the driver would handle it value by
    value.
    """
    records = batch.records
    frames = [batch.payload(index) for index in picked.tolist()]
    kinds = records.kind[picked].tolist()
    columns: dict[str, Any] = {
        "operator_id": operators[picked].tolist(),
        "pile_id": records.pile_id[picked].tolist(),
        "connection_id": records.connection_id[picked].tolist(),
        "receive_ms": records.receive_ms[picked].tolist(),
        "direction": ["down" if kind == FRAME_DOWN else "up" for kind in kinds],
        "connector": records.connector[picked].tolist(),
        "bytes": frames,
        "segment_id": [batch.segment_id] * len(frames),
        "segment_offset": batch.segment_offset(picked).tolist(),
    }
    types, seqs, reasons = (getattr(records, name)[picked].tolist() for name in ("frame_type", "seq", "reason"))
    protocols = records.protocol[picked]
    if np.any(protocols == PROTOCOL_AAF5):
        columns["protocol"] = [BY_NUMBER[number].name for number in protocols.tolist()]
    is_aaf5 = (protocols == PROTOCOL_AAF5).tolist()
    aaf5_sessions = _Aaf5Sessions(directory)
    verdicts = []
    trade_nos = []
    for i, (kind, frame) in enumerate(zip(kinds, frames, strict=True)):
        if kind == QUARANTINE:
            verdicts.append(QUARANTINE_VERDICTS.get(reasons[i], f"reason_{reasons[i]}"))
            if reasons[i] in _WHOLE_FRAME_REASONS:
                types[i], seqs[i] = _aaf5_header(frame) if is_aaf5[i] else _header(frame)
        elif is_aaf5[i]:
            verdicts.append(_aaf5_verdict(types[i], frame))
        elif len(frame) == _FRAME_BYTES.get(types[i]):
            verdicts.append("ok")
        else:
            verdicts.append(_verdict(types[i], frame))
        if is_aaf5[i]:
            trade_nos.append(aaf5_sessions.named_in(types[i], frame, columns["pile_id"][i]))
        elif types[i] in _WITH_TRADE_NO:
            trade_nos.append(trade_no_of(types[i], frame[HEADER_BYTES:-CHECKSUM_BYTES]))
        else:
            trade_nos.append("")
    columns |= {"verdict": verdicts, "frame_type": types, "seq": seqs, "trade_no": trade_nos}
    return TableRows("frames", columns)


class _Aaf5Sessions:
    """The sessions that frames of AAF5 name; most frames of a batch name one that another named already."""

    def __init__(self, directory: PileDirectory) -> None:
        self._directory = directory
        self._named: dict[tuple[int, int, int, bytes], str] = {}

    def named_in(self, command: int, frame: bytes, pile_id: int) -> str:
        """The session that the frame names, empty when it names none."""
        places = SESSION_PARTS.get(command)
        if places is None:
            return ""
        body = AAF5.body_of(frame)
        if command == RECORD:
            return AAF5.trade_no_of(command, body, self._code_of(pile_id, body))
        key = (pile_id, command, len(body), b"".join([body[place] for place in places]))
        named = self._named.get(key)
        if named is None:
            named = self._named[key] = AAF5.trade_no_of(command, body, self._code_of(pile_id, body))
        return named

    def _code_of(self, pile_id: int, body: bytes) -> str:
        pile = self._directory.by_id(pile_id)
        return pile.code if pile is not None else text_of(body[CODE])


def _header(frame: bytes) -> tuple[int, int]:
    """Type and sequence of a whole frame; zeros for what is too short for one."""
    if len(frame) < SMALLEST_FRAME or frame[0] != START_BYTE:
        return 0, 0
    return frame[5], int.from_bytes(frame[2:4], "little")


def _aaf5_header(frame: bytes) -> tuple[int, int]:
    if len(frame) < ENVELOPE_BYTES or not frame.startswith(START_BYTES):
        return 0, 0
    return AAF5.type_of(frame), frame[5]


def _verdict(frame_type: int, frame: bytes) -> str:
    """The verdict on a frame that has not the one length of its type."""
    if frame_type not in MESSAGES:
        return "unknown_type"
    if decode_body(frame_type, frame[HEADER_BYTES:-CHECKSUM_BYTES]).layout_ok:
        return "ok"
    return "variant"


def _aaf5_verdict(command: int, frame: bytes) -> str:
    """As `_verdict`; a command that is known by its name alone is a variant."""
    if len(frame) in _AAF5_FRAME_BYTES.get(command, ()):
        return "ok"
    if command not in AAF5_MESSAGES.by_type:
        return "unknown_type"
    return "ok" if decode_aaf5_body(command, AAF5.body_of(frame)).layout_ok else "variant"


# Whole frames of the types whose length never varies, or varies by tails only; and the types that may name a session.
_FRAME_BYTES = {number: SMALLEST_FRAME + message.length for number, message in MESSAGES.items() if not message.group}
_AAF5_FRAME_BYTES = {
    number: frozenset(ENVELOPE_BYTES + size for size in message.sizes)
    for number, message in AAF5_MESSAGES.by_type.items()
    if message.layout_known and not message.group and message.rest is None
}
_WITH_TRADE_NO = {number for number in range(256) if trade_no_of(number, b"\1" * 16)}
