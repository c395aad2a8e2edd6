"""Realtime frames (YKC 0x13) to rows of `readings`, in columns, without a Python object per reading."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.directory import PileDirectory
from ingest.owners import operators_of_groups
from ingest.reading_columns import ReadingColumns
from ingest.row_order import by_connector_and_time
from ingest.table_rows import TableRows

if TYPE_CHECKING:
    from ingest.batch import Batch

CHECKSUM_LE = 1


def reading_rows(
    batch: "Batch", picked: NDArray[np.intp], directory: PileDirectory, into: ReadingColumns
) -> tuple[TableRows, NDArray[np.intp]]:
    """Rows of the picked records, and those of the picked whose bytes must (also) be kept in `frames`.

    The latter are frames that their row does not reproduce to the byte (`exact` = 0), and frames too short for a row.
    The rows stand in the order of the table, and are views of `into`: they last until it is filled again.
    """
    records = batch.records
    order, starts = by_connector_and_time(records.pile_id, records.connector, records.event_ms, picked)
    decoded = into.fill(batch.data, records, order, batch.start)
    columns: dict[str, Any] = into.columns()
    checksum_order = columns.pop("checksum_order")
    undecoded = np.empty(0, np.intp)
    if len(decoded) < len(order):
        missing = np.isin(order, decoded, invert=True, assume_unique=True)
        undecoded = np.sort(order[missing])
        starts = starts - np.concatenate(([0], np.cumsum(missing)))[starts]
    columns["operator_id"] = operators_of_groups(directory, columns["pile_id"], columns["event_ms"], starts)
    columns["segment_id"] = np.full(len(decoded), batch.segment_id, np.uint64)
    if np.any(checksum_order != CHECKSUM_LE):
        # Left out where it says nothing: ClickHouse then takes the first value of the Enum, "le".
        columns["checksum_order"] = checksum_order
    inexact = np.sort(decoded[columns["exact"] == 0])
    return TableRows("readings", columns, numpy_only=True), np.concatenate((inexact, undecoded))
