"""A register that rises by what the charger could have given, and its power did not: only power tells of it."""

import numpy as np
import pytest

from core.meter.calculator import MeterCalculator
from core.meter.final_figure import FinalFigure, final_figure
from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, measure
from core.meter.profile import MeterProfile, RegisterKind
from core.meter.readings import ReadingArrays

T0 = 1_700_000_000_000
STEP_MS = 15_000
POWER_W = 48_000
STEP_E4KWH = 2_000  # what 48 kW bring in 15 s
SIZE = 61
FALSE_E4KWH = 12_000  # 132 kW x 1.1 x 45 s are 18,000
STATE_IDLE, STATE_CHARGING = 2, 3


def profile_of(kind: RegisterKind) -> MeterProfile:
    return MeterProfile(kind, 100, 132_000)


def begin_of(kind: RegisterKind) -> int:
    return 0 if kind == "session" else 5_000_000


def measured(kind: RegisterKind, shown: list[int], **columns: list[int]) -> tuple[Measurement, int]:
    size = len(shown)
    told = {"event_ms": [T0 + STEP_MS * place for place in range(size)], "power_w": [POWER_W] * size} | columns
    before = [begin_of(kind)] * size
    readings = ReadingArrays.of(counter_e4kwh=shown, before_e4kwh=before, **told)
    end_ms = int(readings.event_ms[-1])
    return measure(readings, profile_of(kind), began_ms=T0, end_high_ms=end_ms), end_ms


def billed(measurement: Measurement, bill: int | None, kind: RegisterKind, end_ms: int) -> FinalFigure:
    return final_figure(measurement, bill, profile_of(kind), duration_ms=end_ms - T0 + 120_000, end_high_ms=end_ms)


def rising(kind: RegisterKind, size: int = SIZE) -> list[int]:
    return [begin_of(kind) + STEP_E4KWH * place for place in range(size)]


# ---- shortly before the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeats", [True, False], ids=["in the record", "no record"])
@pytest.mark.parametrize("mute", [False, True], ids=["", "after a zero"])
@pytest.mark.parametrize("from_the_end", range(1, 7))
@pytest.mark.parametrize("kind", ["session", "lifetime", "boot"])
def test_a_rise_that_power_did_not_bring_is_held(
    kind: RegisterKind, from_the_end: int, mute: bool, repeats: bool
) -> None:
    """12 kWh by power, 13.2 by the register: however few readings follow, and whether the record repeats it."""
    shown = rising(kind)
    shown[-from_the_end:] = [value + FALSE_E4KWH for value in shown[-from_the_end:]]
    if mute:
        shown[-from_the_end - 1] = 0
    measurement, end_ms = measured(kind, shown)
    true = STEP_E4KWH * (SIZE - 1)
    assert measurement.low_e4kwh <= true <= measurement.high_e4kwh
    assert billed(measurement, true + FALSE_E4KWH if repeats else None, kind, end_ms).rule == 5
    assert billed(measurement, true, kind, end_ms) == FinalFigure(1, true, Quality.DERIVED, True)


def test_a_last_word_right_behind_another_is_held_against_power_too() -> None:
    """6 s after it, as the charge stops: 0.08 kWh by power, 0.48 by the register."""
    at_ms = [T0 + STEP_MS * place for place in range(SIZE)]
    at_ms[-1] = at_ms[-2] + 6_000
    shown = rising("session")
    shown[-1] = shown[-2] + 4_800
    measurement, end_ms = measured("session", shown, event_ms=at_ms)
    assert measurement.unexplained_e4kwh > 3_500
    assert billed(measurement, shown[-1], "session", end_ms).rule == 5


