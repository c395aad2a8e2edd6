"""The end that no reading shows: what of a record, a counter or one word alone is billed for it."""

import numpy as np
import pytest

from core.meter.charger_words import UnreadEnd, unread_end
from core.meter.final_figure import FinalFigure, final_figure
from core.meter.flags import Quality
from core.meter.measurement import Measurement, measure
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays

T0 = 1_700_000_000_000
STEP_MS = 15_000
COUNTER = MeterProfile("session", 100, 132_000)
REGISTER = MeterProfile("lifetime", 100, 132_000)
BEGIN = 5_000_000
POWER_W = 48_000
STEP_E4KWH = 2_000  # what 48 kW bring in 15 s


def figure_of(measured: Measurement, bill: int | None, profile: MeterProfile, end_ms: int) -> FinalFigure:
    return final_figure(measured, bill, profile, duration_ms=end_ms - T0 + 120_000, end_high_ms=end_ms)


def counted(steps: int = 60, *, silent_ms: int = 0, **columns: list[int]) -> tuple[Measurement, int]:
    """A counter that rises by 0.2 kWh every 15 s, and then nothing for so long."""
    told = {
        "event_ms": [T0 + STEP_MS * place for place in range(steps)],
        "counter_e4kwh": [STEP_E4KWH * place for place in range(steps)],
        "power_w": [POWER_W] * steps,
    } | columns
    end_ms = told["event_ms"][-1] + silent_ms
    return measure(ReadingArrays.of(**told), COUNTER, began_ms=T0, end_high_ms=end_ms), end_ms


# ---- the charger's own count beside a register that can be trusted -------------------------------------------------


def beside_a_register(percent: int, *, frozen: bool = False) -> FinalFigure:
    """12 kWh by the register, so many percent of it by the charger's own count, and no record."""
    size = 61
    risen = STEP_E4KWH * np.arange(size)
    readings = ReadingArrays.of(
        T0 + STEP_MS * np.arange(size),
        BEGIN + (np.minimum(risen, risen[20]) if frozen else risen),
        before_e4kwh=[BEGIN] * size,
        session_e4kwh=risen * percent // 100,
        power_w=[POWER_W] * size,
    )
    end_ms = T0 + STEP_MS * (size - 1)
    measured = measure(readings, REGISTER, began_ms=T0, end_high_ms=end_ms)
    assert measured.counter_e4kwh == 120_000 * percent // 100
    return figure_of(measured, None, REGISTER, end_ms)


@pytest.mark.parametrize("percent", [105, 96])
def test_a_count_outside_of_a_trusted_register_is_not_billed_on_the_word_of_power(percent: int) -> None:
    """Power bears out both within its 5 %: a person has to see which of them is right."""
    assert beside_a_register(percent) == FinalFigure(5, 120_000, Quality.ESTIMATED, True)


def test_beside_a_register_that_rested_the_count_stands_on_the_word_of_power() -> None:
    assert beside_a_register(101, frozen=True) == FinalFigure(3, 121_200, Quality.DERIVED, True)


