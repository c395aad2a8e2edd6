"""An event loop with real sockets and real threads whose time leaps over every pause: hours pass in seconds."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class LeapingSelector(selectors.DefaultSelector):
    """Waits for nothing: when no socket is ready and no thread works, time leaps to the next timer.

    Both ends of the loopback are in this process, so what one end wrote is ready at once for the other. A thread (a
    sync of the disk) takes no time at all by this clock: it is waited for, and nothing falls due meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leapt_s = 0.0
        self.threads_at_work = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As in `selectors`, but for the waiting."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None or self.threads_at_work:
            return super().select(None)
        self.leapt_s += timeout
        return []


class LeapingLoop(asyncio.SelectorEventLoop):
    """`time()` tells the time that has been leapt over."""

    def __init__(self) -> None:
        self._leaping = LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        """As in `asyncio`."""
        return self._leaping.leapt_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], T], *args: *Arguments
    ) -> "asyncio.Future[T]":
        """As in `asyncio`; time stands still until the call has returned."""
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._leaping.threads_at_work += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: "asyncio.Future[Any]") -> None:
        self._leaping.threads_at_work -= 1
