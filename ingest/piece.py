"""Pieces of segments in memory: their bytes, records and rows, in buffers that are used again and again."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.directory import PileDirectory
from ingest.batch import Batch, rows_of
from ingest.event_rows import UndecodableEvent
from ingest.reading_columns import ReadingColumns
from ingest.record_buffer import Records, scan_records
from ingest.row_tally import Tally, tally_of
from ingest.table_rows import TableRows


class Workbench:
    """Room for one piece. What was read, scanned or made on it lasts until that is done again."""

    def __init__(self) -> None:
        self._bytes: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._records: Records | None = None
        self._readings = ReadingColumns()

    def read(self, file: int, start: int, length: int) -> memoryview:
        """These bytes of a file; fewer when it ends before."""
        if length > len(self._bytes):
            self._bytes = np.empty(length, np.uint8)
        view = self._bytes.data[:length]
        done = 0
        while done < length:
            got = os.preadv(file, [view[done:]], start + done)
            if got == 0:
                break
            done += got
        return view[:done]

    def scan(self, data: memoryview, max_records: int) -> Records:
        """The intact records at the begin of `data`."""
        self._records = scan_records(data, 0, max_records, self._records)
        return self._records

    def make_rows(
        self, segment_id: int, start: int, data: memoryview, records: Records, directory: PileDirectory
    ) -> "MadeRows":
        """What the records become; `start` is where `data` begins in its segment."""
        tables, undecodable = rows_of(Batch(segment_id, start, data, records), directory, self._readings)
        return MadeRows(tables, [tally_of(rows) for rows in tables], undecodable)


@dataclass
class MadeRows:
    """Rows by table with their tallies, and the events that could not be read."""

    tables: list[TableRows]
    tallies: list[Tally]
    undecodable: list[UndecodableEvent]

    def count(self) -> dict[str, int]:
        """How many rows of each table."""
        numbers: dict[str, int] = {}
        for rows in self.tables:
            numbers[rows.table] = numbers.get(rows.table, 0) + len(rows)
        return numbers


@dataclass
class Piece:
    """A piece of a segment with its rows; without a record it has none, and begins with damage."""

    segment_id: int
    start: int
    records: Records
    rows: MadeRows

    @property
    def end(self) -> int:
        """Where it ends in its segment."""
        return self.start + self.records.end


def read_piece(
    bench: Workbench,
    file: int,
    segment_id: int,
    start: int,
    end: int,
    max_records: int,
    directory: PileDirectory,
) -> Piece:
    """The records between these bytes of a segment, as far as they are intact, and what they become."""
    data = bench.read(file, start, end - start)
    records = bench.scan(data, max_records)
    made = bench.make_rows(segment_id, start, data, records, directory) if records.count else MadeRows([], [], [])
    return Piece(segment_id, start, records, made)
