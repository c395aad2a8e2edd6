"""A digest of rows that ClickHouse computes as well, whatever their order."""

import numpy as np
from numpy.typing import NDArray

def rows_digest(segment_offset: NDArray[np.uint64], value: NDArray[np.uint64]) -> int:
    """The sum over all rows of a hash of both, modulo 2**64.

    In ClickHouse: `sum(intHash64(bitXor(intHash64(segment_offset), value)))` of UInt64.
    """
