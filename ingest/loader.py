"""The loader: what lies in the folders of the spool, into ClickHouse, each row once."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from core.directory import PileDirectory
from ingest.disk import Disk
from ingest.insert import ClientFactory, DatabaseAwayError, Inserter
from ingest.left_over import remove_if_done
from ingest.liveness import replace_file
from ingest.load_ledger import LoadLedger
from ingest.loader_status import STATUS_FILE, LoaderStatus, LoadReport
from ingest.segment import Segment
from ingest.segment_loader import FolderLoader, LoaderParts
from ingest.spool_folders import lock_for_loading, spool_folders

BATCH_RECORDS = 1_000_000
INTERVAL_S = 0.2
LONGEST_INTERVAL_S = 2.0
# A pass that used so much processor time is followed by a pause of that many times as long: a hundredth of a core.
PAUSE_PER_WORK = 100
BACKLOG_BYTES = 16 * 1024 * 1024
"""With so much waiting after a pass there is no pause: few large inserts cost ClickHouse less than many small ones."""
PASS_S = 5.0
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 5.0
STATUS_INTERVAL_S = 1.0
OTHER_LOADER_ENDS_S = 10.0

_log = logging.getLogger(__name__)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Loader:
    """Loads one spool, all its folders; there is one loader per spool.

    Segments are loaded by age, whichever folder they lie in: no folder waits for the newer data of another. How each
    row is stored once is told in `FolderLoader`.
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
        clock: Callable[[], int] = _now_ms,
    ) -> None:
        """`client_factory(use_numpy=…)` connects to the database. `keep_loaded` keeps segments that are loaded.

        `clock` gives epoch milliseconds. `interval_s` is the shortest pause between two passes of `run`.
        """
        self.total = LoadReport()
        self.last_error = ""
        self._report = LoadReport()
        self._loaded_until_ms = 0
        self._root = spool_folder
        self._interval_s = interval_s
        self._clock = clock
        self._inserter = Inserter(client_factory)
        self._folders: dict[Path, FolderLoader] = {}
        self._status_due_s = time.monotonic() + STATUS_INTERVAL_S
        self._parts = LoaderParts(
            self._inserter,
            LoadLedger(self._inserter),
            directory,
            disk or Disk(),
            clock,
            keep_loaded,
            batch_records,
            self._count,
        )
        spool_folder.mkdir(parents=True, exist_ok=True)
        self._find_folders()

    def waiting_bytes(self) -> int:
        """Bytes on the disk that are not in the database yet."""
        return sum(self._waiting().values())

    def load_available(self, progress: Callable[[int], None] | None = None) -> LoadReport:
        """Load all that is durable in the spool now; `progress` is told of the bytes of each segment that is done.

        Raises DatabaseAwayError when ClickHouse does not take it; the next call goes on where this one stopped.
        """
        self._pass(progress)
        return self._report

    def run(self, stop: threading.Event) -> None:
        """Load until `stop` is set, then once more what is there. While the database is away it is tried again.

        Raises SpoolInUseError when another loader has the spool.
        """
        lock = lock_for_loading(self._root, OTHER_LOADER_ENDS_S)
        try:
            backoff_s = FIRST_BACKOFF_S
            while not stop.is_set():
                started_s, worked_s = time.monotonic(), time.thread_time()
                if self._try_once(PASS_S):
                    backoff_s = FIRST_BACKOFF_S
                    if self.waiting_bytes() < BACKLOG_BYTES:
                        pause_s = max(PAUSE_PER_WORK * (time.thread_time() - worked_s), self._interval_s)
                        pause_s = min(pause_s, max(LONGEST_INTERVAL_S, self._interval_s))
                        stop.wait(max(pause_s - (time.monotonic() - started_s), 0.0))
                else:
                    stop.wait(backoff_s)
                    backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
            self._try_once()
            self.close()
        finally:
            os.close(lock)

    def close(self) -> None:
        """Drop the connections."""
        self._inserter.disconnect()

    def _pass(self, progress: Callable[[int], None] | None = None, at_most_s: float | None = None) -> bool:
        """Load what is there now, oldest segments first; False when the time was up before the end."""
        self._report = LoadReport()
        self._find_folders()
        deadline = None if at_most_s is None else time.monotonic() + at_most_s
        work: list[tuple[tuple[int, int], FolderLoader, Segment]] = []
        for folder in self._folders.values():
            segments = [segment for segment in folder.segments() if folder.has_work(segment)]
            folder.learn_what_was_announced(segments)
            work += [((segment.header.created_ms, segment.segment_id), folder, segment) for segment in segments]
        work.sort(key=lambda entry: entry[0])
        for _, folder, segment in work:
            if deadline is not None and time.monotonic() > deadline:
                return False
            folder.load(segment)
            if progress is not None:
                progress(segment.readable)
        self._remove_done_folders()
        return True

    def _remove_done_folders(self) -> None:
        for path in list(self._folders):
            if path != self._root and remove_if_done(path):
                del self._folders[path]

    def _find_folders(self) -> None:
        for path in spool_folders(self._root):
            if path not in self._folders:
                name = "" if path == self._root else path.name
                self._folders[path] = FolderLoader(path, name, self._parts)

    def _waiting(self) -> dict[str, int]:
        return {folder.name: folder.waiting_bytes(folder.segments()) for folder in self._folders.values()}

    def _try_once(self, at_most_s: float | None = None) -> bool:
        began_ms = self._clock()
        try:
            complete = self._pass(at_most_s=at_most_s)
        except DatabaseAwayError as error:
            self._note_error(str(error))
        except Exception as error:  # noqa: BLE001 - see below, and it is logged with its traceback
            # The spool keeps everything; a loader that ends would only make it grow unseen.
            self._inserter.disconnect()
            _log.exception("the loader failed and tries again")
            self._note_error(f"{type(error).__name__}: {error}")
        else:
            self.last_error = ""
            if complete:
                self._loaded_until_ms = began_ms
        self._write_status()
        return not self.last_error

    def _note_error(self, error: str) -> None:
        if error != self.last_error:
            _log.warning("%s; trying again", error)
        self.last_error = error

    def _count(self, part: LoadReport) -> None:
        self._report.add(part)
        self.total.add(part)
        self.last_error = ""
        if time.monotonic() >= self._status_due_s:  # a long catching up must be seen while it lasts
            self._write_status()

    def _write_status(self) -> None:
        self._status_due_s = time.monotonic() + STATUS_INTERVAL_S
        waiting = self._waiting()
        differences = [folder.last_difference for folder in self._folders.values() if folder.last_difference]
        status = LoaderStatus(
            self._clock(),
            self._loaded_until_ms,
            sum(waiting.values()),
            self.total.records,
            self.total.rows,
            self.total.damaged_bytes,
            self.last_error,
            waiting,
            self.total.checked_rows,
            self.total.repaired_rows,
            self.total.differences,
            differences[-1] if differences else "",
        )
        try:
            replace_file(self._root / STATUS_FILE, msgspec.json.encode(status))
        except OSError as error:  # a full disk: emptying it is what this loader is for
            self._note_error(f"{type(error).__name__}: {error}")
