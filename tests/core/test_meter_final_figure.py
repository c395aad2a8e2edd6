"""The five rules of the final figure: each decides where it should, and not one case earlier."""

import msgspec
import pytest

from core.meter.final_figure import Comparison, FinalFigure, final_figure, net_energy
from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, measure
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays

T0 = 1_700_000_000_000
HOUR_MS = 3_600_000
PROFILE = MeterProfile("session", 1, 132_000)
REGISTER = MeterProfile("lifetime", 1, 132_000)  # with a count of the charger's own beside it
END_MS = T0 + HOUR_MS


def measured(**changes: object) -> Measurement:
    """30 kWh, measured to the quantum by a counter that was read up to the end; power agrees."""
    base = {name: getattr(EMPTY, name) for name in Measurement.__struct_fields__ if name not in FOLLOW}
    plain: dict[str, object] = {
        "best_e4kwh": 300_000,
        "low_e4kwh": 299_999,
        "high_e4kwh": 300_001,
        "quality": Quality.VALID,
        "flags": Flag(0),
        "segments": 1,
        "charging_readings": 240,
        "began_ms": T0 - 60_000,
        "first_ms": T0,
        "last_ms": END_MS,
        "trusted_until_ms": END_MS,
        "counter_e4kwh": 300_000,
        "counter_last_ms": END_MS,
        "power_e4kwh": 301_000,
    }
    told = base | plain | changes
    return Measurement(**{"seen_power_e4kwh": told["power_e4kwh"], "heard_until_ms": told["trusted_until_ms"]} | told)


FOLLOW = ("seen_power_e4kwh", "heard_until_ms")
EMPTY = measure(ReadingArrays.empty(), PROFILE)
BROKEN: dict[str, object] = {
    "quality": Quality.QUESTIONABLE,
    "flags": Flag.RESET,
    "best_e4kwh": 120_000,
    "low_e4kwh": 100_000,
    "high_e4kwh": 140_000,
}


def decided(
    measurement: Measurement,
    bill_e4kwh: int | None,
    profile: MeterProfile = PROFILE,
    *,
    duration_ms: int = HOUR_MS,
    end_high_ms: int = END_MS,
) -> FinalFigure:
    return final_figure(measurement, bill_e4kwh, profile, duration_ms=duration_ms, end_high_ms=end_high_ms)


def test_rule_1_the_bill_confirmed() -> None:
    assert decided(measured(), 299_500) == FinalFigure(1, 299_500, Quality.VALID, True)
    assert decided(measured(quality=Quality.DERIVED), 299_500).quality == Quality.DERIVED
    silent = measured(quality=Quality.ESTIMATED, high_e4kwh=450_000, last_ms=END_MS - 600_000)
    assert decided(silent, 420_000) == FinalFigure(1, 420_000, Quality.DERIVED, True)


def compared(measurement: Measurement, bill_e4kwh: int | None, comparison: Comparison) -> FinalFigure:
    return final_figure(
        measurement, bill_e4kwh, PROFILE, duration_ms=HOUR_MS, end_high_ms=END_MS, comparison=comparison
    )


def test_what_is_billed_behind_a_rectifier_is_what_reaches_the_vehicle() -> None:
    behind = Comparison(efficiency_e4=500)
    assert compared(measured(power_e4kwh=0), 285_000, behind) == FinalFigure(1, 285_000, Quality.VALID, True)
    assert compared(measured(power_e4kwh=0), 300_000, behind).energy_e4kwh == 285_000
    assert compared(measured(power_e4kwh=0, counter_e4kwh=None), None, behind) == FinalFigure(
        4, 285_000, Quality.VALID, True
    )
    assert compared(measured(power_e4kwh=0), None, behind) == FinalFigure(3, 285_000, Quality.DERIVED, True)


def test_the_tolerance_of_code_8_decides_what_is_billed() -> None:
    assert compared(measured(), 285_000, Comparison()).energy_e4kwh == 300_000
    assert compared(measured(), 285_000, Comparison(tolerance_share_e4=600)).energy_e4kwh == 285_000
    assert compared(measured(), 285_000, Comparison(tolerance_e4kwh=15_000)).energy_e4kwh == 285_000
    assert compared(measured(), 299_500, Comparison(0, 0)).energy_e4kwh == 300_000


def test_losses_only_add() -> None:
    assert [net_energy(300_000, loss) for loss in (0, 300_000, 310_000, 290_000)] == [
        300_000,
        300_000,
        300_000,
        290_000,
    ]


