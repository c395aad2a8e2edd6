"""Realtime frames (0x13) to columns and back, without a Python object per frame.

The columns are those of table `readings`; all are in wire units and together they hold every bit of a standard frame.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

from core.ykc.splitter import FrameSplitter

COLUMN_TYPES: Final[dict[str, str]]
TRANSPOSED: Final = "eight frames at once"
"""By permutations of wide registers (AVX-512 VBMI of x86)."""
BY_FIELD: Final = "field by field"
"""On every machine."""

def implementations() -> tuple[str, ...]:
    """Ways to write rows that this machine can go, the fastest first. All write the same rows."""

def implementation() -> str:
    """The name of the one in force; after import, the fastest."""

def use(name: str) -> None:
    """Put one in force, in the whole process. Raises `UnknownRowWriterError` when the machine cannot."""

def decode_realtime(frame: Buffer) -> dict[str, int] | None:
    """The columns of one whole frame (start byte to checksum), None when it cannot be decoded as 0x13."""

def encode_realtime(row: Mapping[str, int | str]) -> bytes:
    """The frame of a `readings` row: 68 bytes; `checksum_order` is 1 or "le", 2 or "be"; other keys are not read.

    Raises `YkcEncodeError` when a column is missing or does not fit its field.
    """

class RealtimeColumns:
    """`capacity` preallocated rows, filled from the front.

    A body longer than the table (YLC) gives its prefix with `exact` 0; a shorter one gives no row.
    """

    def __init__(self, capacity: int) -> None: ...
    @property
    def capacity(self) -> int: ...
    @property
    def count(self) -> int:
        """Rows filled."""

    @property
    def source(self) -> npt.NDArray[np.uint32]:
        """For each row filled, the index in `offsets` of the call that decoded it."""

    def decode_many(self, data: Buffer, offsets: npt.NDArray[np.uint64], lengths: npt.NDArray[np.uint32]) -> int:
        """Append a row for each frame of `data` that can be decoded; gives how many were.

        Each frame is checked again: type, length byte, checksum. What is left out shows in `source`.
        Raises `YkcBufferError`, and appends nothing, when the arrays differ in length, there are more frames than rows
        left, or a frame reaches beyond `data`.
        """

    def append_spans(self, splitter: FrameSplitter) -> int:
        """Append a row for each reading in the spans of the last feed; gives how many there were.

        The splitter has found the checksums right; they are not computed again. `source` is the number of the span.
        Raises `YkcBufferError`, and appends nothing, when there are more spans than rows left.
        """

    def clear(self) -> None:
        """Forget the rows. Views given by `columns()` are overwritten by what comes next."""

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The filled part of each column: views, not copies."""

    def fill(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take rows from arrays of equal length: all columns but `exact`, which becomes 1.

        Raises `YkcEncodeError` when a column is missing, differs in length or holds values that do not fit.
        """

    def frames(self) -> bytes:
        """The frames of all rows, 68 bytes each, one after the other."""
