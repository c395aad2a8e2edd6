"""How much may be read in one turn of the event loop, and who waits for the next one."""

from collections.abc import Callable
from typing import Protocol

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

    spent: bool
    is_overloaded: Callable[[], bool]

    def __init__(self, turn_bytes: int, is_overloaded: Callable[[], bool]) -> None: ...
    def spend(self, reader: Reader, nbytes: int) -> None:
        """Count bytes handled in this turn; beyond the budget the connection waits for its next turn."""
