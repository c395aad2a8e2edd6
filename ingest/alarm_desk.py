"""Alarms: what a person should look at, as facts, without letting anybody fill the lane that is never shed."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from ingest.event_log import EventLog
from ingest.events import Alarm
from ingest.incident_log import IncidentLog

REPEAT_AFTER_MS: Final = 600_000
MAX_KEYS: Final = 65_536


class AlarmDesk:
    """Raises each kind of alarm of a charger at once, and again at most every ten minutes.

    The alarm that follows says how often it would have rung meanwhile. `counts` has every alarm that was raised.
    """

    def __init__(self, events: EventLog, log: IncidentLog, clock: Callable[[], int]) -> None:
        self.counts: dict[str, int] = {}
        self._events = events
        self._log = log
        self._clock = clock
        self._raised: OrderedDict[tuple[int, int, str, str], tuple[int, int]] = OrderedDict()

    def ring(
        self,
        kind: str,
        *,
        pile_id: int = 0,
        pile: str = "",
        connector: int = 0,
        detail: str = "",
        peer: str = "",
        who: str = "",
        connection_id: int = 0,
    ) -> bool:
        """Raise an alarm; False when the same one rang less than ten minutes ago.

        `pile_id` 0 = no charger of ours, then `who` (an address) tells alarms apart and they go with the telemetry.
        """
        now_ms = self._clock()
        self._log.note(kind, pile or who or peer, detail)
        key = (pile_id, connector, kind, "" if pile_id else who)
        raised_ms, silenced = self._raised.get(key, (0, 0))
        if raised_ms and now_ms - raised_ms < REPEAT_AFTER_MS:
            self._raised[key] = (raised_ms, silenced + 1)
            return False
        if silenced:
            detail = f"{detail}; {silenced} more since the last alarm"
        self._raised[key] = (now_ms, 0)
        self._raised.move_to_end(key)
        if len(self._raised) > MAX_KEYS:
            self._raised.popitem(last=False)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        alarm = Alarm(
            pile_id=pile_id,
            connector=connector,
            event_ms=now_ms,
            kind=kind,
            detail=detail,
            peer=peer,
            connection_id=connection_id,
        )
        self._events.add(alarm, now_ms, sheddable=pile_id == 0)
        return True

    def settle(self, kind: str, pile_id: int, connector: int = 0) -> None:
        """What the alarm was about is in order: when it comes back, it rings at once."""
        self._raised.pop((pile_id, connector, kind, ""), None)
