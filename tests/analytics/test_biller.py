"""The biller over a real ClickHouse: what becomes of stored facts, and when."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Facts, trade_no

pytestmark = pytest.mark.server


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


@pytest.fixture
def clock() -> Clock:
    return Clock(T0 + HOUR)


@pytest.fixture
def biller(database: Client, facts: Facts, clock: Clock) -> Biller:
    return Biller(database, facts.directory, clock=clock)


def rows(client: Client, table: str, trade: str | None = None) -> list[dict[str, Any]]:
    found, columns = client.execute(
        f"SELECT * FROM {table} WHERE trade_no = %(trade)s ORDER BY revision",
        {"trade": trade or trade_no()},
        with_column_types=True,
    )
    return [dict(zip([name for name, _kind in columns], row, strict=True)) for row in found]


def one(client: Client, table: str, trade: str | None = None) -> dict[str, Any]:
    found = rows(client, table, trade)
    assert len(found) == 1, f"{len(found)} rows in {table}"
    return found[0]


def test_clean_session_is_billed_once(database: Client, facts: Facts, biller: Biller) -> None:
    facts.insert(
        "readings",
        [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + 5 * SECOND), facts.idle(T0 + 22 * MINUTE, 0)],
    )
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    report = biller.run_once()
    assert (report.session_revisions, report.bill_revisions) == (1, 1)
    bill = one(database, "bill_revisions")
    assert bill["status"] == "final"
    assert bill["codes_raw"] == bill["codes"] == []
    assert bill["final_energy_e4kwh"] == bill["pile_energy_e4kwh"] == 200_000
    # 08:00-08:20 is flat: 20 kWh x 0.70 + 0.40 yuan
    assert (bill["amount_fen"], bill["electricity_fen"], bill["service_fen"]) == (2_200, 1_400, 800)
    assert bill["class_energy_e4kwh"] == [0, 0, 200_000, 0]
    assert bill["held"] == 0
    session = one(database, "session_revisions")
    assert session["life"] == "ended"
    assert session["unplugged_ms"] == T0 + 22 * MINUTE
    again = biller.run_once()
    assert (again.changes, again.session_revisions) == (0, 0)
