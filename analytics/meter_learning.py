"""Learning what nobody configured of a meter, day by day (anomaly-codes.md, "Common definitions").

In two steps, both set by set: ClickHouse sums up what the readings of each closed day show (`meter_days.sql`), then the
sums of 90 days become the values that hold from the next day on (`analytics.meter_evidence`). A day is that on which
readings were received, so it is complete once it is over. Only the replay of a capture brings readings of a day that
was learned of, and only another rule sees more in them; what follows from that day is then learned again, and rows that
differ are added, never changed.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from analytics.meter_evidence import WINDOW_DAYS, Learned, MeterCourse, MeterDay
from analytics.meter_profiles import ProfileRow, latest_rows, stored_profiles, values_of
from analytics.register_facts import reads_register
from analytics.session_facts import LONGEST_KEPT_MS, NOTHING_LEARNED
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS
from core.directory import Pile, PileDirectory

LEARNED_AFTER_MS: Final = HOUR_MS
"""After local midnight: then the readings of the day are in the database, and what was learned of it holds."""
LEARNING_RULE: Final = 1
"""Number of the rule by which a day is looked at (`meter_days.sql`) and values follow (`analytics.meter_evidence`).

It goes up by one with each change that may teach something else: days of an older rule are then looked at again.
"""
READINGS_AT_ONCE: Final = 3_000_000
PILES_AT_ONCE: Final = 100
_MS = timedelta(milliseconds=1)


class _Day(NamedTuple):
    """A day of a connector that waits to be looked at."""

    pile_id: int
    connector: int
    day: date
    readings: int


class MeterLearner:
    """Appends rows to `meter_profiles` for connectors whose model leaves values open.

    `clock` stamps the rows (epoch ms); default: the database's own time.
    """

    def __init__(self, client: Client, directory: PileDirectory, clock: Callable[[], int] | None = None) -> None:
        self._client = client
        self._directory = directory
        self._clock = clock or self._database_time

    def learn_closed_days(self, until_ms: int, pile_ids: Iterable[int] | None = None) -> int:
        """Learn of every local day that is closed at `until_ms` and was not learned of; gives the number of new rows.

        `pile_ids`: only of these chargers and of all their days, None = of all chargers and the last 90 days. A day is
        closed an hour after its local midnight. Asks nothing where the models say everything.
        """
        wanted = None if pile_ids is None else set(pile_ids)
        by_zone: dict[str, list[Pile]] = defaultdict(list)
        for pile in self._directory:
            if pile.learns and (wanted is None or pile.pile_id in wanted):
                by_zone[pile.zone].append(pile)
        appended = 0
        for zone, piles in sorted(by_zone.items()):
            end = last_closed(until_ms, zone)
            begin = date.min if wanted is not None else end - timedelta(days=WINDOW_DAYS - 1)
            for first in range(0, len(piles), PILES_AT_ONCE):
                appended += self._learn(piles[first : first + PILES_AT_ONCE], zone, begin, end)
        return appended

    def due_ms(self, after_ms: int) -> int:
        """The first moment after `after_ms` at which a local day of a learning charger is closed."""
        zones = {pile.zone for pile in self._directory if pile.learns}
        nights = (closed_ms(last_closed(after_ms, zone) + timedelta(days=1), zone) for zone in zones)
        return min(nights, default=after_ms + HOUR_MS)

    def _learn(self, piles: Sequence[Pile], zone: str, begin: date, end: date) -> int:
        table = _piles_table(piles)
        waiting = self._waiting(table, zone, begin, end)
        if not waiting:
            return 0
        for days in _in_parts(waiting):
            self._look_at(days, table, zone)
        first_new: dict[tuple[int, int], date] = {}
        for one in waiting:
            connector = one.pile_id, one.connector
            first_new[connector] = min(one.day, first_new.get(connector, one.day))
        return self._append(piles, zone, first_new, end)

    def _waiting(self, table: list[dict[str, Any]], zone: str, begin: date, end: date) -> list[_Day]:
        rows = self._client.execute(
            sql_text("meter_days_wanted"),
            {
                "zone": zone,
                "from_ms": _midnight_ms(begin, zone) if begin > date.min else 0,
                "until_ms": _midnight_ms(end + timedelta(days=1), zone),
                "longest_kept_ms": LONGEST_KEPT_MS,
                "rule": LEARNING_RULE,
            },
            external_tables=table,
        )
        return [_Day(*row) for row in rows]

    def _look_at(self, days: Sequence[_Day], table: list[dict[str, Any]], zone: str) -> None:
        """Sum up what the readings of these days show. The day before shows where the first session stands."""
        structure = [("pile_id", "UInt32"), ("connector", "UInt8"), ("day", "Date"), ("readings", "UInt64")]
        self._client.execute(
            sql_text("meter_days"),
            {
                "zone": zone,
                "from_ms": _midnight_ms(min(one.day for one in days) - timedelta(days=1), zone),
                "until_ms": _midnight_ms(max(one.day for one in days) + timedelta(days=1), zone),
                "longest_kept_ms": LONGEST_KEPT_MS,
                "computed_ms": self._clock(),
                "rule": LEARNING_RULE,
            },
            external_tables=[
                *table,
                {"name": "wanted", "structure": structure, "data": [one._asdict() for one in days]},
            ],
        )

    def _append(self, piles: Sequence[Pile], zone: str, first_new: dict[tuple[int, int], date], end: date) -> int:
        """What follows from the days, from the first new one of each connector on, where it says something new."""
        evidence = self._evidence(piles)
        stored = stored_profiles(self._client, [pile.pile_id for pile in piles])
        learns = {pile.pile_id: pile.learns for pile in piles}
        rows: list[dict[str, Any]] = []
        for connector, first in sorted(first_new.items()):
            known = stored.get(connector, [])
            ends = [day.day for day in evidence[connector] if first <= day.day <= end]
            computed_ms = max([self._clock(), *(row.computed_ms + 1 for row in known)])
            for from_ms, learned in _news(evidence[connector], ends, known, learns[connector[0]], zone):
                rows.append(_row(*connector, from_ms, learned, computed_ms))
        self._insert(rows)
        return len(rows)

    def _evidence(self, piles: Sequence[Pile]) -> dict[tuple[int, int], list[MeterDay]]:
        found: dict[tuple[int, int], list[MeterDay]] = defaultdict(list)
        rows = self._client.execute(sql_text("meter_evidence"), external_tables=_piles_table(piles))
        for pile_id, connector, *row in rows:
            found[pile_id, connector].append(MeterDay(*row))
        return found

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._client.execute(f"INSERT INTO meter_profiles ({', '.join(rows[0])}) VALUES", rows)

    def _database_time(self) -> int:
        ((now_ms,),) = self._client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
        return int(now_ms)


def closed_ms(day: date, zone: str) -> int:
    """When a local day is closed, and what was learned until its end begins to hold (epoch ms)."""
    return _midnight_ms(day + timedelta(days=1), zone) + LEARNED_AFTER_MS


def _midnight_ms(day: date, zone: str) -> int:
    """When a local day begins."""
    return (datetime.combine(day, time.min, ZoneInfo(zone)) - datetime(1970, 1, 1, tzinfo=UTC)) // _MS


def last_closed(at_ms: int, zone: str) -> date:
    """The last local day that was closed at that moment."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + at_ms * _MS
    day = moment.astimezone(ZoneInfo(zone)).date()
    while closed_ms(day, zone) > at_ms:
        day -= timedelta(days=1)
    return day


