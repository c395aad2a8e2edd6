"""The compiled calculator and its plain twin judge the same sessions alike, reading by reading."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.meter.calculator import MeterCalculator
from core.meter.flags import Flag
from core.meter.profile import MeterProfile
from tests.core.line_oracle import Reading, Step
from tests.core.meter_oracle import Judgement, Oracle

T0 = 1_700_000_000_000

profiles = st.builds(
    MeterProfile,
    register_kind=st.sampled_from(["session", "lifetime", "boot"]),
    quantum_e4kwh=st.sampled_from([1, 100, 10_000]),
    pmax_w=st.sampled_from([7_700, 66_000, 132_000]),
    digits=st.sampled_from([0, 3]),
    time_tolerance_ms=st.sampled_from([0, 30_000]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Reading]:
    """A register that mostly counts, and readings of it that are mostly right."""
    steps_ms = st.sampled_from([15_000, 15_000, 15_000, 0, 1_000, 40_000, 90_000, 400_000])
    powers_w = st.sampled_from([60_000, 60_000, 7_000, 500, 501, 0])
    rises = st.one_of(st.just(0), st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 60_000))
    mistakes = st.sampled_from(
        ["right"] * 14 + ["zero", "zero", "up", "bump", "down", "jitter", "restart", "idle", "absurd", "rest", "rest"]
    )
    at_ms = T0
    true_value = draw(st.sampled_from([0, 0, 50_000, 9_985_000, 999_985_000, 2**32 * 100 - 15_000]))
    wraps_at = draw(st.sampled_from([10**7, 10**9, 2**32 * 100]))
    counted = draw(st.sampled_from([-1, -1, 0, 500]))
    readings = []
    for _ in range(draw(st.integers(0, 25))):
        at_ms += draw(steps_ms)
        mistake = draw(mistakes)
        rise = draw(rises)
        true_value = (true_value + (0 if mistake == "rest" else rise)) % wraps_at
        counted += rise if counted >= 0 else 0
        shown = true_value
        if mistake == "zero":
            shown = 0
        elif mistake == "up":
            shown = true_value + draw(st.sampled_from([50, 5_000, 500_000_000]))
        elif mistake == "bump":
            shown = true_value + draw(st.integers(3, 9_000))
        elif mistake == "absurd":
            shown = draw(st.sampled_from([-1, -(2**63), 2**63 - 1, 2**32 * 100 - 100, 10**15 + 1]))
        elif mistake == "down":
            shown = draw(st.integers(0, true_value))
        elif mistake == "jitter":
            shown = max(0, true_value - draw(st.integers(0, 3)))
        elif mistake == "restart":
            shown = true_value = draw(st.integers(0, 3_000))
        count = counted if draw(st.integers(0, 9)) else draw(st.sampled_from([-1, 0, 10**9]))
        readings.append(Reading(at_ms, shown, draw(powers_w), mistake != "idle", count if counted >= 0 else -1))
    return readings


def compiled(
    profile: MeterProfile, start_ms: int, readings: list[Reading], zero_is_false: bool, told_start: int = 0
) -> Judgement:
    """The compiled calculator over whole columns."""
    calculator = MeterCalculator(profile, start_ms, zero_is_false)
    calculator.told_start(start_ms, told_start)
    accepted = np.zeros(len(readings), dtype=np.int64)
    flags = np.zeros(len(readings), dtype=np.uint32)
    rows = np.zeros((len(readings) + 3, 7), dtype=np.int64)
    filled = calculator.run(
        np.array([reading.ms for reading in readings], dtype=np.int64),
        np.array([reading.value for reading in readings], dtype=np.int64),
        np.array([3 if reading.charging else 2 for reading in readings], dtype=np.uint8),
        np.array([reading.power_w for reading in readings], dtype=np.int64),
        np.array([reading.counter for reading in readings], dtype=np.int64),
        accepted,
        flags,
        rows,
    )
    return Judgement(
        calculator.accepted_e4kwh,
        calculator.overcounted_e4kwh,
        calculator.segments,
        calculator.unsure_low_e4kwh,
        calculator.unsure_high_e4kwh,
        calculator.rested_e4kwh,
        calculator.unexplained_e4kwh,
        calculator.frozen_e4kwh,
        calculator.frozen_high_e4kwh,
        calculator.flags,
        flags.tolist(),
        accepted.tolist(),
        calculator.power_energy_e4kwh,
        [Step(*row) for row in rows[:filled].tolist()],
    )


@settings(max_examples=300, deadline=None)
@given(
    profiles,
    histories(),
    st.booleans(),
    st.sampled_from([0, 60_000, 600_000]),
    st.sampled_from([0, 0, 1, 49_000, 50_000, 51_000, 9_984_000, 10**9]),
)
def test_the_compiled_calculator_equals_its_plain_twin(
    profile: MeterProfile, readings: list[Reading], zero_is_false: bool, earlier_ms: int, told_start: int
) -> None:
    start_ms = T0 - earlier_ms
    twin = Oracle(profile, start_ms, zero_is_false, told_start)
    assert compiled(profile, start_ms, readings, zero_is_false, told_start) == twin.judge(readings)


@settings(max_examples=100, deadline=None)
@given(profiles, histories())
def test_one_by_one_equals_whole_columns(profile: MeterProfile, readings: list[Reading]) -> None:
    """The live figure is the final one, as far as the readings have come."""
    charging = [reading for reading in readings if reading.charging]
    calculator = MeterCalculator(profile, T0)
    live: list[int] = []
    closed: list[tuple[int, ...]] = []
    for reading in charging:
        live.append(calculator.observe(reading.ms, reading.value, reading.power_w, reading.counter))
        closed[len(closed) - calculator.reopened :] = calculator.closed_intervals
    calculator.finish()
    closed[len(closed) - calculator.reopened :] = calculator.closed_intervals
    assert all(gain >= 0 for gain in live), "accepted energy never shrinks"
    whole = compiled(profile, T0, charging, False)
    assert calculator.accepted_e4kwh == sum(live) == whole.accepted_e4kwh
    assert np.cumsum(live).tolist() == whole.running_e4kwh
    assert closed == whole.steps


@settings(max_examples=100, deadline=None)
@given(profiles, histories())
def test_a_step_beyond_the_physical_limit_is_flagged(profile: MeterProfile, readings: list[Reading]) -> None:
    """P6: what is accepted in one step never exceeds what the connector can deliver since the register last rose."""
    judged = Oracle(profile, T0).judge(readings)
    for place in range(1, len(readings)):
        gained = judged.running_e4kwh[place] - judged.running_e4kwh[place - 1]
        whole_time_ms = readings[place].ms - T0 + profile.time_tolerance_ms
        assert gained <= profile.energy_at_pmax(whole_time_ms) + 2 * profile.quantum_e4kwh
        forgiven = Flag.SPIKE | Flag.AMBIGUOUS  # too small to be seen before the register was back
        if gained and judged.reading_flags[place] & forgiven != forgiven:
            assert not judged.reading_flags[place] & (Flag.SPIKE | Flag.ZERO_READ | Flag.JUMP)


def test_columns_of_different_lengths_are_refused() -> None:
    calculator = MeterCalculator(MeterProfile("session", 1, 66_000), T0)
    two, one = np.zeros(2, dtype=np.int64), np.zeros(1, dtype=np.int64)
    state, flags = np.zeros(2, dtype=np.uint8), np.zeros(2, dtype=np.uint32)
    with pytest.raises(ValueError, match="one length"):
        calculator.run(two, one, state, two, two, two.copy(), flags, np.zeros((5, 7), dtype=np.int64))


def test_a_rise_in_a_word_after_the_charge_is_ahead_of_no_power() -> None:
    """Two such words at one moment, and then the charge goes on without its register."""
    profile = MeterProfile("session", 1, 7_700)
    shown = [(15_000, 0, True), (30_000, 1, False), (30_000, 158, False), (45_000, 158, True), (46_000, 158, True)]
    readings = [Reading(T0 + ms, value, 60_000, charging) for ms, value, charging in shown]
    judged = compiled(profile, T0, readings, False, 0)
    assert judged == Oracle(profile, T0, False, 0).judge(readings)
    assert judged.flags & Flag.STANDSTILL
