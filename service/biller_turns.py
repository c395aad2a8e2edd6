"""When the biller may begin a pass: after the loader while that is behind, but never later than a bounded wait.

Bills are made of what is loaded, by the same processors and the same ClickHouse. A pass beside a loader that is
behind makes bills of what was known a moment ago, which the next pass makes again, and keeps newer facts waiting.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from ingest.liveness import replace_file
from ingest.loader import BACKLOG_BYTES
from ingest.loader_status import LoaderStatus
from service.role import now_ms

_log = logging.getLogger(__name__)

STATUS_FILE = "biller.json"
FRESH_MS = 10_000
"""A loader that has said nothing for so long is not waited for: it may never say anything again."""
PAUSE_PER_PASS = 3.0
LONGEST_PAUSE_S = 10.0


class BillerStatus(msgspec.Struct, frozen=True):
    """What a biller says of its turns, since it started.

    `put_off` passes waited for the loader, together `waited_ms`, `longest_wait_ms` at most; `in_spite` of them began
    while it was still behind, since the wait is bounded. `waits_since_ms` (epoch) is 0 while none waits.
    """

    updated_ms: int
    passes: int
    put_off: int
    in_spite: int
    waited_ms: int
    longest_wait_ms: int
    waits_since_ms: int
    last_pass_ms: int


def loader_is_behind(status: LoaderStatus | None, at_ms: int) -> bool:
    """Whether the loader has so much before it that it makes no pause, and gets on."""
    if status is None or status.last_error:
        return False
    return status.waiting_bytes >= BACKLOG_BYTES and at_ms - status.updated_ms < FRESH_MS


class BillerTurns:
    """Says when a pass may begin, and keeps count of it in `run/biller.json`.

    `is_behind` tells of the loader. A pass waits for it `patience_s` at most. `clock` is monotonic, in seconds.
    """

    def __init__(
        self, run: Path, is_behind: Callable[[], bool], patience_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = run / STATUS_FILE
        self._is_behind = is_behind
        self._patience_s = patience_s
        self._clock = clock
        self._waits_since_s: float | None = None
        self._waits_since_ms = 0
        self._began_s = 0.0
        self._passes = self._put_off = self._in_spite = self._waited_ms = self._longest_wait_ms = 0
        self._last_pass_ms = 0

    def may_begin(self) -> bool:
        """Whether a pass may begin now; when it may, it is taken to begin."""
        behind = self._patience_s > 0 and self._is_behind()
        now_s = self._clock()
        if behind and self._waits_since_s is None:
            self._waits_since_s, self._waits_since_ms = now_s, now_ms()
            self._put_off += 1
        if self._waits_since_s is not None:
            waited_s = now_s - self._waits_since_s
            if behind and waited_s < self._patience_s:
                self._write()
                return False
            self._in_spite += int(behind)
            self._waited_ms += int(waited_s * 1000)
            self._longest_wait_ms = max(self._longest_wait_ms, int(waited_s * 1000))
            self._waits_since_s, self._waits_since_ms = None, 0
        self._began_s = now_s
        return True

    def ended(self) -> None:
        """A pass is over."""
        self._passes += 1
        self._last_pass_ms = now_ms()
        self._write()

    def pause_s(self, shortest_s: float) -> float:
        """How long to rest after a pass that is over: in proportion to it, so that it leaves room to others."""
        took_s = self._clock() - self._began_s
        return max(shortest_s, min(PAUSE_PER_PASS * took_s, LONGEST_PAUSE_S))

    def _write(self) -> None:
        status = BillerStatus(
            now_ms(),
            self._passes,
            self._put_off,
            self._in_spite,
            self._waited_ms,
            self._longest_wait_ms,
            self._waits_since_ms,
            self._last_pass_ms,
        )
        try:
            replace_file(self._path, msgspec.json.encode(status))
        except OSError as error:  # a full disk: bills go on without anybody being told
            _log.warning("cannot write %s: %s", self._path, error)


def read_biller_status(run: Path) -> BillerStatus | None:
    """What the biller said last, None when none ever ran."""
    try:
        return msgspec.json.decode((run / STATUS_FILE).read_bytes(), type=BillerStatus)
    except FileNotFoundError:
        return None
