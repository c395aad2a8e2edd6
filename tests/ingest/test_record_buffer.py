"""Records: written as described, read back equal, and never read back when a bit of them changed."""

import binascii
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.record_buffer import (
    EVENT,
    FLAG_SHEDDABLE,
    FLAG_STORED,
    FRAME_DOWN,
    FRAME_UP,
    LANE_FACTS,
    LANE_TELEMETRY,
    MAX_PAYLOAD_BYTES,
    PROTOCOL_AAF5,
    PROTOCOL_YKC,
    QUARANTINE,
    RECORD_HEADER_BYTES,
    RecordBuffer,
    count_records,
    find_record,
    scan_records,
)

HEADER = struct.Struct("<IIBBBBIQqqIIII")
FIELDS = (
    *("payload_length", "kind", "protocol", "connector", "flags", "pile_id", "connection_id", "receive_ms", "event_ms"),
    *("live_accepted_e4kwh", "live_amount_fen", "live_flags", "reason"),
)
u32 = st.integers(0, 2**32 - 1)
i64 = st.integers(-(2**63), 2**63 - 1)
byte = st.integers(0, 255)
record = st.tuples(
    *(st.sampled_from([FRAME_UP, FRAME_DOWN, QUARANTINE, EVENT]), byte, byte, u32, st.integers(0, 2**64 - 1), i64, i64),
    *(u32, u32, u32, u32, st.binary(max_size=80), st.sampled_from([PROTOCOL_YKC, PROTOCOL_AAF5])),
)


def frame(frame_type: int, body: bytes = b"") -> bytes:
    return bytes((0x68, len(body) + 4, 0x12, 0x34, 0, frame_type)) + body + b"\0\0"


def aaf5_frame(command: int, data: bytes = b"") -> bytes:
    head = b"\xaa\xf5" + (len(data) + 9).to_bytes(2, "little") + b"\x10\x41" + command.to_bytes(2, "little")
    return head + data + b"\0"


@given(st.lists(record, max_size=20))
def test_records_come_back_as_they_were(entries: list[tuple[Any, ...]]) -> None:
    buffer = RecordBuffer()
    for entry in entries:
        assert buffer.append(*entry)
    read = []
    for lane in (LANE_FACTS, LANE_TELEMETRY):
        data = buffer.take(lane)
        records = scan_records(data)
        assert (records.stop, records.end) == ("end", len(data))
        assert records.count == count_records(data)
        at = 0
        for i in range(records.count):
            packed = HEADER.unpack_from(data, at)
            size = HEADER.size + packed[0]
            assert packed[1] == binascii.crc32(data[at + 8 : at + size])
            assert [int(getattr(records, name)[i]) for name in FIELDS] == [packed[0], *packed[2:]]
            start = int(records.payload_offset[i])
            assert (int(records.offset[i]), start) == (at, at + RECORD_HEADER_BYTES)
            kind, protocol, connector, flags = packed[2:6]
            read.append((kind, connector, flags, *packed[6:], data[start : start + packed[0]], protocol))
            at += size
    assert sorted(map(repr, read)) == sorted(map(repr, entries))
    assert buffer.pending == 0


def test_uploads_acks_and_events_have_a_lane_of_their_own() -> None:
    buffer = RecordBuffer()
    for kind, payload in (
        (FRAME_UP, frame(0x3B)),
        (FRAME_DOWN, frame(0x40)),
        (EVENT, b"\x93"),
        (FRAME_UP, frame(0x13)),
        (FRAME_UP, frame(0x03)),
        (QUARANTINE, frame(0x3B)),
    ):
        buffer.append(kind, payload=payload)
    facts = scan_records(buffer.take(LANE_FACTS))
    assert facts.frame_type.tolist() == [0x3B, 0x40, 0]
    assert facts.seq.tolist() == [0x3412, 0x3412, 0]  # wire bytes 12 34, low byte first
    telemetry = scan_records(buffer.take(LANE_TELEMETRY))
    assert telemetry.kind.tolist() == [FRAME_UP, FRAME_UP, QUARANTINE]


