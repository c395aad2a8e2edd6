"""Frames and quarantined bytes to rows of `frames`: what was said, and what became of it."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.ykc.codec import HEADER_BYTES, START_BYTE, decode_body
from core.ykc.messages import MESSAGES
from ingest.record_buffer import FRAME_DOWN, QUARANTINE
from ingest.table_rows import TableRows
from ingest.ykc_types import trade_no_of

if TYPE_CHECKING:
    from ingest.batch import Batch

CHECKSUM_BYTES = 2
SMALLEST_FRAME = HEADER_BYTES + CHECKSUM_BYTES

# Reasons of quarantine by their number in the record: the splitter's kinds, and from 20 on what the dialogue refused.
QUARANTINE_VERDICTS = {
    3: "encrypted",
    10: "garbage",
    11: "bad_length",
    12: "bad_checksum",
    20: "not_logged_in",
    21: "foreign_pile",
    22: "refused",
}
_WHOLE_FRAME_REASONS = (3, 20, 21, 22)


def frame_rows(batch: "Batch", picked: NDArray[np.intp], operators: NDArray[np.uint32]) -> TableRows:
    """Rows of the picked records, all of them frames or quarantined bytes.

    Column `protocol` is left to its first value, "ykc": the driver would handle it value by value.
    """
    records = batch.records
    frames = [batch.payload(index) for index in picked.tolist()]
    kinds = records.kind[picked].tolist()
    reasons = records.reason[picked].tolist()
    types = records.frame_type[picked].tolist()
    seqs = records.seq[picked].tolist()
    verdicts = []
    trade_nos = []
    for i, (kind, frame_type, frame) in enumerate(zip(kinds, types, frames, strict=True)):
        if kind == QUARANTINE:
            verdicts.append(QUARANTINE_VERDICTS.get(reasons[i], f"reason_{reasons[i]}"))
            if reasons[i] in _WHOLE_FRAME_REASONS and len(frame) >= SMALLEST_FRAME and frame[0] == START_BYTE:
                types[i] = frame_type = frame[5]
                seqs[i] = int.from_bytes(frame[2:4], "little")
        elif len(frame) == _FRAME_BYTES.get(frame_type):
            verdicts.append("ok")
        else:
            verdicts.append(_verdict(frame_type, frame))
        trade_nos.append(
            trade_no_of(frame_type, frame[HEADER_BYTES:-CHECKSUM_BYTES]) if frame_type in _WITH_TRADE_NO else ""
        )
    columns = {
        "operator_id": operators[picked].tolist(),
        "pile_id": records.pile_id[picked].tolist(),
        "connection_id": records.connection_id[picked].tolist(),
        "receive_ms": records.receive_ms[picked].tolist(),
        "direction": ["down" if kind == FRAME_DOWN else "up" for kind in kinds],
        "verdict": verdicts,
        "frame_type": types,
        "seq": seqs,
        "connector": records.connector[picked].tolist(),
        "trade_no": trade_nos,
        "bytes": frames,
        "segment_id": [batch.segment_id] * len(frames),
        "segment_offset": batch.segment_offset(picked).tolist(),
    }
    return TableRows("frames", columns)


def _verdict(frame_type: int, frame: bytes) -> str:
    """The verdict on a frame that has not the one length of its type."""
    if frame_type not in MESSAGES:
        return "unknown_type"
    if decode_body(frame_type, frame[HEADER_BYTES:-CHECKSUM_BYTES]).layout_ok:
        return "ok"
    return "variant"


# Whole frames of the types whose length never varies, and the types that may name a session.
_FRAME_BYTES = {number: SMALLEST_FRAME + message.length for number, message in MESSAGES.items() if not message.group}
_WITH_TRADE_NO = {number for number in range(256) if trade_no_of(number, b"\1" * 16)}
