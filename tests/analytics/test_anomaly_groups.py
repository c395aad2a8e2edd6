"""The statistics of codes by period, place, make and firmware; whole-kWh meters apart; causes from the protocol."""

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.anomalies import KINDS, Kind, Remaining, anomaly_table, bills_with, causes_with_protocol, protocol_cause
from analytics.bill_lines import bill_lines
from analytics.questions import PLATFORM_SCOPE, Scope
from service.anomalies import render
from tests.analytics.session_revision_rows import T0, clean_row, compute, insert_rows, insert_tariff, trade_no

pytestmark = pytest.mark.server

MINUTE = 60_000
DAY_MS = 86_400_000
NAIVE: dict[str, Any] = {"naive_energy_e4kwh": 0, "flags": ["ZERO_BASELINE"]}
TRULY_OFF: dict[str, Any] = {"bill_energy_e4kwh": 260_000, "bill_class_energy_e4kwh": [0, 0, 260_000, 0]}
LOST: dict[str, Any] = {"has_bill": 0, "bill_state": "lost", "bill_energy_e4kwh": 0, "bill_class_energy_e4kwh": []}


@pytest.fixture(scope="module")
def stored(module_database: Client) -> Client:
    """Seven bills of three chargers: R and S at one station of operator 2, T at another of operator 5.

    1 is clean. 2 has raw 8 by a zero baseline. 3 has 8 that stays, at a charger that skipped a step. 4 is lost, its
    charger skipped the record. 5 has 8 that stays, without a fault of steps. 6 and 7 are of a whole-kWh meter, one in
    the next month.
    """
    client = module_database
    insert_tariff(client)
    first, second, third = {"pile_id": 4}, {"pile_id": 5}, {"pile_id": 6, "station_id": 9, "operator_id": 5}
    insert_rows(
        client,
        [
            clean_row(1, **first),
            clean_row(2, **first, **NAIVE),
            clean_row(3, **first, **TRULY_OFF, end_ms=T0 + 10 * DAY_MS),
            clean_row(4, **second, **LOST),
            clean_row(5, **second, **TRULY_OFF),
            clean_row(6, **third, **NAIVE, quantum_e4kwh=10_000),
            clean_row(7, **third, quantum_e4kwh=10_000, local_day=date(2023, 12, 1)),
        ],
    )
    compute(client)
    client.execute(
        "INSERT INTO dim_piles (pile_id, pile, station_id, vendor, model) VALUES",
        [(4, "A", 3, "R", "120"), (5, "B", 3, "S", "60"), (6, "C", 9, "T", "7")],
    )
    client.execute(
        "INSERT INTO dim_stations (station_id, operator_id, name) VALUES", [(3, 2, "大岗公交车站"), (9, 5, "桥南")]
    )
    client.execute("INSERT INTO dim_operators (operator_id, name) VALUES", [(2, "公交"), (5, "绿行")])
    client.execute(
        "INSERT INTO charger_identities (operator_id, pile_id, event_ms, firmware, segment_id, segment_offset) VALUES",
        [(2, 4, T0 - DAY_MS, "V1", 1, 1), (2, 4, T0 + DAY_MS, "V2", 1, 2), (2, 5, T0 + 40 * DAY_MS, "V9", 1, 3)],
    )
    client.execute(
        "INSERT INTO conformance_checks (operator_id, pile_id, connector, trade_no, check_id, pattern) VALUES",
        [
            (2, 4, 1, trade_no(1), 1, "SWAP(2,3)"),
            (2, 4, 1, trade_no(3), 1, ""),
            (2, 4, 1, trade_no(3), 2, "SKIP(2) REPEAT(4x3)"),
            (2, 5, 1, trade_no(4), 1, "SKIP(7)"),
            (2, 5, 1, trade_no(5), 1, "REPEAT(3x2)"),
            (2, 5, 1, trade_no(5), 2, ""),
        ],
    )
    return client


def counts(client: Client, *by: Kind) -> dict[tuple[str, ...], tuple[int, int, int]]:
    """Bills, those with a raw code, those with a remaining one, by group."""
    table = anomaly_table(client, PLATFORM_SCOPE, by=by)
    return {
        tuple(group.group.values()): (group.bills, sum(group.raw.values()), sum(group.corrected.values()))
        for group in table.groups
    }


