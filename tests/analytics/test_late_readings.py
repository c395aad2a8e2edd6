"""A register that is read late: where the naive figure lacks energy decides what it is called (anomaly-codes.md)."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from tests.analytics.register_rows import RegisterFacts
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts

pytestmark = pytest.mark.server

MINUTES = 20
END = T0 + MINUTES * MINUTE
NUMBER = "SN-1"


def repeated(rows: list[dict[str, Any]], first: int, last: int) -> None:
    """The rows from `first` to `last` tell what the first of them read."""
    for row in rows[first : last + 1]:
        row["register_e4kwh"], row["energy_e4kwh"] = rows[first]["register_e4kwh"], rows[first]["energy_e4kwh"]


def told(facts: RegisterFacts, rows: list[dict[str, Any]]) -> tuple[list[int], list[int], list[str]]:
    """Codes raw and corrected and the causes of the charge; its last words tell the register at its end."""
    facts.insert("readings", rows)
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + HOUR, T0, MINUTES, number=NUMBER))
    facts.insert("pile_bill_uploads", [facts.record(T0, MINUTES, number=NUMBER)])
    Biller(facts.client, facts.directory, clock=Clock(T0 + 6 * HOUR)).run_once()
    ((raw, corrected, causes),) = facts.client.execute("SELECT codes_raw, codes, causes FROM bills")
    return raw, corrected, causes


@pytest.mark.parametrize("seconds", [30, 60, 240])
def test_a_register_that_catches_up_after_its_last_reading_was_lost_on_its_line(
    empty_database: Client, seconds: int
) -> None:
    facts = RegisterFacts(empty_database)
    rows = facts.charge(T0, MINUTES, number=NUMBER)
    repeated(rows, len(rows) - 1 - seconds // 15, len(rows) - 1)
    assert told(facts, rows) == ([8], [], ["RS485_LOSS"])


@pytest.mark.parametrize("seconds", [30, 60])
def test_a_first_reading_that_comes_late_is_a_late_baseline(empty_database: Client, seconds: int) -> None:
    facts = RegisterFacts(empty_database)
    rows = facts.charge(T0, MINUTES, number=NUMBER)[seconds // 15 :]
    assert told(facts, rows) == ([8], [], ["LATE_BASELINE"])


def test_a_register_that_catches_up_within_the_charge_changes_nothing(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    rows = facts.charge(T0, MINUTES, number=NUMBER)
    repeated(rows, 0, 8)
    repeated(rows, 40, 56)
    assert told(facts, rows) == ([], [], [])


def test_one_that_is_never_seen_to_catch_up_is_frozen(empty_database: Client) -> None:
    facts = Facts(empty_database)
    rows = facts.charging(T0, MINUTES)
    for row in rows[-4:]:
        row["energy_e4kwh"] = rows[-4]["energy_e4kwh"]
    facts.insert("readings", [*rows, facts.idle(END + SECOND, 0)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, MINUTES)])
    Biller(facts.client, facts.directory, clock=Clock(T0 + 6 * HOUR)).run_once()
    assert empty_database.execute("SELECT codes_raw, codes, causes FROM bills") == [([8], [], ["FROZEN"])]