def _piles_table(piles: Sequence[Pile]) -> list[dict[str, Any]]:
    structure = [("pile_id", "UInt32"), ("absolute", "UInt8"), ("is_ac", "UInt8")]
    rows = [
        {
            "pile_id": pile.pile_id,
            "absolute": int(reads_register(pile)),
            "is_ac": int(pile.current_kind == "ac"),
        }
        for pile in piles
    ]
    return [{"name": "piles", "structure": structure, "data": rows}]


def _in_parts(days: Sequence[_Day]) -> Iterator[list[_Day]]:
    """The days in their order, so many at once as have `READINGS_AT_ONCE`."""
    part: list[_Day] = []
    readings = 0
    for one in days:
        if part and readings + one.readings > READINGS_AT_ONCE:
            yield part
            part, readings = [], 0
        part.append(one)
        readings += one.readings
    if part:
        yield part


def _row(pile_id: int, connector: int, valid_from_ms: int, learned: Learned, computed_ms: int) -> dict[str, Any]:
    """The row of `meter_profiles`. Its number follows from what it says, so that equal facts give equal bills."""
    said = repr((pile_id, connector, valid_from_ms, learned.values)).encode()
    return {
        "profile_id": int.from_bytes(blake2b(said, digest_size=8).digest(), "big"),
        "pile_id": pile_id,
        "connector": connector,
        "valid_from_ms": valid_from_ms,
        "learned_from_day": learned.from_day,
        "learned_to_day": learned.to_day,
        "register_kind": learned.register_kind,
        "quantum_e4kwh": learned.quantum_e4kwh,
        "pmax_w": learned.pmax_w,
        "register_digits": learned.register_digits,
        "sessions": learned.sessions,
        "differences": learned.differences,
        "reasons": list(learned.reasons),
        "computed_ms": computed_ms,
    }


def _news(
    days: Sequence[MeterDay], ends: Sequence[date], known: Sequence[ProfileRow], learns: Sequence[str], zone: str
) -> Iterator[tuple[int, Learned]]:
    """What is learned at the end of each of `ends` and since when it holds, where it is not what holds then already."""
    course = MeterCourse(learns)
    coming = deque(days)
    holding = deque(latest_rows(known))
    values = values_of(NOTHING_LEARNED)
    for day in ends:
        while coming and coming[0].day <= day:
            course.add(coming.popleft())
        from_ms = closed_ms(day, zone)
        while holding and holding[0][0] <= from_ms:
            values = values_of(holding.popleft()[1])
        learned = course.known(day)
        if learned.values != values:
            values = learned.values
            yield from_ms, learned
