"""The steps of a measurement: they cover the charge, sum to its best figure, and each holds what it delivered."""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, RegisterFacts, measure
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays
from tests.core import test_meter_truth as simulated

T0 = simulated.T0
FAULTS = {fault.__name__: fault for fault, _kinds in simulated.CASES}
MISPLACED = ("arrives_late", "twice_and_shuffled", "spike", "dip", "zeros_at_start")
"""Here a step may hold what its neighbours delivered, and only the sum is right: readings are thought to be taken at
another time, or are false by less than the connector can charge in a step."""


def charged(fault: str, kind: str, seed: int) -> tuple[simulated.Charge, Measurement]:
    rng = random.Random(f"{fault} {kind} {seed}")
    charge = simulated.Charge(rng, kind)
    return charge, simulated.measured_by(charge, FAULTS[fault](rng, charge, charge.readings()))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FAULTS)), st.sampled_from(simulated.EVERY_KIND), st.integers(0, 500))
@example("frozen_to_the_end", "session", 125)
def test_the_steps_cover_the_charge_and_sum_to_its_best_figure(fault: str, kind: str, seed: int) -> None:
    charge, measured = charged(fault, kind, seed)
    steps = measured.intervals
    assert steps.from_ms[0] == measured.began_ms
    assert (steps.to_ms[:-1] == steps.from_ms[1:]).all(), "without holes"
    assert int(steps.to_ms[-1]) == max(T0 + 1_000 * charge.seconds, measured.last_ms)
    assert int(steps.accepted_e4kwh.sum() + steps.estimated_e4kwh.sum()) == measured.best_e4kwh
    proven_high = steps.high_e4kwh - steps.accepted_e4kwh
    beyond_steps = measured.high_e4kwh - measured.best_e4kwh - int(proven_high.sum())
    if beyond_steps > 0 and Flag.POWER_CONTRADICTS not in measured.flags:
        # Only what power says of the whole charge is in no step: where one quantum hides 5 % of the charge, and no more
        # than truly flowed while it was told, with what a trapezoid over 15 s may be off at both ends.
        assert Flag.STANDSTILL in measured.flags
        truth = charge.delivered_e4kwh(charge.seconds)
        assert 20 * charge.profile.quantum_e4kwh >= measured.power_e4kwh
        assert beyond_steps <= truth - measured.best_e4kwh + charge.profile.energy_at_pmax(30_000)
    assert (steps.low_e4kwh <= steps.accepted_e4kwh).all() and (steps.accepted_e4kwh <= steps.high_e4kwh).all()
    assert int(steps.quality.min()) >= int(min(measured.quality, Quality.VALID))


