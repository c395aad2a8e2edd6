"""Status frames (104) to columns, without a Python object per frame.

The columns hold every field of the table under its name, with its unit behind it, in wire units: `_dv` 0.1 V, `_da`
0.1 A, `_e2kwh` 0.01 kWh, `_fen` 0.01 CNY, `_e1kw` 0.1 kW, `_s` seconds. `start_time` is the BCD8 as a big-endian
number, `body_bytes` the size that tells the variant, `packed` 1 when `serial` is 32 upper-case hex digits, which
`trade_hi` and `trade_lo` then are. Texts end at their first NUL.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

COLUMN_TYPES: Final[dict[str, str]]

def decode_status(frame: Buffer) -> dict[str, int | bytes] | None:
    """The columns of one whole frame (AA to checksum), None when it cannot be decoded as 104."""

class StatusColumns:
    """`capacity` preallocated rows, filled from the front.

    A body of another size than a variant's gives the fields common to all variants; one too short for them no row.
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

        Each frame is checked again: command, length, sum. What is left out shows in `source`.
        Raises `WireBufferError`, and appends nothing, when the arrays differ in length, there are more frames than rows
        left, or a frame reaches beyond `data`.
        """

    def clear(self) -> None:
        """Forget the rows. Views given by `columns()` are overwritten by what comes next."""

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The filled part of each column: views into the rows, so with gaps between their values."""