@pytest.mark.parametrize("place", [7, 8, 9, 10, 11])
def test_a_rise_in_a_short_charge_does_not_hide_in_its_slope(place: int) -> None:
    """0.4 kWh in a charge of 5.4: where power may be off by that factor throughout, half of it is a steeper line."""
    shown = [begin_of("boot") + (value - begin_of("boot")) * 18 // 10 for value in rising("boot", 16)]
    shown[place:] = [value + 4_000 for value in shown[place:]]
    measurement, end_ms = measured("boot", shown, power_w=[POWER_W * 18 // 10] * 16)
    assert measurement.low_e4kwh <= 54_000
    assert billed(measurement, None, "boot", end_ms).rule == 5


@pytest.mark.parametrize("late_ms", [0, 4_000, 12_000])
def test_readings_that_came_late_before_the_end_are_no_rise(late_ms: int) -> None:
    """The one before the last came late, and the last right after it."""
    at_ms = [T0 + STEP_MS * place for place in range(SIZE)]
    at_ms[-2] += late_ms
    measurement, end_ms = measured("session", rising("session"), event_ms=at_ms)
    assert measurement.quality == Quality.VALID
    assert billed(measurement, None, "session", end_ms).rule == 3


def test_a_meter_that_answered_nothing_told_no_power() -> None:
    """Two minutes of nothing but zeros before the last reading: power was as high as at both ends."""
    shown, power_w = rising("session"), [POWER_W] * SIZE
    shown[-9:-1], power_w[-9:-1] = [0] * 8, [0] * 8
    measurement, end_ms = measured("session", shown, power_w=power_w)
    assert Flag.AMBIGUOUS not in measurement.flags
    assert billed(measurement, STEP_E4KWH * (SIZE - 1), "session", end_ms).rule == 1


# ---- a word after the charge --------------------------------------------------------------------------------------


def after_the_charge(value: int, after_ms: int, power_w: int = POWER_W) -> MeterCalculator:
    """Ten readings of a register, the last at that power, and what it shows so long afterwards."""
    meter = MeterCalculator(profile_of("lifetime"), T0)
    for place in range(10):
        meter.observe(T0 + STEP_MS * place, 5_000_000 + STEP_E4KWH * place, POWER_W if place < 9 else power_w)
    meter.observe_end(T0 + STEP_MS * 9 + after_ms, 5_000_000 + STEP_E4KWH * 9 + value)
    meter.finish()
    return meter


@pytest.mark.parametrize(
    ("value", "after_ms", "power_w", "unexplained"),
    [
        (2_000, 15_000, POWER_W, 0),
        (6_700, 15_000, POWER_W, 0),
        (7_000, 15_000, POWER_W, 5_200),
        (20_000, 70_000, POWER_W, 0),
        (26_000, 70_000, POWER_W, 9_201),
        (4_000, 15_000, 0, 0),
        (5_000, 15_000, 0, 5_000),
    ],
    ids=["as before", "half a minute late", "more", "a silence", "more in it", "late after the stop", "after the stop"],
)
def test_after_the_charge_a_register_rises_by_what_the_last_power_brings(
    value: int, after_ms: int, power_w: int, unexplained: int
) -> None:
    meter = after_the_charge(value, after_ms, power_w)
    assert meter.accepted_e4kwh == STEP_E4KWH * 9 + value
    assert (meter.unexplained_e4kwh, meter.unsure_low_e4kwh) == (unexplained, unexplained)
    assert bool(meter.flags & Flag.AMBIGUOUS) == bool(unexplained)


def test_a_charger_that_never_tells_power_is_not_asked_for_it() -> None:
    meter = MeterCalculator(profile_of("lifetime"), T0)
    for place in range(10):
        meter.observe(T0 + STEP_MS * place, 5_000_000 + STEP_E4KWH * place)
    meter.observe_end(T0 + STEP_MS * 10, 5_000_000 + STEP_E4KWH * 9 + 10_000)
    assert not meter.flags & Flag.AMBIGUOUS


# ---- a counter that was not reset ---------------------------------------------------------------------------------


def left_over(left: int, *, late: int = 0, power_w: int = POWER_W) -> tuple[Measurement, int]:
    """12 kWh by a session counter that began at `left`; so many of its first readings never came."""
    shown = [value + left for value in rising("session")][late:]
    at_ms = [T0 + STEP_MS * place for place in range(SIZE)][late:]
    return measured("session", shown, event_ms=at_ms, power_w=[power_w] * len(at_ms))


@pytest.mark.parametrize(("left", "late"), [(4_000, 0), (8_000, 3), (60_000, 20)])
def test_a_counter_that_still_counts_the_charge_before_is_not_billed(left: int, late: int) -> None:
    """Before the first reading 48 kW may have flowed, twice that where nothing was heard for minutes."""
    true = STEP_E4KWH * (SIZE - 1)
    measurement, end_ms = left_over(left, late=late)
    assert measurement.low_e4kwh <= true <= measurement.high_e4kwh
    assert measurement.intervals.low_e4kwh.sum() <= true
    assert billed(measurement, None, "session", end_ms).rule == 5
    assert billed(measurement, true + left, "session", end_ms).rule == 5
    assert billed(measurement, true, "session", end_ms) == FinalFigure(1, true, Quality.DERIVED, True)


@pytest.mark.parametrize(
    ("left", "late", "power_w"),
    [(0, 0, POWER_W), (800, 0, POWER_W), (0, 3, POWER_W), (0, 20, POWER_W), (40_000, 20, POWER_W), (10_000, 0, 0)],
    ids=["at 0", "within the play", "late", "very late", "at twice the power", "no power told"],
)
def test_a_counter_that_power_bears_out_is_billed(left: int, late: int, power_w: int) -> None:
    measurement, end_ms = left_over(left, late=late, power_w=power_w)
    assert measurement.quality == Quality.VALID
    assert billed(measurement, None, "session", end_ms).rule == 3


def test_a_counter_that_jumped_before_it_was_first_read_bears_out_no_record_of_it() -> None:
    """4 kWh are more than 132 kW bring in half a minute: the first word is a jump, and the record has all of it."""
    true = STEP_E4KWH * (SIZE - 1)
    measurement, end_ms = left_over(40_000)
    assert Flag.JUMP in measurement.flags
    assert (measurement.jumped_e4kwh, measurement.flowed_in_jumps_e4kwh) == (40_000, 0)
    assert billed(measurement, true + 12_000, "session", end_ms).rule == 5
    assert billed(measurement, true, "session", end_ms).rule == 1


def test_the_steps_of_what_rose_sum_to_the_measured_bounds() -> None:
    measurement, _end_ms = left_over(4_000)
    assert measurement.intervals.low_e4kwh[0] < 0
    assert np.bitwise_and(measurement.intervals.flags[0], int(Flag.AMBIGUOUS))
