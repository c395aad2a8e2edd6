"""An absolute register begins where the charger told and ends where its first idle word says."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.meter.calculator import MeterCalculator
from core.meter.final_figure import final_figure
from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, RegisterFacts, measure
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays

T0 = 1_700_006_400_000
PROFILE = MeterProfile("lifetime", 100, 132_000)
BEFORE = 749_771_700  # 74 977.17 kWh
MINUTE = 60_000
STEP_E4KWH = 3_000  # 72 kW for 15 s


def charge(count: int = 80, *, first: int = 0, before: int | list[int] = BEFORE, **changes: object) -> ReadingArrays:
    """A charge at 72 kW, a reading every 15 s; `first`: so many readings were not heard."""
    places = np.arange(first, count)
    risen = STEP_E4KWH * places
    columns: dict[str, object] = {
        "power_w": np.full(len(places), 72_000),
        "charge_minutes": places // 4,
        "start_ms": np.full(len(places), T0),
        "duration_s": 15 * places,
        "before_e4kwh": np.resize(before, len(places)),
        "session_e4kwh": risen,
    }
    values = changes.pop("values", BEFORE + risen)
    return ReadingArrays.of(T0 + 15_000 * places, values, **(columns | changes))  # type: ignore[arg-type]


def figures(measured: Measurement) -> tuple[int, int, int]:
    return measured.best_e4kwh, measured.low_e4kwh, measured.high_e4kwh


@pytest.mark.parametrize("first", [0, 1, 3, 20, 60])
def test_the_told_begin_counts_however_late_the_first_reading_is(first: int) -> None:
    measured = measure(charge(first=first), PROFILE)
    delivered = STEP_E4KWH * 79
    assert figures(measured) == (delivered, delivered - 100, delivered + 100)
    assert measured.quality == Quality.VALID
    assert (measured.register_start_e4kwh, measured.register_end_e4kwh) == (BEFORE, BEFORE + delivered)
    assert measured.began_ms == T0


@pytest.mark.parametrize("before", [0, 5, BEFORE - 10**8, BEFORE + 10**8])
def test_a_begin_that_cannot_be_is_no_baseline_and_no_fault_of_a_reading(before: int) -> None:
    measured = measure(charge(before=before), PROFILE)
    assert measured.best_e4kwh == STEP_E4KWH * 79
    assert measured.flags == Flag(0)
    assert measured.quality == Quality.VALID


def test_one_wrong_begin_among_right_ones_is_outvoted() -> None:
    begins = [BEFORE] * 80
    begins[:3] = [0, 0, 17_000]
    assert measure(charge(before=begins, first=0), PROFILE).best_e4kwh == STEP_E4KWH * 79
    assert measure(charge(before=begins[3:], first=3), PROFILE).best_e4kwh == STEP_E4KWH * 79


def test_zeros_before_the_register_is_read_are_named_and_cost_nothing() -> None:
    values = BEFORE + STEP_E4KWH * np.arange(80)
    values[:4] = 0
    measured = measure(charge(values=values), PROFILE)
    assert measured.best_e4kwh == STEP_E4KWH * 79
    assert Flag.ZERO_BASELINE in measured.flags and Flag.ZERO_READ in measured.flags
    assert measured.quality == Quality.DERIVED
    assert measured.naive_e4kwh == int(values[-1]), "a naive platform bills the whole register"


def test_a_zero_begin_and_zero_readings_take_the_first_true_reading_not_the_whole_register() -> None:
    """The charger's own energy is the whole register then, and refuted."""
    values = BEFORE + STEP_E4KWH * np.arange(80)
    values[:4] = 0
    readings = charge(values=values, before=0, session_e4kwh=values)
    measured = measure(readings, PROFILE, register=RegisterFacts(previous_end_e4kwh=BEFORE))
    assert measured.counter_e4kwh is None, "energy = meter_now - meter_before is no second witness"
    assert measured.low_e4kwh <= STEP_E4KWH * 79 <= measured.high_e4kwh
    assert measured.high_e4kwh - measured.low_e4kwh <= STEP_E4KWH * 79 // 10
    figure = final_figure(
        measured, int(values[-1]), PROFILE, duration_ms=20 * MINUTE, end_high_ms=int(readings.event_ms[-1])
    )
    assert figure.rule in (4, 5)
    assert abs((figure.energy_e4kwh or 0) - STEP_E4KWH * 79) <= STEP_E4KWH * 4


