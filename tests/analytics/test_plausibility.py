"""Whether a story holds together: the figures of the 244.40-yuan case, to the second and to the kilowatt."""

import pytest

from analytics.plausibility import growth, hypotheses, mean_power_w, observed_times
from analytics.three_facts import price_of
from tests.analytics.measured_session import (
    PERIOD_MS,
    START_MS,
    TARIFFS,
    bill_row,
    lifetime_curve,
    session_row,
    steady,
)

TAIL = {"end_high_ms": START_MS + 2_039_000, "unobserved_end_ms": 422_000, "life": "ended_offline"}
G1 = session_row(**TAIL, flags=["ZERO_BASELINE", "TAIL_GAP"], quality="ESTIMATED", bill_state="lost")
EVERY_15_S = [922_700 + 363_600 * place // 108 for place in range(109)]


def test_observed_and_unobserved_time_of_the_offline_gap() -> None:
    """Requirement B20: observed 1 617 s, unobserved 422 s, total 2 039 s."""
    times = observed_times(G1, lifetime_curve(EVERY_15_S, end_high_ms=START_MS + 2_039_000))
    assert times is not None
    assert (times.observed_ms, times.unobserved_ms, times.total_ms) == (1_617_000, 422_000, 2_039_000)
    assert times.silences == ((START_MS + 1_617_000, START_MS + 2_039_000),)


def test_a_silence_in_the_middle_counts_as_unseen_once() -> None:
    curve = lifetime_curve(steady(40), receive_ms=None)
    pause = [*range(10), *range(30, 40)]
    quiet = lifetime_curve([steady(40)[place] for place in pause])
    assert not curve.gaps() and not quiet.gaps(), "these readings are 15 s apart"
    row = session_row(end_ms=START_MS + 39 * PERIOD_MS, end_high_ms=START_MS + 39 * PERIOD_MS)
    times = observed_times(row, curve)
    assert times is not None
    assert (times.unobserved_ms, times.observed_ms) == (0, 39 * PERIOD_MS)


def test_what_was_not_heard_after_the_start_counts_where_no_order_is_known() -> None:
    row = session_row(order_created_ms=0, unobserved_start_ms=180_000)
    times = observed_times(row, lifetime_curve(EVERY_15_S))
    assert times is not None
    assert times.from_ms == START_MS - 180_000
    assert times.silences[0] == (START_MS - 180_000, START_MS)
    assert times.observed_ms == 1_617_000


def test_a_charge_under_way_has_no_times_yet() -> None:
    assert observed_times(session_row(life="open"), lifetime_curve(EVERY_15_S)) is None


def test_a_steady_register_grows_in_a_line_and_a_jump_shows_as_the_largest_residual() -> None:
    line = growth(session_row(), lifetime_curve(steady(100)))
    assert line is not None
    assert line.r_squared == pytest.approx(1, abs=1e-9)
    assert abs(line.residual_e4kwh) <= 1
    assert (line.register_w, line.electric_w) == (79_200, 80_000)
    bent = [value if place < 50 else value - 40_000 * (place - 50) // 50 for place, value in enumerate(steady(100))]
    off = growth(session_row(), lifetime_curve(bent))
    assert off is not None
    assert off.r_squared < 0.999
    assert abs(off.residual_e4kwh) > 5_000


@pytest.mark.parametrize("registers", [[], [922_700], [922_700, 926_000], [922_700] * 20])
def test_hardly_any_reading_or_no_energy_is_no_line(registers: list[int]) -> None:
    assert growth(session_row(), lifetime_curve(registers)) is None


def test_readings_behind_the_end_do_not_bend_the_line() -> None:
    row = session_row(end_ms=START_MS + 50 * PERIOD_MS)
    line = growth(row, lifetime_curve([*steady(51), *([steady(51)[-1]] * 40)]))
    assert line is not None
    assert (line.readings, round(line.r_squared, 9)) == (51, 1)


def test_the_three_hypotheses_of_the_case_with_their_power_and_money() -> None:
    """Requirement B04 and ambiguity Q3: 36.36, 92.27 and 128.63 kWh; S16: 227 to 286 kW for 244.40 yuan."""
    curve = lifetime_curve([0, *EVERY_15_S], end_high_ms=START_MS + 2_039_000)
    bill = bill_row(final_rule=5, held=1)
    found = {
        one.name: one
        for one in hypotheses(G1, curve, observed_times(G1, curve), lambda energy: price_of(energy, bill, G1, TARIFFS))
    }
    assert {name: one.energy_e4kwh for name, one in found.items()} == {
        "first_true": 363_600,
        "first_delivered": 922_700,
        "from_zero": 1_286_300,
    }
    assert [one.amount_fen for one in found.values()] == [6_908, 17_531, 24_440]
    assert found["first_true"].chosen and found["first_true"].possible
    assert round(found["first_true"].observed_w, -3) == 81_000
    assert round(found["first_delivered"].observed_w, -3) == 205_000
    assert (round(found["from_zero"].total_w, -3), round(found["from_zero"].observed_w, -3)) == (227_000, 286_000)
    assert not found["first_delivered"].possible and not found["from_zero"].possible


def test_the_previous_end_is_a_hypothesis_of_its_own_where_it_is_known() -> None:
    row = session_row(flags=["LATE_BASELINE"], previous_end_e4kwh=900_000)
    curve = lifetime_curve(EVERY_15_S)
    names = [one.name for one in hypotheses(row, curve, observed_times(row, curve), lambda _energy: None)]
    assert names == ["first_true", "previous_end", "first_delivered", "from_zero"]


def test_a_register_whose_begin_was_told_and_a_counter_need_no_hypotheses() -> None:
    told = lifetime_curve(EVERY_15_S, told_start=922_700)
    times = observed_times(session_row(), told)
    assert hypotheses(session_row(), told, times, lambda _energy: None) == []
    counter = session_row(register_kind="session", flags=["LATE_BASELINE"])
    assert hypotheses(counter, lifetime_curve(EVERY_15_S), times, lambda _energy: None) == []


def test_mean_power_of_no_time_is_none() -> None:
    assert (mean_power_w(10_000, 3_600_000), mean_power_w(10_000, 0)) == (1_000, 0)