@pytest.mark.parametrize("kind", simulated.EVERY_KIND)
@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - set(MISPLACED)))
def test_each_step_holds_what_was_delivered_in_it(fault: str, kind: str) -> None:
    """Except where a later step takes it back, as after a fall of the register."""
    if fault == "rolls_over" and kind == "session":
        pytest.skip("a session counter has no last digit")
    for seed in range(25):
        charge, measured = charged(fault, kind, seed)
        if Flag.ROLLBACK in measured.flags or Flag.AMBIGUOUS in measured.flags:
            continue
        slack = simulated.cannot_be_seen(FAULTS[fault], charge.profile) + charge.profile.quantum_e4kwh
        if fault == "frozen_then_right":
            slack += charge.profile.energy_at_pmax(15_000)  # power is sampled: it may end right after a reading
        taken_back = min(0, int(measured.intervals.low_e4kwh.min()))
        for step in measured.intervals.rows():
            delivered = charge.delivered_e4kwh((step.to_ms - T0) // 1_000)
            delivered -= charge.delivered_e4kwh(max(0, (step.from_ms - T0) // 1_000))
            low, high = min(0, step.low_e4kwh) if taken_back else step.low_e4kwh, step.high_e4kwh
            assert low - slack <= delivered <= high + slack, f"seed {seed}: {delivered} in {step}"


def test_a_rest_is_one_step_with_its_rule_and_its_estimate() -> None:
    profile = MeterProfile("session", 1, 132_000, time_tolerance_ms=0)
    values = [3_000 * place for place in range(20)] + [57_000] * 24
    readings = ReadingArrays.of([T0 + 15_000 * place for place in range(44)], values, power_w=[72_000] * 44)
    *_, rest = measure(readings, profile, began_ms=T0).intervals.rows()
    assert (rest.from_ms, rest.to_ms) == (T0 + 19 * 15_000, T0 + 43 * 15_000)
    assert (rest.accepted_e4kwh, rest.estimated_e4kwh) == (0, 24 * 3_000)
    assert (rest.rules, rest.quality) == (("FROZEN",), Quality.ESTIMATED)


def test_the_time_before_the_first_reading_and_after_the_last_are_steps_too() -> None:
    profile = MeterProfile("lifetime", 100, 132_000)
    readings = ReadingArrays.of([T0 + 120_000, T0 + 135_000], [1_000_000, 1_003_000], power_w=[72_000] * 2)
    facts = RegisterFacts(previous_end_e4kwh=976_000)
    measured = measure(readings, profile, began_ms=T0, end_high_ms=T0 + 435_000, register=facts)
    begin, step, tail = measured.intervals.rows()
    assert (begin.accepted_e4kwh, begin.rules, begin.quality) == (24_000, ("BASELINE_PREV_END",), Quality.DERIVED)
    assert (step.accepted_e4kwh, step.rules, step.quality) == (3_000, (), Quality.VALID)
    assert (tail.from_ms, tail.to_ms, tail.accepted_e4kwh) == (T0 + 135_000, T0 + 435_000, 0)
    assert (tail.high_e4kwh, tail.rules) == (profile.energy_at_pmax(300_000), ("TAIL_GAP",))
    assert tail.quality == Quality.ESTIMATED


def test_nothing_read_is_one_step_in_which_anything_may_have_flowed() -> None:
    profile = MeterProfile("session", 1, 132_000)
    (step,) = measure(ReadingArrays.empty(), profile, began_ms=T0, end_high_ms=T0 + 3_600_000).intervals.rows()
    assert (step.low_e4kwh, step.high_e4kwh, step.quality) == (0, 1_320_000, Quality.MISSING)
    assert len(measure(ReadingArrays.empty(), profile).intervals) == 0


words = st.sampled_from([0, 100, 200, -100, -300, 24_000, -24_000, 50_000_000])


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["session", "lifetime", "boot"]),
    st.sampled_from([0, 5_000_000, 99_900_000]),
    st.lists(st.tuples(st.integers(0, 4_000), words, st.sampled_from([0, 60_000, 60_000])), min_size=1, max_size=30),
)
def test_no_figure_is_negative_or_outside_of_its_bounds(
    kind: str, begin: int, steps: list[tuple[int, int, int]]
) -> None:
    values, true_value = [], 0 if kind == "session" else begin
    for rise, word, _power_w in steps:
        true_value += rise
        values.append(max(0, true_value + word))
    profile = MeterProfile(kind, 100, 132_000)  # type: ignore[arg-type]  # one of the three
    readings = ReadingArrays.of(
        [T0 + 15_000 * place for place in range(len(values))], values, power_w=[power_w for *_, power_w in steps]
    )
    measured = measure(readings, profile, began_ms=T0, end_high_ms=T0 + 600_000)
    assert 0 <= measured.low_e4kwh <= measured.best_e4kwh <= measured.high_e4kwh
    found = measured.intervals
    assert (found.accepted_e4kwh >= 0).all() and (found.estimated_e4kwh >= 0).all()
    assert (found.low_e4kwh <= found.accepted_e4kwh).all() and (found.accepted_e4kwh <= found.high_e4kwh).all()
