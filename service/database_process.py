"""The embedded ClickHouse as one of the platform's processes: it comes up again without holding up the rest."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

from analytics.client import ClickHouseAddress
from analytics.embedded import EmbeddedServer
from analytics.errors import AnalyticsError

RETRY_PAUSE_S = 3.0


class DatabaseProcess:
    """Keeps one embedded server up. While it comes up again the gateway goes on: the spool holds what it takes."""

    def __init__(self, folder: Path, port: int | None, niceness: int = 0) -> None:
        self._server = EmbeddedServer(folder, port=port, niceness=niceness)
        self._revival: threading.Thread | None = None
        self._next_try = 0.0

    def start(self) -> ClickHouseAddress:
        """Start the server and give its address; raises `AnalyticsError` when it does not come up."""
        return self._server.start()

    def look_after(self) -> None:
        """Begin to start it again if it fell; returns at once. What goes wrong is said, and tried again."""
        if self._revival is not None and self._revival.is_alive():
            return
        if time.monotonic() < self._next_try:
            return
        self._revival = threading.Thread(target=self._revive, name="clickhouse", daemon=True)
        self._revival.start()

    def stop(self) -> None:
        """Close it in order; one that is just coming up is ended at once."""
        while self._revival is not None and self._revival.is_alive():
            if self._server.pid is not None:
                _kill(self._server.pid)
            self._revival.join(0.1)
        self._server.stop()

    def _revive(self) -> None:
        try:
            self._server.ensure_running()
        except AnalyticsError as error:
            print(f"pilestream: ClickHouse is away, trying again: {error}", file=sys.stderr, flush=True)
            self._next_try = time.monotonic() + RETRY_PAUSE_S


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