@pytest.mark.parametrize(("bill", "rule"), [(303_031, 1), (303_032, 3), (297_029, 1), (297_028, 3)])
def test_rule_1_ends_at_the_tolerance_of_code_8(bill: int, rule: int) -> None:
    # 1 % of the bill either side of [299_999, 300_001].
    assert decided(measured(), bill).rule == rule


def test_a_small_energy_has_a_tolerance_of_a_tenth_of_a_kwh() -> None:
    tolerance = Comparison().tolerance
    assert (tolerance(0), tolerance(100_000), tolerance(200_000)) == (1_000, 1_000, 2_000)


def test_a_bill_that_only_itself_speaks_for_is_estimated() -> None:
    nothing = measure(ReadingArrays.empty(), PROFILE, began_ms=T0, end_high_ms=END_MS)
    assert decided(nothing, 300_000) == FinalFigure(1, 300_000, Quality.ESTIMATED, True)


def test_a_bill_beyond_the_physical_limit_is_refuted() -> None:
    # 30 kWh in ten minutes would be 180 kW of 132.
    assert decided(measured(), 300_000, duration_ms=600_000) == FinalFigure(3, 300_000, Quality.DERIVED, False)
    nothing = measure(ReadingArrays.empty(), PROFILE, began_ms=T0, end_high_ms=T0 + 600_000)
    refuted = decided(nothing, 300_000, duration_ms=600_000)
    assert refuted == FinalFigure(5, None, Quality.MISSING, True), "and nothing else is known"


def test_rule_2_bill_and_counter_agree_where_the_register_is_broken() -> None:
    assert decided(measured(**BROKEN), 299_000, REGISTER) == FinalFigure(2, 299_000, Quality.DERIVED, True)
    frozen = measured(**BROKEN | {"quality": Quality.ESTIMATED, "flags": Flag.FROZEN})
    assert decided(frozen, 299_000, REGISTER).rule == 2
    assert decided(measured(**BROKEN), 299_000).rule == 5, "the counter is the broken register itself"


@pytest.mark.parametrize(
    "changes",
    [
        {"quality": Quality.DERIVED, "flags": Flag.SPIKE},
        {"counter_e4kwh": 200_000},
        {"counter_e4kwh": None},
        {"power_e4kwh": 150_000},
    ],
    ids=["register reliable", "counter disagrees", "no counter", "power contradicts"],
)
def test_rule_2_needs_all_of_it(changes: dict[str, object]) -> None:
    assert decided(measured(**BROKEN | changes), 299_000, REGISTER).rule != 2


def test_power_speaks_only_for_the_time_in_which_it_was_read() -> None:
    unobserved = measured(**BROKEN | {"power_e4kwh": 200_000, "first_ms": T0 + 300_000})
    assert decided(unobserved, 299_000, REGISTER).rule == 2, "the rest may have flowed before the first reading"


def test_rule_3_the_counter_where_no_bill_stands() -> None:
    assert decided(measured(), None) == FinalFigure(3, 300_000, Quality.DERIVED, True)
    assert decided(measured(), 300_000_000).rule == 3
    by_power = measured(**BROKEN)
    assert decided(by_power, None, REGISTER) == FinalFigure(3, 300_000, Quality.DERIVED, True), "it agrees with power"


def test_rule_3_needs_a_counter_that_reaches_the_end_and_a_second_witness() -> None:
    assert decided(measured(), None, end_high_ms=END_MS + 60_000).rule == 3
    assert decided(measured(), None, end_high_ms=END_MS + 60_001).rule == 4
    alone = measured(**BROKEN | {"power_e4kwh": 200_000})
    assert decided(alone, None, REGISTER).rule == 5


def test_rule_3_needs_a_counter_that_was_read_when_little_flowed_any_more() -> None:
    """18 kW for 30 s are 0.15 kWh, half a percent of 30 kWh."""
    wide = {"high_e4kwh": 310_000}
    assert decided(measured(**wide, last_power_w=17_900), None, end_high_ms=END_MS + 30_000).rule == 3
    assert decided(measured(**wide, last_power_w=18_100), None, end_high_ms=END_MS + 30_000).rule == 5
    unknown = measured(**wide, power_e4kwh=0)
    assert decided(unknown, None, end_high_ms=END_MS + 30_000).rule == 5, "any power may have flowed"


