"""Steps that stay against power: each rule with a charge that would come out otherwise without it."""

import numpy as np
import pytest

from core.meter.flags import Flag
from core.meter.lasting_steps import Jumps, LastingStep, NotCertain, jumps, lasting_steps, losses_in_backlog, widen
from core.meter.measurement import measure
from core.meter.profile import MeterProfile
from core.meter.readings import Int64s, ReadingArrays, in_order

T0 = 1_700_006_400_000
PERIOD_MS = 15_000
STEP = 3_000  # 72 kW for 15 s
COUNT = 60
FELL = 20_000
FINE = MeterProfile("lifetime", 100, 132_000)


def line(*, falls: dict[int, int] | None = None, count: int = COUNT) -> Int64s:
    """A register at 72 kW; `falls`: from which reading on it stands so much lower."""
    shown = 50_000_000 + STEP * np.arange(count)
    for place, energy in (falls or {}).items():
        shown[place:] -= energy
    return np.asarray(shown, dtype=np.int64)


def found(
    shown: Int64s, *, flags: dict[int, Flag] | None = None, profile: MeterProfile = FINE, **columns: object
) -> list[LastingStep]:
    count = len(shown)
    told: dict[str, object] = {"power_w": np.full(count, 72_000), "seq": np.arange(count)} | columns
    times = told.pop("event_ms", T0 + PERIOD_MS * np.arange(count))
    raised = np.zeros(count, dtype=np.uint32)
    for place, flag in (flags or {}).items():
        raised[place] = flag
    readings = ReadingArrays.of(times, shown, **told)  # type: ignore[arg-type]
    steps = np.zeros((count - 1, 7), dtype=np.int64)
    steps[:, 0], steps[:, 1] = readings.event_ms[:-1], readings.event_ms[1:]
    return lasting_steps(readings, raised, readings.charging, profile, int(shown[-1] - shown[0]), steps)


def places(steps: list[LastingStep]) -> list[int]:
    return [step.place for step in steps]


@pytest.mark.parametrize("energy", [FELL, -FELL])
def test_a_step_that_stays_is_found_where_it_is_and_as_large_as_it_is(energy: int) -> None:
    (step,) = found(line(falls={30: energy}))
    assert step.place == 30
    assert abs(step.energy_e4kwh + energy) <= step.play_e4kwh


def test_a_line_without_a_step_has_none() -> None:
    assert not found(line())


def test_a_step_within_half_a_percent_and_a_tenth_of_a_kwh_is_none() -> None:
    assert not found(line(falls={30: 900}))


def test_what_is_made_up_for_does_not_stay() -> None:
    shown = line()
    shown[28:32] -= FELL
    assert not found(shown)


@pytest.mark.parametrize("readings", [6, 12, 24])
def test_a_rest_that_is_made_up_for_is_no_step_however_long_it_is(readings: int) -> None:
    shown = line()
    shown[20 : 20 + readings] = shown[20]
    assert not found(shown)


@pytest.mark.parametrize(("place", "is_found"), [(COUNT - 3, True), (COUNT - 2, False)])
def test_three_readings_on_either_side_are_the_fewest_that_tell(place: int, is_found: bool) -> None:
    assert bool(found(line(falls={place: FELL}))) == is_found


def test_power_that_is_off_by_a_tenth_throughout_the_charge_is_no_step() -> None:
    assert not found(line(), power_w=np.full(COUNT, 65_500))
    assert places(found(line(falls={30: FELL}), power_w=np.full(COUNT, 65_500))) == [30]


def test_power_that_is_off_by_more_is_no_line() -> None:
    assert not found(line(falls={30: FELL}), power_w=np.full(COUNT, 144_000))


def test_nothing_is_found_without_power() -> None:
    assert not found(line(falls={30: FELL}), power_w=np.zeros(COUNT, dtype=np.int64))


def test_a_silence_begins_a_new_line() -> None:
    times = T0 + PERIOD_MS * np.arange(COUNT)
    times[30:] += 600_000
    assert not found(line(falls={30: FELL}), event_ms=times)


@pytest.mark.parametrize("flag", [Flag.JUMP, Flag.ROLLBACK, Flag.RESET, Flag.ROLLOVER])
def test_a_register_that_began_anew_begins_a_new_line(flag: Flag) -> None:
    assert not found(line(falls={30: FELL}), flags={30: flag})


@pytest.mark.parametrize("flag", [Flag.SPIKE, Flag.ZERO_READ])
def test_a_false_word_is_no_step_but_its_power_counts(flag: Flag) -> None:
    shown = line()
    shown[30] = 0 if flag == Flag.ZERO_READ else shown[30] + 400_000
    assert not found(shown, flags={30: flag})


