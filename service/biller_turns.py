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
BUSY_BYTES = 1024 * 1024
"""A loader that has less before it needs no room."""
PAUSE_PER_PASS = 3.0
LONGEST_PAUSE_S = 10.0
LOOK_S = 0.25
"""How often a biller that waits looks for a reason to begin."""
SAY_S = 1.0
"""How often it says that it waits."""
GONE_MS = 10_000
"""A biller that waited and has said nothing for so long was killed."""


class BillerStatus(msgspec.Struct, frozen=True):
    """What a biller says of its turns, since it started.

    `passes` are those that were done, `failed` those that ended because ClickHouse was away; `last_pass_ms` (epoch) is
    the end of the last one that was done. `put_off` passes waited for the loader, together `waited_ms`,
    `longest_wait_ms` at most; `in_spite` of them began while it was still behind, since the wait is bounded.
    `waits_since_ms` (epoch) is 0 while none waits.
    """

    updated_ms: int
    passes: int
    put_off: int
    in_spite: int
    waited_ms: int
    longest_wait_ms: int
    waits_since_ms: int
    last_pass_ms: int
    failed: int = 0


def bytes_before_loader(status: LoaderStatus | None, at_ms: int) -> int:
    """What the loader still has before it; 0 of one that does not get on: nobody waits for it, nor leaves it room."""
    if status is None or status.last_error or at_ms - status.updated_ms >= FRESH_MS:
        return 0
    return status.waiting_bytes


class BillerTurns:
    """Says when a pass may begin, and keeps count of it in `run/biller.json`.

    `before_loader` gives the bytes that the loader has before it. While these are a backlog (16 MiB), a pass waits,
    `patience_s` at most. After a pass comes a pause of `interval_s`; while the loader is busy (1 MiB), of three times
    the pass, up to 10 s, if that is longer. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        run: Path,
        before_loader: Callable[[], int],
        *,
        patience_s: float,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = run / STATUS_FILE
        self._before_loader = before_loader
        self._patience_s = patience_s
        self._interval_s = interval_s
        self._clock = clock
        self._waits_since_s: float | None = None
        self._waits_since_ms = 0
        self._began_s = 0.0
        self._ended_s: float | None = None
        self._said_s = 0.0
        self._passes = self._failed = self._put_off = self._in_spite = self._waited_ms = self._longest_wait_ms = 0
        self._last_pass_ms = 0

    def wait_s(self) -> float:
        """0 when a pass may begin now, and it is taken to begin; else for how many seconds not to ask again."""
        now_s, waiting = self._clock(), self._before_loader()
        rest_s = self._rest_s(now_s, waiting)
        if rest_s > 0:
            return min(rest_s, LOOK_S)
        is_behind = waiting >= BACKLOG_BYTES
        if is_behind and self._patience_s > 0:
            if self._waits_since_s is None:
                self._begin_wait(now_s)
            assert self._waits_since_s is not None
            patience_s = self._waits_since_s + self._patience_s - now_s
            if patience_s > 0:
                if now_s - self._said_s >= SAY_S:
                    self._write()
                return min(patience_s, LOOK_S)
        self._in_spite += int(is_behind and self._waits_since_s is not None)
        self.begin()
        return 0.0

    def begin(self) -> None:
        """A pass begins, whatever the loader does: the last one of a biller that is to stop."""
        now_s = self._clock()
        if self._waits_since_s is not None:
            waited_ms = int((now_s - self._waits_since_s) * 1000)
            self._waited_ms += waited_ms
            self._longest_wait_ms = max(self._longest_wait_ms, waited_ms)
            self._waits_since_s, self._waits_since_ms = None, 0
            self._write()
        self._began_s = now_s

    def ended(self, *, failed: bool = False) -> None:
        """A pass is over: done, or given up since ClickHouse is away."""
        self._ended_s = self._clock()
        if failed:
            self._failed += 1
        else:
            self._passes += 1
            self._last_pass_ms = now_ms()
        self._write()

    def _rest_s(self, now_s: float, waiting: int) -> float:
        """How much of the pause after the last pass is left."""
        if self._ended_s is None:
            return 0.0
        pause_s = self._interval_s
        if waiting >= BUSY_BYTES:
            pause_s = max(pause_s, min(PAUSE_PER_PASS * (self._ended_s - self._began_s), LONGEST_PAUSE_S))
        return self._ended_s + pause_s - now_s

    def _begin_wait(self, now_s: float) -> None:
        self._waits_since_s, self._waits_since_ms = now_s, now_ms()
        self._put_off += 1
        self._write()

    def _write(self) -> None:
        self._said_s = self._clock()
        status = BillerStatus(
            now_ms(),
            self._passes,
            self._put_off,
            self._in_spite,
            self._waited_ms,
            self._longest_wait_ms,
            self._waits_since_ms,
            self._last_pass_ms,
            self._failed,
        )
        try:
            replace_file(self._path, msgspec.json.encode(status))
        except OSError as error:  # a full disk: bills go on without anybody being told
            _log.warning("cannot write %s: %s", self._path, error)


def read_biller_status(run: Path) -> BillerStatus | None:
    """What the biller said last, None when none ever ran. One that was killed while it waited waits no more.

    Raises `msgspec.DecodeError` for a torn file.
    """
    try:
        status = msgspec.json.decode((run / STATUS_FILE).read_bytes(), type=BillerStatus)
    except FileNotFoundError:
        return None
    if status.waits_since_ms and now_ms() - status.updated_ms >= GONE_MS:
        return msgspec.structs.replace(status, waits_since_ms=0)
    return status
