"""Rules that need a second witness or another session: unit, power, the charger's own count, digits, restarts."""

import pytest

from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, RegisterFacts, measure
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays

T0 = 1_700_000_000_000
STEP = 3_000  # 0.3 kWh in 15 s = 72 kW
COUNTER = MeterProfile("session", 1, 132_000, time_tolerance_ms=0)
REGISTER = MeterProfile("lifetime", 100, 132_000, time_tolerance_ms=0)


def charge(
    values: list[int],
    profile: MeterProfile = COUNTER,
    *,
    power_w: int | list[int] = 72_000,
    facts: RegisterFacts | None = None,
    first_s: int = 0,
    end_s: int = 0,
    told: dict[str, list[int]] | None = None,
) -> Measurement:
    """A reading every 15 s of a charge that began at T0."""
    size = len(values)
    readings = ReadingArrays.of(
        [T0 + 1_000 * first_s + 15_000 * place for place in range(size)],
        values,
        power_w=[power_w] * size if isinstance(power_w, int) else power_w,
        seq=list(range(1, size + 1)),
        **(told or {}),
    )
    return measure(readings, profile, began_ms=T0, end_high_ms=T0 + 1_000 * end_s if end_s else 0, register=facts)


def line(count: int, first: int = 0, step: int = STEP) -> list[int]:
    return [first + step * place for place in range(count)]


