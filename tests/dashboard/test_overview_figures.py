"""The overview's figures against the tables themselves (promise P14)."""

import numpy as np
import pytest
from clickhouse_driver import Client
from msgspec import structs

from analytics.questions import PLATFORM_SCOPE, Scope, ask
from dashboard.context import Services
from dashboard.overview.snapshot import Snapshot, power_history, snapshot
from dashboard.source import Source
from tests.dashboard.fleet_database import DAY, NOW_MS, FleetDatabase
from tests.dashboard.synthetic_fleet import AWAY, FAULTY_PILE
from tests.dashboard.synthetic_master import insert, operator_of, station_of

pytestmark = pytest.mark.server


@pytest.fixture
def now(services: Services) -> Snapshot:
    return snapshot(services)


def test_connectors_by_state(now: Snapshot, fleet: FleetDatabase) -> None:
    running = [story for story in fleet.fleet.stories if story.name == "running"]
    assert now.connector_count == 70
    assert now.connectors("fault") == 1
    assert now.connectors("offline") == 4
    assert now.connectors("charging") == sum(story.pile_id not in AWAY for story in running)
    faulty = next(station for station in now.stations if station.station_id == station_of(FAULTY_PILE))
    assert faulty.states["fault"] == 1


def test_power_is_the_sum_of_the_last_readings_of_what_charges(now: Snapshot, fleet: FleetDatabase) -> None:
    expected = sum(
        story.readings[-1]["voltage_dv"] * story.readings[-1]["current_da"] // 100
        for story in fleet.fleet.stories
        if story.name == "running" and story.pile_id not in AWAY
    )
    assert now.power_w == expected > 0
    assert now.rated_power_w == 70 * 120_000


def test_energy_and_money_of_the_day(now: Snapshot, fleet: FleetDatabase) -> None:
    """Against an argMax over revisions, which the product's own question does not use."""
    rows = fleet.client.execute(
        "SELECT count(), sum(energy), sum(amount), countIf(notEmpty(codes)), countIf(held = 1) FROM ("
        "SELECT argMax(status, revision) AS status, argMax(final_energy_e4kwh, revision) AS energy, "
        "argMax(amount_fen, revision) AS amount, argMax(codes, revision) AS codes, argMax(held, revision) AS held, "
        "argMax(local_day, revision) AS day FROM bill_revisions GROUP BY pile_id, connector, trade_no) "
        "WHERE day = %(day)s AND status = 'final'",
        {"day": DAY},
    )
    bills, energy, amount, abnormal, held = rows[0]
    today = now.today
    assert (today.bills, today.billed_e4kwh, today.billed_fen) == (bills, energy, amount)
    assert (today.abnormal, today.held) == (abnormal, held)
    assert today.electricity_fen + today.service_fen == today.billed_fen
    assert sum(station.energy_e4kwh for station in now.stations) == today.energy_e4kwh
    assert sum(station.amount_fen for station in now.stations) == today.amount_fen


def test_running_sessions_count_until_they_are_billed(now: Snapshot, fleet: FleetDatabase) -> None:
    running = [story for story in fleet.fleet.stories if story.name == "running"]
    assert now.today.live_e4kwh == sum(story.true_e4kwh for story in running)
    assert now.today.live_sessions == len(running)


def test_the_power_curve_holds_the_energy_that_was_accepted(services: Services, fleet: FleetDatabase) -> None:
    history = power_history(services, 2)
    from_ms, to_ms = history[0]["from_ms"], history[-1]["from_ms"] + 120_000
    assert [row["from_ms"] for row in history] == list(range(from_ms, to_ms, 120_000))
    by_curve = sum(row["power_w"] for row in history) / 30
    by_readings = sum(
        np.diff(
            np.interp(
                [from_ms, to_ms],
                [row["event_ms"] for row in story.readings],
                [row["live_accepted_e4kwh"] for row in story.readings],
                left=0,
            )
        )[0]
        for story in fleet.fleet.stories
        if story.readings
    )
    assert by_curve * 10 == pytest.approx(by_readings, rel=0.001)


def test_a_silence_or_the_rhythm_of_readings_is_no_dip(database: Client) -> None:
    """60 kW all the time; all readings within 40 s around the end of a bucket are missing, and later ten minutes."""
    bucket, start = 120_000, 1_795_336_200_000 // 120_000 * 120_000
    silences = [(5 * bucket - 15_000, 5 * bucket + 25_000), (20 * bucket + 30_000, 25 * bucket + 40_000)]
    insert(
        database,
        "readings",
        [
            {
                "operator_id": 2,
                "pile_id": pile,
                "connector": 1,
                "event_ms": start + at,
                "receive_ms": start + at,
                "state": 3,
                "trade_hi": 1,
                "trade_lo": 1,
                "charge_minutes": at // 60_000,
                "live_accepted_e4kwh": at // 6,  # 60 kW are 600,000 e4kWh an hour
                "segment_id": pile,
                "segment_offset": at,
            }
            for pile in (1, 2)
            for at in range(0, 30 * bucket, 15_000)
            if not any(silent <= at < heard for silent, heard in silences)
        ],
    )
    given = ask(
        database, "power_history", PLATFORM_SCOPE, from_ms=start, to_ms=start + 29 * bucket, bucket_ms=bucket
    ).records()
    assert len(given) == 29
    assert [row["from_ms"] for row in given] == list(range(start, start + 29 * bucket, bucket))
    assert [row["power_w"] for row in given] == [pytest.approx(120_000, rel=0.001)] * 29


def test_latest_bills_are_the_last_ended_and_events_the_last_seen(now: Snapshot) -> None:
    ends = [bill["end_ms"] for bill in now.latest_bills]
    moments = [event["event_ms"] for event in now.events]
    assert ends == sorted(ends, reverse=True)
    assert moments == sorted(moments, reverse=True)
    assert {"fault", "silent", "abnormal"} <= {event["event"] for event in now.events}
    assert len({bill["trade_no"] for bill in now.latest_bills}) == len(now.latest_bills)


def test_an_operator_sees_its_own_stations_only(services: Services) -> None:
    source = Source(services.source._connect, Scope(frozenset({2})), lambda: NOW_MS)
    mine = snapshot(structs.replace(services, source=source))
    assert {station.station_id for station in mine.stations} == {1, 2}
    assert all(operator_of(int(bill["pile"][6:])) == 2 for bill in mine.latest_bills)
    assert 0 < mine.today.bills < snapshot(services).today.bills


def test_an_hour_later_everything_is_offline(services: Services, fleet: FleetDatabase) -> None:
    source = Source(services.source._connect, services.source.scope, lambda: NOW_MS + 3_600_000)
    later = snapshot(structs.replace(services, source=source))
    assert later.connectors("offline") == later.connector_count == 70
    assert later.power_w == 0