def test_beside_a_register_that_rested_a_count_beyond_what_the_rest_can_have_held_is_refuted() -> None:
    """Power is good to 5 % and would bear out 6 % more than the register and its rest."""
    size = 61
    risen = STEP_E4KWH * np.arange(size)
    risen[21:24] = risen[20]
    risen[24:] -= 3 * STEP_E4KWH
    readings = ReadingArrays.of(
        T0 + STEP_MS * np.arange(size),
        BEGIN + risen,
        before_e4kwh=[BEGIN] * size,
        session_e4kwh=STEP_E4KWH * np.arange(size) * 106 // 100,
        power_w=[POWER_W * 102 // 100] * size,
    )
    end_ms = T0 + STEP_MS * (size - 1)
    measured = measure(readings, REGISTER, began_ms=T0, end_high_ms=end_ms)
    assert measured.unproven_e4kwh > 6_000
    assert figure_of(measured, None, REGISTER, end_ms).rule == 5


# ---- a record beside an end that nobody read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bill", "rule"),
    [(118_000, 1), (198_000, 1), (278_000, 1), (285_000, 5), (330_000, 5)],
    ids=["it ended at once", "it went on", "at twice the power", "at more", "at Pmax"],
)
def test_of_a_silent_end_a_record_holds_what_the_power_last_seen_can_have_brought(bill: int, rule: int) -> None:
    """11.8 kWh, and ten minutes of silence: 8 kWh at 48 kW, 16 where another gun left its power to this one."""
    measured, end_ms = counted(silent_ms=600_000)
    figure = figure_of(measured, bill, COUNTER, end_ms)
    assert (figure.rule, figure.energy_e4kwh) == (rule, bill if rule == 1 else 118_000)
    assert (figure.quality == Quality.ESTIMATED) == (rule == 5)


def test_after_a_pause_that_nobody_saw_the_end_of_a_record_waits_for_a_person() -> None:
    """The counter reaches the last minute: it is neither whole nor does it refute the record."""
    measured, end_ms = counted(
        silent_ms=59_000,
        power_w=[POWER_W] * 40 + [0] * 20,
        counter_e4kwh=[STEP_E4KWH * min(place, 39) for place in range(60)],
    )
    assert figure_of(measured, None, COUNTER, end_ms).rule == 3
    assert figure_of(measured, 90_000, COUNTER, end_ms).rule == 5
    assert figure_of(measured, 78_300, COUNTER, end_ms).rule == 1


# ---- zeros at the end ---------------------------------------------------------------------------------------------


def unread(*, mute: bool) -> tuple[Measurement, int]:
    """Twelve minutes, the meter mute in the last minute; power is told nevertheless, or not."""
    true = [STEP_E4KWH * place for place in range(49)]
    power_w = [POWER_W] * 45 + [0 if mute else POWER_W] * 4
    return counted(49, counter_e4kwh=true[:45] + [0] * 4, power_w=power_w)


def test_power_told_while_the_meter_is_mute_refutes_a_record_that_lacks_it() -> None:
    """8.8 kWh when it was last read, 9.6 at the end: 5 % of power would leave room for both."""
    measured, end_ms = unread(mute=False)
    assert (measured.best_e4kwh, measured.unread_e4kwh, measured.power_e4kwh) == (88_000, 8_000, 96_000)
    assert figure_of(measured, 96_000, COUNTER, end_ms) == FinalFigure(1, 96_000, Quality.DERIVED, True)
    assert figure_of(measured, 91_000, COUNTER, end_ms).rule == 5
    assert figure_of(measured, 107_000, COUNTER, end_ms).rule == 5, "nor did more flow than power told"
    assert figure_of(measured, None, COUNTER, end_ms).rule == 5


def test_a_charger_that_tells_neither_register_nor_power_may_still_charge() -> None:
    measured, end_ms = unread(mute=True)
    assert (measured.last_power_w, end_ms - measured.heard_until_ms, measured.unread_e4kwh) == (POWER_W, 60_000, 0)
    assert figure_of(measured, 96_000, COUNTER, end_ms).rule == 1
    assert figure_of(measured, None, COUNTER, end_ms).rule == 5, "by its last power 0.8 kWh are missing"


def test_what_power_told_after_the_last_true_word() -> None:
    readings = ReadingArrays.of(
        [T0, T0 + 10_000, T0 + 20_000, T0 + 30_000], [1_000, 2_000, 0, 0], power_w=[36_000, 36_000, 18_000, 0]
    )
    assert unread_end(readings, T0 + 10_000, 2_000) == UnreadEnd(750, T0 + 20_000, 18_000)
    assert unread_end(readings, T0 + 60_000, 2_000) == UnreadEnd(0, T0 + 30_000, 0), "a word after the charge closed it"
    assert unread_end(readings.take(np.array([3])), T0, 0) == UnreadEnd(0, T0 + 30_000, 0)


