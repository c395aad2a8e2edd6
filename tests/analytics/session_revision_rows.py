"""Rows of `session_revisions` for tests that start behind the measuring: a clean session, changed as a test likes."""

from datetime import date
from typing import Any

from clickhouse_driver import Client

from analytics.sql_files import sql_text
from analytics.threshold_book import limits_table
from analytics.thresholds import Thresholds

T0 = 1_700_000_000_000
MINUTE = 60_000
TRADE_PREFIX = "320106000192360120231115"


def trade_no(number: int) -> str:
    """The `number`-th trade number of the tests."""
    return f"{TRADE_PREFIX}{number:08d}"


def clean_row(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A charge of 30 minutes and 20 kWh whose bill agrees with its readings; `changes` are columns."""
    start, end = T0, T0 + 30 * MINUTE
    row: dict[str, Any] = {
        "operator_id": 2,
        "station_id": 3,
        "pile_id": 4,
        "pile": "32010600019236",
        "connector": 1,
        "trade_no": trade_no(number),
        "revision": 1,
        "inputs_digest": number,
        "batch_id": 1,
        "computed_ms": end,
        "rule_version": 1,
        "thresholds_digest": 0,
        "recheck_ms": 0,
        "life": "ended",
        "zone": "Asia/Shanghai",
        "local_day": date(2023, 11, 15),
        "start_ms": start,
        "end_ms": end,
        "end_low_ms": end,
        "end_high_ms": end,
        "readings": 122,
        "charging_readings": 120,
        "occupancy_decided": 1,
        "unplugged_ms": end + MINUTE,
        "plugged_until_ms": end + MINUTE - 15_000,
        "occupancy_from_ms": end,
        "occupancy_grace_ms": 30 * MINUTE,
        "current_kind": "dc",
        "naive_energy_e4kwh": 200_000,
        "naive_span_ms": 30 * MINUTE,
        "best_e4kwh": 200_000,
        "low_e4kwh": 199_999,
        "high_e4kwh": 200_001,
        "quality": "VALID",
        "flags": [],
        "power_energy_e4kwh": 200_000,
        "power_over_1kw_ms": 29 * MINUTE,
        "quantum_e4kwh": 1,
        "pmax_w": 132_000,
        "bill_state": "present",
        "has_bill": 1,
        "bill_receive_ms": end + 1_000,
        "bill_start_ms": start,
        "bill_end_ms": end,
        "bill_energy_e4kwh": 200_000,
        "bill_amount_e4yuan": 200_000,
        "bill_class_energy_e4kwh": [0, 0, 200_000, 0],
        "bill_class_mask": 0b0100,
        "final_rule": 1,
        "final_energy_e4kwh": 200_000,
        "final_quality": "VALID",
        "inside_physical_limit": 1,
        "slot_start_ms": [start - 800_000],
        "slot_of_day": [12],
        "slot_energy_e4kwh": [200_000],
        "slot_tariff_version": [7],
        "slot_method": "bill_classes",
        "register_kind": "session",
        "overlaps": [],
    }
    unknown = set(changes) - set(row) - _OPTIONAL
    assert not unknown, f"no such column: {unknown}"
    return {**dict.fromkeys(_OPTIONAL, 0), **row, **changes}


_OPTIONAL = frozenset(
    {
        "fault_after_end",
        "next_start_ms",
        "commissioned_ms",
        "order_created_ms",
        "unobserved_start_ms",
        "unobserved_end_ms",
        "clock_offset_ms",
        "clock_step_ms",
        "outage_ms",
        "different_bills",
        "bill_meter_start_e4kwh",
        "bill_meter_end_e4kwh",
        "tariff_stale",
        "register_start_e4kwh",
        "register_end_e4kwh",
        "register_digits",
        "bill_loss_energy_e4kwh",
        "begin_missed_e4kwh",
    }
)


def insert_rows(client: Client, rows: list[dict[str, Any]]) -> None:
    """Store the rows as they are."""
    names = list(rows[0])
    columns = [[row[name] for row in rows] for name in names]
    client.execute(f"INSERT INTO session_revisions ({', '.join(names)}) VALUES", columns, columnar=True)


def insert_tariff(client: Client, version_id: int = 7, classes: list[int] | None = None) -> None:
    """A tariff version: all day flat unless `classes` says otherwise."""
    prices = ([120_000, 100_000, 70_000, 40_000], [40_000, 40_000, 40_000, 30_000])
    row = (version_id, 1, "test", f"{version_id:04d}", 0, classes or [2] * 48, *prices)
    client.execute("INSERT INTO dim_tariff_versions VALUES", [row])


def compute(client: Client, batch_id: int = 1, thresholds: Thresholds | None = None) -> None:
    """Codes and bills of a batch, as the biller has ClickHouse compute them."""
    limits = limits_table({0: thresholds or Thresholds()})
    client.execute(sql_text("codes"), {"batch_id": batch_id}, external_tables=[limits])
    client.execute(sql_text("bill"), {"batch_id": batch_id})
