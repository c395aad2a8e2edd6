"""The bill in SQL and its integer twin in core give the same money, for thousands of generated sessions."""

import random
from typing import Any

import pytest
from clickhouse_driver import Client

from core.tariff import price_slots
from tests.analytics.session_revision_rows import clean_row, compute, insert_rows, insert_tariff, trade_no

pytestmark = pytest.mark.server


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


SESSIONS = 2_500
VERSIONS = 12
UNKNOWN_VERSION = 999


class Tariff:
    """A tariff version of random classes and prices."""

    def __init__(self, version_id: int, rng: random.Random) -> None:
        self.version_id = version_id
        self.classes = [rng.randrange(4) for _ in range(48)]
        highest = rng.choice([10, 999_999, 2_000_000])
        self.electricity = [rng.randrange(highest) for _ in range(4)]
        self.service = [rng.randrange(highest) for _ in range(4)]


def generated(rng: random.Random, number: int, tariffs: list[Tariff]) -> dict[str, Any]:
    """A session whose half-hours may each have another version; energies up to a gigantic one."""
    count = rng.choice([0, 1, 1, 2, 3, 5, 40])
    highest = rng.choice([3, 10_000, 300_000, 4_000_000_000])
    slots = sorted(rng.randrange(48) for _ in range(count))
    energies = [rng.randrange(1, highest + 1) for _ in slots]
    return clean_row(
        number,
        slot_start_ms=[1_700_000_000_000 + place * 1_800_000 for place in range(count)],
        slot_of_day=slots,
        slot_energy_e4kwh=energies,
        slot_tariff_version=[rng.choice(tariffs).version_id for _ in slots],
        final_energy_e4kwh=sum(energies),
    )


def test_sql_and_core_give_the_same_money(database: Client) -> None:
    rng = random.Random(20_261_122)
    tariffs = [Tariff(version_id, rng) for version_id in range(1, VERSIONS + 1)]
    by_id = {tariff.version_id: tariff for tariff in tariffs}
    database.execute(
        "INSERT INTO dim_tariff_versions VALUES",
        [(t.version_id, 1, "t", f"{t.version_id:04d}", 0, t.classes, t.electricity, t.service) for t in tariffs],
    )
    rows = [generated(rng, number, tariffs) for number in range(SESSIONS)]
    insert_rows(database, rows)
    compute(database)
    stored = {
        row[0]: row[1:]
        for row in database.execute(
            "SELECT trade_no, slot_electricity_e5yuan, slot_service_e5yuan, electricity_e5yuan, service_e5yuan,"
            " amount_fen, electricity_fen, service_fen, slot_class, class_energy_e4kwh FROM bill_revisions"
        )
    }
    assert len(stored) == SESSIONS
    for row in rows:
        versions = [by_id[version_id] for version_id in row["slot_tariff_version"]]
        classes = [t.classes[slot] for t, slot in zip(versions, row["slot_of_day"], strict=True)]
        priced = price_slots(
            row["slot_energy_e4kwh"],
            [t.electricity[rate] for t, rate in zip(versions, classes, strict=True)],
            [t.service[rate] for t, rate in zip(versions, classes, strict=True)],
        )
        *money, slot_class, class_energy = stored[str(row["trade_no"])]
        assert tuple(tuple(part) if isinstance(part, list) else part for part in money) == tuple(priced)
        assert slot_class == classes
        assert sum(class_energy) == row["final_energy_e4kwh"]


def test_rounding_is_half_up_per_half_hour_and_once_to_fen(database: Client) -> None:
    # 1e-4 kWh x 0.05000 yuan = 0.5e-5 yuan rounds up, x 0.04999 yuan does not
    database.execute(
        "INSERT INTO dim_tariff_versions VALUES",
        [(7, 1, "t", "0007", 0, [0, 1] * 24, [5_000, 4_999, 0, 0], [0, 0, 0, 0])],
    )
    up = clean_row(1, slot_of_day=[0], slot_energy_e4kwh=[1], final_energy_e4kwh=1)
    down = clean_row(2, slot_of_day=[1], slot_energy_e4kwh=[1], final_energy_e4kwh=1)
    many = clean_row(
        3,
        slot_of_day=[0] * 500,
        slot_energy_e4kwh=[1] * 500,
        slot_tariff_version=[7] * 500,
        slot_start_ms=list(range(500)),
        final_energy_e4kwh=500,
    )
    insert_rows(database, [up, down, many])
    compute(database)
    rows = database.execute("SELECT trade_no, electricity_e5yuan, amount_fen FROM bill_revisions")
    found = {trade: money for trade, *money in rows}
    assert found == {trade_no(1): [1, 0], trade_no(2): [0, 0], trade_no(3): [500, 1]}


def test_unknown_tariff_or_energy_is_unknown_money_and_held(database: Client) -> None:
    nothing: dict[str, Any] = {
        "slot_start_ms": [],
        "slot_of_day": [],
        "slot_energy_e4kwh": [],
        "slot_tariff_version": [],
    }
    insert_rows(
        database,
        [
            clean_row(1, slot_tariff_version=[UNKNOWN_VERSION]),
            clean_row(2, final_energy_e4kwh=None, final_quality="MISSING", **nothing),
            clean_row(3, **nothing),
            clean_row(4, final_energy_e4kwh=0, **nothing),
        ],
    )
    compute(database)
    found = database.execute(
        "SELECT amount_fen, electricity_fen, service_fen, held FROM bill_revisions ORDER BY trade_no"
    )
    assert found == [(None, None, None, 1), (None, None, None, 1), (None, None, None, 1), (0, 0, 0, 0)]


HELD: list[tuple[dict[str, Any], int]] = [
    ({}, 0),
    ({"final_quality": "DERIVED"}, 0),
    ({"final_quality": "ESTIMATED"}, 1),
    ({"final_quality": "QUESTIONABLE"}, 1),
    ({"inside_physical_limit": 0}, 1),
    ({"clock_offset_ms": 999_999}, 1),
    ({"naive_energy_e4kwh": 0}, 0),
    ({"bill_energy_e4kwh": 230_000, "bill_class_energy_e4kwh": [0, 0, 230_000, 0]}, 1),
    ({"naive_span_ms": 0}, 0),
    ({"unplugged_ms": 0, "plugged_until_ms": 1_800_000_000_000}, 0),
    ({"has_bill": 0, "bill_state": "lost", "bill_energy_e4kwh": 0, "final_quality": "DERIVED"}, 0),
]


def test_what_waits_for_a_person(database: Client) -> None:
    insert_tariff(database)
    insert_rows(database, [clean_row(number, **changes) for number, (changes, _held) in enumerate(HELD)])
    compute(database)
    found = database.execute("SELECT held FROM bill_revisions ORDER BY trade_no")
    assert [(changes, held) for (changes, _), (held,) in zip(HELD, found, strict=True)] == HELD
