"""The metering incidents of the support log, from their frames to their bills (requirements B01 to B20, G1 to G5)."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from clickhouse_driver import Client

from analytics.anomalies import CodeCounts
from analytics.client import ClickHouseAddress
from service.anomalies import render
from tests.system import incident_frames as incidents
from tests.system.charger_stories import KWH, Line, Shown, YkcStory
from tests.system.replayed import Replayed, e4, replayed

pytestmark = pytest.mark.server

PMAX_W = incidents.PEAK_POWER_KW * 1_100
UNKNOWN_PMAX_W = 198_000
"""A charger that nobody planned counts as 180 kW (DESIGN, `replay`)."""
G1_YKC_PILE = "44011300000071"
G1_YKC_TRADE_NO = f"{G1_YKC_PILE}01191024144331381526"[:32].ljust(32, "0")
G1_UNKNOWN_PILE = "44011300040000299901"
G1_ZERO_PILE = "44011300040000299902"


def at_pmax(pmax_w: int, seconds: int) -> int:
    """1e-4 kWh at that power, rounded up."""
    return -(-pmax_w * seconds // 360)


def g1_of_ykc() -> list[Line]:
    """G1 of a YKC charger that puts its meter's register into the session counter, 0 until the charge has begun."""
    gun = YkcStory(G1_YKC_PILE)
    start_ms, seconds = incidents.G1_START_MS, (incidents.G1_LAST_HEARD_MS - incidents.G1_START_MS) // 1_000
    gun.login(start_ms - 60_000)
    gun.idle(start_ms - 45_000, start_ms, plugged=True)
    shown = [Shown(0, 0), Shown(15, 0)]
    shown += [
        Shown(moment, 922_700 + 363_600 * (moment - 30) // (seconds - 30), 81_000)
        for moment in [*range(30, seconds, 15), seconds]
    ]
    gun.charge(G1_YKC_TRADE_NO, start_ms, shown)
    gun.idle(incidents.G1_BACK_MS, incidents.G1_BACK_MS + 15_000, state=1, plugged=True)
    gun.idle(incidents.G1_BACK_MS + 15_000, incidents.G1_BACK_MS + 60_000)
    gun.heartbeats(incidents.G1_BACK_MS + 60_000, incidents.G1_BACK_MS + 3_600_000)
    return gun.lines


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, clickhouse: ClickHouseAddress) -> Iterator[Replayed]:
    """All incidents in one capture."""
    lines = [
        *incidents.g1_lines(),
        *incidents.g1_lines(G1_UNKNOWN_PILE, "20191024144331381527"),
        *incidents.g1_lines(G1_ZERO_PILE, "20191024144331381528", zero_s=15),
        *g1_of_ykc(),
        *incidents.g2_lines(),
        *incidents.g3_lines(),
        *incidents.g4_lines(),
        *incidents.g5_lines(),
        *incidents.huge_lines(),
        *incidents.rs485_lines(),
    ]
    with replayed(tmp_path_factory.mktemp("incidents"), clickhouse, lines, incidents.master_data()) as here:
        yield here


def test_g1_c5a_the_estimate_of_128_kwh_and_244_yuan_becomes_36_kwh_and_69_yuan(here: Replayed) -> None:
    bill = here.bill(incidents.G1_TRADE_NO)
    assert bill["pile_energy_kwh"] is None
    assert (bill["platform_energy_kwh"], bill["low_kwh"]) == ("36.3600", "36.3500")
    assert e4(bill["high_kwh"]) == 363_700 + at_pmax(PMAX_W, 422)
    assert 103_000 <= e4(bill["high_kwh"]) - 363_700 <= 193_000
    assert (bill["quality"], bill["held"], bill["codes_raw"], bill["codes"]) == ("ESTIMATED", True, [1], [1])
    assert (bill["final_energy_kwh"], bill["final_amount_yuan"]) == ("36.3600", "69.08")
    assert bill["causes"] == ["OFFLINE"]


def test_g1_b05_b06_b20_ended_in_seven_minutes_of_silence_with_a_broken_state_at_their_end(here: Replayed) -> None:
    session = here.session(incidents.G1_TRADE_NO)
    assert session["life"] == "ended_offline"
    assert (session["start_ms"], session["end_ms"]) == (incidents.G1_START_MS, incidents.G1_LAST_HEARD_MS)
    assert (session["end_low_ms"], session["end_high_ms"]) == (incidents.G1_LAST_HEARD_MS, incidents.G1_BACK_MS)
    observed_ms, unobserved_ms = session["end_ms"] - session["start_ms"], session["unobserved_end_ms"]
    assert (observed_ms, unobserved_ms, observed_ms + unobserved_ms) == (1_617_000, 422_000, 2_039_000)
    assert "TAIL_GAP" in session["flags"]
    assert session["bill_state"] == "lost"
    states = here.client.execute(
        "SELECT work_state FROM readings WHERE pile_id = %(pile_id)s AND receive_ms >= %(back_ms)s"
        " ORDER BY receive_ms LIMIT 3",
        {"pile_id": session["pile_id"], "back_ms": incidents.G1_BACK_MS},
    )
    assert states == [(incidents.STATUS_8,), (incidents.STATUS_8,), (0,)]


