"""A piece of a segment on its way to the database: its records, and the rows of each table that they become."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.directory import PileDirectory
from ingest.bill_rows import bill_upload_rows
from ingest.event_rows import UndecodableEvent, event_rows
from ingest.frame_rows import frame_rows
from ingest.owners import operators_at
from ingest.reading_rows import reading_rows
from ingest.record_buffer import EVENT, FRAME_UP, Records
from ingest.table_rows import TableRows
from ingest.ykc_types import REALTIME, RECORD


@dataclass(frozen=True)
class Batch:
    """Intact records of `data`, which begins at byte `start` of the segment."""

    segment_id: int
    start: int
    data: bytes
    records: Records

    def segment_offset(self, picked: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Where the picked records stand in the segment."""
        return self.records.offset[picked] + np.uint64(self.start)

    def payload(self, index: int) -> bytes:
        """The payload of one record."""
        start = int(self.records.payload_offset[index])
        return self.data[start : start + int(self.records.payload_length[index])]


def rows_of(batch: Batch, directory: PileDirectory) -> tuple[list[TableRows], list[UndecodableEvent]]:
    """The rows that the batch becomes, by table, and the events that could not be read.

    The same batch always becomes the same rows, but for `operator_id`, which is the owner that `directory` knows now.
    """
    records = batch.records
    operators = operators_at(directory, records.pile_id, records.event_ms)
    is_realtime = (records.kind == FRAME_UP) & (records.frame_type == REALTIME)
    readings, as_frame = reading_rows(batch, np.flatnonzero(is_realtime), operators)
    is_frame = (records.kind != EVENT) & ~is_realtime
    is_frame[as_frame] = True
    is_record = (records.kind == FRAME_UP) & (records.frame_type == RECORD)
    events, undecodable = event_rows(batch, np.flatnonzero(records.kind == EVENT), directory)
    tables = [
        readings,
        frame_rows(batch, np.flatnonzero(is_frame), operators),
        bill_upload_rows(batch, np.flatnonzero(is_record), operators, directory),
        *events,
    ]
    return [rows for rows in tables if len(rows)], undecodable
