"""Numbers that the platform makes: of charges, and of starts that belong together (ykc.md section 2)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_COUNTER_LIMIT = 10_000
_CODE_DIGITS = 14


class TradeNumbers:
    """Gives each charge its 32 digits: pile code (14), connector (2), local YYMMDDhhmmss (12), counter (4).

    The counter runs over all piles, so that two orders of one connector in one second differ. It starts at
    `first`, which a process derives from its start time: a restart within the second repeats no number then. Of several
    workers each has the numbers that leave its own rest when divided by `workers`.
    """

    def __init__(self, first: int = 0, worker: int = 0, workers: int = 1) -> None:
        self._limit = _COUNTER_LIMIT // workers
        self._next = first % self._limit
        self._worker = worker
        self._workers = workers

    def make(self, pile_code: str, connector: int, now_ms: int, zone: str) -> str:
        """A number that this object has not given in the same second before.

        Of a longer code (AAF5) the last 14 digits stand for it, a shorter one is filled up with zeros.
        """
        counter = self._next * self._workers + self._worker
        self._next = (self._next + 1) % self._limit
        code = pile_code
        if len(code) != _CODE_DIGITS:
            code = "".join(filter(str.isdecimal, pile_code))[-_CODE_DIGITS:].rjust(_CODE_DIGITS, "0")
        return f"{code}{connector:02d}{_local_second(now_ms, zone)}{counter:04d}"


def parallel_number(now_ms: int, zone: str) -> str:
    """The number that the starts of one vehicle at several guns share: local YYMMDDhhmmss (ykc.md 0xA4)."""
    return _local_second(now_ms, zone)


def _local_second(now_ms: int, zone: str) -> str:
    return f"{datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(ZoneInfo(zone)):%y%m%d%H%M%S}"