def test_g1_s12_the_proposal_has_its_rate_classes(here: Replayed) -> None:
    money = here.money(incidents.G1_TRADE_NO)
    assert sum(money["class_energy_e4kwh"]) == 363_600
    assert sum(money["slot_energy_e4kwh"]) == 363_600
    assert money["electricity_fen"] + money["service_fen"] == money["amount_fen"] == 6_908


def test_g1_at_a_charger_nobody_planned(here: Replayed) -> None:
    bill = here.bill("20191024144331381527")
    assert (bill["platform_energy_kwh"], bill["low_kwh"], bill["held"]) == ("36.3600", "36.3500", True)
    assert e4(bill["high_kwh"]) == 363_700 + at_pmax(UNKNOWN_PMAX_W, 422)
    assert (bill["quality"], bill["codes"]) == ("ESTIMATED", [1])


def test_g1_b01_with_the_zero_still_there_when_the_charge_has_begun(here: Replayed) -> None:
    bill = here.bill("20191024144331381528")
    assert (bill["platform_energy_kwh"], bill["low_kwh"], bill["held"]) == ("36.3600", "36.3500", True)
    tail = at_pmax(UNKNOWN_PMAX_W, 422)
    assert 363_700 + tail <= e4(bill["high_kwh"]) <= 363_700 + tail + at_pmax(UNKNOWN_PMAX_W, 15)
    assert (bill["quality"], bill["codes"]) == ("ESTIMATED", [1])
    assert here.session("20191024144331381528")["naive_energy_e4kwh"] == 1_286_300


def test_g1_b01_of_a_counter_that_shows_the_register(here: Replayed) -> None:
    """Whatever the 92 kWh of its first step are taken for, they are never billed unseen."""
    bill = here.bill(G1_YKC_TRADE_NO)
    assert bill["platform_energy_kwh"] == "36.3600"
    assert e4(bill["low_kwh"]) <= 363_600 <= e4(bill["high_kwh"]) - at_pmax(UNKNOWN_PMAX_W, 422)
    assert (bill["held"], bill["codes"]) == (True, [1])
    assert here.session(G1_YKC_TRADE_NO)["naive_energy_e4kwh"] == 1_286_300


def test_g2_c6a_rs485_loss_is_explained_and_the_record_is_billed(here: Replayed) -> None:
    bill = here.bill(incidents.G2_TRADE_NO)
    assert (bill["start"], bill["end"]) == ("2019-11-12T00:23:38+08:00", "2019-11-12T03:50:36+08:00")
    assert (bill["codes_raw"], bill["codes"], bill["causes"]) == ([8], [], ["RS485_LOSS"])
    assert bill["final_energy_kwh"] == bill["pile_energy_kwh"]
    assert not bill["held"]
    session = here.session(incidents.G2_TRADE_NO)
    assert session["start_ms"] - session["order_created_ms"] == 244_000, "no code 3: the order was created long before"
    assert session["final_rule"] == 1


def test_g3_c7_twenty_zero_baselines_are_one_cause_and_no_code(here: Replayed) -> None:
    bills = here.bills(*incidents.G3_TRADE_NOS)
    assert {bill["pile"] for bill in bills} == set(incidents.G3_PILES)
    assert [bill["codes_raw"] for bill in bills] == [[8]] * 20
    assert [bill["causes"] for bill in bills] == [["ZERO_BASELINE"]] * 20
    assert [bill["codes"] for bill in bills] == [[]] * 20
    assert all(bill["final_energy_kwh"] == bill["pile_energy_kwh"] and not bill["held"] for bill in bills)
    naive = [here.session(number)["naive_energy_e4kwh"] for number in incidents.G3_TRADE_NOS[:3]]
    assert min(naive) > 7_000 * KWH, "what the old platform compared with the bill"


def test_g3_c7_where_the_register_is_true_from_the_first_reading_of_the_charge(
    tmp_path: Path, clickhouse: ClickHouseAddress
) -> None:
    """The zero before the start is told by the charger alone: it takes the whole register for the session's energy."""
    lines = incidents.g3_lines(until_charging=True)
    with replayed(tmp_path, clickhouse, lines, incidents.master_data()) as other:
        table = other.table()
    assert (table.bills, table.raw, table.corrected, table.causes) == (20, {"8": 20}, {}, {"ZERO_BASELINE": 20})


def test_g3_s02_the_statistics_of_that_day(here: Replayed) -> None:
    day = date(2020, 1, 13)
    table = here.table(day, day)
    assert (table.bills, table.raw, table.corrected, table.causes) == (20, {"8": 20}, {}, {"ZERO_BASELINE": 20})
    assert table.raw_causes == {"8": {"ZERO_BASELINE": 20}}
    assert table.whole_kwh == CodeCounts(0, {}, {}, {})
    assert json.loads(render(table, "json"))["raw"] == {"8": 20}