FROZEN: dict[str, object] = {
    "quality": Quality.ESTIMATED,
    "flags": Flag.FROZEN,
    "best_e4kwh": 301_000,
    "low_e4kwh": 199_999,
    "high_e4kwh": 316_000,
    "counter_e4kwh": 200_000,
    "unproven_e4kwh": 101_000,
}


@pytest.mark.parametrize(
    ("changes", "bill", "rule"),
    [
        (FROZEN, 200_000, 5),
        (FROZEN, 300_000, 1),
        (FROZEN | {"power_e4kwh": 0}, 200_000, 5),
        (BROKEN | {"low_e4kwh": 290_000, "best_e4kwh": 300_000, "high_e4kwh": 306_000}, 300_500, 1),
        (BROKEN | {"low_e4kwh": 290_000, "best_e4kwh": 300_000, "high_e4kwh": 306_000}, 298_499, 5),
        ({"flags": Flag.STANDSTILL, "high_e4kwh": 330_000, "unproven_e4kwh": 28_000}, 300_000, 5),
        (
            {"flags": Flag.STANDSTILL, "high_e4kwh": 330_000, "unproven_e4kwh": 28_000, "power_e4kwh": 315_000},
            320_000,
            1,
        ),
        ({"flags": Flag.AMBIGUOUS, "high_e4kwh": 450_000}, 400_000, 5),
        ({"flags": Flag.AMBIGUOUS, "high_e4kwh": 450_000}, 310_000, 1),
    ],
    ids=[
        "it has the register's own loss",
        "it counted on where the register froze",
        "nor without power",
        "it is the sum of the segments",
        "it lacks what the register lost",
        "it has the loss of a short rest",
        "it counted on in a short rest",
        "power refutes it",
        "power bears it out",
    ],
)
def test_rule_1_confirms_no_bill_that_repeats_the_register_s_failure(
    changes: dict[str, object], bill: int, rule: int
) -> None:
    assert decided(measured(**changes), bill).rule == rule


def test_power_is_no_witness_of_silences() -> None:
    """What power says of a silence is a guess: 20 kWh were seen, and 10 minutes at 132 kW were not."""
    silent: dict[str, object] = {"high_e4kwh": 500_000, "seen_power_e4kwh": 200_000, "unseen_power_ms": 600_000}
    assert decided(measured(**silent), 420_000).rule == 1
    assert decided(measured(**silent | {"unseen_power_ms": 0}), 420_000).rule != 1


def test_a_bill_of_zero_is_refuted_by_evidence_only() -> None:
    assert decided(measured(), 0).rule == 3
    failed_start = measured(best_e4kwh=0, low_e4kwh=0, high_e4kwh=1, counter_e4kwh=0, power_e4kwh=0)
    assert decided(failed_start, 0) == FinalFigure(4, 0, Quality.VALID, True)


def test_rule_4_the_measurement_where_it_is_narrow() -> None:
    absolute = measured(counter_e4kwh=None)
    assert decided(absolute, None) == FinalFigure(4, 300_000, Quality.VALID, True)
    one_percent = measured(counter_e4kwh=None, low_e4kwh=299_999, high_e4kwh=302_999)
    assert decided(one_percent, None).rule == 4
    assert decided(msgspec.structs.replace(one_percent, high_e4kwh=303_000), None).rule == 5


def test_rule_5_is_a_proposal_and_held() -> None:
    wide = measured(counter_e4kwh=None, high_e4kwh=450_000)
    assert decided(wide, None) == FinalFigure(5, 300_000, Quality.ESTIMATED, True), "a valid but wide figure is held"
    assert decided(measured(**BROKEN | {"counter_e4kwh": None}), None).quality == Quality.QUESTIONABLE
    assert decided(EMPTY, None) == FinalFigure(5, None, Quality.MISSING, True)


def test_a_proposal_beyond_the_limit_says_so() -> None:
    assert not decided(measured(counter_e4kwh=None), None, duration_ms=60_000).inside_physical_limit


def test_rule_4_needs_a_figure_that_lacks_nothing_of_the_end() -> None:
    """18 kW for 30 s are 0.15 kWh, half a percent of 30 kWh: the interval is narrow, its best value may be wrong."""
    absolute = {"counter_e4kwh": None, "high_e4kwh": 302_000}
    assert decided(measured(**absolute, last_power_w=17_900), None, end_high_ms=END_MS + 30_000).rule == 4
    assert decided(measured(**absolute, last_power_w=18_100), None, end_high_ms=END_MS + 30_000).rule == 5


