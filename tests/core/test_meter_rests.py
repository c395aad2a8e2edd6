"""What a register misses while it rests, falls or is not heard: the interval holds it, and a rule names it."""

import pytest

from core.meter.flags import Flag
from core.meter.measurement import RegisterFacts, measure
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays
from tests.core.test_meter_rules import COUNTER, REGISTER, STEP, T0, charge, line

WHOLE = MeterProfile("session", 10_000, 132_000)


def whole(values_e4kwh: list[int]) -> list[int]:
    return [value // 10_000 * 10_000 for value in values_e4kwh]


def test_a_fall_that_looks_like_jitter_is_seen_where_the_register_stays_behind() -> None:
    """2.6 kWh lost by a meter of whole kWh: it shows 2 less, and stays below until they have flowed again."""
    true = line(100)
    measured = charge(whole([*true[:50], *[value - 26_000 for value in true[50:]]]), WHOLE)
    assert Flag.JITTER | Flag.STANDSTILL in measured.flags
    assert not measured.flags & (Flag.ROLLBACK | Flag.RESET)
    assert measured.low_e4kwh <= true[-1] <= measured.high_e4kwh
    assert measured.unproven_e4kwh > 20_000, "no record that repeats it is confirmed"


def test_jitter_that_hides_a_rise_misses_nothing() -> None:
    """The reading that ends a rest is itself two quanta too low; the next ones make up for it."""
    values = whole(line(100))
    for place in (34, 35, 37, 60, 64, 67):
        values[place] -= 20_000
    measured = charge(values, WHOLE)
    assert measured.flags == Flag.JITTER
    assert (measured.low_e4kwh, measured.high_e4kwh) == (values[-1] - 10_000, values[-1] + 10_000)


def test_a_spike_of_a_quantum_after_which_the_register_stays_below_is_not_certain() -> None:
    values = whole(line(60))
    values[57] += 12_000
    measured = charge(values, WHOLE)
    assert measured.best_e4kwh == values[57]
    assert measured.low_e4kwh <= values[-1] - 10_000


def test_a_pause_while_the_register_is_frozen_adds_its_edges() -> None:
    """The power of a step at one end of which nothing flowed is all or nothing of it."""
    power = [72_000] * 30 + [0] * 10 + [72_000] * 30
    values = [*line(20), *[19 * STEP] * 50]
    measured = charge(values, power_w=power)
    flowed = 19 * STEP + 10 * STEP + 29 * STEP
    assert Flag.FROZEN in measured.flags
    assert measured.low_e4kwh <= flowed <= flowed + 2 * STEP <= measured.high_e4kwh


@pytest.mark.parametrize(("risen", "is_covered"), [(5_000, True), (70_000, False)])
def test_a_silence_in_which_the_register_hardly_rose_is_covered(risen: int, is_covered: bool) -> None:
    values = [*line(20), *line(20, first=19 * STEP + risen)]
    readings = ReadingArrays.of(
        [T0 + 15_000 * place + 465_000 * (place >= 20) for place in range(40)],
        values,
        power_w=[72_000] * 40,
        seq=list(range(40)),
    )
    measured = measure(readings, COUNTER, began_ms=T0)
    assert (Flag.STANDSTILL in measured.flags) == is_covered
    assert (measured.high_e4kwh > values[-1] + 80_000) == is_covered


def test_a_restart_of_a_boot_register_may_also_have_been_a_fall() -> None:
    boot = MeterProfile("boot", 1, 132_000, time_tolerance_ms=0)
    measured = charge([*line(40), *line(40, first=2_000)], boot)
    assert measured.low_e4kwh <= 78 * STEP


@pytest.mark.parametrize("shown_e4kwh", [10_000, 100])
def test_a_register_in_another_unit_counts_in_the_steps_that_it_shows(shown_e4kwh: int) -> None:
    true = [value + 74_977_100 for value in line(80, step=2_537)]
    values = [value // shown_e4kwh * shown_e4kwh * 1_000 for value in true]
    told = {"before_e4kwh": [values[0]] * 80}
    measured = charge(values, REGISTER, power_w=61_000, facts=RegisterFacts(previous_end_e4kwh=true[0]), told=told)
    assert measured.low_e4kwh <= true[-1] - true[0] <= measured.high_e4kwh
    assert measured.high_e4kwh >= measured.best_e4kwh + shown_e4kwh


def test_a_counted_begin_that_no_reading_saw_is_covered() -> None:
    """The first three readings of a register without times of its own were lost; the counts of the later ones tell."""
    places = range(3, 80)
    readings = ReadingArrays.of(
        [T0 + 15_000 * place for place in places],
        [50_000_000 + STEP * place for place in places],
        power_w=[72_000] * 77,
        charge_minutes=[place // 4 for place in places],
        seq=list(places),
    )
    measured = measure(readings, REGISTER)
    assert measured.began_ms == T0
    assert measured.low_e4kwh <= 79 * STEP <= measured.high_e4kwh


def test_a_jump_after_a_rise_that_power_excludes_is_not_the_way_back_of_a_spike() -> None:
    values = [*line(20), 19 * STEP + 9_000, *line(20, first=19 * STEP + 40_000)]
    measured = charge(values, MeterProfile("session", 1, 132_000))
    assert Flag.JUMP in measured.flags and Flag.SPIKE not in measured.flags
    assert all(step.accepted_e4kwh <= step.high_e4kwh for step in measured.intervals.rows())


@pytest.mark.parametrize("quantum", [100, 10_000])
@pytest.mark.parametrize("is_silence", [False, True])
def test_what_rose_unheard_is_no_advance_on_power(quantum: int, is_silence: bool) -> None:
    """4.5 kWh before the first reading, or in a silence at whose end power had fallen; then a rest of 2.8 kWh."""
    heard_ms, rested = 600_000, 38
    early = [0, 15_000] if is_silence else []
    times = [*early, *[heard_ms + 15_000 * place for place in range(120)]]
    counted = [750 * max(0, place - rested) for place in range(120)]
    values = [*[5_000 * place for place in range(len(early))], *[45_000 + count for count in counted]]
    true = 45_000 + 750 * 119
    readings = ReadingArrays.of(
        [T0 + time_ms for time_ms in times],
        [value // quantum * quantum for value in values],
        power_w=[0] * len(early) + [18_000] * 120,
        seq=list(range(len(times))),
    )
    measured = measure(readings, MeterProfile("session", quantum, 132_000), began_ms=T0)
    assert measured.flags & (Flag.FROZEN | Flag.STANDSTILL)
    assert measured.low_e4kwh <= true <= measured.high_e4kwh
    assert measured.unproven_e4kwh > 15_000, "no record that repeats it is confirmed"


def test_a_rise_in_a_silence_beyond_twice_the_power_of_its_ends_is_not_certain() -> None:
    """7 kW before and after seven minutes without a word, 15 kWh more: a pile of 180 kW could have charged it."""
    pile, step = MeterProfile("lifetime", 100, 198_000), 300
    values = [9_000_000 + place * step + 150_000 * (place >= 20) for place in range(40)]
    at_ms = [T0 + 15_000 * place + 405_000 * (place >= 20) for place in range(40)]
    readings = ReadingArrays.of(at_ms, values, power_w=[7_200] * 40, seq=list(range(40)))
    measured = measure(readings, pile, began_ms=T0)
    true = 39 * step + 405_000 * 7_200 // 360_000
    assert Flag.AMBIGUOUS in measured.flags
    assert measured.low_e4kwh <= true <= measured.high_e4kwh
    assert measured.unexplained_e4kwh > 100_000, "no record that repeats it is confirmed"


@pytest.mark.parametrize(("power_after_w", "most_w"), [(72_000, 140_000), (140_000, 180_000), (2_000, 180_000)])
def test_a_silence_whose_ends_allow_it_explains_its_rise(power_after_w: int, most_w: int) -> None:
    """Twice the power of its ends, as when the other gun ends; any where only one of them flows, as before a pause."""
    after = line(20, first=19 * STEP + 480_000 * most_w // 360_000, step=15_000 * power_after_w // 360_000)
    readings = ReadingArrays.of(
        [T0 + 15_000 * place + 465_000 * (place >= 20) for place in range(40)],
        [*line(20), *after],
        power_w=[72_000] * 20 + [power_after_w] * 20,
        seq=list(range(40)),
    )
    measured = measure(readings, MeterProfile("session", 1, 198_000), began_ms=T0)
    assert not measured.unexplained_e4kwh
