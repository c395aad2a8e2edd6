"""What a register counted between two charges although nobody was billed (anomaly-codes.md, code 11b)."""

from datetime import date
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.questions import PLATFORM_SCOPE, Scope, ask
from tests.analytics.session_revision_rows import MINUTE, T0, clean_row, insert_rows

pytestmark = pytest.mark.server
HOUR = 60 * MINUTE
DAYS = {"from_day": date(2023, 11, 15), "to_day": date(2023, 11, 15)}


def charge(number: int, begin_e4kwh: int, end_e4kwh: int, **changes: Any) -> dict[str, Any]:
    """The `number`-th charge of the connector, an hour after the one before, between two registers."""
    start = T0 + number * HOUR
    times = {"start_ms": start, "end_ms": start + 30 * MINUTE}
    energy = {"final_energy_e4kwh": end_e4kwh - begin_e4kwh, "register_kind": "lifetime"}
    registers = {"register_start_e4kwh": begin_e4kwh, "register_end_e4kwh": end_e4kwh}
    return clean_row(number, **{**times, **energy, **registers, **changes})


def findings(database: Client, *rows: dict[str, Any], scope: Scope = PLATFORM_SCOPE) -> list[tuple[str, int]]:
    insert_rows(database, list(rows))
    found = ask(database, "connector_findings", scope, limit=10, **DAYS).records()
    return [(row["finding"], row["missing_e4kwh"]) for row in found]


@pytest.mark.parametrize(
    ("next_begin", "expected"),
    [
        (1_200_000, []),
        (1_205_000, []),
        (1_205_001, [("UNBILLED_ENERGY", 5_001)]),
        (1_865_000, [("UNBILLED_ENERGY", 665_000)]),  # 132 kW for half an hour
        (1_865_001, [("REGISTER_REPLACED", 665_001)]),
        (1_194_999, [("REGISTER_REPLACED", -5_001)]),
        (100, [("REGISTER_REPLACED", -1_199_900)]),
    ],
)
def test_the_step_from_one_charge_to_the_next(
    empty_database: Client, next_begin: int, expected: list[tuple[str, int]]
) -> None:
    rows = charge(1, 1_000_000, 1_200_000), charge(2, next_begin, next_begin + 200_000)
    assert findings(empty_database, *rows) == expected
    assert findings(empty_database, charge(9, 1, 2, pile_id=9), scope=Scope(frozenset({77}))) == []


def test_what_a_charge_without_registers_took_is_not_missing(empty_database: Client) -> None:
    lost = charge(2, 0, 0, final_energy_e4kwh=150_000, has_bill=0)
    assert findings(empty_database, charge(1, 1_000_000, 1_200_000), lost, charge(3, 1_350_000, 1_500_000)) == []


def test_the_registers_of_a_record_count_where_its_energy_bears_them_out(empty_database: Client) -> None:
    def told(number: int, begin: int, end: int, energy: int) -> dict[str, Any]:
        more = {"bill_meter_start_e4kwh": begin, "bill_meter_end_e4kwh": end, "bill_energy_e4kwh": energy}
        return charge(number, 0, 0, register_kind="session", final_energy_e4kwh=energy, **more)

    rows = told(1, 1_000_000, 1_200_000, 200_000), told(2, 1_300_000, 1_500_000, 200_000)
    assert findings(empty_database, *rows) == [("UNBILLED_ENERGY", 100_000)]
    assert findings(empty_database, told(3, 1_900_000, 2_100_000, 100_000)) == [("UNBILLED_ENERGY", 100_000)]


def test_a_register_that_ran_over_its_last_digit_goes_on(empty_database: Client) -> None:
    rows = charge(1, 9_999_700_000, 9_999_900_000, register_digits=6), charge(2, 0, 0, final_energy_e4kwh=200_000)
    assert findings(empty_database, *rows, charge(3, 100_000, 300_000, register_digits=6)) == []
