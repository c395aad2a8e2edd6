"""`pilestream evaluate`: simulated charges through the whole platform, and what it says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

import pilestream
from benchmarks.evaluation.chargers import CHARGES_EACH, MODELS
from benchmarks.evaluation.faults import FAULTS
from benchmarks.evaluation.goals import goals
from benchmarks.evaluation.scores import Billed, Scores
from benchmarks.evaluation.stories import Truth
from service.evaluation import evaluation_report, render
from service.settings import load_settings

ONE_OF_EACH = CHARGES_EACH * len(MODELS)
SCORE_KEYS = {"n", "right", "held", "wrong_unflagged", "inside", "p50_error_kwh", "p99_error_kwh"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sessions", "0"],
        ["--sessions", "many"],
        ["--seed", "-1"],
        ["--mix", "none"],
        ["--processes", "9"],
        ["--scale", "2"],
        ["--capture", "frames.jsonl"],
        ["--historic", "--sessions", "5"],
        ["--historic", "--mix", "each"],
        ["--historic", "--seed", "1"],
        ["--format", "csv"],
        ["--historic", "--scale", "many"],
        ["--historic", "--scale", "nan"],
        ["--historic", "--scale", "inf"],
        ["--historic", "--scale", "0"],
        ["--historic", "--scale", "-1"],
        ["--historic", "--scale", "-0.5"],
    ],
)
def test_wrong_use_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        pilestream.main(["evaluate", *arguments])
    assert exit_.value.code == 2
    assert "pilestream evaluate: error:" in capsys.readouterr().err


def _check_shape(report: dict[str, Any], sessions: int) -> None:
    assert set(report["faults"]) <= set(FAULTS)
    assert sum(score["n"] for score in report["faults"].values()) == sessions
    scores = [*report["faults"].values(), *report["naive"]["faults"].values(), report["total"], report["naive"]]
    for score in scores:
        assert set(score) >= SCORE_KEYS
        assert score["n"] == score["right"] + score["held"] + score["wrong_unflagged"]
    assert report["total"]["n"] == report["naive"]["n"] == sessions


def _missed(report: dict[str, Any]) -> dict[str, Any]:
    return {name: goal for name, goal in report["goals"].items() if not goal["met"]}


def test_the_tables_of_the_docs_are_what_md_prints() -> None:
    scores = Scores()
    truth = Truth("44019900000001", "1" * 32, "R-120", "spike", (), 100, 400_000, 5_000, 40)
    scores.add(truth, Billed(400_000, 399_900, 400_100, 400_000, "VALID", held=False, amount_fen=5_010))
    report = {"sessions": 1, "seed": 7, "mix": "each", "seconds": 2.4, **scores.report()}
    lines = render({**report, "goals": goals(report)}, "md").splitlines()
    assert lines[0] == "`pilestream evaluate --sessions 1 --seed 7 --mix each`, in 2 s:"
    assert lines[3] == "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    assert lines[4].startswith("| spike | 1 | 100.00 % | 0.00 % | 0 | 100.00 % | 0.0000 |")
    assert lines[5].startswith("| **total** | 1 |")
    assert "| wrong without a sign | 0 | at most 0 | met |" in lines
    assert {line.count("|") for line in lines[2:6]} == {13}
    assert lines[-1].startswith("Without a goal of width: late_baseline,")


@pytest.mark.server
@pytest.mark.timeout(240)
def test_every_make_of_charger_with_faults_as_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "--sessions", str(ONE_OF_EACH), "--seed", "4", "--json", "--data", str(tmp_path)]
    code = pilestream.main([*arguments, "--processes", "1"])
    out, words = capsys.readouterr()
    report = json.loads(out)
    _check_shape(report, ONE_OF_EACH)
    assert words == ""
    assert code == 0
    assert report["total"]["wrong_unflagged"] == 0
    assert report["faults"]["none"]["codes"] == {}
    assert report["faults"]["none"]["right"] == report["faults"]["none"]["n"]
    assert report["naive"]["right"] < report["total"]["right"]


@pytest.mark.long
@pytest.mark.server
@pytest.mark.timeout(1_800)
def test_the_goals_hold_where_every_fault_is_as_frequent_as_the_others(tmp_path: Path) -> None:
    report = evaluation_report(load_settings({"data": str(tmp_path)}), sessions=40_000, seed=11, mix="each")
    _check_shape(report, 40_000)
    assert _missed(report) == {}


@pytest.mark.long
@pytest.mark.server
@pytest.mark.timeout(1_800)
def test_the_goals_hold_with_faults_as_in_the_log_and_processes_change_nothing(tmp_path: Path) -> None:
    settings = load_settings({"data": str(tmp_path)})
    report, again = (
        evaluation_report(settings, sessions=20_000, seed=11, mix="historic", processes=processes)
        for processes in (2, 1)
    )
    assert {**report, "seconds": 0} == {**again, "seconds": 0}
    assert _missed(report) == {}
