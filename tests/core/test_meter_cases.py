"""Each case of metering.md's table, by itself, with the figures worked out by hand."""

import pytest

from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, RegisterFacts, measure
from core.meter.profile import MeterProfile, MeterProfileError
from core.meter.readings import ReadingArrays

T0 = 1_700_000_000_000
PERIOD_MS = 15_000
STEP = 3_000  # 0.3 kWh in 15 s = 72 kW

# 132 kW deliver 0.55 kWh in 15 s. No tolerance in time, so that limits are exact.
COUNTER = MeterProfile("session", 1, 132_000, time_tolerance_ms=0)
WHOLE_KWH = MeterProfile("lifetime", 10_000, 150_000, digits=6, time_tolerance_ms=0)


def session(
    values: list[int],
    profile: MeterProfile = COUNTER,
    *,
    power_w: int = 72_000,
    at_s: list[int] | None = None,
    end_s: int | None = None,
    began_s: int | None = None,
    register: RegisterFacts | None = None,
    state: list[int] | None = None,
    seq: list[int] | None = None,
) -> Measurement:
    """Readings every 15 s, or at the seconds given, measured."""
    seconds = at_s if at_s is not None else [15 * place for place in range(len(values))]
    readings = ReadingArrays.of(
        [T0 + 1000 * second for second in seconds],
        values,
        power_w=[power_w] * len(values),
        charge_minutes=[second // 60 for second in seconds],
        state=state,
        seq=seq if seq is not None else list(range(len(values))),
    )
    return measure(
        readings,
        profile,
        began_ms=T0 + 1000 * began_s if began_s is not None else 0,
        end_high_ms=T0 + 1000 * end_s if end_s is not None else 0,
        register=register,
    )


def line(count: int, first: int = 0) -> list[int]:
    return [first + STEP * place for place in range(count)]


def figures(measured: Measurement) -> tuple[int, int, int]:
    return measured.low_e4kwh, measured.best_e4kwh, measured.high_e4kwh


def test_a_clean_session_is_valid_to_one_quantum() -> None:
    measured = session(line(10))
    assert figures(measured) == (26_999, 27_000, 27_001)
    assert (measured.quality, measured.flags) == (Quality.VALID, Flag(0))
    assert measured.counter_e4kwh == 27_000
    assert measured.accepted_e4kwh.tolist() == line(10)


def test_a_failed_start_without_energy_is_no_anomaly() -> None:
    measured = session([0, 0], power_w=0, at_s=[0, 7])
    assert figures(measured) == (0, 0, 1)
    assert (measured.quality, measured.flags) == (Quality.VALID, Flag(0))


def test_a_session_counter_read_late_needs_no_baseline() -> None:
    measured = session(line(10, first=24_000), at_s=[120 + 15 * place for place in range(10)])
    assert measured.best_e4kwh == 24_000 + 27_000
    assert measured.quality == Quality.VALID
    assert Flag.LATE_BASELINE in measured.flags
    assert measured.naive_e4kwh == 27_000


def test_zeros_in_between_are_missing_values() -> None:
    values = line(40)
    values[20] = values[21] = values[22] = 0
    measured = session(values)
    assert figures(measured) == (116_999, 117_000, 117_001)
    assert (measured.quality, measured.flags) == (Quality.DERIVED, Flag.ZERO_READ)
    assert [place for place, flag in enumerate(measured.reading_flags) if flag & Flag.ZERO_READ] == [20, 21, 22]


def test_a_zero_that_may_be_a_restart_widens_the_interval() -> None:
    # 0.3 kWh, then 0, then 0.35 kWh: 15 s at 132 kW can have brought the counter there from zero.
    measured = session([0, 3_000, 0, 3_500])
    assert measured.best_e4kwh == 3_500
    assert Flag.AMBIGUOUS in measured.flags
    assert measured.high_e4kwh == 3_000 + 5_500 + 3_500 + 2, "the restart may have hidden Pmax x 15 s"
    assert measured.quality == Quality.DERIVED


def test_a_spike_is_dropped() -> None:
    values = line(40)
    values[17] += 500_000_000
    measured = session(values)
    assert figures(measured) == (116_999, 117_000, 117_001)
    assert (measured.quality, measured.flags) == (Quality.DERIVED, Flag.SPIKE)
    assert measured.reading_flags[17] == Flag.SPIKE
    assert measured.accepted_e4kwh[17] == measured.accepted_e4kwh[16]


def test_a_spike_as_the_last_reading_is_not_billed() -> None:
    values = line(40)
    values[39] += 500_000_000
    measured = session(values)
    assert measured.best_e4kwh == 38 * STEP
    assert measured.high_e4kwh == 38 * STEP + 1 + 5_500, "15 s at 132 kW are unobserved"
    assert measured.flags == Flag.SPIKE


def test_two_spikes_in_a_row_do_not_vouch_for_each_other() -> None:
    values = line(40)
    values[17] += 500_000_000
    values[18] += 900_000_000
    measured = session(values)
    assert (measured.best_e4kwh, measured.flags) == (117_000, Flag.SPIKE)


def test_a_jump_that_stays_is_never_billed_as_it_stands() -> None:
    values = line(20) + line(20, first=468_710_000)
    measured = session(values)
    assert measured.best_e4kwh == 19 * STEP * 2
    assert measured.high_e4kwh == 19 * STEP * 2 + 2 + 5_500, "the step itself is 0 .. Pmax x 15 s"
    assert measured.low_e4kwh == 19 * STEP * 2 - 2
    assert (measured.quality, measured.segments) == (Quality.QUESTIONABLE, 2)
    assert Flag.JUMP in measured.flags


def test_jitter_keeps_the_running_maximum() -> None:
    values = [1_000_000, 1_010_000, 1_000_000, 1_020_000, 1_010_000, 1_030_000]
    measured = session(values, WHOLE_KWH, at_s=[60 * place for place in range(6)], power_w=0)
    assert measured.best_e4kwh == 30_000, "clamping each fall to 0 would give 50 000"
    assert (measured.quality, measured.flags) == (Quality.VALID, Flag.JITTER)


@pytest.mark.parametrize(("fall", "flag"), [(2, Flag.JITTER), (3, Flag.SPIKE)])
def test_jitter_is_two_quanta_at_most(fall: int, flag: Flag) -> None:
    measured = session([0, 3_000, 3_000 - fall, 3_000, 6_000], power_w=0)
    assert (measured.best_e4kwh, measured.flags & ~Flag.AMBIGUOUS) == (6_000, flag)


def test_a_register_that_restarts_opens_a_segment() -> None:
    measured = session([*line(40), 600, 3_600, 6_600])
    assert measured.best_e4kwh == 39 * STEP + 6_000
    assert figures(measured) == (123_000 - 2, 123_000, 123_000 + 2 + 5_500)
    assert (measured.quality, measured.flags) == (Quality.QUESTIONABLE, Flag.RESET)


def test_a_register_that_falls_back_may_also_have_been_too_high() -> None:
    measured = session([*line(40), 80_000, 83_000, 86_000])
    assert measured.flags == Flag.ROLLBACK
    assert measured.best_e4kwh == 117_000 + 6_000
    assert measured.low_e4kwh == 117_000 + 6_000 - 2 - (117_000 - 80_000)
    assert measured.high_e4kwh == 117_000 + 6_000 + 2 + 5_500


def test_a_gap_inside_leaves_the_total_exact() -> None:
    measured = session([0, 3_000, 3_000 + 84_000, 90_000], at_s=[0, 15, 15 + 420, 15 + 435])
    assert figures(measured) == (89_999, 90_000, 90_001)
    assert (measured.quality, measured.flags) == (Quality.VALID, Flag.GAP)
    assert measured.longest_gap_ms == 420_000


@pytest.mark.parametrize(("silence_s", "quality"), [(60, Quality.VALID), (61, Quality.ESTIMATED)])
def test_silence_before_the_end_widens_the_interval(silence_s: int, quality: Quality) -> None:
    measured = session(line(10), end_s=135 + silence_s)
    assert measured.best_e4kwh == 27_000
    assert measured.high_e4kwh == 27_001 + COUNTER.energy_at_pmax(silence_s * 1000)
    assert measured.quality == quality


def test_the_counter_after_the_end_supplies_the_end() -> None:
    measured = session([*line(10), 28_500, 28_500], state=[3] * 10 + [2, 2], end_s=150)
    assert figures(measured) == (28_499, 28_500, 28_501)
    assert (measured.last_ms, measured.naive_e4kwh) == (T0 + 135_000, 27_000)


def test_an_idle_connector_that_repeats_nonsense_changes_nothing() -> None:
    measured = session([*line(10), 0, 900_000_000], state=[3] * 10 + [2, 2])
    assert figures(measured) == (26_999, 27_000, 27_001)
    assert measured.flags == Flag(0)


def test_a_frozen_counter_is_estimated_from_power() -> None:
    values = [*line(20), *[57_000] * 24]
    measured = session(values)
    assert Flag.FROZEN in measured.flags
    assert measured.quality == Quality.ESTIMATED
    assert measured.best_e4kwh == 57_000 + 24 * STEP
    assert measured.low_e4kwh == 57_000 - 1


def test_a_counter_that_catches_up_was_late_and_lost_nothing() -> None:
    values = [*line(20), *[57_000] * 30, 57_000 + 31 * STEP]
    measured = session(values)
    assert figures(measured) == (149_999, 150_000, 150_001)
    assert (measured.quality, measured.flags) == (Quality.VALID, Flag(0))


def test_whole_kwh_rest_legitimately() -> None:
    # 3.5 kW: one kWh takes 17 minutes.
    values = [1_000_000 + 10_000 * (3_500 * 60 * minute // 3_600_000) for minute in range(120)]
    slow = MeterProfile("lifetime", 10_000, 7_700, digits=6)
    measured = session(values, slow, power_w=3_500, at_s=[60 * minute for minute in range(120)])
    assert measured.flags == Flag(0)
    assert measured.best_e4kwh == 60_000


def test_rollover_is_valid() -> None:
    values = [9_999_980_000, 9_999_990_000, 0, 10_000]
    measured = session(values, WHOLE_KWH, at_s=[0, 60, 120, 180], power_w=0)
    assert measured.best_e4kwh == 30_000
    assert (measured.quality, measured.flags) == (Quality.VALID, Flag.ROLLOVER), "an exact 0 after it is no zero read"


def test_only_the_last_tenth_of_the_register_rolls_over() -> None:
    # Three digits: from 900 kWh over 999 to 1 kWh are 101 kWh, which 150 kW deliver within the hour.
    three_digits = MeterProfile("lifetime", 100, 150_000, digits=3)
    for start, flag in ((9_000_100, Flag.ROLLOVER), (9_000_000, Flag.RESET)):
        measured = session([start, start, 10_000, 20_000], three_digits, at_s=[0, 60, 3_660, 3_720], power_w=0)
        assert flag in measured.flags


def test_zeros_before_the_start_are_no_baseline() -> None:
    measured = session([0, 0, 922_700, 925_700, 928_700], MeterProfile("lifetime", 100, 132_000), began_s=30)
    assert measured.best_e4kwh == 6_000
    assert measured.naive_e4kwh == 928_700, "what a naive platform would bill"
    assert Flag.ZERO_BASELINE | Flag.ZERO_READ in measured.flags
    assert measured.quality == Quality.DERIVED


def test_a_new_register_starts_at_a_true_zero() -> None:
    measured = session([0, 0, 0, 3_000, 6_000], MeterProfile("lifetime", 100, 132_000))
    assert (measured.best_e4kwh, measured.flags, measured.quality) == (6_000, Flag(0), Quality.VALID)


@pytest.mark.parametrize(("goes_on_from", "is_false"), [(900_000, True), (0, False)])
def test_a_zero_is_false_where_the_register_goes_on_from_its_previous_end(goes_on_from: int, is_false: bool) -> None:
    """One that has fallen since then may begin at 0: the charger restarted."""
    profile = MeterProfile("lifetime", 100, 132_000)
    values = [0, goes_on_from + 3_000, goes_on_from + 6_000]
    measured = session(values, profile, register=RegisterFacts(previous_end_e4kwh=900_000))
    assert (Flag.ZERO_BASELINE in measured.flags) == is_false


@pytest.mark.parametrize(
    ("facts", "best", "flag", "quality"),
    [
        (RegisterFacts(previous_end_e4kwh=976_000), 54_000, Flag.BASELINE_PREV_END, Quality.DERIVED),
        (RegisterFacts(bill_start_e4kwh=976_000), 54_000, Flag.BASELINE_BILL_START, Quality.DERIVED),
        (RegisterFacts(previous_end_e4kwh=100), 30_000, Flag.LATE_BASELINE, Quality.ESTIMATED),
        (RegisterFacts(), 30_000, Flag.LATE_BASELINE, Quality.ESTIMATED),
    ],
)
def test_a_late_baseline_of_an_absolute_register(facts: RegisterFacts, best: int, flag: Flag, quality: Quality) -> None:
    profile = MeterProfile("lifetime", 100, 132_000)
    values = line(11, first=1_000_000)
    seconds = [120 + 15 * place for place in range(11)]
    measured = session(values, profile, at_s=seconds, began_s=0, register=facts)
    assert (measured.best_e4kwh, measured.quality) == (best, quality)
    assert flag in measured.flags
    if flag == Flag.LATE_BASELINE:
        assert measured.high_e4kwh == 30_000 + 100 + profile.energy_at_pmax(120_000)


def test_nothing_read_is_missing_and_anything_possible() -> None:
    measured = measure(ReadingArrays.empty(), COUNTER, began_ms=T0, end_high_ms=T0 + 3_600_000)
    assert figures(measured) == (0, 0, 1_320_000)
    assert (measured.quality, measured.counter_e4kwh) == (Quality.MISSING, None)


def test_a_single_impossible_reading_is_nothing_read() -> None:
    measured = session([500_000_000], end_s=60)
    assert (measured.best_e4kwh, measured.quality) == (0, Quality.MISSING)
    assert Flag.MISSING_DATA in measured.flags


def test_more_than_the_rated_power_allows_is_doubtful() -> None:
    # 81 kW on a connector rated 60 kW (G1): each step passes within the network's delay, the sum cannot.
    measured = session([3_375 * place for place in range(100)], MeterProfile("session", 1, 66_000), power_w=81_000)
    assert Flag.POWER_RATING_DOUBTFUL in measured.flags
    assert measured.quality == Quality.QUESTIONABLE


def test_a_delayed_burst_is_no_jump() -> None:
    # 120 kW of 132: the link hangs for 25 s, then three readings arrive at once.
    profile = MeterProfile("session", 1, 132_000)
    values = [5_000 * place for place in range(12)]
    seconds = [0, 15, 30, 45, 85, 85, 90, 105, 120, 135, 150, 165]
    measured = session(values, profile, at_s=seconds, power_w=120_000)
    assert measured.best_e4kwh == 55_000
    assert measured.quality == Quality.VALID


def test_g1_the_bill_of_244_yuan() -> None:
    """Requirement G1: register 0 before the start, 92.27 .. 128.63 kWh, then silence of 422 s until the end."""
    observed_s, silence_s = 1_617, 422
    seconds = [-30, -15, *range(0, observed_s, 15), observed_s]
    charging = len(seconds) - 2
    values = [0, 0, *[922_700 + (1_286_300 - 922_700) * place // (charging - 1) for place in range(charging)]]
    profile = MeterProfile("lifetime", 100, 132_000, time_tolerance_ms=0)
    measured = session(
        values, profile, at_s=seconds, state=[2, 2] + [3] * charging, end_s=observed_s + silence_s, power_w=81_000
    )
    assert figures(measured) == (363_500, 363_600, 363_700 + profile.energy_at_pmax(422_000))
    assert 103_000 <= measured.high_e4kwh - 363_700 <= 193_000, "+10.3 .. +19.3 kWh"
    assert measured.quality == Quality.ESTIMATED
    assert Flag.TAIL_GAP in measured.flags


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"register_kind": "daily"}, "register_kind 'daily'"),
        ({"quantum_e4kwh": 0}, "quantum_e4kwh 0"),
        ({"pmax_w": 0}, "pmax_w 0"),
        ({"digits": 13}, "digits 13"),
    ],
)
def test_a_profile_that_no_meter_has_is_refused(changes: dict[str, object], named: str) -> None:
    values: dict[str, object] = {"register_kind": "session", "quantum_e4kwh": 1, "pmax_w": 1} | changes
    with pytest.raises(MeterProfileError, match=named):
        MeterProfile(**values)  # type: ignore[arg-type]  # the point of the test
