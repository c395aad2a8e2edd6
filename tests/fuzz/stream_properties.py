"""What the compiled part of a connection promises for any bytes: each ends in a record, in a counter, or waits."""

import zlib
from collections.abc import Callable
from typing import Protocol

from ingest.record_buffer import (
    FRAME_UP,
    LANE_FACTS,
    LANE_TELEMETRY,
    QUARANTINE,
    RECORD_HEADER_BYTES,
    RecordBuffer,
    scan_records,
)
from tests.fuzz.pieces import cuts_of

FIRST_MS = 1_795_300_000_000
LONGEST_INPUT = 8192
SMALL_EVIDENCE = 400
AMPLE_EVIDENCE = 1 << 20
FOREIGN = 20
"""A reason number of the owner's, here for frames that Python is asked about and does not want."""


class Stream(Protocol):
    """The Python face of a connection's compiled part."""

    records: RecordBuffer
    bytes_in: int
    quarantined_bytes: int
    evidence_dropped_bytes: int

    @property
    def quarantined(self) -> dict[int, int]: ...
    def feed_bytes(self, data: bytes, receive_ms: int) -> None: ...
    def next_frame(self) -> tuple[int, int, bytes] | None: ...
    def keep(self, frame: bytes, connector: int, event_ms: int) -> bool: ...
    def quarantine(self, data: bytes, reason: int) -> None: ...
    def take_acks(self) -> bytes: ...
    def close(self) -> None: ...


def check_stream(make_stream: Callable[[bool, int], Stream], stream_of_bytes: bytes) -> bytes:
    """Raise AssertionError where bytes get lost; gives the answers that the stream made by itself.

    `make_stream(bound, evidence_limit)`: whether a charger is logged in, and how many bytes of evidence a minute keeps.
    Both, the pieces and the times follow from the bytes.
    """
    data = stream_of_bytes[:LONGEST_INPUT]
    choice = zlib.crc32(b"stream" + data)
    evidence_limit = SMALL_EVIDENCE if choice & 6 == 0 else AMPLE_EVIDENCE
    stream = make_stream(choice & 1 == 0, evidence_limit)
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


def _check_records(stream: Stream, data: bytes) -> None:
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
    spans = zip(found.payload_offset.tolist(), found.payload_length.tolist(), strict=True)
    payloads = [lane[start : start + length] for start, length in spans]
    records = list(zip(found.kind.tolist(), payloads, strict=True))
    assert all(kind in (FRAME_UP, QUARANTINE) for kind, _ in records), "a record of another kind"
    assert sum(len(payload) + RECORD_HEADER_BYTES for payload in payloads) <= len(lane), "records overlap"
    return records