def test_power_that_changes_between_two_readings_explains_as_much() -> None:
    """It fell from 120 kW to 24 kW within a step of 45 s: up to 0.6 kWh of it may be either."""
    times = T0 + PERIOD_MS * np.arange(COUNT)
    times[30:] += 30_000
    power = np.where(np.arange(COUNT) < 30, 120_000, 24_000)
    flowed = np.concatenate(([0], np.cumsum((power[1:] + power[:-1]) * np.diff(times)) // 720_000))
    shown = 50_000_000 + flowed
    for energy, is_found in ((5_000, False), (25_000, True)):
        stepped = shown - np.where(np.arange(COUNT) >= 30, energy, 0)
        assert bool(found(stepped, power_w=power, event_ms=times)) == is_found


def test_readings_in_a_burst_are_no_step() -> None:
    """Ten readings that were delayed arrive at once, without times of their own."""
    times = T0 + PERIOD_MS * np.arange(COUNT)
    times[26:30] = times[30] - 4_000 + 1_000 * np.arange(4)
    assert not found(line(), event_ms=times)


def test_a_reading_that_the_charger_kept_is_good_to_a_minute_and_tells_nothing() -> None:
    kept = np.where((np.arange(COUNT) >= 20) & (np.arange(COUNT) < 30), 1, 0)
    shown = line()
    shown[20:30] -= FELL
    assert not found(shown, stored=kept)


def test_the_rest_of_a_coarse_register_is_no_step() -> None:
    coarse = MeterProfile("lifetime", 10_000, 132_000)
    assert not found(line(count=120) // 10_000 * 10_000, profile=coarse)


def test_a_lower_reading_right_before_it_is_a_second_witness_of_a_fall() -> None:
    """0.27 kWh are within what power and half a percent leave open together, but not within either."""
    lost = 2_700
    shown = line(falls={30: lost})
    assert not found(shown)
    shown[30] -= 1_000
    assert not found(shown), "only a reading that was passed over says so"
    assert places(found(shown, flags={30: Flag.SPIKE})) == [31]
    risen = line(falls={30: -lost})
    assert not found(risen, flags={30: Flag.SPIKE}), "and only of a fall"


def test_of_steps_of_one_size_the_last_two_are_looked_at() -> None:
    assert places(found(line(falls={15: 5_000, 30: 5_000, 45: 5_000}))) == [30, 45]


def test_what_the_calculator_saw_of_a_rest_is_not_found_again() -> None:
    readings = ReadingArrays.of(
        T0 + PERIOD_MS * np.arange(COUNT),
        line(falls={30: FELL}),
        power_w=np.full(COUNT, 72_000),
        seq=np.arange(COUNT),
    )
    steps = np.zeros((COUNT - 1, 7), dtype=np.int64)
    steps[:, 0], steps[:, 1] = readings.event_ms[:-1], readings.event_ms[1:]
    steps[29, 6] = int(Flag.STANDSTILL)
    nothing = np.zeros(COUNT, dtype=np.uint32)
    assert not lasting_steps(readings, nothing, readings.charging, FINE, 150_000, steps)


def backlog(fell: int = 0, **changes: object) -> ReadingArrays:
    """A session counter whose readings 20 to 39 the charger had kept; from the 30th on it stands `fell` lower."""
    places = np.arange(COUNT)
    is_kept = (places >= 20) & (places < 40)
    columns: dict[str, object] = {
        "event_ms": T0 + PERIOD_MS * np.where(is_kept, places // 4 * 4, places),
        "counter_e4kwh": STEP * places - np.where(places >= 30, fell, 0),
        "receive_ms": T0 + np.where(is_kept, PERIOD_MS * 40 - 5_000, PERIOD_MS * places),
        "stored": is_kept,
        "charge_minutes": places // 4,
        "power_w": np.full(COUNT, 72_000),
        "seq": places,
    }
    return ReadingArrays.of(**(columns | changes))  # type: ignore[arg-type]


COUNTER = MeterProfile("session", 1, 132_000)


def losses(readings: ReadingArrays) -> list[LastingStep]:
    ordered = in_order(readings)
    kept = ordered.readings.take(ordered.kept)
    steps = np.zeros((len(kept) - 1, 7), dtype=np.int64)
    steps[:, 0], steps[:, 1] = kept.event_ms[:-1], kept.event_ms[1:]
    return losses_in_backlog(ordered, kept, ordered.flags, COUNTER, STEP * COUNT, steps)


@pytest.mark.parametrize("first_number", [0, 65_506])
def test_a_fall_that_the_last_reading_of_its_minute_hides_is_found_among_the_kept_ones(first_number: int) -> None:
    readings = backlog(5_000, seq=(first_number + np.arange(COUNT)) % 65_536)
    (step,) = losses(readings)
    assert abs(step.energy_e4kwh + 5_000) < step.play_e4kwh
    measured = measure(readings, COUNTER, began_ms=T0)
    assert (measured.best_e4kwh, measured.unproven_e4kwh) == (STEP * (COUNT - 1) - 5_000, -step.energy_e4kwh)
    assert measured.high_e4kwh >= STEP * (COUNT - 1)
    assert Flag.AMBIGUOUS in measured.flags


@pytest.mark.parametrize("repeated", range(20, 40))
def test_a_kept_frame_that_came_twice_changes_nothing_of_the_fall(repeated: int) -> None:
    readings = backlog(5_000)
    assert losses(readings.take(np.append(np.arange(COUNT), repeated))) == losses(readings)


@pytest.mark.parametrize("kept_until", [32, 40])
@pytest.mark.parametrize("fell", [8_000, 12_000, 40_000])
def test_of_a_fall_that_the_calculator_saw_only_the_rest_counts(fell: int, kept_until: int) -> None:
    places = np.arange(COUNT)
    is_kept = (places >= 20) & (places < kept_until)
    readings = backlog(
        fell,
        event_ms=T0 + PERIOD_MS * np.where(is_kept, places // 4 * 4, places),
        receive_ms=T0 + np.where(is_kept, PERIOD_MS * kept_until - 5_000, PERIOD_MS * places),
        stored=is_kept,
    )
    measured = measure(readings, COUNTER, began_ms=T0)
    assert measured.low_e4kwh <= STEP * (COUNT - 1) <= measured.high_e4kwh
    assert measured.unproven_e4kwh < fell + STEP


@pytest.mark.parametrize("seed", range(8))
def test_kept_readings_that_were_sent_in_no_order_prove_no_fall(seed: int) -> None:
    numbers = np.arange(COUNT)
    numbers[20:40] = np.random.default_rng(seed).permutation(numbers[20:40])
    assert not losses(backlog(seq=numbers))


@pytest.mark.parametrize("late", [20, 21, 29])
def test_a_kept_reading_whose_minute_is_wrong_proves_no_fall(late: int) -> None:
    event_ms = backlog().event_ms.copy()
    event_ms[late] = event_ms[late + 5]
    assert not losses(backlog(event_ms=event_ms))


def test_nothing_is_found_among_kept_readings_that_are_whole_or_few_or_without_power() -> None:
    assert not losses(backlog())
    assert not losses(backlog(5_000, power_w=np.zeros(COUNT)))
    assert not losses(backlog(5_000).take(np.arange(28, 32)))


def test_a_step_that_stays_widens_its_interval_to_the_side_on_which_the_truth_may_lie() -> None:
    readings = ReadingArrays.of(T0 + PERIOD_MS * np.arange(COUNT), line())
    steps = np.zeros((COUNT - 1, 7), dtype=np.int64)
    steps[:, 0], steps[:, 1], steps[:, 3] = readings.event_ms[:-1], readings.event_ms[1:], 30_000
    steps[:, 4] = 30_000
    sums = widen(steps, [LastingStep(20, 5_000, 300), LastingStep(40, -7_000, 200)], readings)
    assert sums == NotCertain(risen_e4kwh=5_000, most_risen_e4kwh=5_300, missed_e4kwh=7_000, most_missed_e4kwh=7_200)
    assert steps[19, 3:].tolist() == [24_700, 30_000, 0, int(Flag.AMBIGUOUS)]
    assert steps[39, 3:].tolist() == [30_000, 37_200, 0, int(Flag.AMBIGUOUS)]
    assert not np.delete(steps, [19, 39], axis=0)[:, 6].any()


def test_a_jump_tells_what_flowed_meanwhile_by_power_else_at_full_power() -> None:
    steps = np.array([[T0, T0 + PERIOD_MS, 0, 0, 5_500, 0, int(Flag.JUMP)]], dtype=np.int64)
    for power_w, flowed in ((72_000, 3_000), (0, 5_500)):
        readings = ReadingArrays.of([T0, T0 + PERIOD_MS], [0, 90_000], power_w=[power_w] * 2)
        assert jumps(readings, steps, FINE) == Jumps(risen_e4kwh=90_000, flowed_e4kwh=flowed)
    elsewhere = ReadingArrays.of([T0, T0 + 1], [0, 90_000])
    assert jumps(elsewhere, steps, FINE) == Jumps(), "one that a dropped reading ends"