@pytest.mark.parametrize(("times", "per"), [(10, 1), (100, 1), (1_000, 1), (1, 10)])
def test_a_counter_in_another_unit_is_held_and_the_interval_covers_both(times: int, per: int) -> None:
    measured = charge([value * times // per for value in line(80)])
    assert Flag.SCALE in measured.flags
    assert measured.quality == Quality.QUESTIONABLE
    assert measured.low_e4kwh <= 79 * STEP <= measured.high_e4kwh
    assert abs(measured.best_e4kwh - 79 * STEP) <= 10
    if times == 10:
        limit = COUNTER.energy_at_pmax(79 * 15_000)
        assert measured.high_e4kwh == min(790 * STEP, limit), "power may be wrong as well"


@pytest.mark.parametrize("times", [10, 100, 1_000])
def test_a_register_in_another_unit_goes_on_where_the_previous_session_ended(times: int) -> None:
    before = 74_977_100
    values = [(before + value) * times for value in line(80)]
    told = {"before_e4kwh": [before * times] * 80}
    proven = charge(values, REGISTER, facts=RegisterFacts(previous_end_e4kwh=before), told=told)
    assert (proven.best_e4kwh, proven.quality, proven.flags) == (79 * STEP, Quality.DERIVED, Flag.SCALE)
    assert proven.register_start_e4kwh == before
    elsewhere = charge(values, REGISTER, facts=RegisterFacts(previous_end_e4kwh=before - 5_000_000), told=told)
    assert elsewhere.quality == Quality.QUESTIONABLE
    assert charge(values, REGISTER, told=told).quality == Quality.QUESTIONABLE


@pytest.mark.parametrize("before", [5_000, 20_000])
def test_a_register_near_zero_proves_no_other_unit(before: int) -> None:
    """A current told in tenths makes the register of a new meter look ten times too large."""
    facts = RegisterFacts(previous_end_e4kwh=before)
    measured = charge(line(80, first=before), REGISTER, facts=facts, power_w=7_200)
    assert Flag.SCALE in measured.flags
    assert measured.quality == Quality.QUESTIONABLE
    assert measured.low_e4kwh <= 79 * STEP <= measured.high_e4kwh


def test_one_jump_is_no_other_unit() -> None:
    assert Flag.SCALE not in charge(line(40) + line(40, first=10 * 79 * STEP)).flags


def test_power_that_excludes_the_register_is_heard() -> None:
    measured = charge(line(80, step=2_000))
    assert Flag.POWER_CONTRADICTS in measured.flags
    assert measured.quality == Quality.QUESTIONABLE
    assert measured.low_e4kwh <= 79 * STEP <= measured.high_e4kwh
    assert charge(line(80, step=2_800)).flags == Flag(0), "a meter on the AC side differs by as much"
    assert charge(line(80, step=2_000), power_w=0).flags == Flag(0), "no power was told"


def test_a_begin_without_a_told_register_is_cast_back_from_the_charger_s_own_count() -> None:
    values = line(60, first=50_000_000 + 20 * STEP)
    told = {"session_e4kwh": line(60, first=20 * STEP), "before_e4kwh": [0] * 60}
    measured = charge(values, REGISTER, first_s=300, told=told)
    assert measured.best_e4kwh == 79 * STEP
    assert (measured.flags, measured.quality) == (Flag.BASELINE_BACKCAST, Quality.DERIVED)
    assert (measured.low_e4kwh, measured.high_e4kwh) == (79 * STEP - 200, 79 * STEP + 200)


def test_a_count_that_is_the_register_once_more_casts_nothing_back() -> None:
    values = line(60, first=50_000_000)
    measured = charge(values, REGISTER, first_s=300, told={"session_e4kwh": values})
    assert Flag.LATE_BASELINE in measured.flags and Flag.ZERO_BASELINE in measured.flags
    assert measured.naive_e4kwh == values[-1], "the charger itself says that the charge took the whole register"


def test_the_charger_s_own_count_says_what_a_frozen_register_missed() -> None:
    values = [50_000_000 + value for value in [*line(20), *[19 * STEP] * 40]]
    counted = line(60)
    told = {"session_e4kwh": counted, "before_e4kwh": [50_000_000] * 60}
    measured = charge(values, REGISTER, power_w=0, told=told)
    assert Flag.FROZEN in measured.flags
    assert measured.best_e4kwh == 59 * STEP
    assert measured.low_e4kwh == 19 * STEP - 100


def test_a_short_rest_widens_the_interval_and_is_named() -> None:
    values = [*line(20), *[19 * STEP] * 8, *line(20, first=20 * STEP)]
    measured = charge(values)
    assert (measured.flags, measured.quality) == (Flag.STANDSTILL, Quality.VALID)
    assert measured.best_e4kwh == 39 * STEP
    assert measured.low_e4kwh <= 47 * STEP <= measured.high_e4kwh
    assert measured.unproven_e4kwh == 8 * STEP


def test_a_small_spike_is_not_counted_though_it_passes_the_test_of_jumps() -> None:
    values = line(40)
    values[17] += 6_400
    wide = charge(values, MeterProfile("session", 1, 132_000))
    assert wide.flags == Flag.SPIKE | Flag.AMBIGUOUS
    assert (wide.best_e4kwh, wide.segments) == (39 * STEP, 1)
    assert wide.accepted_e4kwh[17] <= 18 * STEP, "what was accepted on its word is not shown"
    assert wide.low_e4kwh <= 39 * STEP <= wide.high_e4kwh


@pytest.mark.parametrize("modulus", [10**8, 10**9, 10**10, 2**32 * 100])
def test_a_register_of_unknown_digits_rolls_over_where_the_step_is_within_reach(modulus: int) -> None:
    values = [value % modulus for value in line(40, first=modulus - 20 * STEP)]
    measured = charge(values, REGISTER)
    assert measured.best_e4kwh == 39 * STEP
    assert (measured.flags, measured.quality) == (Flag.ROLLOVER | Flag.AMBIGUOUS, Quality.DERIVED)
    assert measured.low_e4kwh == 39 * STEP - 100 - (STEP - 100), "it may have been a restart"


def test_a_fall_that_no_number_of_digits_explains_is_none() -> None:
    values = [*line(20, first=950_000_000), *line(20)]
    assert Flag.RESET in charge(values, REGISTER).flags


def test_configured_digits_are_believed_until_the_register_stands_above_them() -> None:
    three = MeterProfile("lifetime", 100, 132_000, digits=3, time_tolerance_ms=0)
    values = [value % 10**8 for value in line(40, first=10**8 - 20 * STEP)]
    assert Flag.ROLLOVER in charge(values, three).flags
    assert (
        Flag.ROLLOVER not in charge(values, MeterProfile("lifetime", 100, 132_000, digits=6, time_tolerance_ms=0)).flags
    )


def test_a_register_that_restarts_with_the_charger_has_counted_what_it_shows() -> None:
    boot = MeterProfile("boot", 1, 132_000, time_tolerance_ms=0)
    values = [*line(40), *line(40, first=2_000)]
    measured = charge(values, boot)
    assert measured.best_e4kwh == 78 * STEP + 2_000
    assert measured.low_e4kwh <= 79 * STEP <= measured.high_e4kwh
    assert Flag.RESET in measured.flags
    started = charge([0, 0, *line(20)], boot, facts=RegisterFacts(previous_end_e4kwh=900_000))
    assert started.flags == Flag(0), "its zero is true whatever it showed before"


@pytest.mark.parametrize("absurd", [-1, -(2**63), 2**63 - 1, 2**40])
def test_a_value_at_the_limits_of_its_type_is_a_spike(absurd: int) -> None:
    values = line(40)
    values[20] = absurd
    measured = charge(values)
    assert (measured.best_e4kwh, measured.flags) == (39 * STEP, Flag.SPIKE)
    values[0] = values[39] = absurd
    assert charge(values).best_e4kwh == 38 * STEP


def test_a_charge_of_thirty_days_is_measured() -> None:
    minutes = 30 * 24 * 60
    readings = ReadingArrays.of(
        [T0 + 900_000 * place for place in range(minutes // 15)], line(minutes // 15, step=1_000), power_w=[400] * 2_880
    )
    measured = measure(readings, COUNTER, began_ms=T0, end_high_ms=T0 + 60_000 * minutes)
    assert measured.best_e4kwh == 2_879 * 1_000
    silent = charge([0], COUNTER, power_w=0, end_s=30 * 24 * 3_600)
    assert silent.high_e4kwh >= COUNTER.energy_at_pmax(30 * 24 * 3_600_000), "nothing is cut off at a week"


def test_firmware_that_stops_when_its_link_is_lost_leaves_a_short_tail() -> None:
    stops = MeterProfile("session", 1, 132_000, time_tolerance_ms=0, stops_offline_ms=30_000)
    measured = charge(line(20), stops, end_s=19 * 15 + 600)
    assert measured.high_e4kwh == 19 * STEP + 1 + stops.energy_at_pmax(30_000)
    assert Flag.TAIL_GAP in measured.flags


def test_a_frame_that_comes_again_is_no_register_at_rest() -> None:
    places = list(range(40))
    rows = [*places[:30], 29, *places[30:]]
    at_ms = [T0 + 15_000 * place for place in rows]
    at_ms[30] += 8_000
    readings = ReadingArrays.of(at_ms, [STEP * place for place in rows], power_w=[72_000] * 41, seq=rows)
    measured = measure(readings, COUNTER, began_ms=T0)
    assert (measured.flags, measured.best_e4kwh) == (Flag.DUP, 39 * STEP)


def test_many_steps_beyond_pmax_say_that_the_rated_power_is_wrong() -> None:
    measured = charge(line(40), MeterProfile("session", 1, 7_700, time_tolerance_ms=0))
    assert Flag.POWER_RATING_DOUBTFUL in measured.flags
    assert measured.quality == Quality.QUESTIONABLE


@pytest.mark.parametrize("risen", [12_000, 18_000])
def test_a_rise_that_power_cannot_have_brought_is_left_out_of_what_is_certain(risen: int) -> None:
    """It is within Pmax and the play of the times, so that no test of jumps sees it."""
    values = [*line(40), *line(40, first=39 * STEP + risen)]
    measured = charge(values, MeterProfile("session", 1, 264_000))
    assert (measured.quality, measured.segments) == (Quality.DERIVED, 1)
    assert Flag.AMBIGUOUS in measured.flags
    assert measured.low_e4kwh <= 79 * STEP <= measured.high_e4kwh
    assert measured.unexplained_e4kwh == risen - 2_700
