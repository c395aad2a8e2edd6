"""What reading a segment of the spool promises for any bytes that a disk may hold."""

import zlib
from random import Random

from ingest.record_buffer import (
    LANE_FACTS,
    LANE_TELEMETRY,
    RECORD_HEADER_BYTES,
    RecordBuffer,
    count_records,
    find_record,
    scan_records,
)

_CRC_AT = 4
_CRC_FROM = 8


def check_records(data: bytes) -> None:
    """Records found are adjacent and inside the data, by one scan or by many, and a search finds the first."""
    found = scan_records(data)
    end = 0
    for index in range(found.count):
        assert found.offset[index] == end, "records are not adjacent"
        assert found.payload_offset[index] == end + RECORD_HEADER_BYTES
        end += RECORD_HEADER_BYTES + int(found.payload_length[index])
    assert found.end == end <= len(data), "a record reaches beyond the data"
    assert (found.stop == "end") is (end == len(data)), "the reason to stop is wrong"
    at = 0
    for index in range(found.count):
        one = scan_records(data, at, 1)
        assert (one.count, one.stop) == (1, "limit" if one.end < len(data) else "end")
        assert one.seq[0] == found.seq[index] and one.frame_type[0] == found.frame_type[index]
        at = one.end
    first = find_record(data, 0)
    assert (first == 0) is (found.count > 0), "a search and a scan disagree"
    assert first == -1 or scan_records(data, first, 1).count == 1, "a search finds what is no record"
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
            pieces += [records.take(LANE_FACTS), records.take(LANE_TELEMETRY)]
    return [piece for piece in pieces if piece]
