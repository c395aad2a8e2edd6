"""The loader: what lies in the spool, into ClickHouse, each row once."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from core.directory import PileDirectory
from ingest.batch import Batch, rows_of
from ingest.disk import Disk
from ingest.insert import ClientFactory, DatabaseAwayError, Inserter
from ingest.load_state import STATE_FOLDER, LoadState, drop_states_without_segment, read_state, write_state
from ingest.record_buffer import find_record, scan_records
from ingest.segment import SEGMENT_HEADER_BYTES, Segment, list_segments

BATCH_RECORDS = 200_000
BATCH_BYTES = 48 * 1024 * 1024  # far more than the largest record
INTERVAL_S = 1.0
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
STATUS_INTERVAL_S = 1.0
STATUS_FILE = "loader.json"

_log = logging.getLogger(__name__)


@dataclass
class LoadReport:
    """What one pass brought into the database. `damaged_bytes` were no records and lie beside their segment."""

    records: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    damaged_bytes: int = 0
    undecodable_events: int = 0
    segments_deleted: int = 0


class LoaderStatus(msgspec.Struct, frozen=True):
    """The file `loader.json` in the spool's folder: how far the database is behind, and why.

    What was durable in the spool at `loaded_until_ms` is in the database.
    """

    updated_ms: int
    loaded_until_ms: int
    waiting_bytes: int
    records: int
    rows: dict[str, int]
    damaged_bytes: int
    last_error: str


class Loader:
    """Loads one spool; there is one loader per spool.

    Exactly once: before a piece of a segment is inserted, its borders are put on the disk as an intent, and after the
    insert as loaded. Whoever finds an intent at the start makes the same rows of the same bytes again, with the same
    token, and leaves out those that the database has.
    """

    def __init__(
        self,
        spool_folder: Path,
        client_factory: ClientFactory,
        directory: PileDirectory,
        *,
        keep_loaded: bool = False,
        batch_records: int = BATCH_RECORDS,
        interval_s: float = INTERVAL_S,
        disk: Disk | None = None,
    ) -> None:
        """`client_factory(use_numpy=…)` connects to the database. `keep_loaded` keeps segments that are loaded."""
        self.total = LoadReport()
        self.last_error = ""
        self._loaded_until_ms = 0
        self._folder = spool_folder
        self._inserter = Inserter(client_factory)
        self._directory = directory
        self._keep_loaded = keep_loaded
        self._batch_records = batch_records
        self._interval_s = interval_s
        self._disk = disk or Disk()
        self._status_due_s = time.monotonic() + STATUS_INTERVAL_S
        (spool_folder / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
        drop_states_without_segment(spool_folder)

    def waiting_bytes(self) -> int:
        """Bytes on the disk that are not in the database yet."""
        return sum(
            max(segment.readable - max(read_state(self._folder, segment.segment_id).loaded, SEGMENT_HEADER_BYTES), 0)
            for segment in list_segments(self._folder)
        )

    def load_available(self, progress: Callable[[int], None] | None = None) -> LoadReport:
        """Load all that is durable in the spool now; `progress` is told of the bytes of each segment that is done.

        Raises DatabaseAwayError when ClickHouse does not take it; the next call goes on where this one stopped.
        """
        report = LoadReport()
        for segment in list_segments(self._folder):
            self._load_segment(segment, report)
            if progress is not None:
                progress(segment.readable)
        return report

    def run(self, stop: threading.Event) -> None:
        """Load until `stop` is set, then once more what is there. While the database is away it is tried again."""
        backoff_s = FIRST_BACKOFF_S
        while not stop.is_set():
            started = time.monotonic()
            if self._try_once():
                backoff_s = FIRST_BACKOFF_S
                stop.wait(max(self._interval_s - (time.monotonic() - started), 0.0))
            else:
                stop.wait(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
        self._try_once()
        self.close()

    def close(self) -> None:
        """Drop the connections."""
        self._inserter.disconnect()

    def _try_once(self) -> bool:
        began_ms = time.time_ns() // 1_000_000
        try:
            self.load_available()
        except DatabaseAwayError as error:
            self._note_error(str(error))
        except Exception as error:  # noqa: BLE001 - see below, and it is logged with its traceback
            # The spool keeps everything; a loader that ends would only make it grow unseen.
            self._inserter.disconnect()
            _log.exception("the loader failed and tries again")
            self._note_error(f"{type(error).__name__}: {error}")
        else:
            self.last_error = ""
            self._loaded_until_ms = began_ms
        self._write_status()
        return not self.last_error

    def _note_error(self, error: str) -> None:
        if error != self.last_error:
            _log.warning("%s; trying again", error)
        self.last_error = error

    def _load_segment(self, segment: Segment, report: LoadReport) -> None:
        state = read_state(self._folder, segment.segment_id)
        if state.loaded < SEGMENT_HEADER_BYTES:
            state = LoadState(SEGMENT_HEADER_BYTES, state.intent_end)
        if state.loaded < segment.readable:
            try:
                file = os.open(segment.path, os.O_RDONLY)
            except FileNotFoundError:  # shed since the listing
                return
            try:
                while state.loaded < segment.readable:
                    state = self._load_piece(segment, file, state, report)
            finally:
                os.close(file)
        if segment.closed and state.loaded >= segment.size and not self._keep_loaded:
            self._delete(segment, report)

    def _load_piece(self, segment: Segment, file: int, state: LoadState, report: LoadReport) -> LoadState:
        """Load the next piece of a segment, or step over damage; gives the state afterwards."""
        start = state.loaded
        redo = state.intent_end > start
        end_of_piece = state.intent_end if redo else min(segment.readable, start + BATCH_BYTES)
        data = os.pread(file, end_of_piece - start, start)
        records = scan_records(data, 0, len(data) if redo else self._batch_records)
        if records.count == 0:
            end = self._step_over_damage(segment, file, start, report)
            return self._loaded(segment, end, state.intent_end)
        end = start + records.end
        batch = Batch(segment.segment_id, start, data, records)
        tables, undecodable = rows_of(batch, self._directory)
        if not redo:
            write_state(self._folder, segment.segment_id, LoadState(start, end), self._disk)
        for rows in tables:
            self._inserter.insert(rows, segment.segment_id, start, end, maybe_stored=redo)
        for event in undecodable:
            self._set_aside(segment, event.segment_offset, event.payload, event.reason)
        loaded_rows: dict[str, int] = {}
        for rows in tables:
            loaded_rows[rows.table] = loaded_rows.get(rows.table, 0) + len(rows)
        self._count(report, LoadReport(records.count, loaded_rows, undecodable_events=len(undecodable)))
        return self._loaded(segment, end, state.intent_end)

    def _loaded(self, segment: Segment, end: int, intent_end: int) -> LoadState:
        # An intent outlives a part of itself: what was damaged since must not make the rest look untried.
        state = LoadState(end, intent_end if intent_end > end else 0)
        write_state(self._folder, segment.segment_id, state, self._disk)
        self.last_error = ""
        if time.monotonic() >= self._status_due_s:  # a long catching up must be seen while it lasts
            self._write_status()
        return state

    def _step_over_damage(self, segment: Segment, file: int, start: int, report: LoadReport) -> int:
        """Put the bytes that are no record aside; gives where the next intact record begins."""
        data = os.pread(file, segment.readable - start, start)
        following = find_record(data, 1)
        length = len(data) if following < 0 else following
        reason = scan_records(data, 0, 1).stop
        self._set_aside(segment, start, data[:length], reason)
        self._count(report, LoadReport(damaged_bytes=length))
        return start + length

    def _set_aside(self, segment: Segment, offset: int, data: bytes, reason: str) -> None:
        path = segment.path.with_suffix(f".damaged-{offset}")
        self._disk.replace(path, data)
        _log.error("%s: %d bytes from offset %d are no record (%s); kept in %s", segment.path.name, len(data), offset,
                   reason, path.name)  # fmt: skip

    def _delete(self, segment: Segment, report: LoadReport) -> None:
        segment.path.unlink(missing_ok=True)
        self._disk.sync_folder(self._folder)
        drop_states_without_segment(self._folder)
        self._count(report, LoadReport(segments_deleted=1))

    def _count(self, report: LoadReport, part: LoadReport) -> None:
        for summary in (report, self.total):
            summary.records += part.records
            summary.damaged_bytes += part.damaged_bytes
            summary.undecodable_events += part.undecodable_events
            summary.segments_deleted += part.segments_deleted
            for table, count in part.rows.items():
                summary.rows[table] = summary.rows.get(table, 0) + count

    def _write_status(self) -> None:
        self._status_due_s = time.monotonic() + STATUS_INTERVAL_S
        status = LoaderStatus(
            time.time_ns() // 1_000_000,
            self._loaded_until_ms,
            self.waiting_bytes(),
            self.total.records,
            self.total.rows,
            self.total.damaged_bytes,
            self.last_error,
        )
        part = self._folder / f"{STATUS_FILE}.part"
        part.write_bytes(msgspec.json.encode(status))
        part.replace(self._folder / STATUS_FILE)
