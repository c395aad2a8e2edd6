"""The statistics of anomaly codes and the lines of bills, as other programs read them."""

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.anomalies import anomaly_table, code_set_text
from analytics.bill_lines import bill_lines, kwh_text, yuan_text
from analytics.questions import PLATFORM_SCOPE, Scope
from service.anomalies import render
from tests.analytics.session_revision_rows import T0, clean_row, compute, insert_rows, insert_tariff, trade_no

HISTORIC_SETS = [
    *("1", "2", "3", "3,4,5,8,9", "3,5,7,8,9", "3,5,8,9", "3,6", "3,8", "3,8,6", "3,8,9", "4,8,6", "6", "7", "7,8"),
    *("7,8,9", "7,8,9,6", "7,9,6", "8", "8,6", "8,9", "8,9,6", "9", "9,6", "11"),
]
MINUTE = 60_000
LATE = {"unplugged_ms": 0, "plugged_until_ms": T0 + 180 * MINUTE}
LOST = {"has_bill": 0, "bill_state": "lost", "bill_energy_e4kwh": 0, "bill_class_energy_e4kwh": []}


@pytest.fixture(scope="module")
def stored(module_database: Client) -> Client:
    """Seven sessions: two clean, one lost, two of 8,6 in different months, one provisional, one under way."""
    late_and_off: dict[str, Any] = {**LATE, "naive_energy_e4kwh": 0, "flags": ["ZERO_READ", "ZERO_BASELINE"]}
    insert_tariff(module_database)
    insert_rows(
        module_database,
        [
            clean_row(1),
            clean_row(2, operator_id=5),
            clean_row(3, **LOST),
            clean_row(4, **late_and_off),
            clean_row(5, **late_and_off, operator_id=5, local_day=date(2023, 12, 1)),
            clean_row(6, **{**LOST, "bill_state": "overdue"}),
            clean_row(7, **{**LOST, "bill_state": "waiting", "life": "open", "final_energy_e4kwh": None}),
        ],
    )
    compute(module_database)
    return module_database


@pytest.mark.parametrize("text", HISTORIC_SETS)
def test_sets_are_written_as_the_old_platform_did(text: str) -> None:
    codes = [int(code) for code in text.split(",")]
    assert code_set_text(sorted(codes)) == text
    assert code_set_text(codes[::-1]) == text


@pytest.mark.server
def test_final_bills_are_counted_by_set_and_cause(stored: Client) -> None:
    table = anomaly_table(stored, PLATFORM_SCOPE)
    assert table.bills == 5
    assert table.raw == {"8,6": 2, "1": 1}
    assert table.corrected == {"6": 2, "1": 1}
    assert table.causes == {"ZERO_BASELINE": 2}


@pytest.mark.server
def test_days_and_scope_narrow_the_count(stored: Client) -> None:
    november = anomaly_table(stored, PLATFORM_SCOPE, date(2023, 11, 15), date(2023, 11, 15))
    assert (november.bills, november.raw) == (4, {"1": 1, "8,6": 1})
    assert anomaly_table(stored, PLATFORM_SCOPE, from_day=date(2023, 12, 1)).bills == 1
    assert anomaly_table(stored, PLATFORM_SCOPE, to_day=date(2023, 11, 14)).bills == 0
    assert anomaly_table(stored, Scope(frozenset({5}))).bills == 2
    assert anomaly_table(stored, Scope(frozenset())).bills == 0


@pytest.mark.server
def test_formats_hold_the_same_numbers(stored: Client) -> None:
    table = anomaly_table(stored, PLATFORM_SCOPE, computed_at="2023-12-02T00:00:00+00:00")
    nothing: dict[str, object] = {"bills": 0, "raw": {}, "corrected": {}, "causes": {}}
    assert json.loads(render(table, "json")) == {
        "bills": 5,
        "raw": {"8,6": 2, "1": 1},
        "corrected": {"6": 2, "1": 1},
        "causes": {"ZERO_BASELINE": 2},
        "whole_kwh": nothing,
        "raw_causes": {"1": {}, "8,6": {"ZERO_BASELINE": 2}},
        "remaining": [
            {"code": 6, "reason": "AT_LEAST", "cause": "", "bills": 2},
            {"code": 1, "reason": "NO_BILL", "cause": "", "bills": 1},
        ],
        "groups": [],
        "from": None,
        "to": None,
        "computed_at": "2023-12-02T00:00:00+00:00",
    }
    rows = list(csv.reader(io.StringIO(render(table, "csv"))))
    assert rows[1:] == [
        ["bills", "", "5", "5"],
        ["set", "1", "1", "1"],
        ["set", "8,6", "2", "0"],
        ["set", "6", "0", "2"],
        ["cause", "ZERO_BASELINE", "2", ""],
        ["remaining", "6 AT_LEAST", "", "2"],
        ["remaining", "1 NO_BILL", "", "1"],
        ["period", "the begin to now", "", ""],
        ["computed_at", "2023-12-02T00:00:00+00:00", "", ""],
    ]
    text = render(table, "table")
    assert "8,6" in text and "final bills: 5" in text and "ZERO_BASELINE" in text and "2023-12-02T00:00:00" in text


@pytest.mark.server
def test_lines_of_bills(stored: Client) -> None:
    lines = bill_lines(stored, PLATFORM_SCOPE, [trade_no(4), "9" * 32, trade_no(3), trade_no(7)])
    assert [line["trade_no"] for line in lines] == [trade_no(4), trade_no(3), trade_no(7)]
    assert lines[0] == {
        "trade_no": trade_no(4),
        "pile": "32010600019236",
        "connector": 1,
        "start": "2023-11-15T06:13:20+08:00",
        "end": "2023-11-15T06:43:20+08:00",
        "pile_energy_kwh": "20.0000",
        "platform_energy_kwh": "20.0000",
        "low_kwh": "19.9999",
        "high_kwh": "20.0001",
        "quality": "VALID",
        "final_energy_kwh": "20.0000",
        "final_amount_yuan": "22.00",
        "held": False,
        "codes_raw": [8, 6],
        "codes": [6],
        "record_no": None,
        "other_numbers": [],
        "causes": ["ZERO_BASELINE"],
    }
    assert (lines[1]["pile_energy_kwh"], lines[1]["codes"]) == (None, [1])
    under_way = lines[2]
    assert (under_way["end"], under_way["final_energy_kwh"], under_way["final_amount_yuan"]) == (None, None, None)
    assert bill_lines(stored, PLATFORM_SCOPE, []) == []


@pytest.mark.server
def test_lines_of_another_operator_are_not_seen(stored: Client) -> None:
    scope = Scope(frozenset({5}))
    numbers = [trade_no(1), trade_no(2)]
    assert [line["trade_no"] for line in bill_lines(stored, scope, numbers)] == [trade_no(2)]


def test_decimals_are_exact() -> None:
    assert (kwh_text(1), kwh_text(363_600), kwh_text(0), kwh_text(None)) == ("0.0001", "36.3600", "0.0000", None)
    assert (yuan_text(5), yuan_text(6_908), yuan_text(-250)) == ("0.05", "69.08", "-2.50")
