"""A piece of a segment on its way to the database: its records, and the rows of each table that they become."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.directory import PileDirectory
from ingest.aaf5_bill_rows import aaf5_bill_rows
from ingest.aaf5_reading_rows import status_rows
from ingest.aaf5_types import RECORD as AAF5_RECORD
from ingest.aaf5_types import STATUS
from ingest.bill_rows import bill_upload_rows
from ingest.event_rows import UndecodableEvent, event_rows
from ingest.frame_rows import frame_rows
from ingest.owners import operators_at
from ingest.reading_columns import ReadingColumns
from ingest.reading_rows import reading_rows
from ingest.record_buffer import EVENT, FRAME_UP, PROTOCOL_AAF5, PROTOCOL_YKC, Records
from ingest.table_rows import TableRows
from ingest.ykc_types import REALTIME
from ingest.ykc_types import RECORD as YKC_RECORD


@dataclass(frozen=True)
class Batch:
    """Intact records of `data`, which begins at byte `start` of the segment."""

    segment_id: int
    start: int
    data: bytes | memoryview
    records: Records

    def segment_offset(self, picked: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Where the picked records stand in the segment."""
        return self.records.offset[picked] + np.uint64(self.start)

    def payload(self, index: int) -> bytes:
        """The payload of one record."""
        start = int(self.records.payload_offset[index])
        return bytes(self.data[start : start + int(self.records.payload_length[index])])


def rows_of(
    batch: Batch, directory: PileDirectory, readings_into: ReadingColumns | None = None
) -> tuple[list[TableRows], list[UndecodableEvent]]:
    """The rows that the batch becomes, by table, and the events that could not be read.

    The same batch always becomes the same rows, but for `operator_id`, which is the owner that `directory` knows now.
    `readings_into` saves the making of columns for every batch; the rows of readings then last until the next one.
    """
    records = batch.records
    is_up = records.kind == FRAME_UP
    is_ykc = is_up & (records.protocol == PROTOCOL_YKC)
    is_aaf5 = is_up & (records.protocol == PROTOCOL_AAF5)
    is_realtime = is_ykc & (records.frame_type == REALTIME)
    is_status = is_aaf5 & (records.frame_type == STATUS)
    readings, as_frame = reading_rows(
        batch, np.flatnonzero(is_realtime), directory, readings_into if readings_into is not None else ReadingColumns()
    )
    is_frame = (records.kind != EVENT) & ~is_realtime
    is_frame[as_frame] = True
    others = np.flatnonzero(is_frame)
    operators = np.zeros(records.count, np.uint32)
    operators[others] = operators_at(directory, records.pile_id[others], records.event_ms[others])
    is_record = is_ykc & (records.frame_type == YKC_RECORD)
    is_aaf5_record = is_aaf5 & (records.frame_type == AAF5_RECORD)
    events, undecodable = event_rows(batch, np.flatnonzero(records.kind == EVENT), directory)
    tables = [
        status_rows(batch, np.flatnonzero(is_status), operators, directory),
        frame_rows(batch, others, operators, directory),
        bill_upload_rows(batch, np.flatnonzero(is_record), operators, directory),
        aaf5_bill_rows(batch, np.flatnonzero(is_aaf5_record), operators, directory),
        *events,
        readings,
    ]
    return [rows for rows in tables if len(rows)], undecodable
