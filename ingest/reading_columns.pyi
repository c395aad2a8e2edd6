"""Readings of YKC from the bytes of a segment into the columns of table `readings`, without an object per reading."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from ingest.record_buffer import Records

class ReadingColumns:
    """Preallocated columns that are filled again and again; what they held before is overwritten then."""

    def __init__(self) -> None: ...
    def fill(self, data: Buffer, records: Records, order: NDArray[np.intp], start: int) -> NDArray[np.intp]:
        """Take the records of `data` with these numbers, all of them 0x13, in this order; gives those that became rows.

        `start` is where `data` begins in its segment. A frame that is too short for a row, or whose bytes are not a
        realtime frame, is left out. Raises ValueError when a record reaches beyond `data`.
        """

    def columns(self) -> dict[str, NDArray[Any]]:
        """The rows of the last `fill`, by column of the table: views. `checksum_order` is 1 (le) or 2 (be)."""