def test_groups_by_place_make_and_period(stored: Client) -> None:
    assert counts(stored, "vendor") == {("R",): (3, 2, 1), ("S",): (2, 2, 2), ("T",): (2, 1, 0)}
    assert counts(stored, "model") == {("R 120",): (3, 2, 1), ("S 60",): (2, 2, 2), ("T 7",): (2, 1, 0)}
    assert counts(stored, "station") == {("大岗公交车站",): (5, 4, 3), ("桥南",): (2, 1, 0)}
    assert counts(stored, "operator") == {("公交",): (5, 4, 3), ("绿行",): (2, 1, 0)}
    assert counts(stored, "pile") == {("A",): (3, 2, 1), ("B",): (2, 2, 2), ("C",): (2, 1, 0)}
    assert counts(stored, "month") == {("2023-11",): (6, 5, 3), ("2023-12",): (1, 0, 0)}
    assert counts(stored, "day") == {("2023-11-15",): (6, 5, 3), ("2023-12-01",): (1, 0, 0)}


def test_firmware_is_that_of_the_last_login_before_the_end(stored: Client) -> None:
    assert counts(stored, "firmware") == {
        ("R 120 V1",): (2, 1, 0),
        ("R 120 V2",): (1, 1, 1),
        ("S 60 ?",): (2, 2, 2),
        ("T 7 ?",): (2, 1, 0),
    }


def test_several_kinds_at_once_and_one_group_alone(stored: Client) -> None:
    assert counts(stored, "vendor", "month") == {
        ("R", "2023-11"): (3, 2, 1),
        ("S", "2023-11"): (2, 2, 2),
        ("T", "2023-11"): (1, 1, 0),
        ("T", "2023-12"): (1, 0, 0),
    }
    table = anomaly_table(stored, PLATFORM_SCOPE, by=("pile",), only={"station": "大岗公交车站", "vendor": "R"})
    assert (table.bills, table.raw) == (3, {"8": 2})
    assert [group.group for group in table.groups] == [{"pile": "A"}]
    assert anomaly_table(stored, PLATFORM_SCOPE, only={"vendor": "Q"}).bills == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_grouping_loses_no_bill(stored: Client, kind: Kind) -> None:
    table = anomaly_table(stored, PLATFORM_SCOPE, by=(kind,))
    assert sum(group.bills for group in table.groups) == table.bills == 7
    assert sum(sum(group.raw.values()) for group in table.groups) == sum(table.raw.values()) == 5
    assert sum(group.whole_kwh.bills for group in table.groups) == table.whole_kwh.bills == 2


def test_groups_show_nothing_of_other_operators(stored: Client) -> None:
    table = anomaly_table(stored, Scope(frozenset({5})), by=("pile", "firmware"))
    assert [(group.group["pile"], group.bills) for group in table.groups] == [("C", 2)]
    assert anomaly_table(stored, Scope(frozenset()), by=("pile",)).groups == []


def test_meters_of_whole_kwh_stand_apart(stored: Client) -> None:
    table = anomaly_table(stored, PLATFORM_SCOPE)
    assert (table.whole_kwh.bills, table.whole_kwh.raw, table.whole_kwh.causes) == (2, {"8": 1}, {"ZERO_BASELINE": 1})
    assert (table.bills, table.raw) == (7, {"8": 4, "1": 1})


def test_bills_of_before_the_column_take_the_meter_of_the_master_data(stored: Client) -> None:
    stored.execute("INSERT INTO dim_piles (pile_id, pile, station_id, quantum_e4kwh) VALUES", [(77, "D", 9, 10_000)])
    stored.execute(
        "INSERT INTO bill_revisions (operator_id, pile_id, connector, trade_no, status, local_day) VALUES",
        [(88, 77, 1, "old", "final", date(2024, 2, 1))],
    )
    assert anomaly_table(stored, Scope(frozenset({88}))).whole_kwh.bills == 1
    stored.execute("DELETE FROM bill_revisions WHERE pile_id = 77")


def test_causes_stand_by_the_set_that_they_explain(stored: Client) -> None:
    assert anomaly_table(stored, PLATFORM_SCOPE).raw_causes == {
        "1": {},
        "8": {"ZERO_BASELINE": 2, "PROTOCOL_SKIP": 1},
    }


