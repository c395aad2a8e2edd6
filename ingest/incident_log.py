"""Bad input and refusals: counted without loss, told in the log without flooding it."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

LINE_EVERY_MS: Final = 60_000
LINES_PER_SECOND: Final = 10
MAX_KEYS: Final = 4_096
LONGEST_TEXT: Final = 200


class IncidentLog:
    """Counts incidents by kind, and logs the first of each kind and charger (or address) in a minute.

    The next line says how many went by meanwhile. Over all chargers there are at most ten lines a second: a storm of
    them is shown by the counters.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self.counts: dict[str, int] = {}
        self._clock = clock
        self._lines: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()  # when logged, incidents since
        self._recent: deque[int] = deque(maxlen=LINES_PER_SECOND)

    def note(self, kind: str, who: str, detail: str = "", *, weight: int = 1) -> None:
        """`weight` incidents of `kind` came from `who`: a charger's code, or an address; empty = from ourselves."""
        self.counts[kind] = self.counts.get(kind, 0) + weight
        now_ms = self._clock()
        key = (kind, who)
        logged_ms, since = self._lines.get(key, (0, 0))
        if (logged_ms and now_ms - logged_ms < LINE_EVERY_MS) or not self._may_write(now_ms):
            if logged_ms:
                self._lines[key] = (logged_ms, since + weight)
            return
        more = f" ({since} more since the last line)" if since else ""
        subject = f"charger {_plain(who)}" if who else "the gateway"
        _log.warning("%s: %s%s%s", kind, subject, f": {_plain(detail)}" if detail else "", more)
        self._lines[key] = (now_ms, 0)
        self._lines.move_to_end(key)
        if len(self._lines) > MAX_KEYS:
            self._lines.popitem(last=False)

    def _may_write(self, now_ms: int) -> bool:
        if len(self._recent) == LINES_PER_SECOND and now_ms - self._recent[0] < 1_000:
            return False
        self._recent.append(now_ms)
        return True


def _plain(text: str) -> str:
    """What a peer said of itself must not write lines of its own."""
    return "".join(character if character.isprintable() else "?" for character in text)[:LONGEST_TEXT]
