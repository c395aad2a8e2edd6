"""A vehicle stands at the connector from the end of its charge on, and that may lie in time that nobody saw."""

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.occupancy import ended_by
from tests.analytics.stored_facts import HOUR, MINUTE, T0, Clock, Facts

END = T0 + 10 * MINUTE


@pytest.mark.parametrize(
    ("record_end", "expected"), [(None, 500), (50, 100), (100, 100), (300, 300), (500, 500), (900, 500)]
)
def test_the_record_says_the_end_within_the_time_that_nobody_saw(record_end: int | None, expected: int) -> None:
    assert ended_by(record_end, 100, 500, 399) == expected
    assert ended_by(record_end, 100, 500, 400) == 100


@pytest.mark.server
@pytest.mark.parametrize(("record_minutes", "codes"), [(45, []), (12, [6]), (None, [])])
def test_a_charge_that_went_on_while_the_charger_was_away(
    empty_database: Client, record_minutes: int | None, codes: list[int]
) -> None:
    """Seen until minute 10, heard again plugged at minute 46, unplugged at minute 50; 30 minutes are free."""
    facts = Facts(empty_database)
    facts.insert("readings", facts.charging(T0, 10))
    facts.insert("readings", [facts.idle(T0 + minute * MINUTE) for minute in range(46, 50)])
    facts.insert("readings", [facts.idle(T0 + 50 * MINUTE, 0)])
    if record_minutes is not None:
        record = facts.bill(T0, record_minutes)
        facts.insert("pile_bill_uploads", [{**record, "receive_ms": T0 + 46 * MINUTE + 1_000}])
    Biller(empty_database, facts.directory, clock=Clock(T0 + 4 * HOUR)).run_once()
    ((found,),) = empty_database.execute("SELECT codes FROM bills")
    assert [code for code in found if code == 6] == codes
