"""Many frames at once: bodies as numpy rows laid out by the tables of the protocols, times and numbers as digits."""

from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.historic.charges import Ints
from benchmarks.historic.fleet import ZONE_OFFSET_MS
from core.aaf5 import codec as aaf5
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.checksum import crc16_modbus
from core.wire.fields import Field
from core.ykc import codec as ykc
from core.ykc.messages import MESSAGES as YKC_MESSAGES

Rows = npt.NDArray[np.void]
Bytes = npt.NDArray[np.uint8]

SEQ_AT: Final = 5
COMMAND_AT: Final = 6
YKC_CHECKED_FROM: Final = 2
YKC_SEQ_AT: Final = slice(2, 4)
YKC_BODY_AT: Final = 6
BCD8_END: Final = 0xFF
_NUMPY_UINTS: Final = (1, 2, 4, 8)


def aaf5_rows(command: int, count: int, *, with_serial: bool) -> Rows:
    """Empty bodies of an AAF5 message: its longest variant with a session number, else the one before that."""
    sizes = AAF5_MESSAGES[command].sizes
    size = sizes[-1] if with_serial or len(sizes) == 1 else sizes[-2]
    return np.zeros(count, dtype=_row_type("aaf5", command, size))


def ykc_rows(kind: int, count: int) -> Rows:
    """Empty bodies of a YKC message."""
    return np.zeros(count, dtype=_row_type("ykc", kind, YKC_MESSAGES[kind].length))


def aaf5_frames(rows: Rows, command: int, seqs: Ints) -> list[bytes]:
    """The frames around the bodies, each under its number."""
    if not len(rows):
        return []
    frames = _around(rows, aaf5.wrap_body(command, bytes(rows.dtype.itemsize)), aaf5.HEADER_BYTES)
    frames[:, SEQ_AT] = seqs & 0xFF
    frames[:, -1] = frames[:, COMMAND_AT:-1].sum(axis=1, dtype=np.uint64) & 0xFF
    return _cut(frames)


def ykc_frames(rows: Rows, kind: int, seqs: Ints) -> list[bytes]:
    """The same for YKC."""
    if not len(rows):
        return []
    frames = _around(rows, ykc.wrap_body(kind, bytes(rows.dtype.itemsize)), YKC_BODY_AT)
    frames[:, YKC_SEQ_AT] = little_endian(seqs, 2)
    checked = _cut(np.ascontiguousarray(frames[:, YKC_CHECKED_FROM : -ykc.CHECKSUM_BYTES]))
    sums = np.fromiter(map(crc16_modbus, checked), dtype=np.int64, count=len(checked))
    frames[:, -ykc.CHECKSUM_BYTES :] = little_endian(sums, ykc.CHECKSUM_BYTES)
    return _cut(frames)


def put(rows: Rows, name: str, values: Bytes) -> None:
    """Fill a field with bytes, one line of `values` for each row."""
    rows[name] = np.ascontiguousarray(values).view(rows.dtype[name]).reshape(len(rows))


def digits(numbers: Ints, width: int) -> Bytes:
    """The last `width` decimal digits of each number, one digit (0 to 9) a byte."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (numbers[:, None] // powers % 10).astype(np.uint8)


def bcd(values: Bytes) -> Bytes:
    """Two digits a byte."""
    packed: Bytes = (values[:, 0::2] << 4 | values[:, 1::2]).astype(np.uint8)
    return packed


def ascii_text(values: Bytes) -> npt.NDArray[np.bytes_]:
    """Digits as text."""
    text = np.ascontiguousarray(values + ord("0")).view(f"S{values.shape[1]}")
    return text.reshape(len(values))


def local_digits(time_ms: Ints) -> Bytes:
    """YYYYMMDDhhmmss of the local time."""
    second = (time_ms + ZONE_OFFSET_MS) // 1_000
    days = (second // 86_400).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    year = months.astype("datetime64[Y]").astype(np.int64) + 1970
    month = months.astype(np.int64) % 12 + 1
    day = (days - months).astype(np.int64) + 1
    parts = (month, day, second // 3_600 % 24, second // 60 % 60, second % 60)
    return np.concatenate([digits(year, 4), *(digits(part, 2) for part in parts)], axis=1)


def bcd8(time_ms: Ints) -> Bytes:
    """The times of AAF5."""
    last = np.full((len(time_ms), 1), BCD8_END, dtype=np.uint8)
    return np.concatenate((bcd(local_digits(time_ms)), last), axis=1)


def cp56(time_ms: Ints) -> Bytes:
    """The times of YKC; the day of the week stays 0."""
    spelled = local_digits(time_ms).astype(np.int64)
    year, month, day, hour, minute = (spelled[:, at] * 10 + spelled[:, at + 1] for at in (2, 4, 6, 8, 10))
    within = (time_ms + ZONE_OFFSET_MS) % 60_000
    parts = (within & 0xFF, within >> 8, minute, hour, day, month, year)
    return np.stack(parts, axis=1).astype(np.uint8)


def little_endian(values: Ints, width: int) -> Bytes:
    """The low bytes of each value."""
    low: Bytes = np.ascontiguousarray(values, dtype="<i8").view(np.uint8).reshape(len(values), 8)[:, :width]
    return low


def big_endian_halves(packed: Bytes) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """16 bytes as two numbers."""
    halves = np.ascontiguousarray(packed).view(">u8").astype(np.uint64)
    return halves[:, 0], halves[:, 1]


def _around(rows: Rows, template: bytes, body_at: int) -> Bytes:
    size = rows.dtype.itemsize
    frames = np.tile(np.frombuffer(template, dtype=np.uint8), (len(rows), 1))
    frames[:, body_at : body_at + size] = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), size)
    return frames


def _cut(frames: Bytes) -> list[bytes]:
    data, width = frames.tobytes(), frames.shape[1]
    return [data[at : at + width] for at in range(0, len(data), width)]


@cache
def _row_type(protocol: str, message_type: int, size: int) -> "np.dtype[np.void]":
    message = (AAF5_MESSAGES if protocol == "aaf5" else YKC_MESSAGES)[message_type]
    fields = [field for field in message.all_fields if field.offset + field.length <= size]
    layout: Any = {
        "names": [field.name for field in fields],
        "formats": [_format(field) for field in fields],
        "offsets": [field.offset for field in fields],
        "itemsize": size,
    }
    row_type: np.dtype[np.void] = np.dtype(layout)
    return row_type


def _format(field: Field) -> Any:
    if field.kind == "uint" and field.length in _NUMPY_UINTS:
        return f"<u{field.length}"
    if field.kind == "uint_list":
        return f"<u{field.length // field.count}", (field.count,)
    return f"S{field.length}" if field.kind in ("text", "c_text") else f"V{field.length}"


def as_objects(frames: list[bytes]) -> npt.NDArray[np.object_]:
    """The frames as an array of Python objects: numpy by itself would cut NULs off their ends."""
    objects = np.empty(len(frames), dtype=object)
    objects[:] = frames
    return objects