def test_the_records_of_the_other_protocol_are_known_by_their_commands() -> None:
    """202 and 201 are facts; type and sequence stand elsewhere in the frame (aaf5.md section 1)."""
    buffer = RecordBuffer()
    for kind, payload in (
        (FRAME_UP, aaf5_frame(202)),
        (FRAME_DOWN, aaf5_frame(201)),
        (FRAME_UP, aaf5_frame(104)),
        (FRAME_UP, aaf5_frame(1012)),
        (FRAME_UP, frame(0x3B)),  # a record of YKC, said to be of the other: command 0, sequence 0x3B
        (QUARANTINE, aaf5_frame(202)),
        (FRAME_UP, b"\xaa\xf5\x09\x00\x10\x41\xca"),
    ):
        buffer.append(kind, payload=payload, protocol=PROTOCOL_AAF5)
    facts = scan_records(buffer.take(LANE_FACTS))
    assert facts.frame_type.tolist() == [202, 201]
    assert facts.seq.tolist() == [0x41, 0x41]
    assert facts.protocol.tolist() == [PROTOCOL_AAF5] * 2
    telemetry = scan_records(buffer.take(LANE_TELEMETRY))
    assert telemetry.frame_type.tolist() == [104, 1012, 0, 0, 0]
    assert telemetry.seq.tolist() == [0x41, 0x41, 0x3B, 0, 0]


@pytest.mark.parametrize("protocol", [0, 3])
def test_an_unknown_protocol_is_refused_and_not_read(protocol: int) -> None:
    buffer = RecordBuffer()
    with pytest.raises(ValueError, match="protocol"):
        buffer.append(FRAME_UP, payload=frame(0x13), protocol=protocol)
    buffer.append(FRAME_UP, payload=frame(0x13))
    data = bytearray(buffer.take(LANE_TELEMETRY))
    data[9] = protocol
    data[4:8] = binascii.crc32(data[8:]).to_bytes(4, "little")
    assert scan_records(data).stop == "kind"


def test_an_event_that_anybody_can_cause_goes_with_the_telemetry() -> None:
    buffer = RecordBuffer()
    buffer.append(EVENT, flags=FLAG_SHEDDABLE, payload=b"\x93")
    buffer.append(FRAME_UP, flags=FLAG_SHEDDABLE, payload=frame(0x3B))  # a bill never does, whatever is said of it
    assert scan_records(buffer.take(LANE_TELEMETRY)).kind.tolist() == [EVENT]
    assert scan_records(buffer.take(LANE_FACTS)).kind.tolist() == [FRAME_UP]


def test_a_full_lane_refuses_and_counts_but_the_other_goes_on() -> None:
    buffer = RecordBuffer(telemetry_limit_bytes=200)
    taken = [buffer.append(FRAME_UP, pile_id=number, payload=frame(0x13)) for number in range(5)]
    assert taken == [True, True, True, False, False]
    assert (buffer.refused_records, buffer.refused_bytes) == (2, 128)
    assert buffer.append(FRAME_UP, payload=frame(0x3B))
    assert scan_records(buffer.take(LANE_TELEMETRY)).count == 3
    assert buffer.append(FRAME_UP, payload=frame(0x13))


@pytest.mark.parametrize("kind", [0, 5, -1])
def test_an_unknown_kind_is_refused(kind: int) -> None:
    with pytest.raises(ValueError, match="kind"):
        RecordBuffer().append(kind)


def test_a_payload_beyond_the_limit_is_refused() -> None:
    buffer = RecordBuffer()
    with pytest.raises(ValueError, match=str(MAX_PAYLOAD_BYTES)):
        buffer.append(QUARANTINE, payload=bytes(MAX_PAYLOAD_BYTES + 1))
    assert buffer.append(QUARANTINE, payload=bytes(MAX_PAYLOAD_BYTES))


def three_records() -> bytes:
    buffer = RecordBuffer()
    for number in range(3):
        buffer.append(FRAME_UP, pile_id=number, payload=frame(0x13, bytes(range(number, number + 20))))
    return buffer.take(LANE_TELEMETRY)


def test_a_torn_end_stops_the_reading_before_it_at_every_length() -> None:
    data = three_records()
    size = len(data) // 3
    for length in range(len(data)):
        records = scan_records(data[:length])
        whole = length // size
        assert (records.count, records.end) == (whole, whole * size)
        assert records.stop == ("incomplete" if length % size else "end")


def test_no_changed_bit_is_read_as_a_record() -> None:
    data = three_records()
    size = len(data) // 3
    for position in range(size, 2 * size):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            records = scan_records(changed)
            assert records.count == 1
            assert records.stop != "end"
            assert find_record(changed, size) == 2 * size


