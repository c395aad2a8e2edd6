"""How the bills of an evaluation are counted: right, held, or wrong without a sign."""

import msgspec
import pytest

from benchmarks.evaluation.faults import FAULTS
from benchmarks.evaluation.goals import LEFT_OUT, MIXED, NOTHING_MISSING, READINGS_LOST, STEP_UNTOLD, WIDTH_GOAL, goals
from benchmarks.evaluation.scores import Billed, Scores
from benchmarks.evaluation.stories import Truth
from benchmarks.evaluation.table import case_lines, goal_lines, money_line, table_lines

TRUE_E4 = 400_000


def _truth(fault: str = "none", quantum: int = 100, energy: int = TRUE_E4) -> Truth:
    return Truth("44019900000001", "1" * 32, "R-120", fault, (), quantum, energy, 5_000, 40)


def _billed(
    final: int | None, *, held: bool = False, naive: int | None = TRUE_E4, codes: tuple[int, ...] = ()
) -> Billed:
    return Billed(
        final_e4kwh=final,
        low_e4kwh=TRUE_E4 - 100,
        high_e4kwh=TRUE_E4 + 100,
        naive_e4kwh=naive,
        quality="VALID",
        held=held,
        codes=codes,
        amount_fen=5_010,
    )


@pytest.mark.parametrize(
    ("quantum", "final", "verdict"),
    [
        (100, TRUE_E4, "right"),
        (100, TRUE_E4 + 2_000, "right"),  # 0.5 %
        (100, TRUE_E4 - 2_000, "right"),
        (100, TRUE_E4 + 2_001, "wrong_unflagged"),
        (100, TRUE_E4 - 2_001, "wrong_unflagged"),
        (10_000, TRUE_E4 + 10_000, "right"),  # one quantum
        (10_000, TRUE_E4 + 10_001, "wrong_unflagged"),
        (100, None, "wrong_unflagged"),
    ],
)
def test_right_is_within_half_a_percent_or_one_quantum(quantum: int, final: int | None, verdict: str) -> None:
    assert Scores().add(_truth(quantum=quantum), _billed(final)) == verdict


@pytest.mark.parametrize("final", [TRUE_E4, 0, None, 10 * TRUE_E4])
def test_a_held_bill_is_neither_right_nor_wrong(final: int | None) -> None:
    assert Scores().add(_truth(), _billed(final, held=True)) == "held"


def test_a_charge_without_a_bill_is_wrong() -> None:
    scores = Scores()
    assert scores.add(_truth("no_bill"), None) == "wrong_unflagged"
    report = scores.report()
    assert report["total"]["inside"] == 0
    assert report["total"]["p99_error_kwh"] == TRUE_E4 / 10_000


def test_every_charge_is_counted_once_under_its_fault_and_in_the_total() -> None:
    scores = Scores()
    for final, held in ((TRUE_E4, False), (0, True), (0, False), (None, True)):
        scores.add(_truth("spike"), _billed(final, held=held))
        scores.add(_truth("jump"), _billed(final, held=held))
    report = scores.report()
    assert list(report["faults"]) == ["spike", "jump"]
    for score in (*report["faults"].values(), report["total"], report["naive"], *report["naive"]["faults"].values()):
        assert score["n"] == score["right"] + score["held"] + score["wrong_unflagged"]
    assert report["total"]["n"] == 8
    assert (report["total"]["right"], report["total"]["held"], report["total"]["wrong_unflagged"]) == (2, 4, 2)
    assert report["total"]["inside"] == 8


def test_the_faults_stand_in_their_own_order() -> None:
    scores = Scores()
    for fault in reversed(list(FAULTS)):
        scores.add(_truth(fault), _billed(TRUE_E4))
    assert list(scores.report()["faults"]) == list(FAULTS)


def test_the_naive_difference_holds_nothing_and_knows_nothing_without_readings() -> None:
    scores = Scores()
    scores.add(_truth(), _billed(TRUE_E4, naive=TRUE_E4 + 2_001))
    scores.add(_truth(), _billed(TRUE_E4, naive=TRUE_E4 + 50))
    scores.add(_truth(), _billed(TRUE_E4, held=True, naive=None))
    naive = scores.report()["naive"]
    assert (naive["right"], naive["held"], naive["wrong_unflagged"], naive["inside"]) == (1, 0, 2, 1)
    assert naive["p99_error_kwh"] == TRUE_E4 / 10_000


def test_percentiles_are_values_that_occurred() -> None:
    scores = Scores()
    for error in range(1, 101):
        scores.add(_truth(), _billed(TRUE_E4 + error * 10))
    total = scores.report()["total"]
    assert (total["p50_error_kwh"], total["p99_error_kwh"]) == (0.05, 0.099)
    assert total["median_width_kwh"] == 0.02


