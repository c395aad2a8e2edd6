"""Realtime columns against the table's decoder, and back to the same bytes."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checksum import crc16_modbus
from core.errors import UnknownRowWriterError
from core.ykc.codec import ChecksumOrder, wrap_body
from core.ykc.errors import YkcBufferError, YkcEncodeError
from core.ykc.realtime import (
    COLUMN_TYPES,
    RealtimeColumns,
    decode_realtime,
    encode_realtime,
    implementation,
    implementations,
    use,
)
from core.ykc.splitter import FrameSplitter
from tests.core.realtime_by_table import BODY_BYTES, columns_by_the_table

ORDER_NUMBER = {"le": 1, "be": 2}


orders: st.SearchStrategy[ChecksumOrder] = st.sampled_from(["le", "be"])
frames = st.builds(
    lambda body, seq, order: wrap_body(0x13, body, seq=seq, checksum_order=order),
    st.binary(min_size=BODY_BYTES, max_size=BODY_BYTES) | st.binary(min_size=BODY_BYTES + 1, max_size=141),
    st.binary(min_size=2, max_size=2),
    orders,
)
not_realtime = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=BODY_BYTES - 1).map(lambda body: wrap_body(0x13, body)),
    st.binary(min_size=BODY_BYTES, max_size=BODY_BYTES).map(lambda body: wrap_body(0x23, body)),
    st.binary(min_size=BODY_BYTES, max_size=BODY_BYTES).map(lambda body: wrap_body(0x13, body, encryption=1)),
    frames.map(lambda frame: frame[:-1] + bytes([frame[-1] ^ 1])),
    frames.map(lambda frame: b"\x67" + frame[1:]),
    frames.map(lambda frame: frame[:1] + bytes([frame[1] ^ 1]) + frame[2:]),
)


def packed(parts: list[bytes], gap: bytes = b"") -> tuple[bytes, Any, Any]:
    """The parts in one run of bytes, with their offsets and lengths."""
    offsets, data = [], b""
    for part in parts:
        data += gap
        offsets.append(len(data))
        data += part
    return data, np.array(offsets, dtype=np.uint64), np.array([len(part) for part in parts], dtype=np.uint32)


@settings(deadline=None)
@given(frames)
def test_columns_equal_the_table_decoder(frame: bytes) -> None:
    assert decode_realtime(frame) == columns_by_the_table(frame)


@settings(deadline=None)
@given(frames)
def test_exact_rows_give_the_bytes_again_and_others_do_not(frame: bytes) -> None:
    row = decode_realtime(frame)
    assert row is not None
    assert (encode_realtime(row) == frame) is (row["exact"] == 1)
    assert (row["exact"] == 1) is (len(frame) == 68)


@settings(deadline=None)
@given(st.lists(frames | not_realtime, max_size=12), st.binary(max_size=3))
def test_many_frames_become_rows_in_their_order(parts: list[bytes], gap: bytes) -> None:
    columns = RealtimeColumns(12)
    rows = [(i, row) for i, row in ((i, decode_realtime(part)) for i, part in enumerate(parts)) if row]
    assert columns.decode_many(*packed(parts, gap)) == len(rows) == columns.count
    assert columns.source.tolist() == [i for i, _ in rows]
    filled = columns.columns()
    assert list(filled) == list(COLUMN_TYPES)
    for name, values in filled.items():
        assert values.dtype == np.dtype(COLUMN_TYPES[name])
        assert values.tolist() == [row[name] for _, row in rows]
    assert columns.frames() == b"".join(encode_realtime(row) for _, row in rows)


@settings(deadline=None)
@given(st.lists(frames | not_realtime, max_size=12), st.lists(st.integers(0, 1000), max_size=3))
def test_spans_of_a_splitter_become_the_same_rows(parts: list[bytes], borders: list[int]) -> None:
    stream = b"".join(parts)
    cuts = sorted({0, len(stream), *(border % (len(stream) + 1) for border in borders)})
    splitter = FrameSplitter()
    columns = RealtimeColumns(len(stream) + 1)
    rows = []
    for start, end in itertools.pairwise(cuts):
        before = columns.count
        found = [splitter.span(i)[1] for i in range(splitter.feed_bytes(stream[start:end]))]
        decoded = [(i, row) for i, row in ((i, decode_realtime(frame)) for i, frame in enumerate(found)) if row]
        assert columns.append_spans(splitter) == len(decoded)
        assert columns.source[before:].tolist() == [i for i, _ in decoded]
        rows += [row for _, row in decoded]
    assert {name: values.tolist() for name, values in columns.columns().items()} == {
        name: [row[name] for row in rows] for name in COLUMN_TYPES
    }


@pytest.fixture(params=["eight frames at once", "field by field"])
def writing(request: pytest.FixtureRequest) -> Iterator[str]:
    """The way in which rows are written during the test."""
    if request.param not in implementations():
        pytest.skip(f"this machine cannot write {request.param}")
    before = implementation()
    use(request.param)
    assert implementation() == request.param
    yield request.param
    use(before)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 71])
def test_groups_of_frames_become_the_rows_of_each(writing: str, count: int) -> None:
    chance = random.Random(count)
    orders: list[ChecksumOrder] = ["le", "be"]
    parts = []
    for _ in range(count):
        body = chance.randbytes(BODY_BYTES + chance.choice([0, 0, 0, 1, 60]))
        parts.append(wrap_body(0x13, body, seq=chance.randbytes(2), checksum_order=chance.choice(orders)))
        parts.append(wrap_body(0x03, chance.randbytes(9)))
    expected = [columns_by_the_table(frame) for frame in parts[::2]]
    splitter = FrameSplitter()
    splitter.feed_bytes(b"".join(parts))
    spans, many = RealtimeColumns(2 * count), RealtimeColumns(2 * count)
    assert (spans.append_spans(splitter), many.decode_many(*packed(parts))) == (count, count)
    for columns in (spans, many):
        assert columns.source.tolist() == list(range(0, 2 * count, 2))
        found = {name: values.tolist() for name, values in columns.columns().items()}
        assert found == {name: [row[name] for row in expected if row] for name in COLUMN_TYPES}


def test_a_way_of_writing_that_there_is_not_is_refused() -> None:
    before = implementation()
    with pytest.raises(UnknownRowWriterError, match=r"'nine frames at once' on this machine, but .*field by field"):
        use("nine frames at once")
    assert implementation() == before


def test_spans_without_room_are_refused() -> None:
    splitter = FrameSplitter()
    splitter.feed_bytes(wrap_body(0x13, bytes(BODY_BYTES)) * 3)
    columns = RealtimeColumns(2)
    with pytest.raises(YkcBufferError, match="3 spans, but only 2 rows are left"):
        columns.append_spans(splitter)
    assert columns.count == 0


@pytest.mark.parametrize("byte", range(68))
def test_every_bit_of_a_frame_is_kept(byte: int) -> None:
    """`exact` is told by the length alone, so no bit of the table may be without a place in the columns."""
    for bit in range(8):
        frame = bytearray(wrap_body(0x13, bytes(range(BODY_BYTES)), seq=b"\x5a\xa5"))
        frame[byte] ^= 1 << bit
        checksum = crc16_modbus(frame[2:-2])
        frame[-2:] = checksum.to_bytes(2, "little") if byte < len(frame) - 2 else frame[-2:]
        row = decode_realtime(frame)
        assert row is None if byte in (0, 1, 4, 5, 66, 67) else row is not None
        if row is not None:
            assert (row["exact"], encode_realtime(row)) == (1, bytes(frame))


@settings(deadline=None)
@given(not_realtime)
def test_what_cannot_be_decoded_gives_no_row(part: bytes) -> None:
    assert decode_realtime(part) is None


@given(st.integers(0, 67))
def test_every_truncation_gives_no_row(length: int) -> None:
    assert decode_realtime(wrap_body(0x13, bytes(BODY_BYTES))[:length]) is None


column_values = {
    name: st.integers(0, np.iinfo(kind).max if name != "frame_pile" else 2**56 - 1)
    for name, kind in COLUMN_TYPES.items()
} | {"checksum_order": st.sampled_from([1, 2]), "exact": st.just(1)}


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries(column_values), max_size=6))
def test_rows_survive_the_wire(rows: list[dict[str, int]]) -> None:
    arrays = {name: np.array([row[name] for row in rows], dtype=kind) for name, kind in COLUMN_TYPES.items()}
    columns = RealtimeColumns(6)
    columns.fill(arrays)
    data = columns.frames()
    assert len(data) == 68 * len(rows)
    again = RealtimeColumns(6)
    assert again.decode_many(*packed([data[i : i + 68] for i in range(0, len(data), 68)])) == len(rows)
    for i, row in enumerate(rows):
        # A checksum of two equal bytes has no order: it reads as low byte first, and its bytes are the same.
        if data[68 * i + 66] == data[68 * i + 67]:
            row["checksum_order"] = 1
        assert {name: values[i] for name, values in again.columns().items()} == row
    assert again.frames() == data


def test_checksum_of_two_equal_bytes_reads_as_low_byte_first() -> None:
    orders = set()
    for number in range(2000):
        frame = wrap_body(0x13, bytes(BODY_BYTES), seq=number.to_bytes(2, "little"), checksum_order="be")
        row = decode_realtime(frame)
        assert row is not None
        assert row["exact"] == 1
        assert encode_realtime(row) == frame
        orders.add((frame[-1] == frame[-2], row["checksum_order"]))
    assert orders == {(True, 1), (False, 2)}


def test_rows_are_appended_until_cleared() -> None:
    parts = [wrap_body(0x13, bytes([i]) * BODY_BYTES) for i in range(3)]
    columns = RealtimeColumns(4)
    assert columns.decode_many(*packed(parts[:2])) == 2
    assert columns.decode_many(*packed(parts[2:])) == 1
    assert columns.columns()["state"].tolist() == [0, 1, 2]
    assert columns.source.tolist() == [0, 1, 0]
    with pytest.raises(YkcBufferError, match="2 frames, but only 1 rows are left"):
        columns.decode_many(*packed(parts[:2]))
    columns.clear()
    assert (columns.count, columns.columns()["state"].tolist()) == (0, [])


@pytest.mark.parametrize(("offset", "length"), [(1, 68), (68, 1), (2**64 - 1, 68), (0, 2**32 - 1)])
def test_frame_beyond_the_data_is_refused_and_nothing_appended(offset: int, length: int) -> None:
    frame = wrap_body(0x13, bytes(BODY_BYTES))
    columns = RealtimeColumns(4)
    with pytest.raises(YkcBufferError, match="frame 1"):
        columns.decode_many(frame, np.array([0, offset], dtype=np.uint64), np.array([68, length], dtype=np.uint32))
    assert columns.count == 0


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(YkcBufferError, match="1 offsets, but 2 lengths"):
        RealtimeColumns(4).decode_many(b"", np.zeros(1, dtype=np.uint64), np.zeros(2, dtype=np.uint32))


def test_no_frames_at_all() -> None:
    columns = RealtimeColumns(1)
    assert columns.decode_many(b"", np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint32)) == 0
    assert columns.frames() == b""
    with pytest.raises(YkcBufferError, match="at least 1"):
        RealtimeColumns(0)


def test_checksum_order_may_be_a_name() -> None:
    row = decode_realtime(wrap_body(0x13, bytes(BODY_BYTES)))
    assert row is not None
    for name, number in ORDER_NUMBER.items():
        assert encode_realtime({**row, "checksum_order": name}) == encode_realtime({**row, "checksum_order": number})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": 256}, "column state holds 256; allowed are 0..255"),
        ({"energy_e4kwh": -1}, "column energy_e4kwh holds -1; allowed are 0..4294967295"),
        ({"trade_hi": 2**64}, "column trade_hi holds 18446744073709551616"),
        ({"frame_pile": 2**56}, "column frame_pile holds 72057594037927936"),
        ({"checksum_order": 0}, "column checksum_order holds -1; allowed are 1..2"),
        ({"voltage_dv": 1.5}, "column voltage_dv must be an integer, not 1.5"),
    ],
)
def test_refusal_names_the_column_and_what_is_allowed(change: dict[str, Any], words: str) -> None:
    row = decode_realtime(wrap_body(0x13, bytes(BODY_BYTES)))
    assert row is not None
    with pytest.raises(YkcEncodeError) as caught:
        encode_realtime({**row, **change})
    assert words in str(caught.value)


def test_missing_column_is_named() -> None:
    row = decode_realtime(wrap_body(0x13, bytes(BODY_BYTES)))
    assert row is not None
    del row["soc"]
    with pytest.raises(YkcEncodeError, match="column soc is missing"):
        encode_realtime(row)


@pytest.mark.parametrize("values", [np.zeros(1), np.array(["le"]), np.array(["le"], dtype=object), np.array([True])])
def test_columns_of_other_than_integers_are_refused(values: Any) -> None:
    columns = RealtimeColumns(1)
    columns.decode_many(*packed([wrap_body(0x13, bytes(BODY_BYTES))]))
    with pytest.raises(YkcEncodeError, match=r"column checksum_order holds .* it must hold integers"):
        RealtimeColumns(1).fill({**columns.columns(), "checksum_order": values})


def test_columns_of_different_length_or_too_long_are_refused() -> None:
    one = {name: np.ones(1, dtype=kind) for name, kind in COLUMN_TYPES.items()}
    with pytest.raises(YkcEncodeError, match="column soc has 2 rows, others 1"):
        RealtimeColumns(2).fill({**one, "soc": np.ones(2, dtype=np.uint8)})
    with pytest.raises(YkcBufferError, match="2 rows, but there is room for 1"):
        RealtimeColumns(1).fill({name: np.ones(2, dtype=kind) for name, kind in COLUMN_TYPES.items()})


def test_numpy_integers_are_integers() -> None:
    columns = RealtimeColumns(1)
    frame = wrap_body(0x13, bytes(range(BODY_BYTES)))
    columns.decode_many(*packed([frame]))
    row = {name: values[0] for name, values in columns.columns().items()}
    assert encode_realtime(row) == frame
