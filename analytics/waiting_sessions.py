"""The sessions that the biller could not decide: kept in the database, because no new fact may ever name them again."""

from collections.abc import Mapping
from typing import Any, Literal

from clickhouse_driver import Client

from analytics.session_facts import SessionKey

Reason = Literal["failed", "unknown_pile", "unknown_tariff"]
_SETTLED = ""

_LOAD = """
SELECT pile_id, connector, trade_no, min(since_ms), sum(entered) AS entries
FROM biller_waiting
GROUP BY pile_id, connector, trade_no
HAVING entries > 0
"""
_KEEP = "INSERT INTO biller_waiting (pile_id, connector, trade_no, since_ms, entered, reason) VALUES"


class WaitingSessions:
    """Who waits, why, and since when there may be readings. Each is written down when it begins and when it ends."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._entries: dict[SessionKey, tuple[int, int]] = {}

    def load(self) -> dict[SessionKey, int]:
        """Take over what earlier processes left; gives each session with the moment since when it may have readings."""
        self._entries = {
            SessionKey(pile_id, connector, trade_no): (since_ms, entries)
            for pile_id, connector, trade_no, since_ms, entries in self._client.execute(_LOAD)
        }
        return {key: since_ms for key, (since_ms, _entries) in self._entries.items()}

    def since_ms(self, key: SessionKey, otherwise_ms: int) -> int:
        """Since when a session that waits may have readings, not later than `otherwise_ms`."""
        return min(otherwise_ms, self._entries[key][0]) if key in self._entries else otherwise_ms

    def keep(self, waiting: Mapping[SessionKey, tuple[int, Reason]], settled: set[SessionKey]) -> None:
        """Write down who waits from now on (since when, why), and who of `settled` does no longer."""
        rows: list[tuple[Any, ...]] = []
        for key, (since_ms, reason) in waiting.items():
            if key not in self._entries:
                rows.append((*key, since_ms, 1, reason))
                self._entries[key] = (since_ms, 1)
        for key in settled & self._entries.keys():
            since_ms, entries = self._entries.pop(key)
            rows.append((*key, since_ms, -entries, _SETTLED))
        if rows:
            self._client.execute(_KEEP, rows)