def test_a_last_word_far_above_the_register_tells_no_less_of_power_than_a_zero() -> None:
    true = [STEP_E4KWH * place for place in range(49)]
    measured, end_ms = counted(49, counter_e4kwh=[*true[:48], 900_000_000])
    assert (measured.best_e4kwh, measured.unread_e4kwh) == (94_000, 2_000)
    assert figure_of(measured, 96_000, COUNTER, end_ms) == FinalFigure(1, 96_000, Quality.DERIVED, True)


def test_a_last_word_below_the_register_may_only_have_come_late() -> None:
    true = [STEP_E4KWH * place for place in range(49)]
    measured, _end_ms = counted(49, counter_e4kwh=[*true[:48], 80_000])
    assert (measured.best_e4kwh, measured.unread_e4kwh) == (94_000, 0)


def test_zeros_that_look_like_a_register_over_its_last_digit_are_no_true_word() -> None:
    """Shortly before 10^5 kWh the meter goes mute; its idle word reads 0 as well. The record lacks what it missed."""
    register = MeterProfile("lifetime", 100, 132_000, digits=5)
    size, mute = 61, 9
    true = 10**9 - 112_000 + STEP_E4KWH * np.arange(size)
    shown = np.where(np.arange(size) < size - mute, true, 0)
    at_ms = T0 + STEP_MS * np.arange(size)
    readings = ReadingArrays.of(
        np.append(at_ms, at_ms[-1] + 2_000),
        np.append(shown, 0),
        before_e4kwh=[true[0]] * size + [0],
        power_w=[POWER_W] * size + [0],
        state=[3] * size + [2],
    )
    end_ms = int(at_ms[-1]) + 2_000
    measured = measure(readings, register, began_ms=T0, end_high_ms=end_ms)
    assert measured.unread_e4kwh >= STEP_E4KWH * (mute - 1)
    assert figure_of(measured, int(true[size - mute - 1] - true[0]), register, end_ms).rule == 5


# ---- one word alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silent_ms", [0, 30_000])
def test_one_word_of_the_register_and_a_record_are_no_more_than_derived(silent_ms: int) -> None:
    measured, end_ms = counted(1, event_ms=[T0 + 60_000], counter_e4kwh=[12_000], silent_ms=silent_ms)
    assert measured.quality == Quality.VALID
    assert figure_of(measured, 12_000, COUNTER, end_ms) == FinalFigure(1, 12_000, Quality.DERIVED, True)
    assert figure_of(measured, None, COUNTER, end_ms).rule == 5, "nothing bears the one word out"


def test_what_one_word_tells_nothing_of_rests_on_the_record_alone() -> None:
    """Half a minute at 132 kW would be 1.1 kWh; at 48 kW twice as much as 0.4 is possible, and no more is told."""
    one = {"event_ms": [T0 + 60_000], "counter_e4kwh": [12_000]}
    measured, end_ms = counted(1, **one, silent_ms=30_000)
    assert figure_of(measured, 18_000, COUNTER, end_ms).quality == Quality.DERIVED
    measured, end_ms = counted(1, **one, power_w=[0], silent_ms=30_000)
    assert figure_of(measured, 18_000, COUNTER, end_ms) == FinalFigure(1, 18_000, Quality.ESTIMATED, True)


def test_one_word_of_a_register_whose_begin_nobody_told_says_nothing_of_the_charge() -> None:
    readings = ReadingArrays.of([T0 + 50_000], [BEGIN], power_w=[POWER_W])
    measured = measure(readings, REGISTER, began_ms=T0, end_high_ms=T0 + 60_000)
    assert measured.best_e4kwh == 0
    assert figure_of(measured, 12_000, REGISTER, T0 + 60_000).quality == Quality.ESTIMATED