@pytest.mark.parametrize(("bill", "rule"), [(169_000, 5), (215_000, 1)])
def test_a_record_that_may_lack_a_fall_is_not_confirmed_by_what_flowed_after_the_last_reading(
    bill: int, rule: int
) -> None:
    """12 kWh, 6 of which the register lost; then 5 minutes at up to 132 kW. 16.9 may be 6 and the end: 11 kWh."""
    fallen = BROKEN | {"fallen_e4kwh": 60_000, "high_e4kwh": 250_000, "power_e4kwh": 115_000, "last_power_w": 132_000}
    measurement = measured(**fallen, trusted_until_ms=END_MS - 300_000, last_ms=END_MS - 300_000)
    assert decided(measurement, bill).rule == rule


def test_a_record_of_the_sum_is_confirmed_where_nothing_can_have_hidden_the_fall() -> None:
    assert decided(measured(**BROKEN | {"fallen_e4kwh": 60_000, "power_e4kwh": 115_000}), 120_500).rule == 1


@pytest.mark.parametrize(("bill", "rule"), [(300_000, 1), (240_000, 5)])
def test_where_power_contradicts_the_register_the_record_must_be_what_power_says(bill: int, rule: int) -> None:
    """The register counts a hundredth; silences leave 20 kWh open that power says nothing of."""
    contradicts: dict[str, object] = {
        "quality": Quality.QUESTIONABLE,
        "flags": Flag.POWER_CONTRADICTS,
        "best_e4kwh": 3_000,
        "low_e4kwh": 0,
        "high_e4kwh": 600_000,
        "counter_e4kwh": None,
        "seen_power_e4kwh": 200_000,
        "unseen_power_ms": 600_000,
    }
    assert decided(measured(**contradicts), bill).rule == rule


@pytest.mark.parametrize(("bill", "rule"), [(300_000, 1), (270_000, 5)])
def test_beside_a_register_that_failed_the_power_at_both_ends_of_a_silence_speaks(bill: int, rule: int) -> None:
    silent: dict[str, object] = {
        "flags": Flag.FROZEN,
        "quality": Quality.ESTIMATED,
        "best_e4kwh": 280_000,
        "low_e4kwh": 100_000,
        "high_e4kwh": 330_000,
        "unproven_e4kwh": 100_000,
        "seen_power_e4kwh": 250_000,
        "unseen_power_ms": 300_000,
        "counter_e4kwh": None,
    }
    assert decided(measured(**silent), bill).rule == rule


def test_a_broken_register_that_rose_without_power_confirms_no_record_that_repeats_it() -> None:
    """The sum of the segments holds 4 kWh that power excludes."""
    both = BROKEN | {"unexplained_e4kwh": 40_000, "power_e4kwh": 118_000}
    assert decided(measured(**both), 120_000).rule == 5
    assert decided(measured(**both | {"unexplained_e4kwh": 0}), 120_000).rule == 1


@pytest.mark.parametrize(("bill", "energy"), [(224_000, 222_000), (223_000, 223_000)])
def test_a_record_of_the_whole_register_is_none_of_the_charge(bill: int, energy: int) -> None:
    """The register began at 2 kWh of 224: within the tolerance of 1 %, and off by more than a figure may be."""
    whole = MeterProfile("lifetime", 1_000, 132_000)
    register = measured(
        best_e4kwh=222_000,
        low_e4kwh=221_000,
        high_e4kwh=223_000,
        power_e4kwh=220_000,
        counter_e4kwh=None,
        register_start_e4kwh=2_000,
        register_end_e4kwh=224_000,
    )
    assert decided(register, bill, whole).energy_e4kwh == energy
    assert decided(register, bill, MeterProfile("boot", 1_000, 132_000)).energy_e4kwh == bill, "it began at 0"


def test_a_record_of_a_whole_register_that_began_at_its_first_quantum_is_none_of_the_charge() -> None:
    """6.6 kWh that a meter of whole kWh shows as 1 to 8: the record's 8 lies in [6, 8], and is off by 1.4."""
    register = measured(
        best_e4kwh=70_000,
        low_e4kwh=60_000,
        high_e4kwh=80_000,
        power_e4kwh=64_600,
        counter_e4kwh=None,
        register_start_e4kwh=10_000,
        register_end_e4kwh=80_000,
    )
    assert decided(register, 80_000, MeterProfile("lifetime", 10_000, 66_000)).energy_e4kwh == 70_000
    assert decided(register, 70_000, MeterProfile("lifetime", 10_000, 66_000)).rule == 1
