"""The bill does not depend on the order in which facts arrive, nor on how many passes see them (invariant 1)."""

import random
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, trade_no

pytestmark = pytest.mark.server

END = T0 + 10 * MINUTE
RUN_COLUMNS = ("revision", "batch_id", "computed_ms", "inserted_ms")


def session(facts: Facts, number: int) -> list[tuple[str, dict[str, Any]]]:
    """The facts of one of a row of sessions on one connector, each with its table."""
    start = T0 + number * HOUR
    end = start + 10 * MINUTE
    trade = trade_no(number)
    readings = [
        *facts.charging(start, 10, trade=trade),
        facts.idle(end + SECOND),
        *(facts.idle(end + minutes * MINUTE) for minutes in range(5, 45, 5)),
        facts.idle(end + 45 * MINUTE, 0),
    ]
    rows = [("readings", row) for row in readings]
    if number != 2:
        parts = [0, 0, 100_000, 0] if number == 1 else [0, 100_000, 0, 0]  # 09:00 is flat, 11:00 is peak
        bill = facts.bill(start, 10, trade=trade, content_digest=number, class_energy_e4kwh=parts)
        rows.append(("pile_bill_uploads", bill))
    command = {"operator_id": 2, "pile_id": 4, "connector": 1, "command": "remote_start", "trade_no": trade}
    rows.append(("commands", {**command, "sent_ms": start - 5 * SECOND, "answered_ms": start, "outcome": "ok"}))
    return rows


def current(client: Client) -> list[dict[str, Any]]:
    found = []
    for view in ("sessions", "bills"):
        rows, columns = client.execute(f"SELECT * FROM {view} ORDER BY trade_no", with_column_types=True)
        names = [name for name, _kind in columns]
        found += [{n: v for n, v in zip(names, row, strict=True) if n not in RUN_COLUMNS} for row in rows]
    return found


def all_facts(facts: Facts) -> list[tuple[str, dict[str, Any]]]:
    rows = [row for number in (1, 2, 3) for row in session(facts, number)]
    common = {"operator_id": 2, "pile_id": 4}
    rows.append(("tariff_acks", {**common, "event_ms": T0, "model_no": "0007", "tariff_version_id": 7}))
    for number in (1, 2, 3):
        at_ms = T0 + number * HOUR + MINUTE
        rows.append(("clock_offsets", {**common, "event_ms": at_ms, "offset_ms": 1_000, "source": "time_sync_reply"}))
    minutes = range(T0 + HOUR, T0 + 5 * HOUR, MINUTE)
    rows += [("presence", {**common, "connection_id": 1, "first_ms": at, "last_ms": at + 50_000}) for at in minutes]
    return rows


def store(facts: Facts, rows: list[tuple[str, dict[str, Any]]]) -> None:
    for table in dict.fromkeys(table for table, _row in rows):
        facts.insert(table, [dict(row) for of, row in rows if of == table])


@pytest.fixture(scope="module")
def expected(module_database: Client) -> list[dict[str, Any]]:
    facts = Facts(module_database)
    store(facts, all_facts(facts))
    Biller(module_database, facts.directory, clock=lambda: T0 + 6 * HOUR).run_once()
    return current(module_database)


def test_what_is_expected_is_not_trivial(expected: list[dict[str, Any]]) -> None:
    assert [row["codes"] for row in expected[3:]] == [[6], [1], [6]]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_and_any_batches_give_the_same_bills(
    database: Client, expected: list[dict[str, Any]], seed: int
) -> None:
    rng = random.Random(seed)
    facts = Facts(database)
    rows = all_facts(facts)
    rng.shuffle(rows)
    repeated = [row for row in rows if row[0] == "pile_bill_uploads"]
    clock = Clock(T0)
    biller = Biller(database, facts.directory, clock=clock)
    while rows:
        count = rng.randrange(40, 250)
        store(facts, rows[:count])
        del rows[:count]
        clock.now_ms = rng.randrange(T0, T0 + 6 * HOUR)
        biller.run_once()
        if rng.random() < 0.3:
            biller = Biller(database, facts.directory, clock=clock)
    store(facts, repeated)
    clock.now_ms = T0 + 6 * HOUR
    biller.run_once()
    assert current(database) == expected