def test_the_previous_end_bounds_a_begin_that_nobody_told() -> None:
    silent = charge(before=0, first=2, session_e4kwh=np.zeros(78, dtype=np.int64))
    unbounded = measure(silent, PROFILE)
    bounded = measure(silent, PROFILE, register=RegisterFacts(BEFORE + STEP_E4KWH))
    assert unbounded.high_e4kwh - unbounded.best_e4kwh > STEP_E4KWH * 3
    assert bounded.high_e4kwh == bounded.best_e4kwh + 100 + STEP_E4KWH
    assert bounded.best_e4kwh == unbounded.best_e4kwh


@pytest.mark.parametrize("zeros", [1, 2, 3])
def test_a_register_that_answers_after_zeros_starts_at_the_previous_end(zeros: int) -> None:
    """Two zeros at 72 kW are 0.6 kWh, more than half a percent of many charges: no best figure leaves them out."""
    values = BEFORE + STEP_E4KWH * np.arange(80)
    values[:zeros] = 0
    measured = measure(charge(values=values, before=0), PROFILE, register=RegisterFacts(previous_end_e4kwh=BEFORE))
    delivered = STEP_E4KWH * 79
    assert figures(measured) == (delivered, delivered - 100, delivered + 100)
    assert {Flag.ZERO_BASELINE, Flag.BASELINE_PREV_END} <= set(measured.flags)
    assert measured.quality == Quality.DERIVED


@pytest.mark.parametrize("zeros", [1, 2])
@pytest.mark.parametrize("power_w", [7_000, 20_000])
@pytest.mark.parametrize("unbilled", [3_000, 8_000, 15_000])
def test_what_power_excludes_of_the_way_from_the_previous_end_is_not_proven(
    zeros: int, power_w: int, unbilled: int
) -> None:
    """Something else took energy between two charges: a zero in the first reading does not make it this one's."""
    flowed = power_w * 15_000 * np.arange(80) // 360_000
    values = (BEFORE + unbilled + flowed) // 100 * 100
    values[:zeros] = 0
    readings = charge(values=values, before=0, power_w=np.full(80, power_w), session_e4kwh=np.zeros(80, dtype=np.int64))
    measured = measure(readings, PROFILE, register=RegisterFacts(previous_end_e4kwh=BEFORE))
    true, repeated = int(flowed[-1]), int(flowed[-1]) + unbilled
    assert abs(measured.best_e4kwh - true) <= 100
    assert measured.low_e4kwh <= true and repeated <= measured.high_e4kwh + 100
    assert measured.quality == Quality.ESTIMATED
    assert Flag.LATE_BASELINE in measured.flags and Flag.BASELINE_PREV_END not in measured.flags
    assert abs(measured.register_start_e4kwh - BEFORE - unbilled) <= 200, "no charge took what came before"
    end_ms = int(readings.event_ms[-1])
    for bill in (None, repeated):
        figure = final_figure(measured, bill, PROFILE, duration_ms=1_200_000, end_high_ms=end_ms)
        assert figure.quality <= Quality.ESTIMATED
    right = final_figure(measured, true, PROFILE, duration_ms=1_200_000, end_high_ms=end_ms)
    assert (right.rule, right.energy_e4kwh) == (1, true)


@pytest.mark.parametrize(("unbilled", "is_taken"), [(0, True), (8_000, False)])
def test_zeros_without_any_power_reach_as_far_as_pmax(unbilled: int, is_taken: bool) -> None:
    values = BEFORE + unbilled + STEP_E4KWH * np.arange(80)
    values[0] = 0
    readings = charge(values=values, before=0, power_w=np.zeros(80, dtype=np.int64))
    measured = measure(readings, PROFILE, register=RegisterFacts(previous_end_e4kwh=BEFORE))
    assert (Flag.BASELINE_PREV_END in measured.flags) is is_taken
    assert measured.low_e4kwh <= STEP_E4KWH * 79 <= measured.high_e4kwh


def test_a_late_first_reading_without_a_told_begin_starts_at_the_previous_end() -> None:
    measured = measure(charge(before=0, first=20), PROFILE, register=RegisterFacts(BEFORE))
    assert measured.best_e4kwh == STEP_E4KWH * 79
    assert Flag.BASELINE_PREV_END in measured.flags
    assert measured.quality == Quality.DERIVED


