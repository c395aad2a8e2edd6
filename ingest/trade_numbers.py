"""Trade numbers that the platform makes (ykc.md section 2, "Trade number")."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_COUNTER_LIMIT = 10_000


class TradeNumbers:
    """Gives each charge its 32 digits: pile code (14), connector (2), local YYMMDDhhmmss (12), counter (4).

    The counter runs over all piles, so that two orders of one connector in one second differ. It starts at
    `first`, which a process derives from its start time: a restart within the second repeats no number then.
    """

    def __init__(self, first: int = 0) -> None:
        self._next = first % _COUNTER_LIMIT

    def make(self, pile_code: str, connector: int, now_ms: int, zone: str) -> str:
        """A number that this object has not given in the same second before."""
        counter = self._next
        self._next = (counter + 1) % _COUNTER_LIMIT
        local = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(ZoneInfo(zone))
        return f"{pile_code}{connector:02d}{local:%y%m%d%H%M%S}{counter:04d}"
