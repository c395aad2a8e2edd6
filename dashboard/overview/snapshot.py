"""What the overview shows at one moment: a handful of questions, asked once for all open pages."""

from typing import Any

import msgspec

from dashboard.context import LIVE_WINDOW_MS, Services
from dashboard.parts import CONNECTOR_STATES
from dashboard.written import DAY_MS, MINUTE_MS, local_day

READING_WINDOW_MS = 15 * MINUTE_MS  # an idle connector reports every 5 minutes (ykc.md section 5)
QUIET_MS = 3 * MINUTE_MS  # presence is written per minute
SHARED_FOR_S = 1.5
POWER_SHARED_FOR_S = 20.0
REPORT_MS = 20_000  # a charging connector reports every 15 s: by then a bucket's end has its reading
LATEST_BILLS = 9
EVENTS = 9


class StationNow(msgspec.Struct):
    """One station: its connectors by state, its output, and its day so far."""

    station_id: int
    name: str
    name_en: str
    profile: str
    states: dict[str, int]
    power_w: int
    rated_power_w: int
    bills: int = 0
    abnormal: int = 0
    energy_e4kwh: int = 0
    amount_fen: int = 0


class Today(msgspec.Struct):
    """The bills of the local day, and what sessions without a bill hold so far."""

    bills: int = 0
    provisional: int = 0
    abnormal: int = 0
    abnormal_raw: int = 0
    held: int = 0
    billed_e4kwh: int = 0
    billed_fen: int = 0
    electricity_fen: int = 0
    service_fen: int = 0
    provisional_e4kwh: int = 0
    provisional_fen: int = 0
    live_sessions: int = 0
    live_e4kwh: int = 0
    live_fen: int = 0
    charging_e4kwh: int = 0
    charging_fen: int = 0

    @property
    def energy_e4kwh(self) -> int:
        """Bills, provisional ones too, and running sessions together."""
        return self.billed_e4kwh + self.unbilled_e4kwh

    @property
    def amount_fen(self) -> int:
        """Bills, provisional ones too, and running sessions together."""
        return self.billed_fen + self.unbilled_fen

    @property
    def unbilled_e4kwh(self) -> int:
        """What no final bill holds yet."""
        return self.provisional_e4kwh + self.live_e4kwh

    @property
    def unbilled_fen(self) -> int:
        """What no final bill holds yet."""
        return self.provisional_fen + self.live_fen


class Snapshot(msgspec.Struct):
    """Everything on the overview but the power curve."""

    as_of_ms: int
    stations: list[StationNow]
    today: Today
    latest_bills: list[dict[str, Any]]
    events: list[dict[str, Any]]

    def connectors(self, state: str) -> int:
        """How many connectors of all stations are in that state."""
        return sum(station.states[state] for station in self.stations)

    @property
    def connector_count(self) -> int:
        """All connectors."""
        return sum(sum(station.states.values()) for station in self.stations)

    @property
    def power_w(self) -> int:
        """Output of all stations."""
        return sum(station.power_w for station in self.stations)

    @property
    def rated_power_w(self) -> int:
        """What all connectors together could give."""
        return sum(station.rated_power_w for station in self.stations)


def snapshot(services: Services) -> Snapshot:
    """The current state, at most `SHARED_FOR_S` old."""
    taken: Snapshot = services.source.shared("snapshot", SHARED_FOR_S, lambda: _take(services))
    return taken


def power_history(services: Services, hours: int) -> list[dict[str, Any]]:
    """Mean power per bucket over the last `hours`, whole buckets only, oldest first."""
    bucket_ms = 2 * MINUTE_MS if hours <= 2 else 10 * MINUTE_MS

    def make() -> list[dict[str, Any]]:
        to_ms = (services.now_ms() - REPORT_MS) // bucket_ms * bucket_ms
        from_ms = to_ms - hours * 60 * MINUTE_MS
        found = services.source.ask("power_history", from_ms=from_ms, to_ms=to_ms, bucket_ms=bucket_ms).records()
        by_start = {row["from_ms"]: row for row in found}
        nothing = {"power_w": 0, "charging": 0}
        return [{**nothing, **by_start.get(ms, {}), "from_ms": ms} for ms in range(from_ms, to_ms, bucket_ms)]

    history: list[dict[str, Any]] = services.source.shared(("power", hours), POWER_SHARED_FOR_S, make)
    return history


def _take(services: Services) -> Snapshot:
    source, now_ms = services.source, services.now_ms()
    day = local_day(now_ms, services.zone).isoformat()
    live = source.ask("live_stations", now_ms=now_ms, window_ms=READING_WINDOW_MS, quiet_ms=QUIET_MS).records()
    unbilled = source.ask("unbilled_now", now_ms=now_ms, window_ms=LIVE_WINDOW_MS, quiet_ms=QUIET_MS, day=day).records()
    billed = source.ask("day_bills", day=day).records()
    stations = {row["station_id"]: _station(row) for row in live}
    today = Today()
    for row in billed:
        _add_bills(today, row)
        station = stations.get(row["station_id"])
        if station is not None:
            station.bills, station.abnormal = row["bills"], row["abnormal"]
            station.energy_e4kwh += row["energy_e4kwh"] + row["provisional_e4kwh"]
            station.amount_fen += row["amount_fen"] + row["provisional_fen"]
    for row in unbilled:
        _add_unbilled(today, row)
        station = stations.get(row["station_id"])
        if station is not None:
            station.energy_e4kwh += row["energy_e4kwh"]
            station.amount_fen += row["amount_fen"]
    return Snapshot(
        as_of_ms=now_ms,
        stations=sorted(stations.values(), key=lambda station: station.station_id),
        today=today,
        latest_bills=source.ask("latest_bills", day=day, limit=LATEST_BILLS).records(),
        events=source.ask(
            "notable_events", since_ms=now_ms - DAY_MS, now_ms=now_ms, quiet_ms=QUIET_MS, day=day, limit=EVENTS
        ).records(),
    )


def _station(row: dict[str, Any]) -> StationNow:
    return StationNow(
        station_id=row["station_id"],
        name=row["station"],
        name_en=row["station_en"],
        profile=row["profile"],
        states={state: row[state] for state in CONNECTOR_STATES},
        power_w=row["power_w"],
        rated_power_w=row["rated_power_w"],
    )


def _add_bills(today: Today, row: dict[str, Any]) -> None:
    today.bills += row["bills"]
    today.provisional += row["provisional"]
    today.provisional_e4kwh += row["provisional_e4kwh"]
    today.provisional_fen += row["provisional_fen"]
    today.abnormal += row["abnormal"]
    today.abnormal_raw += row["abnormal_raw"]
    today.held += row["held"]
    today.billed_e4kwh += row["energy_e4kwh"]
    today.billed_fen += row["amount_fen"]
    today.electricity_fen += row["electricity_fen"]
    today.service_fen += row["service_fen"]


def _add_unbilled(today: Today, row: dict[str, Any]) -> None:
    today.live_e4kwh += row["energy_e4kwh"]
    today.live_fen += row["amount_fen"]
    if row["charging"]:
        today.live_sessions += row["sessions"]
        today.charging_e4kwh += row["energy_e4kwh"]
        today.charging_fen += row["amount_fen"]