def test_the_first_word_of_an_idle_charger_supplies_the_end() -> None:
    readings = charge()
    end_ms = int(readings.event_ms[-1]) + 10_000
    idle = msgspec.structs.replace(readings.take(np.array([79])), state=np.array([2], dtype=np.uint8))
    end = BEFORE + STEP_E4KWH * 79 + 1_700
    words = msgspec.structs.replace(
        idle,
        event_ms=np.array([end_ms]),
        receive_ms=np.array([end_ms]),
        counter_e4kwh=np.array([end]),
    )
    both = ReadingArrays(
        **{n: np.concatenate([getattr(readings, n), getattr(words, n)]) for n in readings.__struct_fields__}
    )
    measured = measure(both, PROFILE)
    assert measured.best_e4kwh == STEP_E4KWH * 79 + 1_700
    assert measured.register_end_e4kwh == end
    assert measured.last_ms == int(readings.event_ms[-1])


def test_an_energy_that_counts_by_itself_is_a_second_witness() -> None:
    """The register froze, the charger's own counter went on (metering.md, "The final figure", rule 3)."""
    frozen = BEFORE + STEP_E4KWH * np.minimum(np.arange(80), 20)
    measured = measure(charge(values=frozen), PROFILE)
    assert measured.counter_e4kwh == STEP_E4KWH * 79
    assert Flag.FROZEN in measured.flags
    figure = final_figure(measured, None, PROFILE, duration_ms=20 * MINUTE, end_high_ms=measured.last_ms)
    assert (figure.rule, figure.energy_e4kwh, figure.quality) == (3, STEP_E4KWH * 79, Quality.DERIVED)


def test_an_energy_that_was_never_filled_is_no_witness() -> None:
    assert measure(charge(session_e4kwh=np.zeros(80, dtype=np.int64)), PROFILE).counter_e4kwh is None


@given(
    first=st.integers(0, 30),
    told=st.sampled_from([0, BEFORE, BEFORE - 50_000_000, 1]),
    zeros=st.integers(0, 5),
)
def test_the_truth_lies_in_the_interval_whatever_the_begin(first: int, told: int, zeros: int) -> None:
    values = BEFORE + STEP_E4KWH * np.arange(first, 80)
    values[:zeros] = 0
    measured = measure(charge(first=first, before=told, values=values), PROFILE, register=RegisterFacts(BEFORE))
    assert measured.low_e4kwh <= STEP_E4KWH * 79 <= measured.high_e4kwh


def test_a_told_begin_is_taken_once_and_before_the_first_reading() -> None:
    calculator = MeterCalculator(PROFILE, T0)
    calculator.told_start(T0, BEFORE)
    assert calculator.observe(T0 + 15_000, BEFORE + STEP_E4KWH, 72_000) == STEP_E4KWH
    calculator.told_start(T0, BEFORE - 10**6)
    assert calculator.observe(T0 + 30_000, BEFORE + 2 * STEP_E4KWH, 72_000) == STEP_E4KWH
    assert calculator.flags == 0
    counter = MeterCalculator(MeterProfile("session", 1, 132_000), T0)
    counter.told_start(T0, BEFORE)
    assert counter.observe(T0 + 15_000, STEP_E4KWH, 72_000) == STEP_E4KWH


@pytest.mark.parametrize("risen", [0, 50])
def test_a_word_after_the_charge_with_the_register_where_it_was_closes_the_tail(risen: int) -> None:
    readings = charge()
    end_ms, last = int(readings.event_ms[-1]) + 15_000, int(readings.counter_e4kwh[-1]) + risen
    word = ReadingArrays.of([end_ms], [last], state=[2], before_e4kwh=[BEFORE])
    both = ReadingArrays(
        **{name: np.concatenate([getattr(readings, name), getattr(word, name)]) for name in readings.__struct_fields__}
    )
    measured = measure(both, PROFILE, end_high_ms=end_ms)
    delivered = STEP_E4KWH * 79 + risen
    assert figures(measured) == (delivered, delivered - 100, delivered + 100)
    assert measured.trusted_until_ms == end_ms
    figure = final_figure(measured, None, PROFILE, duration_ms=80 * 15_000, end_high_ms=end_ms)
    assert (figure.rule, figure.energy_e4kwh, figure.quality) == (4, delivered, Quality.VALID)


def test_a_first_true_value_a_minute_late_begins_where_the_charge_before_ended() -> None:
    values = np.where(np.arange(80) < 4, 0, BEFORE + STEP_E4KWH * np.arange(80))
    readings = charge(before=0, values=values)
    measured = measure(readings, PROFILE, register=RegisterFacts(previous_end_e4kwh=BEFORE))
    assert measured.best_e4kwh == STEP_E4KWH * 79
    assert {Flag.BASELINE_PREV_END, Flag.ZERO_BASELINE} <= set(measured.flags)
    assert measured.quality == Quality.DERIVED


