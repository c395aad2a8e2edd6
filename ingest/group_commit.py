"""Group commit: many records, one sync; whoever waits for the disk is told as soon as it has happened."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ingest.spool import Spool

RETRY_S = 1.0

Callback = Callable[[], None]


class GroupCommit:
    """Commits a spool from an event loop without blocking it (the disk is waited for in a thread).

    What is buffered goes to the disk every `interval_ms`; when somebody waits (a record that a charger wants
    acknowledged), after `bill_interval_ms`. At most one commit runs at a time; the next one takes everything that came
    meanwhile, so a slow disk makes larger groups and not longer queues.

    When the disk refuses, callbacks wait: nothing is told that is not true. It is tried again every second.
    """

    def __init__(self, spool: Spool, *, interval_ms: int = 50, bill_interval_ms: int = 5) -> None:
        self.commits = 0
        self.failures = 0
        self.last_error: str = ""
        self.longest_commit_s = 0.0
        self._spool = spool
        self._interval_s = interval_ms / 1000
        self._bill_interval_s = bill_interval_ms / 1000
        self._waiting: list[Callback] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_is_urgent = False
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    def start(self) -> None:
        """Begin the regular commits on the running event loop (the first `when_durable` does it as well)."""
        if self._timer is None and self._running is None and not self._closed:
            self._schedule(self._interval_s, urgent=False)

    @property
    def waiting(self) -> int:
        """How many callbacks wait for the disk."""
        return len(self._waiting)

    def when_durable(self, callback: Callback) -> None:
        """Run `callback` on the event loop once everything appended so far is on the disk."""
        self._waiting.append(callback)
        if self._running is None and not self._timer_is_urgent and not self._closed:
            self._schedule(self._bill_interval_s, urgent=True)

    async def drain(self) -> None:
        """Return when everything appended so far is on the disk and its callbacks have run."""
        done = asyncio.Event()
        self.when_durable(done.set)
        await done.wait()

    async def close(self) -> None:
        """Commit what is buffered, once, and stop. Callbacks that the disk refused are dropped unrun."""
        self._closed = True
        self._cancel_timer()
        if self._running is not None:
            await self._running
        await self._commit()
        self._cancel_timer()
        self._executor.shutdown(wait=True)

    def _schedule(self, delay_s: float, *, urgent: bool) -> None:
        self._cancel_timer()
        self._timer_is_urgent = urgent
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_is_urgent = False

    def _tick(self) -> None:
        self._timer = None
        self._timer_is_urgent = False
        if self._waiting or self._spool.buffer.pending:
            self._running = asyncio.get_running_loop().create_task(self._commit())
        else:
            self._schedule(self._interval_s, urgent=False)

    async def _commit(self) -> None:
        loop = asyncio.get_running_loop()
        told, self._waiting = self._waiting, []
        started = loop.time()
        pause_s = self._interval_s
        try:
            await loop.run_in_executor(self._executor, self._spool.commit)
        except Exception as error:  # noqa: BLE001 - whatever the disk says, nobody may be told that it is written
            self.failures += 1
            self.last_error = str(error)
            self._waiting = told + self._waiting
            pause_s = RETRY_S
        else:
            self.commits += 1
            self.longest_commit_s = max(self.longest_commit_s, loop.time() - started)
            self._tell(told, loop)
            if self._waiting:
                pause_s = self._bill_interval_s
        self._running = None
        if not self._closed:
            self._schedule(pause_s, urgent=bool(self._waiting))

    @staticmethod
    def _tell(callbacks: list[Callback], loop: asyncio.AbstractEventLoop) -> None:
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - one broken callback must not keep the others from hearing
                loop.call_exception_handler({"message": "a callback of the group commit failed", "exception": error})
