"""What power says beside a register: of seen steps, of rests before a silence, of the begin, of coarse steps."""

import numpy as np
import pytest

from core.meter.profile import MeterProfile
from core.meter.readings import Int64s, ReadingArrays
from core.meter.seen_power import FlowedBefore, SeenSteps, flowed_before, lacking, seen_steps

T0 = 1_700_006_400_000
PERIOD_MS = 15_000
STEP = 3_000  # 72 kW for 15 s
COUNT = 40
FINE = MeterProfile("session", 100, 132_000)
WHOLE = MeterProfile("session", 10_000, 132_000)


def charged(**columns: object) -> ReadingArrays:
    told: dict[str, object] = {"power_w": np.full(COUNT, 72_000)} | columns
    times = told.pop("event_ms", T0 + PERIOD_MS * np.arange(COUNT))
    return ReadingArrays.of(times, told.pop("counter_e4kwh", STEP * np.arange(COUNT)), **told)  # type: ignore[arg-type]


def rows_of(readings: ReadingArrays) -> Int64s:
    """Each step as the calculator closes it, good to a quantum."""
    rows = np.zeros((len(readings) - 1, 7), dtype=np.int64)
    rows[:, 0], rows[:, 1] = readings.event_ms[:-1], readings.event_ms[1:]
    rows[:, 2] = np.diff(readings.counter_e4kwh)
    rows[:, 3], rows[:, 4] = np.maximum(rows[:, 2] - 100, 0), rows[:, 2] + 100
    return rows


def seen(readings: ReadingArrays) -> SeenSteps:
    return seen_steps(readings, rows_of(readings), FINE)


def test_power_that_agrees_contradicts_nothing() -> None:
    told = seen(charged())
    assert told.power_e4kwh == STEP * (COUNT - 1)
    assert (told.low_e4kwh, told.high_e4kwh) == (told.power_e4kwh - 100, told.power_e4kwh + 100)
    assert not told.power_contradicts


@pytest.mark.parametrize(("power_w", "contradicts"), [(65_000, False), (60_000, True), (79_000, False), (85_000, True)])
def test_power_is_good_to_a_tenth(power_w: int, contradicts: bool) -> None:
    assert seen(charged(power_w=np.full(COUNT, power_w))).power_contradicts == contradicts


def test_without_power_nothing_contradicts() -> None:
    assert seen(charged(power_w=np.zeros(COUNT))) == SeenSteps()


def test_what_a_step_leaves_open_is_no_contradiction() -> None:
    readings = charged(power_w=np.full(COUNT, 55_000))
    rows = rows_of(readings)
    assert seen_steps(readings, rows, FINE).power_contradicts
    rows[20, 3] -= 2_900
    rows[:20, 3] -= 1_000
    assert not seen_steps(readings, rows, FINE).power_contradicts


def test_power_that_changes_between_two_readings_may_have_been_either() -> None:
    uneven = seen(charged(power_w=np.resize([132_000, 12_000], COUNT)))
    assert uneven.power_e4kwh == STEP * (COUNT - 1)
    assert uneven.play_e4kwh > seen(charged()).play_e4kwh + 90_000


def test_a_silence_is_not_seen() -> None:
    times = T0 + PERIOD_MS * np.arange(COUNT)
    times[20:] += 600_000
    values = STEP * np.arange(COUNT)
    values[20:] += 500_000
    told = seen(charged(event_ms=times, counter_e4kwh=values))
    assert told.power_e4kwh == STEP * (COUNT - 2)
    assert told.high_e4kwh == STEP * (COUNT - 2) + 2 * 100, "a quantum for each stretch"
    assert not told.power_contradicts


def test_a_reading_that_the_charger_kept_is_no_border_of_a_step() -> None:
    kept = np.where(np.arange(COUNT) == 20, 1, 0)
    assert seen(charged(stored=kept)).power_e4kwh == STEP * (COUNT - 3)


def test_a_rest_before_a_silence_is_seen_though_its_step_ends_beyond() -> None:
    """15 readings at rest, then 10 minutes that nobody heard: one step from before the rest to after the silence."""
    times = T0 + PERIOD_MS * np.arange(COUNT)
    times[35:] += 600_000
    values = STEP * np.minimum(np.arange(COUNT), 20)
    values[35:] += 45_000 + STEP * np.arange(5)
    readings = charged(event_ms=times, counter_e4kwh=values)
    rows = rows_of(readings)
    merged = np.concatenate((rows[:20], [[times[20], times[35], 45_000, 44_900, 45_100, 0, 0]], rows[35:]))
    told = seen_steps(readings, merged, FINE)
    assert told.power_e4kwh == STEP * (20 + 14 + 4)
    assert told.high_e4kwh < STEP * 25
    assert told.power_contradicts
    values[34] += 200
    moved = charged(event_ms=times, counter_e4kwh=values)
    assert not seen_steps(moved, merged, FINE).power_contradicts, "it did not rest"


def test_what_flowed_before_the_first_value_is_told_by_power_and_allowed_by_its_peak() -> None:
    values = np.where(np.arange(COUNT) < 4, 0, STEP * np.arange(COUNT))
    power = np.full(COUNT, 72_000)
    power[0] = 0
    flowed = flowed_before(charged(counter_e4kwh=values, power_w=power), T0 - 10_000, T0 + 4 * PERIOD_MS)
    assert flowed == FlowedBefore(
        told_e4kwh=3 * STEP + STEP // 2,
        allowed_e4kwh=4 * STEP + 2_000,  # mute at the begin, and 10 s before it
        play_e4kwh=(4 * STEP + 2_000) // 20 + 0 + 1_000,
        changed_e4kwh=0,
    )


def test_what_changed_before_the_first_value_may_be_either() -> None:
    values = np.where(np.arange(COUNT) < 4, 0, STEP * np.arange(COUNT))
    power = np.full(COUNT, 72_000)
    power[0] = 12_000
    flowed = flowed_before(charged(counter_e4kwh=values, power_w=power), T0, T0 + 4 * PERIOD_MS)
    assert flowed is not None
    assert flowed.changed_e4kwh == 1_250
    assert flowed.allowed_e4kwh == flowed.told_e4kwh


def test_without_power_nothing_is_told_of_the_begin() -> None:
    assert flowed_before(charged(power_w=np.zeros(COUNT)), T0, T0 + PERIOD_MS) is None
    assert flowed_before(charged(), T0 - 60_000, T0 - 1) is None


@pytest.mark.parametrize(
    ("best", "short_by", "seen_e4kwh", "silent", "profile", "lacks"),
    [
        (40_000, 8_000, 50_000, 0, WHOLE, 0),
        (40_000, 8_000, 51_500, 0, WHOLE, 0),
        (40_000, 8_000, 53_000, 0, WHOLE, 13_000),
        (40_000, 9_500, 53_000, 0, WHOLE, 0),
        (40_000, 8_000, 40_000, 22_500, WHOLE, 22_500),
        (40_000, 8_000, 40_000, 20_000, WHOLE, 0),
        (40_000, 100, 53_000, 0, FINE, 0),
    ],
    ids=["as power", "within 5 %", "beyond", "unshown", "silent", "a pause", "fine"],
)
def test_a_coarse_register_leaves_out_at_most_what_flowed_since_its_last_rise(
    best: int, short_by: int, seen_e4kwh: int, silent: int, profile: MeterProfile, lacks: int
) -> None:
    assert lacking(best, short_by, seen_e4kwh, silent, profile) == lacks
