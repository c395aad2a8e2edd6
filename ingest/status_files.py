"""The small files that a running gateway rewrites, its counters and its sign of life: no disk may stop it by them."""

import threading
from collections.abc import Callable
from pathlib import Path

from ingest.events import PlatformOutage
from ingest.liveness import Liveness, replace_file


class StatusFiles:
    """Writes what is asked for and counts what the disk refused; only the reading at the start may raise.

    May be called from several threads, of which each writes alone; after `stopped` no beat is written any more.
    `errors` and `last_error` are part of the status, so that the control socket shows what the file cannot.
    """

    def __init__(self, status_path: Path | None, beat_path: Path | None, node: str) -> None:
        self.errors = 0
        self.last_error = ""
        self._status_path = status_path
        self._writing = threading.Lock()
        self._ended = False
        self._liveness = Liveness(beat_path, node) if beat_path else None

    def outage_before(self, now_ms: int) -> PlatformOutage | None:
        """The time before this start in which nobody listened; raises `IngestError` when the beat is unreadable."""
        return self._liveness.outage_before(now_ms) if self._liveness is not None else None

    def beat(self, now_ms: int) -> None:
        """Say that the gateway lives."""
        liveness = self._liveness
        if liveness is not None:
            self._attempt(lambda: self._ended or liveness.beat(now_ms))

    def stopped(self, now_ms: int) -> None:
        """Say that the gateway ended in order."""
        with self._writing:
            self._ended = True
        liveness = self._liveness
        if liveness is not None:
            self._attempt(lambda: liveness.stopped(now_ms))

    def write_status(self, content: bytes) -> None:
        """Show the counters."""
        path = self._status_path
        if path is not None:
            self._attempt(lambda: replace_file(path, content))

    def _attempt(self, write: Callable[[], object]) -> None:
        with self._writing:
            try:
                write()
            except OSError as error:
                self.errors += 1
                self.last_error = str(error)
