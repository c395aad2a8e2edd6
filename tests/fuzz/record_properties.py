"""What reading a segment of the spool promises for any bytes that a disk may hold."""

import zlib
from random import Random

from ingest.record_buffer import (
    LANE_FACTS,
    LANE_TELEMETRY,
    MAX_RUN_ENTRIES,
    RECORD_HEADER_BYTES,
    RecordBuffer,
    count_records,
    find_record,
    scan_records,
)

_CRC_AT = 4
_CRC_FROM = 8
_ENTRY_HEADS = (4, 12, 16, 24)


def check_records(data: bytes) -> None:
    """Records found are adjacent and inside the data, by one scan or by many, and a search finds the first."""
    found = scan_records(data)
    end = record = 0
    for index in range(found.count):
        if index and found.record_offset[index] == record:
            assert found.offset[index] == end, "frames of a run are not adjacent"
        else:
            record = end
            assert found.record_offset[index] == record, "records are not adjacent"
            assert found.offset[index] in (record, record + RECORD_HEADER_BYTES)
        head = int(found.payload_offset[index]) - int(found.offset[index])
        assert head == RECORD_HEADER_BYTES or head in _ENTRY_HEADS
        end = int(found.payload_offset[index]) + int(found.payload_length[index])
    assert found.end == end <= len(data), "a record reaches beyond the data"
    assert (found.stop == "end") is (end == len(data)), "the reason to stop is wrong"
    at = index = 0
    while index < found.count:
        one = scan_records(data, at, 1)
        assert 1 <= one.count <= MAX_RUN_ENTRIES
        assert one.stop == ("limit" if one.end < len(data) else "end")
        part = slice(index, index + one.count)
        assert (one.seq == found.seq[part]).all() and (one.frame_type == found.frame_type[part]).all()
        at, index = one.end, index + one.count
    first = find_record(data, 0)
    assert (first == 0) is (found.count > 0), "a search and a scan disagree"
    assert first == -1 or scan_records(data, first, 1).count >= 1, "a search finds what is no record"
    assert count_records(data) >= 0


def seal_records(data: bytes, rng: Random) -> bytes:
    """The data with the checksums of most records made right."""
    sealed = bytearray(data)
    at = 0
    while at + RECORD_HEADER_BYTES <= len(sealed):
        end = at + RECORD_HEADER_BYTES + int.from_bytes(sealed[at : at + _CRC_AT], "little")
        if end > len(sealed):
            end = len(sealed)
            sealed[at : at + _CRC_AT] = (end - at - RECORD_HEADER_BYTES).to_bytes(4, "little")
        if rng.random() < 0.9:
            sealed[at + _CRC_AT : at + _CRC_FROM] = zlib.crc32(sealed[at + _CRC_FROM : end]).to_bytes(4, "little")
        at = end
    return bytes(sealed)


def records_of(frames: list[bytes]) -> list[bytes]:
    """Pieces of segments that hold these frames, as a gateway would write them."""
    pieces = []
    for frame in frames:
        for kind, protocol in ((1, 1), (2, 2), (3, 1)):
            records = RecordBuffer()
            records.append(kind, pile_id=1, payload=frame, protocol=protocol)
            records.append(4, payload=b"\x80")
            for copy in range(3):  # a run, its frames with and without what may follow
                records.append(1, pile_id=2, payload=frame, protocol=protocol, event_ms=copy, accepted=copy // 2)
            pieces += [records.take(LANE_FACTS), records.take(LANE_TELEMETRY)]
    return [piece for piece in pieces if piece]
