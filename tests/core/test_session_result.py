"""Whole sessions: with and without a bill, with and without readings, and in whatever order."""

import random
import re
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.connector import ConnectorCycle
from core.meter.flags import Quality
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays
from core.session import PileBill, SessionInput, SessionResult, evaluate_session, measure_session
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion

T0 = 1_700_000_400_000  # 06:20:00 in Shanghai: ten minutes before a half-hour
SHANGHAI = "Asia/Shanghai"
PROFILE = MeterProfile("session", 1, 132_000)
VALLEY, FLAT, PEAK = 3, 2, 1


def tariff(number: int = 1, from_ms: int = 0, *, before_half_past_six: int = VALLEY) -> TariffVersion:
    """Valley until 06:30, flat until 07:00, then peak."""
    classes = (before_half_past_six,) * 13 + (FLAT,) + (PEAK,) * 34
    return TariffVersion(
        number, 1, f"{number:04d}", from_ms, classes, (120_000, 100_000, 80_000, 40_000), (40_000,) * 4
    )


def readings(count: int = 120, *, step: int = 3_000, first_s: int = 0) -> ReadingArrays:
    """A charge at 72 kW with a reading every 15 s."""
    places = np.arange(count)
    return ReadingArrays.of(
        T0 + 1000 * first_s + 15_000 * places,
        step * (places + first_s // 15),
        power_w=np.full(count, 72_000),
        charge_minutes=(15 * places + first_s) // 60,
        seq=places,
    )


def bill(energy: int, classes: tuple[int, int, int, int] = (0, 0, 0, 0), *, minutes: int = 30) -> PileBill:
    end_ms = T0 + 60_000 * minutes
    return PileBill(end_ms + 5_000, T0 - 10_000, end_ms, energy, classes)


def evaluate(**changes: object) -> SessionResult:
    facts: dict[str, object] = {
        "trade_no": "3" * 32,
        "profile": PROFILE,
        "zone": SHANGHAI,
        "readings": readings(),
        "timeline": TariffTimeline((tariff(),)),
    }
    return evaluate_session(SessionInput(**(facts | changes)))  # type: ignore[arg-type]  # each name has its type


def test_a_charge_with_its_bill() -> None:
    result = evaluate(bill=bill(357_000, (0, 0, 236_000, 121_000)), after_ms=T0 + 1_790_000)
    assert (result.start_ms, result.end_ms) == (T0, T0 + 1_785_000)
    assert (result.end_low_ms, result.end_high_ms) == (T0 + 1_785_000, T0 + 1_790_000)
    assert (result.best_e4kwh, result.quality, result.flags) == (357_000, Quality.VALID, ())
    assert (result.final_rule, result.final_energy_e4kwh, result.final_quality) == (1, 357_000, Quality.VALID)
    assert result.slot_of_day == (12, 13)
    assert result.slot_energy_e4kwh == (121_000, 236_000), "the bill's own classes, though 12.0 + 23.7 was measured"
    assert result.slot_method == "bill_classes"
    assert result.slot_tariff_version == (1, 1)
    assert not result.tariff_stale


def test_a_bill_whose_parts_do_not_sum_to_it_is_split_as_measured() -> None:
    result = evaluate(bill=bill(357_000, (0, 0, 100_000, 121_000)))
    assert (result.final_rule, result.slot_method) == (1, "measured")
    assert result.slot_energy_e4kwh == (120_000, 237_000)


def test_parts_rounded_by_the_charger_are_brought_to_the_total() -> None:
    result = evaluate(bill=bill(357_000, (0, 0, 235_990, 120_990)))
    assert result.slot_method == "bill_classes"
    assert sum(result.slot_energy_e4kwh) == 357_000


def test_a_class_that_the_meter_did_not_see_gets_its_half_hours_by_time() -> None:
    # The first reading, still 0, is of 06:30:05; the charger counted 0.02 kWh before the half-hour ended.
    places = np.arange(76)
    rows = ReadingArrays.of(T0 + 605_000 + 15_000 * places, 3_000 * places, power_w=np.full(76, 72_000), seq=places)
    result = evaluate(readings=rows, bill=bill(225_000, (0, 0, 224_800, 200)))
    assert result.slot_method == "bill_classes"
    assert dict(zip(result.slot_of_day, result.slot_energy_e4kwh, strict=True)) == {12: 200, 13: 224_800}


def test_a_class_without_any_half_hour_in_the_charge_falls_back_to_the_measured_split() -> None:
    result = evaluate(bill=bill(357_000, (57_000, 0, 180_000, 120_000)))
    assert (result.slot_method, result.slot_energy_e4kwh) == ("measured", (120_000, 237_000))


def test_a_lost_bill_is_made_from_the_counter() -> None:
    result = evaluate(after_ms=T0 + 1_790_000)
    assert (result.final_rule, result.final_energy_e4kwh, result.final_quality) == (3, 357_000, Quality.DERIVED)
    assert (result.slot_method, sum(result.slot_energy_e4kwh)) == ("measured", 357_000)


def test_an_end_in_silence_is_a_proposal_only() -> None:
    """G1: the last reading before 422 s of silence."""
    result = evaluate(after_ms=T0 + 1_785_000 + 422_000)
    assert (result.final_rule, result.final_energy_e4kwh, result.final_quality) == (5, 357_000, Quality.ESTIMATED)
    assert result.high_e4kwh == 357_001 + PROFILE.energy_at_pmax(422_000)
    assert result.unobserved_end_ms == 422_000
    assert result.flags == ("TAIL_GAP",)


def test_a_bill_of_tens_of_thousands_of_kwh_is_not_believed() -> None:
    """B14, C6b."""
    result = evaluate(bill=bill(400_000_000))
    assert (result.final_rule, result.final_energy_e4kwh) == (3, 357_000)
    assert result.inside_physical_limit


def test_only_a_bill() -> None:
    result = evaluate(readings=ReadingArrays.empty(), bill=bill(300_000, (0, 0, 200_000, 100_000)))
    assert (result.start_ms, result.end_ms) == (T0 - 10_000, T0 + 1_800_000)
    assert (result.quality, result.final_rule, result.final_quality) == (Quality.MISSING, 1, Quality.ESTIMATED)
    assert result.slot_energy_e4kwh == (100_000, 200_000)
    assert result.counter_energy_e4kwh is None
    linear = evaluate(readings=ReadingArrays.empty(), bill=bill(300_000))
    assert linear.slot_method == "linear"
    assert linear.slot_energy_e4kwh == (101_105, 198_895), "10 min 10 s of 30 min 10 s lie before 06:30"


def test_only_a_bill_without_usable_times() -> None:
    """What the charger says is the proposal, unless no charge can be that large; a person decides."""
    unusable = msgspec.structs.replace(bill(300_000), start_ms=0, end_ms=0)
    result = evaluate(readings=ReadingArrays.empty(), bill=unusable)
    assert (result.start_ms, result.end_ms) == (unusable.receive_ms, unusable.receive_ms)
    assert (result.final_rule, result.final_energy_e4kwh, result.final_quality) == (5, 300_000, Quality.MISSING)
    assert (result.slot_energy_e4kwh, result.slot_start_ms[0] // 1_800_000) == (
        (300_000,),
        unusable.receive_ms // 1_800_000,
    )
    absurd = msgspec.structs.replace(unusable, energy_e4kwh=50_000_000)
    assert evaluate(readings=ReadingArrays.empty(), bill=absurd).final_energy_e4kwh is None


def test_only_a_bill_that_knows_no_begin() -> None:
    half = msgspec.structs.replace(bill(300_000), start_ms=0)
    result = evaluate(readings=ReadingArrays.empty(), bill=half)
    assert (result.start_ms, result.end_ms, result.final_energy_e4kwh) == (half.end_ms, half.end_ms, 300_000)
    impossible = msgspec.structs.replace(half, end_ms=half.receive_ms + 1)
    assert evaluate(readings=ReadingArrays.empty(), bill=impossible).end_ms == half.receive_ms


def test_nothing_at_all() -> None:
    result = evaluate(readings=ReadingArrays.empty())
    assert (result.final_rule, result.final_energy_e4kwh, result.slot_method) == (5, None, "none")
    assert result.quality == Quality.MISSING


def test_a_failed_start_is_no_energy_and_no_slot() -> None:
    nothing = ReadingArrays.of([T0, T0 + 7_000], [0, 0])
    result = evaluate(readings=nothing, bill=bill(0, minutes=1))
    assert (result.final_energy_e4kwh, result.final_quality) == (0, Quality.VALID)
    assert (result.slot_method, result.slot_energy_e4kwh) == ("none", ())


def test_without_any_tariff_the_energy_is_still_split() -> None:
    result = evaluate(timeline=TariffTimeline(()))
    assert result.slot_tariff_version == (0, 0)
    assert sum(result.slot_energy_e4kwh) == 357_000


def test_the_charger_s_stale_tariff_prices_its_slots() -> None:
    timeline = TariffTimeline((tariff(1), tariff(2, from_ms=T0 - 3_600_000)), acks=((T0 - 7_200_000, 1),))
    result = evaluate(timeline=timeline)
    assert (result.slot_tariff_version, result.tariff_stale) == ((1, 1), True)
    assert "TARIFF_STALE" in result.flags


def test_readings_that_the_charger_had_kept_are_named() -> None:
    plain = readings()
    receive_ms = plain.receive_ms.copy()
    receive_ms[40:80] = receive_ms[80] - 5_000
    assert "STORED" in evaluate(readings=msgspec.structs.replace(plain, receive_ms=receive_ms)).flags


@pytest.mark.parametrize("seed", range(40))
def test_a_backlog_after_an_outage_loses_nothing(seed: int) -> None:
    """At full power, with the times that the gateway gives to live and to kept readings."""
    rng = random.Random(seed)
    cycle = ConnectorCycle(PROFILE)
    taken_s = list(range(rng.randint(0, 14), 3_000, 15))
    lost_from, lost_until = sorted(rng.sample(range(8, len(taken_s) - 8), 2))
    if lost_until - lost_from < 20:
        lost_until = min(len(taken_s) - 8, lost_from + 20)
    back_ms = T0 + 1000 * taken_s[lost_until] - 5_000
    rows = []
    for place, second in enumerate(taken_s):
        was_lost = lost_from <= place < lost_until
        receive_ms = back_ms + 20 * (place - lost_from) if was_lost else T0 + 1000 * second + rng.randint(0, 900)
        rows.append((receive_ms, 120 * 10_000 * second // 3_600, second // 60, place))
    times = [cycle.time_of(receive_ms, 3, "3" * 32, minutes) for receive_ms, _, minutes, _ in rows]
    assert [stored for _, stored in times].count(True) >= lost_until - lost_from - 12, "the last minutes look live"
    rows_by_column = ReadingArrays.of(
        [event_ms for event_ms, _ in times],
        [counter for _, counter, _, _ in rows],
        receive_ms=[receive_ms for receive_ms, _, _, _ in rows],
        charge_minutes=[minutes for _, _, minutes, _ in rows],
        seq=[place for _, _, _, place in rows],
        power_w=[120_000] * len(rows),
    )
    result = evaluate(readings=rows_by_column)
    assert (result.best_e4kwh, result.quality) == (rows[-1][1], Quality.VALID)
    assert "STORED" in result.flags


def test_readings_months_apart_under_one_number_do_not_break_it() -> None:
    places = np.array([0, 15_000, 90 * 86_400_000, 90 * 86_400_000 + 15_000])
    result = evaluate(readings=ReadingArrays.of(T0 + places, [0, 3_000, 0, 3_000]))
    assert sum(result.slot_energy_e4kwh) == (result.final_energy_e4kwh or 0)


def test_the_evidence_page_gets_both_curves() -> None:
    rows = readings(20)
    rows.counter_e4kwh[10] = 500_000_000
    measured = measure_session(SessionInput("3" * 32, PROFILE, SHANGHAI, rows, TariffTimeline(())))
    assert measured.reported_e4kwh[10] == 500_000_000
    assert measured.accepted_e4kwh[9] == measured.accepted_e4kwh[10] == 27_000
    assert not measured.trusted[10]
    assert len(measured.event_ms) == len(measured.reading_flags) == 20


# ---- properties --------------------------------------------------------------------------------------------------


@st.composite
def sessions(draw: st.DrawFn) -> SessionInput:
    """Anything a charger may have sent under one trade number."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(0, 40))
    at_ms, counter = T0, rng.choice([0, 0, 50_000])
    columns: list[list[int]] = [[] for _ in range(6)]
    for place in range(count):
        at_ms += rng.choice([15_000] * 6 + [0, 1_000, 90_000, 900_000])
        counter += rng.choice([0, 3_000, 3_000, 5_400])
        shown = rng.choice([counter] * 12 + [0, counter + 700_000_000, max(0, counter - 20_000)])
        kept_ms = rng.choice([0] * 9 + [300_000])
        row = (at_ms, at_ms + kept_ms, shown, rng.choice([3] * 9 + [2, 1]), rng.choice([0, 72_000]), place)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    event_ms, receive_ms, counters, state, power_w, seq = columns
    classes = tuple(rng.choice([0, 0, rng.randint(0, 100_000)]) for _ in range(4))
    energy = rng.choice([counter, sum(classes), 0, 400_000_000])
    start_ms, end_ms = rng.choice([(T0, at_ms + 60_000), (0, 0), (at_ms + 60_000, T0), (T0, T0)])
    pile_bill = PileBill(at_ms + 9_000, start_ms, end_ms, energy, classes)  # type: ignore[arg-type]  # four of them
    return SessionInput(
        trade_no="3" * 32,
        profile=rng.choice([PROFILE, MeterProfile("lifetime", 10_000, 66_000, digits=6)]),
        zone=rng.choice([SHANGHAI, "Asia/Kathmandu", "Europe/Berlin"]),
        readings=ReadingArrays.of(
            event_ms,
            counters,
            receive_ms=receive_ms,
            state=state,
            power_w=power_w,
            seq=seq,
            charge_minutes=[(ms - T0) // 60_000 for ms in event_ms],
        ),
        timeline=TariffTimeline(
            (tariff(1), tariff(2, from_ms=T0 + 600_000)), acks=((T0 + 60_000, rng.choice([1, 7])),)
        ),
        bill=rng.choice([None, pile_bill]),
        after_ms=rng.choice([0, at_ms + 5_000, at_ms + 500_000]),
        previous_end_e4kwh=rng.choice([0, 40_000]),
    )


@settings(max_examples=250, deadline=None)
@given(sessions())
def test_every_session_comes_out_consistent(session: SessionInput) -> None:
    result = evaluate_session(session)
    assert 0 <= result.low_e4kwh <= result.best_e4kwh <= result.high_e4kwh
    assert sum(result.slot_energy_e4kwh) == (result.final_energy_e4kwh or 0), "S12: the parts are the whole"
    assert all(energy > 0 for energy in result.slot_energy_e4kwh)
    assert list(result.slot_start_ms) == sorted(set(result.slot_start_ms))
    assert all(0 <= slot < 48 for slot in result.slot_of_day)
    assert result.start_ms <= result.end_ms == result.end_low_ms <= result.end_high_ms
    assert 1 <= result.final_rule <= 5
    assert (result.final_energy_e4kwh is None) <= (result.final_quality == Quality.MISSING)
    assert str(ZoneInfo(session.zone)) == session.zone


@settings(max_examples=150, deadline=None)
@given(sessions(), st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(session: SessionInput, rng: random.Random) -> None:
    """DESIGN invariant 1. A repetition is only counted, and named DUP."""
    places = list(range(len(session.readings)))
    rng.shuffle(places)
    shuffled = msgspec.structs.replace(session, readings=session.readings.take(np.array(places, dtype=np.intp)))
    assert evaluate_session(shuffled) == evaluate_session(session)
    repeated = places + places[: len(places) // 2]
    twice = msgspec.structs.replace(session, readings=session.readings.take(np.array(repeated, dtype=np.intp)))
    once, again = evaluate_session(session), evaluate_session(twice)
    without = {"readings": 0, "flags": ()}
    assert msgspec.structs.replace(again, **without) == msgspec.structs.replace(once, **without)
    assert set(again.flags) - {"DUP"} == set(once.flags) - {"DUP"}


@pytest.mark.parametrize("name", ["readings", "flags", "slot_energy_e4kwh"])
def test_results_carry_the_names_of_the_table(name: str) -> None:
    from pathlib import Path

    folder = Path("analytics/schema")
    schema = "".join((folder / file).read_text("utf-8") for file in ("0006_sessions.sql", "0014_register_sessions.sql"))
    assert f"    {name} " in schema
    named = re.findall(r"^    (?:ADD COLUMN )?(\w+) ", schema, re.MULTILINE)
    missing = [field for field in SessionResult.__struct_fields__ if field not in named]
    assert missing == []
