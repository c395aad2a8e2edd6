"""Rows of one ClickHouse table in columns, as the loader inserts them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The column that each table is partitioned by or ordered in time by: it narrows the search for rows already stored.
TIME_COLUMNS = {
    "readings": "event_ms",
    "frames": "receive_ms",
    "pile_bill_uploads": "receive_ms",
    "connection_events": "event_ms",
    "presence": "first_ms",
    "connector_events": "event_ms",
    "clock_offsets": "event_ms",
    "commands": "sent_ms",
    "tariff_acks": "event_ms",
    "session_starts": "event_ms",
    "charger_identities": "event_ms",
    "alarms": "event_ms",
    "platform_outages": "from_ms",
}


@dataclass(frozen=True)
class TableRows:
    """`columns` by name, each an array or a list of equal length; `segment_offset` is always among them.

    `numpy_only`: every column is an array, so that the driver writes it without an object per value. `part` tells
    several inserts into one table apart that a piece of a segment becomes.
    """

    table: str
    columns: dict[str, Any]
    numpy_only: bool = False
    part: str = ""

    def __len__(self) -> int:
        return len(self.columns["segment_offset"])

    @property
    def segment_offset(self) -> NDArray[np.uint64]:
        """Where each row's record stands in its segment: with the segment's number the key of the row."""
        return np.asarray(self.columns["segment_offset"], np.uint64)

    @property
    def time_range(self) -> tuple[int, int]:
        """Smallest and largest value of the table's time column."""
        times = np.asarray(self.columns[TIME_COLUMNS[self.table]], np.int64)
        return int(times.min()), int(times.max())

    def keep(self, mask: NDArray[np.bool_]) -> "TableRows":
        """The rows where `mask` is true."""
        picked = np.flatnonzero(mask).tolist()
        columns = {
            name: values[mask] if isinstance(values, np.ndarray) else [values[i] for i in picked]
            for name, values in self.columns.items()
        }
        return TableRows(self.table, columns, self.numpy_only, self.part)
