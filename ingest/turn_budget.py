"""How much may be read in one turn of the event loop, and who waits for the next one."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

FULL_READ_BYTES: Final = 65_536
RETRY_S: Final = 0.01


class Reader(Protocol):
    """A connection whose reading can be paused."""

    def hold(self) -> None:
        """Stop reading until released as often as held."""

    def release(self) -> None:
        """Undo one `hold`."""


class TurnBudget:
    """Shares the loop among connections. Without a bound thousands of flooding chargers keep the loop from accepting,
    from timers and from the disk.

    `spent` is True while this turn's bytes are used up. `is_overloaded` tells that what was read waits for the disk:
    then the sockets wait too, so that overload slows and loses nothing.
    """

    def __init__(self, turn_bytes: int, is_overloaded: Callable[[], bool]) -> None:
        self.spent = False
        self._limit = turn_bytes
        self._is_overloaded = is_overloaded
        self._bytes = 0
        self._scheduled = False
        self._held: deque[Reader] = deque()

    def spend(self, reader: Reader, nbytes: int) -> None:
        """Count bytes handled in this turn; beyond the budget the connection waits for its next turn."""
        self._bytes += nbytes
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        if self._bytes > self._limit or self._is_overloaded():
            self.spent = True
            reader.hold()
            self._held.append(reader)

    def _next_turn(self) -> None:
        self._scheduled = False
        self._bytes = 0
        self.spent = False
        if not self._held:
            return
        loop = asyncio.get_running_loop()
        self._scheduled = True
        if self._is_overloaded():
            loop.call_later(RETRY_S, self._next_turn)
            return
        for _ in range(min(len(self._held), max(1, self._limit // FULL_READ_BYTES))):
            self._held.popleft().release()
        loop.call_soon(self._next_turn)
