"""Time for simulated chargers: the machine's, or a test's."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

LONGEST_SLEEP_S: Final = 3_600.0
# Timers may fire a little early; a charger acts a little late instead.
MARGIN_S: Final = 0.0005


class Clock:
    """UTC epoch milliseconds that run on from `start_ms` (default: now).

    `monotonic_ns` tells how time passes; it must agree with the time of the running event loop.
    """

    def __init__(self, *, start_ms: int | None = None, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._begin_ns = monotonic_ns()
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms

    def now_ms(self) -> int:
        """The time."""
        return self._start_ms + (self._monotonic_ns() - self._begin_ns) // 1_000_000

    async def sleep_until(self, time_ms: int) -> None:
        """Return when that time has come; at once when it is past."""
        while (left_ms := time_ms - self.now_ms()) > 0:
            await asyncio.sleep(min(left_ms / 1000 + MARGIN_S, LONGEST_SLEEP_S))

    async def wait(self, event: asyncio.Event, until_ms: int) -> bool:
        """Wait for the event until that time, but an hour at most; gives whether it came."""
        left_s = (until_ms - self.now_ms()) / 1000
        if not event.is_set() and left_s > 0:
            # Not asyncio.wait_for: in Python 3.11 it can swallow a cancellation that meets the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s + MARGIN_S, LONGEST_SLEEP_S)):
                    await event.wait()
        return event.is_set()