def answering_late(count: int, facts: RegisterFacts) -> Measurement:
    """The register reads 0 for 45 s, while 72 kW flow: 0.9 kWh."""
    values = np.where(np.arange(count) < 3, 0, BEFORE + STEP_E4KWH * np.arange(count))
    silent = charge(count, before=0, values=values, session_e4kwh=np.zeros(count))
    return measure(silent, PROFILE, began_ms=T0, register=facts)


@pytest.mark.parametrize(
    ("away", "is_certain"),
    [(0, True), (1_500, False), (-8_000, False)],
    ids=["the end of the charge before", "charged in between", "read too high before"],
)
def test_the_way_from_the_previous_end_is_held_against_the_power_of_a_begin_that_was_heard(
    away: int, is_certain: bool
) -> None:
    measured = answering_late(80, RegisterFacts(previous_end_e4kwh=BEFORE - away))
    assert Flag.BASELINE_PREV_END in measured.flags
    assert (max(measured.unexplained_e4kwh, measured.unproven_e4kwh) == 0) == is_certain
    assert measured.low_e4kwh <= 79 * STEP_E4KWH <= measured.high_e4kwh


@pytest.mark.parametrize(("counted", "is_certain"), [(15_000, True), (8_000, False)])
def test_the_way_from_the_previous_end_is_held_against_the_charger_s_own_count(counted: int, is_certain: bool) -> None:
    """The first five readings were lost; the charger says how much it had delivered by then."""
    heard = charge(80, first=5, before=0, session_e4kwh=counted + STEP_E4KWH * np.arange(75))
    measured = measure(heard, PROFILE, began_ms=T0, register=RegisterFacts(previous_end_e4kwh=BEFORE))
    assert Flag.BASELINE_PREV_END in measured.flags
    assert (measured.unexplained_e4kwh == 0) == is_certain
    assert measured.low_e4kwh <= 74 * STEP_E4KWH + counted <= measured.high_e4kwh


def test_a_record_that_begins_at_the_previous_end_bears_it_out() -> None:
    heard = charge(80, first=5, before=0, session_e4kwh=8_000 + STEP_E4KWH * np.arange(75))
    facts = RegisterFacts(previous_end_e4kwh=BEFORE, bill_start_e4kwh=BEFORE)
    assert not measure(heard, PROFILE, began_ms=T0, register=facts).unexplained_e4kwh


@pytest.mark.parametrize(("first_e4kwh", "missed"), [(0, 0), (5_000, STEP_E4KWH)])
def test_a_register_below_its_previous_end_counts_from_the_zero_it_shows(first_e4kwh: int, missed: int) -> None:
    """After a restart its 0 is a true value, unless it goes on from more than the charge can have brought."""
    values = first_e4kwh + STEP_E4KWH * np.arange(80)
    values[0] = 0
    restarted = charge(before=0, values=values, session_e4kwh=values)
    measured = measure(restarted, PROFILE, register=RegisterFacts(previous_end_e4kwh=120_000))
    assert measured.best_e4kwh == 79 * STEP_E4KWH - missed
    assert measured.low_e4kwh <= 79 * STEP_E4KWH <= measured.high_e4kwh
    assert bool(measured.flags & Flag.ZERO_READ) == bool(missed)


@pytest.mark.parametrize(("left_e4kwh", "unheard"), [(2_000, 0), (50_000, 20)])
def test_a_zero_before_a_register_that_begins_low_is_no_true_value(left_e4kwh: int, unheard: int) -> None:
    """Another meter since: it begins a little above 0, within what Pmax allows but beyond what flowed by power."""
    places = np.concatenate(([0], np.arange(1 + unheard, 80)))
    values = np.where(places > 0, left_e4kwh + STEP_E4KWH * places, 0)
    replaced = charge(80, before=0, values=left_e4kwh + STEP_E4KWH * np.arange(80)).take(places)
    replaced = msgspec.structs.replace(replaced, counter_e4kwh=values, session_e4kwh=np.zeros_like(values))
    measured = measure(replaced, PROFILE, register=RegisterFacts(previous_end_e4kwh=9_000_000))
    assert Flag.ZERO_READ in measured.flags
    assert measured.quality < Quality.VALID
    assert measured.low_e4kwh <= 79 * STEP_E4KWH <= measured.high_e4kwh