def test_limits_and_starts() -> None:
    data = three_records()
    size = len(data) // 3
    first = scan_records(data, 0, 2)
    assert (first.count, first.stop, first.end) == (2, "limit", 2 * size)
    rest = scan_records(data, first.end)
    assert (rest.count, rest.stop) == (1, "end")
    assert rest.pile_id.tolist() == [2]
    assert rest.offset.dtype == np.uint64
    assert scan_records(b"").count == 0
    assert find_record(b"", 0) == -1
    assert find_record(bytes(500), 0) == -1


TYPE_AT = 5
A_READING = 0x13


def no_record(payload: bytes) -> bytes:
    """The same bytes, of a type that belongs to telemetry."""
    return payload[:TYPE_AT] + bytes((A_READING,)) + payload[TYPE_AT + 1 :] if len(payload) > TYPE_AT else payload


frame_of_run = st.tuples(
    *(st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), byte, st.booleans(), i64 | st.none()),
    *(u32 | st.just(0), u32 | st.just(0), u32 | st.just(0), st.binary(max_size=300).map(no_record)),
)


@given(st.lists(frame_of_run, min_size=1, max_size=60), st.integers(1, 70))
def test_frames_under_one_header_come_back_as_they_were(frames: list[tuple[Any, ...]], at_once: int) -> None:
    buffer = RecordBuffer()
    for connection, pile_id, receive_ms, connector, stored, event_ms, accepted, amount, live_flags, payload in frames:
        assert buffer.append(
            *(FRAME_UP, connector, FLAG_STORED if stored else 0, pile_id, connection, receive_ms, event_ms),
            *(accepted, amount, live_flags, 0, payload),
        )
    assert buffer.appended_records == len(frames)
    data = buffer.take(LANE_TELEMETRY)
    read: list[tuple[Any, ...]] = []
    at = 0
    while at < len(data):
        records = scan_records(data, at, at_once)
        assert records.count
        for i in range(records.count):
            start, length = int(records.payload_offset[i]), int(records.payload_length[i])
            names = ("connection_id", "pile_id", "receive_ms", "connector", "flags", "event_ms")
            live = ("live_accepted_e4kwh", "live_amount_fen", "live_flags")
            head = [int(getattr(records, name)[i]) for name in (*names, *live)]
            read.append((*head, data[start : start + length]))
            assert (records.kind[i], records.reason[i]) == (FRAME_UP, 0)
        at = records.end
    expected = [
        (connection, pile_id, receive_ms, connector, int(stored), receive_ms if event_ms is None else event_ms, *rest)
        for connection, pile_id, receive_ms, connector, stored, event_ms, *rest in frames
    ]
    assert read == expected
    assert count_records(data) == len(frames)
    offsets = scan_records(data).offset
    assert len(set(offsets.tolist())) == len(frames)


def test_a_run_costs_less_than_a_header_for_each_frame_and_is_bounded() -> None:
    buffer = RecordBuffer()
    for _ in range(1_000):
        buffer.append(FRAME_UP, pile_id=1, receive_ms=5, payload=frame(0x13, bytes(60)), accepted=7)
    data = buffer.take(LANE_TELEMETRY)
    records = scan_records(data)
    assert records.count == 1_000
    runs = np.unique(records.record_offset)
    assert np.diff([*runs.tolist(), len(data)]).max() <= 16_384 + RECORD_HEADER_BYTES
    assert len(data) == 1_000 * (68 + 16) + len(runs) * RECORD_HEADER_BYTES
    changed = bytearray(data)
    changed[20_000] ^= 1
    first = scan_records(changed)
    assert first.stop == "checksum"
    assert find_record(changed, first.end + 1) == runs[2]


def test_a_single_frame_is_an_ordinary_record() -> None:
    buffer = RecordBuffer()
    buffer.append(FRAME_UP, pile_id=1, receive_ms=5, event_ms=4, payload=frame(0x13), accepted=7, connector=2)
    data = buffer.take(LANE_TELEMETRY)
    assert len(data) == RECORD_HEADER_BYTES + len(frame(0x13))
    assert data[8] == FRAME_UP


def test_a_run_whose_entries_do_not_fill_it_is_damage() -> None:
    buffer = RecordBuffer()
    for _ in range(3):
        buffer.append(FRAME_UP, pile_id=1, receive_ms=5, payload=frame(0x13))
    data = buffer.take(LANE_TELEMETRY)
    for place, value in ((52, 2), (52, 0), (56, 200), (59, 0x80)):
        changed = bytearray(data)
        changed[place] = value
        changed[4:8] = binascii.crc32(changed[8:]).to_bytes(4, "little")
        assert scan_records(changed).stop == "kind", place