@pytest.mark.parametrize("number", incidents.G4_TRADE_NOS)
def test_g4_c6b_a_lost_bill_is_split_into_its_rate_classes(here: Replayed, number: str) -> None:
    bill, money = here.bill(number), here.money(number)
    assert (bill["codes_raw"], bill["codes"], bill["pile_energy_kwh"]) == ([1], [1], None)
    assert abs(e4(bill["final_energy_kwh"]) - 75 * KWH) <= 100
    assert sum(money["class_energy_e4kwh"]) == sum(money["slot_energy_e4kwh"]) == e4(bill["final_energy_kwh"])
    assert any(money["class_energy_e4kwh"])
    assert money["amount_fen"] > 0


def test_g4_s12_the_class_of_each_half_hour_is_that_of_the_tariff(here: Replayed) -> None:
    """11:26:09 to 12:41:09 at 60 kW: peak until noon, then sharp."""
    money = here.money("20191108112557047049")
    until_noon = 60 * KWH * (33 * 60 + 51) // 3_600
    sharp, peak, flat, valley = money["class_energy_e4kwh"]
    assert (flat, valley) == (0, 0)
    assert abs(peak - until_noon) <= 100
    assert peak + sharp == money["final_energy_e4kwh"]


@pytest.mark.parametrize("number", incidents.G5_TRADE_NOS)
def test_g5_c4_lost_bills(here: Replayed, number: str) -> None:
    bill = here.bill(number)
    assert (bill["codes_raw"], bill["codes"]) == ([1], [1])
    assert bill["final_amount_yuan"] is not None


@pytest.mark.parametrize("number", incidents.HUGE_TRADE_NOS)
def test_b02_b14_c6b_tens_of_thousands_of_kwh_are_never_billed(here: Replayed, number: str) -> None:
    bill, session = here.bill(number), here.session(number)
    assert abs(e4(bill["final_energy_kwh"]) - 30 * KWH) <= 5_000
    assert e4(bill["low_kwh"]) <= 30 * KWH + 100 and 30 * KWH - 100 <= e4(bill["high_kwh"]) <= 33 * KWH
    assert session["inside_physical_limit"] == 1
    assert here.money(number)["amount_fen"] < 6_000


def test_b14_c6b_what_says_tens_of_thousands_is_held_and_named(here: Replayed) -> None:
    found = {number: here.bill(number) for number in incidents.HUGE_TRADE_NOS}
    assert {number: (bill["held"], bill["codes"]) for number, bill in found.items()} == {
        incidents.HUGE_JUMP: (True, [4, 5]),
        incidents.HUGE_SPIKE: (False, []),
        incidents.HUGE_BASELINE: (True, []),
        incidents.HUGE_RECORD: (True, [4, 5, 8]),
        incidents.HUGE_END: (True, [1]),
    }
    explained = found[incidents.HUGE_BASELINE]
    assert (explained["codes_raw"], explained["causes"]) == ([4, 5], ["ZERO_BASELINE"])
    assert found[incidents.HUGE_JUMP]["quality"] == "QUESTIONABLE"
    naive = {number: here.session(number)["naive_energy_e4kwh"] for number in found}
    assert [naive[number] > 20_000 * KWH for number in found] == [True, False, True, False, True]


@pytest.mark.parametrize("every", incidents.RS485_TRADE_NOS)
def test_b10_c5b_c6a_rs485_loss_at_any_rate_changes_no_bill(here: Replayed, every: int) -> None:
    bill = here.bill(incidents.RS485_TRADE_NOS[every])
    assert (bill["codes_raw"], bill["codes"], bill["causes"]) == ([8], [], ["RS485_LOSS"])
    assert (bill["final_energy_kwh"], bill["held"]) == ("48.0000", False)
    assert e4(bill["low_kwh"]) <= 48 * KWH <= e4(bill["high_kwh"])


def test_b10_lost_readings_can_be_counted(here: Replayed) -> None:
    """The measure of a charger's RS-485 is its readings of 0 while it charges."""
    counts = dict(
        here.client.execute(
            "SELECT pile_id, countIf(register_e4kwh = 0) FROM readings WHERE protocol = 'aaf5' AND state = 3"
            " GROUP BY pile_id"
        )
    )
    for every, number in incidents.RS485_TRADE_NOS.items():
        lost = counts[here.session(number)["pile_id"]]
        assert lost == len([i for i in range(241) if i % every == 1 or i == 240])


def test_the_same_capture_again_changes_no_figure(here: Replayed) -> None:
    def revisions(client: Client) -> list[tuple[int]]:
        return list(client.execute("SELECT count(), sum(revision) FROM bill_revisions"))

    before = revisions(here.client)
    here.take(incidents.g3_lines(), "again")
    assert revisions(here.client) == before
