"""Status frames in columns: the same as by the table, whatever the bytes; what is no status frame gives no row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aaf5.codec import encode_frame, wrap_body
from core.aaf5.messages import STATUS
from core.aaf5.status import COLUMN_TYPES, StatusColumns, decode_status
from core.session_number import session_halves
from core.wire.errors import WireBufferError
from tests.core.status_by_table import columns_by_the_table

VARIANTS = (169, 173, 205)
SERIAL_AT = 173


def arrays(frames: list[bytes]) -> tuple[bytes, np.ndarray, np.ndarray]:
    lengths = np.array([len(frame) for frame in frames], dtype=np.uint32)
    offsets = np.concatenate([[0], np.cumsum(lengths[:-1], dtype=np.uint64)]).astype(np.uint64)
    return b"".join(frames), offsets[: len(frames)], lengths


any_text = st.binary(max_size=32).map(lambda text: text.ljust(32, b"\0"))
any_serial = (
    any_text | st.from_regex(rb"[0-9A-F]{32}", fullmatch=True) | st.from_regex(rb"[0-9A-Fa-g]{32}", fullmatch=True)
)


@st.composite
def status_frames(draw: st.DrawFn) -> bytes:
    """Status frames of every variant, and of sizes that are none."""
    size = draw(st.sampled_from(VARIANTS) | st.integers(169, 400))
    body = bytearray(draw(st.binary(min_size=size, max_size=size)))
    if draw(st.booleans()):
        body[4:36] = draw(any_text)
        body[104:136] = draw(any_text)
        body[SERIAL_AT : SERIAL_AT + 32] = draw(any_serial)
        body = body[:size]
    return wrap_body(STATUS, bytes(body), seq=draw(st.binary(min_size=1, max_size=1)), info=draw(st.integers(0, 255)))


@given(st.lists(status_frames(), min_size=1, max_size=4))
def test_columns_are_those_of_the_table(frames: list[bytes]) -> None:
    columns = StatusColumns(len(frames))
    assert columns.decode_many(*arrays(frames)) == len(frames)
    for row, frame in enumerate(frames):
        expected = columns_by_the_table(frame)
        assert {name: values[row].item() for name, values in columns.columns().items()} == expected
        assert decode_status(frame) == expected


def test_columns_are_named_once_and_typed() -> None:
    columns = StatusColumns(1).columns()
    assert {name: str(values.dtype) for name, values in columns.items()} == {
        name: "|S32" if kind == "S32" else kind for name, kind in COLUMN_TYPES.items()
    }


def test_serial_that_is_a_number_comes_as_its_halves() -> None:
    serial = "5503141278230501201806191444468A"
    row = decode_status(encode_frame("status", fields_of_zeros() | {"serial": serial}))
    assert row is not None
    assert (row["packed"], row["trade_hi"], row["trade_lo"]) == (1, *session_halves(serial))


@pytest.mark.parametrize("serial", ["5503141278230501201806191444468a", "5503141278230501201806191444468", ""])
def test_serial_of_other_characters_has_no_halves(serial: str) -> None:
    row = decode_status(encode_frame("status", fields_of_zeros() | {"serial": serial}))
    assert row is not None
    assert (row["packed"], row["trade_hi"], row["trade_lo"]) == (0, 0, 0)
    assert row["serial"] == serial.encode()


def fields_of_zeros() -> dict[str, object]:
    from core.aaf5.codec import decode_body

    return decode_body(STATUS, bytes(205)).fields


GOOD = wrap_body(STATUS, bytes(range(169)))
NO_STATUS = {
    "another command": wrap_body(202, bytes(256)),
    "too short": wrap_body(STATUS, bytes(168)),
    "wrong sum": GOOD[:-1] + b"\0",
    "wrong length": GOOD[:2] + b"\xb3\x00" + GOOD[4:],
    "wrong start": b"\xab" + GOOD[1:],
    "wrong second byte": b"\xaa\xf4" + GOOD[2:],
    "cut": GOOD[:-1],
    "nothing": b"",
    "one byte": b"\xaa",
}


@pytest.mark.parametrize("frame", NO_STATUS.values(), ids=NO_STATUS)
def test_what_is_no_status_frame_gives_no_row(frame: bytes) -> None:
    assert GOOD[-1] != 0
    assert decode_status(frame) is None
    columns = StatusColumns(3)
    assert columns.decode_many(*arrays([GOOD, frame, GOOD])) == 2
    assert columns.source.tolist() == [0, 2]


def test_columns_refuse_what_does_not_fit() -> None:
    columns = StatusColumns(1)
    data, offsets, lengths = arrays([GOOD, GOOD])
    with pytest.raises(WireBufferError, match="2 frames, but only 1 rows are left"):
        columns.decode_many(data, offsets, lengths)
    with pytest.raises(WireBufferError, match="2 offsets, but 1 lengths"):
        columns.decode_many(data, offsets, lengths[:1])
    with pytest.raises(WireBufferError, match="reach beyond"):
        columns.decode_many(data[:100], offsets[:1], lengths[:1])
    with pytest.raises(WireBufferError, match="reach beyond"):
        columns.decode_many(data, np.array([2**64 - 1], dtype=np.uint64), lengths[:1])
    with pytest.raises(WireBufferError, match="at least 1"):
        StatusColumns(0)
    assert columns.count == 0


def test_cleared_columns_start_anew() -> None:
    columns = StatusColumns(1)
    columns.decode_many(*arrays([GOOD]))
    columns.clear()
    assert columns.count == 0
    assert columns.decode_many(*arrays([GOOD])) == 1
