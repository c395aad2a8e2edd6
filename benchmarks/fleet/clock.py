"""Time for simulated chargers: the machine's, or a faster one for tests."""

import asyncio
import time

LONGEST_SLEEP_S = 3_600.0


class Clock:
    """UTC epoch milliseconds that run `speed` times as fast as the machine's, from `start_ms` (default: now) on."""

    def __init__(self, *, start_ms: int | None = None, speed: float = 1.0) -> None:
        self._speed = speed
        self._begin_ns = time.monotonic_ns()
        self._start_ms = time.time_ns() // 1_000_000 if start_ms is None else start_ms

    def now_ms(self) -> int:
        """The time."""
        return self._start_ms + int((time.monotonic_ns() - self._begin_ns) * self._speed) // 1_000_000

    async def sleep_until(self, time_ms: int) -> None:
        """Return when that time has come; at once when it is past."""
        while (left_ms := time_ms - self.now_ms()) > 0:
            await asyncio.sleep(min(left_ms / 1000 / self._speed + 0.0005, LONGEST_SLEEP_S))

    async def wait(self, event: asyncio.Event, until_ms: int) -> bool:
        """Wait for the event until that time; gives whether it came."""
        left_s = (until_ms - self.now_ms()) / 1000 / self._speed
        if not event.is_set() and left_s > 0:
            try:
                await asyncio.wait_for(event.wait(), min(left_s + 0.0005, LONGEST_SLEEP_S))
            except TimeoutError:
                return False
        return event.is_set()
