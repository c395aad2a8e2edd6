"""Rows in the order in which their table keeps them: who brings them sorted saves ClickHouse the sorting."""

import numpy as np
from numpy.typing import NDArray

def by_connector_and_time(
    pile_id: NDArray[np.uint32], connector: NDArray[np.uint8], event_ms: NDArray[np.int64], picked: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The entries of `picked` ordered by (pile_id, connector, event_ms), and where each connector's rows begin there.

    Entries that are equal in all three stay in the order of `picked`. The second array ends with `len(picked)`.
    """