def test_money_is_that_of_bills_which_no_person_waits_for() -> None:
    scores = Scores()
    scores.add(_truth(), _billed(TRUE_E4))
    scores.add(_truth(), _billed(TRUE_E4, held=True))
    assert scores.report()["total"]["money"] == {
        "bills": 1,
        "true_yuan": 50.0,
        "billed_yuan": 50.1,
        "p50_error_yuan": 0.1,
        "p99_error_yuan": 0.1,
    }


def test_codes_are_counted_by_their_sets() -> None:
    scores = Scores()
    for codes in ((8,), (8,), (4, 5), ()):
        scores.add(_truth(), _billed(TRUE_E4, codes=codes))
    assert scores.report()["total"]["codes"] == {"8": 2, "4,5": 1}


def test_the_table_has_a_line_for_each_fault_and_the_total() -> None:
    scores = Scores()
    scores.add(_truth("spike"), _billed(TRUE_E4))
    scores.add(_truth("none"), _billed(0))
    head, *lines = table_lines(scores.report())
    assert [line.split()[0] for line in lines] == ["none", "spike", "total"]
    assert len({len(line) for line in (head, *lines)}) == 1
    assert lines[0].split()[1:7] == ["1", "0.00", "%", "0.00", "%", "1"]


def test_goals_tell_what_is_missed() -> None:
    scores = Scores()
    scores.add(_truth("spike"), _billed(TRUE_E4, held=True))
    scores.add(_truth("none"), _billed(TRUE_E4, codes=(8,)))
    scores.add(_truth("jump"), _billed(0))
    found = goals({**scores.report(), "mix": "historic"})
    missed = {name for name, goal in found.items() if not goal["met"]}
    assert missed == {"wrong without a sign", "fault-free charges with a code", "held of spike", "right"}
    assert goals({**scores.report(), "mix": "each"}).keys() == found.keys() - {"right"}
    lines = goal_lines(found)
    assert "missed  held of spike: 100.00 % (at most 1.00 %)" in lines
    assert "missed  wrong without a sign: 1 (at most 0)" in lines
    assert "met     truth inside the interval: 100.00 % (at least 99.50 %)" in lines


def test_every_fault_has_a_goal_of_width_or_is_named_as_left_out() -> None:
    named = (*NOTHING_MISSING, *READINGS_LOST, *STEP_UNTOLD, *MIXED)
    assert sorted(named) == sorted(FAULTS)
    scores = Scores()
    for fault in FAULTS:
        scores.add(_truth(fault), _billed(TRUE_E4))
    found = goals({**scores.report(), "mix": "each"})
    assert {name.split()[-1] for name in found if name.startswith(WIDTH_GOAL)} == set(NOTHING_MISSING)
    assert all(fault in LEFT_OUT for fault in set(FAULTS) - set(NOTHING_MISSING))
    assert goal_lines(found)[-1] == LEFT_OUT


def test_narrow_intervals_of_one_fault_do_not_hide_wide_ones_of_another() -> None:
    scores = Scores()
    for _ in range(9):
        scores.add(_truth("none"), _billed(TRUE_E4))
    for quantum in (100, 0):  # 0.02 kWh and 1 % beside 1 % alone: an interval of 0.4001 kWh is wider than the second
        wide = msgspec.structs.replace(_billed(TRUE_E4), low_e4kwh=TRUE_E4 - 4_000, high_e4kwh=TRUE_E4 + 1)
        scores.add(_truth("scale", quantum=quantum), wide)
    found = goals({**scores.report(), "mix": "each"})
    assert found[f"{WIDTH_GOAL} none"]["met"]
    assert found[f"{WIDTH_GOAL} scale"] == {"value": 0.5, "at_least": 0.5, "met": True}
    scores.add(_truth("scale", quantum=0), wide)
    assert not goals({**scores.report(), "mix": "each"})[f"{WIDTH_GOAL} scale"]["met"]


def test_the_line_of_money() -> None:
    scores = Scores()
    scores.add(_truth(), _billed(TRUE_E4))
    assert "1 bills that no person waits for, 50.10 yuan billed, 50.00 yuan true" in money_line(scores.report())


def test_what_should_not_have_come_out_so_is_named() -> None:
    scores = Scores()
    scores.add(_truth("spike"), _billed(TRUE_E4))
    scores.add(_truth("spike"), _billed(0, held=True))
    scores.add(_truth("spike"), _billed(0))
    scores.add(_truth("none"), _billed(TRUE_E4, codes=(8,)))
    scores.add(_truth("no_bill"), None)
    cases = scores.report()["cases"]
    assert [case["fault"] for case in cases] == ["no_bill", "none", "spike"]
    assert case_lines(cases)[2] == f"{'1' * 32}  R-120  spike: billed 0.0 kWh, true 40.0 kWh, codes none"
    assert case_lines(cases * 4)[-1] == "and 2 more (--json)"
