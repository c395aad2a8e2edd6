"""The bill of a charge with a backlog does not depend on the times that a gateway stored with its readings."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Facts

pytestmark = pytest.mark.server

RUN_COLUMNS = ("batch_id", "computed_ms", "inserted_ms")
BEGIN, BACK, END = T0 + 20 * MINUTE, T0 + 2 * HOUR, T0 + 2 * HOUR + 15 * MINUTE
OFFLINE_FROM = T0 + 40 * MINUTE


def frames(facts: Facts) -> list[dict[str, Any]]:
    """A charge that the charger kept to itself from 08:40 to 10:00; `event_ms` as of a gateway started at 10:00."""
    rows = facts.charging(BEGIN, (END - BEGIN) // MINUTE, power_w=40_000)
    for row in rows:
        if OFFLINE_FROM < row["event_ms"] <= BACK:
            row["receive_ms"] = BACK + (row["event_ms"] - OFFLINE_FROM) // 1_000
            row["event_ms"] = row["receive_ms"]
    return [*rows, facts.idle(END + SECOND), facts.idle(END + 10 * MINUTE, 0)]


def stored_by_another_gateway(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same frames, kept ones recognised, each a little later than it was and some long after the end."""
    charging = [
        {**row, "event_ms": END + 30 * MINUTE if place == 5 else BEGIN + MINUTE * row["charge_minutes"] + 7 * SECOND}
        for place, row in enumerate(rows)
        if row["state"] == 3
    ]
    return [*charging, *rows[len(charging) :]]


def decided(client: Client, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    facts = Facts(client)
    facts.insert("readings", rows)
    facts.insert("pile_bill_uploads", [facts.bill(BEGIN, (END - BEGIN) // MINUTE, power_w=40_000, stored=1)])
    Biller(client, facts.directory, clock=lambda: T0 + 9 * HOUR).run_once()
    found = []
    for view in ("sessions", "bills"):
        of_view, columns = client.execute(f"SELECT * FROM {view}", with_column_types=True)
        names = [name for name, _kind in columns]
        found += [{n: v for n, v in zip(names, row, strict=True) if n not in RUN_COLUMNS} for row in of_view]
    return found


def test_a_session_of_too_many_readings_is_cut_and_waits(
    empty_database: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("analytics.facts_reader.MOST_READINGS", 100)
    facts = Facts(empty_database)
    facts.insert("readings", [*facts.charging(BEGIN, 60), facts.idle(BEGIN + HOUR + SECOND)])
    Biller(empty_database, facts.directory, clock=lambda: T0 + 90 * 24 * HOUR).run_once()
    assert empty_database.execute("SELECT readings, has(flags, 'TAIL_GAP'), held FROM sessions, bills") == [(100, 1, 1)]
    assert "only its first 100 readings" in caplog.text


def test_two_gateways_give_one_bill(database: Client, empty_database: Client) -> None:
    rows = frames(Facts(database))
    one = decided(database, [dict(row) for row in rows])
    other = decided(empty_database, [dict(row) for row in stored_by_another_gateway(rows)])
    assert len(one) == 2
    assert "STORED" in one[0]["flags"]
    assert (one[0]["stored_readings"], one[0]["bill_stored"]) == (80, 1), "one a minute tells its time"
    assert one[0]["longest_gap_ms"] <= 2 * MINUTE
    assert (one[0]["start_ms"], one[0]["end_ms"], one[0]["after_ms"]) == (BEGIN, END, END + SECOND)
    assert one == other
