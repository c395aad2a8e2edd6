"""What the compiled part of a connection promises for any bytes: each ends in a record, in a counter, or waits."""

import zlib
from collections.abc import Callable

from core.aaf5.splitter import Aaf5Splitter
from core.directory import Pile
from core.ykc.splitter import FrameSplitter
from ingest.aaf5_stream import Aaf5Stream
from ingest.charger_protocol import OnConnectorEvent
from ingest.charger_stream import ChargerStream
from ingest.connection_registry import PileState
from ingest.record_buffer import (
    FRAME_UP,
    LANE_FACTS,
    LANE_TELEMETRY,
    QUARANTINE,
    RecordBuffer,
    scan_records,
)
from ingest.ykc_stream import YkcStream
from tests.fuzz.pieces import cuts_of
from tests.fuzz.split_properties import GARBAGE, Splitter
from tests.ingest.aaf5_frames import aaf5_pile
from tests.ingest.charger_frames import make_pile

YKC_ANSWERS = {0x04}
AAF5_ANSWERS = {101, 103}
CONNECTION_ID = 7
FIRST_MS = 1_795_300_000_000
LONGEST_INPUT = 8192
SMALL_EVIDENCE = 400
AMPLE_EVIDENCE = 1 << 20
FOREIGN = 20
"""A reason number of the owner's, here for frames that Python is asked about and does not want."""


MakeStream = Callable[[RecordBuffer, int, OnConnectorEvent, int], ChargerStream]


def check_ykc_stream(data: bytes) -> None:
    """The compiled part of a YKC connection; by itself it answers only heartbeats."""
    _check_answers(FrameSplitter(), check_stream(YkcStream, make_pile(), data), YKC_ANSWERS)


def check_aaf5_stream(data: bytes) -> None:
    """The compiled part of an AAF5 connection; by itself it answers heartbeats and status frames."""
    _check_answers(Aaf5Splitter(), check_stream(Aaf5Stream, aaf5_pile(), data), AAF5_ANSWERS)


def check_stream(make_stream: MakeStream, pile: Pile, stream_of_bytes: bytes) -> bytes:
    """Raise AssertionError where bytes get lost; gives the answers that the stream made by itself.

    Whether the charger has logged in, how much evidence is kept, the pieces and the times follow from the bytes.
    """
    data = stream_of_bytes[:LONGEST_INPUT]
    choice = zlib.crc32(b"stream" + data)
    evidence_limit = SMALL_EVIDENCE if choice & 6 == 0 else AMPLE_EVIDENCE
    stream = make_stream(RecordBuffer(), CONNECTION_ID, lambda *_: None, evidence_limit)
    if choice & 1 == 0:
        stream.bind(pile, PileState(pile), choice >> 1 & 1)
    answers = b""
    now_ms = FIRST_MS
    for number, piece in enumerate(cuts_of(data)):
        stream.feed_bytes(piece, now_ms)
        while (frame := stream.next_frame()) is not None:
            if choice >> (3 + number % 20) & 1:
                stream.quarantine(frame[2], FOREIGN)
            else:
                assert stream.keep(frame[2], 0, now_ms), "an empty spool refused a frame"
        answers += stream.take_acks()
        now_ms += (choice >> 8 & 0xFF) * 1000
    stream.close()
    assert stream.take_acks() == b"", "an answer after the end"
    assert stream.bytes_in == len(data), "bytes were counted wrongly"
    assert sum(stream.quarantined.values()) == stream.quarantined_bytes, "reasons do not add up"
    _check_records(stream, data)
    return answers


def _check_records(stream: ChargerStream, data: bytes) -> None:
    facts = _payloads(stream.records.take(LANE_FACTS))
    telemetry = _payloads(stream.records.take(LANE_TELEMETRY))
    kept = [payload for _, payload in facts + telemetry]
    quarantined = sum(len(payload) for kind, payload in telemetry if kind == QUARANTINE)
    assert quarantined + stream.evidence_dropped_bytes == stream.quarantined_bytes, "evidence lost"
    assert sum(map(len, kept)) + stream.evidence_dropped_bytes == len(data), "bytes lost or doubled"
    if stream.evidence_dropped_bytes == 0 and not facts:
        assert b"".join(kept) == data, "records are not in the order of the wire"


def _payloads(lane: bytes) -> list[tuple[int, bytes]]:
    """Kind and payload of the records of a lane, and that there is nothing else in it."""
    found = scan_records(lane)
    assert found.stop == "end" and found.end == len(lane), "a record that cannot be read back"
    spans = list(zip(found.payload_offset.tolist(), found.payload_length.tolist(), strict=True))
    payloads = [lane[start : start + length] for start, length in spans]
    records = list(zip(found.kind.tolist(), payloads, strict=True))
    assert all(kind in (FRAME_UP, QUARANTINE) for kind, _ in records), "a record of another kind"
    begins = [start for start, _ in spans[1:]]
    assert all(start + n < begin for (start, n), begin in zip(spans, begins, strict=False)), "records overlap"
    return records


def _check_answers(splitter: Splitter, answers: bytes, expected: set[int]) -> None:
    for index in range(splitter.feed_bytes(answers)):
        kind, _ = splitter.span(index)
        assert kind < GARBAGE and splitter.frame_type(index) in expected, "an answer that is none"
    assert splitter.pending == 0, "half an answer"
