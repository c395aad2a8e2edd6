"""Which rules fired, when, and what they made of the readings."""

from analytics.fired_rules import MOST_ROWS, fired_rules
from tests.analytics.measured_session import PERIOD_MS, START_MS, lifetime_curve, session_row, steady


def test_no_rule_no_row() -> None:
    assert fired_rules(session_row(), lifetime_curve(steady(40))) == []


def test_a_spike_is_told_with_what_the_reading_said_and_what_counts() -> None:
    registers = steady(40)
    registers[20] += 500_000_000
    (spike,) = fired_rules(session_row(flags=["SPIKE"]), lifetime_curve(registers))
    assert spike.rules == ("SPIKE",)
    assert spike.reported_e4kwh == (registers[19], registers[21], registers[20])
    assert spike.accepted_e4kwh == registers[21] - registers[19]
    assert (spike.from_ms, spike.to_ms) == (START_MS + 19 * PERIOD_MS, START_MS + 21 * PERIOD_MS)
    assert spike.low_e4kwh is not None and spike.high_e4kwh is not None
    assert spike.low_e4kwh <= spike.accepted_e4kwh <= spike.high_e4kwh


def test_zeros_side_by_side_are_one_stretch_and_others_another() -> None:
    registers = steady(60)
    for place in (10, 11, 12, 40):
        registers[place] = 0
    first, second = fired_rules(session_row(flags=["ZERO_READ"]), lifetime_curve(registers))
    assert first.reported_e4kwh == (registers[9], registers[13], 0)
    assert second.reported_e4kwh == (registers[39], registers[41], 0)
    assert first.accepted_e4kwh == registers[13] - registers[9]


def test_an_unseen_end_opens_upwards() -> None:
    curve = lifetime_curve(steady(40), end_high_ms=START_MS + 39 * PERIOD_MS + 422_000)
    (tail,) = fired_rules(session_row(flags=["TAIL_GAP"]), curve)
    assert (tail.rules, tail.accepted_e4kwh, tail.low_e4kwh) == (("TAIL_GAP",), 0, 0)
    assert tail.high_e4kwh == -(-165_000 * 422_000 // 360_000)
    assert tail.to_ms - tail.from_ms == 422_000


def test_the_rules_of_the_whole_session_stand_behind_without_a_time() -> None:
    found = fired_rules(session_row(flags=["TARIFF_STALE"]), lifetime_curve(steady(40)))
    assert [(one.rules, one.to_ms, one.accepted_e4kwh) for one in found] == [(("TARIFF_STALE",), 0, None)]


def test_very_many_stretches_are_told_rule_by_rule() -> None:
    registers = steady(4 * (MOST_ROWS + 1))
    for place in range(3, len(registers), 4):
        registers[place] = 0
    (zeros,) = fired_rules(session_row(flags=["ZERO_READ"]), lifetime_curve([*registers, registers[-2] + 9_900]))
    assert zeros.times == MOST_ROWS + 1
    assert zeros.reported_e4kwh == (None, None, None)
