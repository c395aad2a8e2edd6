"""What a YKC connector showed after each of its charges: the same answer as `session_after.sql`, from columns."""

from typing import Final

import numpy as np
import numpy.typing as npt

AFTER_COLUMNS: Final[tuple[str, ...]]

def look_after(
    receive_ms: npt.NDArray[np.int64],
    trade_hi: npt.NDArray[np.uint64],
    trade_lo: npt.NDArray[np.uint64],
    state: npt.NDArray[np.uint8],
    plugged: npt.NDArray[np.uint8],
    power_w: npt.NDArray[np.int32],
    minutes: npt.NDArray[np.uint16],
    last: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
    max_wait_ms: int,
    balancing_w: int,
    found_out: npt.NDArray[np.int64],
    known_out: npt.NDArray[np.uint8],
) -> None:
    """For each charge the seven `AFTER_COLUMNS`, and whether they are known.

    The rows of a connector stand in the order of their receipt, `last` is the place of the charge's last row and `end`
    the one behind the connector's last. Not known: rows of the charge itself follow, or rows out of that order.
    Raises ValueError for a place outside of the rows, or columns of different lengths.
    """