def test_a_code_that_stays_takes_its_cause_from_the_newest_check_of_the_steps(stored: Client) -> None:
    table = anomaly_table(stored, PLATFORM_SCOPE)
    assert table.causes == {"ZERO_BASELINE": 2, "PROTOCOL_SKIP": 1}
    assert table.remaining == [
        Remaining(1, "NO_BILL", "", 1),
        Remaining(8, "BILL_ABOVE", "", 1),
        Remaining(8, "BILL_ABOVE", "PROTOCOL_SKIP", 1),
    ]
    lines = bill_lines(stored, PLATFORM_SCOPE, [trade_no(number) for number in (1, 2, 3, 4, 5)])
    assert [line["causes"] for line in lines] == [[], ["ZERO_BASELINE"], ["PROTOCOL_SKIP"], [], []]


def test_steps_explain_neither_a_driver_nor_what_they_are_themselves() -> None:
    assert protocol_cause(8, ["REPEAT", "SWAP"]) == "PROTOCOL_SWAP"
    assert protocol_cause(8, []) == protocol_cause(6, ["SKIP"]) == protocol_cause(7, ["SWAP"]) == ""
    assert protocol_cause(4, ["SKIP"]) == protocol_cause(5, ["SKIP"]) == ""
    assert protocol_cause(1, ["SKIP"]) == protocol_cause(2, ["SKIP"]) == ""
    assert protocol_cause(1, ["REPEAT", "SKIP"]) == "PROTOCOL_REPEAT"
    hits = [(8, "BILL_ABOVE", ""), (9, "BILL_LONGER", "")]
    assert causes_with_protocol(["OFFLINE"], hits, ["SKIP"]) == ["OFFLINE", "PROTOCOL_SKIP"]
    assert causes_with_protocol([], [*hits, (4, "OVER_MAXIMUM", "SCALE")], ["SKIP"]) == ["SCALE"]


def test_bills_of_a_set_raw_or_corrected(stored: Client) -> None:
    assert bills_with(stored, PLATFORM_SCOPE, [8]) == [trade_no(number) for number in (3, 2, 5, 6)]
    assert bills_with(stored, PLATFORM_SCOPE, [8], limit=1) == [trade_no(3)]
    assert bills_with(stored, PLATFORM_SCOPE, [1]) == [trade_no(4)]
    assert bills_with(stored, PLATFORM_SCOPE, [6, 8]) == bills_with(stored, Scope(frozenset({5})), [1]) == []
    assert bills_with(stored, PLATFORM_SCOPE, [8], from_day=date(2023, 12, 1)) == []
    assert len(bills_with(stored, PLATFORM_SCOPE, [])) == 4, "2 and 6 have none after correction"


def test_groups_in_every_format(stored: Client) -> None:
    table = anomaly_table(stored, PLATFORM_SCOPE, by=("station", "vendor"))
    content = json.loads(render(table, "json"))
    assert [group["group"] for group in content["groups"]] == [
        {"station": "大岗公交车站", "vendor": "R"},
        {"station": "大岗公交车站", "vendor": "S"},
        {"station": "桥南", "vendor": "T"},
    ]
    assert content["groups"][2]["whole_kwh"]["bills"] == 2
    rows = list(csv.reader(io.StringIO(render(table, "csv"))))
    assert rows[0] == ["station", "vendor", "kind", "name", "raw", "corrected"]
    assert ["桥南", "T", "whole_kwh_set", "8", "1", "0"] in rows
    text = render(table, "table").splitlines()
    assert [line.split()[:3] for line in text if "大岗" in line] == [
        ["大岗公交车站", "R", "3"],
        ["大岗公交车站", "S", "2"],
    ]
    assert "measured by meters of whole kWh: 2" in render(anomaly_table(stored, PLATFORM_SCOPE), "table")


def test_a_charger_of_which_nothing_is_known_has_one_word(empty_database: Client) -> None:
    insert_rows(empty_database, [clean_row(1, pile_id=4), clean_row(2, pile_id=5)])
    compute(empty_database)
    rows = [(4, "A", 3, "unknown", "unknown"), (5, "B", 3, "R", "R")]
    empty_database.execute("INSERT INTO dim_piles (pile_id, pile, station_id, vendor, model) VALUES", rows)
    assert counts(empty_database, "model") == {("unknown",): (1, 0, 0), ("R",): (1, 0, 0)}
    assert list(counts(empty_database, "firmware")) == [("R ?",), ("unknown ?",)]
