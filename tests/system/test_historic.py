"""The log's table of abnormal bills comes out of frames alone, in a folder that holds nothing else (S02)."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import msgspec
import pytest

import pilestream
from analytics.client import ClickHouseAddress
from benchmarks.historic.causes import Cause, recipes_for
from benchmarks.historic.table import OVERLAP, codes_of, scaled
from service.historic_report import HistoricReport, as_json, as_text, render

SCALE = 1_000
Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, clickhouse: ClickHouseAddress, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line on an empty folder and database."""
    address = msgspec.structs.replace(clickhouse, database=f"test_{uuid4().hex[:12]}")
    monkeypatch.setenv("PILESTREAM_CLICKHOUSE", address.url())

    def command(*arguments: str) -> int:
        return pilestream.main([*arguments, "--data", str(tmp_path / "data")])

    return command


def expected() -> dict[str, int]:
    return scaled(SCALE).abnormal


def bills_with(code: int, table: dict[str, int]) -> int:
    return sum(bills for code_set, bills in table.items() if code in codes_of(code_set))


def records_truly_off() -> int:
    """How many of the bills drawn have a record whose energy is not the meter's, without a begin to explain it."""
    drawn = [
        recipe
        for code_set, count in expected().items()
        if OVERLAP not in codes_of(code_set)
        for recipe in recipes_for(code_set, count)
    ]
    return sum(recipe.count for recipe in drawn if {Cause.RECORD_OFF, Cause.PARTS_OFF}.intersection(recipe.causes))


@pytest.mark.server
def test_a_replayed_capture_gives_the_table_of_the_log(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "capture.jsonl"
    assert run("evaluate", "--historic", "--capture", str(capture), "--scale", str(SCALE)) == 0
    assert list(tmp_path.glob("capture*")) == [capture]
    told = capsys.readouterr().err
    assert all(f"{name:<14}{count:>10,}" in told for name, count in expected().items())
    assert "code" not in capture.read_text("ascii")

    assert run("replay", str(capture)) == 0
    capsys.readouterr()
    assert run("anomalies", "--format", "json") == 0
    table: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert table["raw"] == expected()
    assert table["bills"] == scaled(SCALE).bills
    assert table["whole_kwh"]["bills"] == 0
    for code in (1, 2, 3, 6, 7, 11):
        assert bills_with(code, table["corrected"]) == bills_with(code, table["raw"]), (
            f"code {code} is no mistake of energy"
        )
    assert bills_with(8, table["corrected"]) == records_truly_off()


@pytest.mark.server
@pytest.mark.long
def test_the_evaluation_holds_the_table_against_the_log(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", "--historic", "--scale", str(SCALE), "--json") == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["equal"]
    assert report["raw"] == report["logged"] == expected()
    assert report["bills"] == scaled(SCALE).bills
    assert report["whole_kwh"]["bills"] == scaled(SCALE).whole_kwh
    assert report["whole_kwh"]["raw"] == {"8": sum(report["whole_kwh"]["raw"].values())}
    assert report["whole_kwh"]["corrected"] == {}
    assert {one["vendor"] for one in report["remaining"]} >= {"Hengxin", "Nanyuan", "Litong"}


@pytest.mark.server
@pytest.mark.fault
def test_a_killed_process_ends_the_evaluation_with_a_word(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill_one() -> None:
        while not (begun := list((tmp_path / "data" / "evaluate").glob("spool-[0-9]*"))):
            time.sleep(0.05)
        os.kill(int(begun[0].name.removeprefix("spool-")), signal.SIGKILL)

    killer = Thread(target=kill_one, daemon=True)
    killer.start()
    assert run("evaluate", "--historic", "--scale", str(SCALE)) == 1
    out, words = capsys.readouterr()
    assert out == ""
    assert "pilestream: a process of the evaluation ended early" in words
    assert multiprocessing.active_children() == []


def report_with(**changes: Any) -> HistoricReport:
    report = {
        "logged": {"8": 2, "6": 1},
        "logged_bills": 9,
        "logged_whole_kwh_bills": 4,
        "raw": {"8": 2, "6": 1},
        "corrected": {},
        "causes": {},
        "remaining": [],
        "bills": 9,
        "whole_kwh": whole_kwh(4),
        "frames": 9,
        "seconds": 1.0,
        "bytes_on_disk": 1,
    }
    return msgspec.convert({**report, **changes}, HistoricReport)


def whole_kwh(bills: int) -> dict[str, Any]:
    return {"bills": bills, "raw": {}, "corrected": {}, "causes": {}}


def test_the_log_s_counts_are_a_yes() -> None:
    report = report_with()
    assert report.equal
    assert report.differing == report.differences == []


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"raw": {"8": 3, "6": 1}}, "8", "set 8: 3 bills, the log has 2"),
        ({"raw": {"8": 2}}, "6", "set 6: 0 bills, the log has 1"),
        ({"raw": {"8": 2, "6": 1, "1": 1}}, "1", "set 1: 1 bills, the log has 0"),
        ({"bills": 8}, "bills", "with and without a code: 8 bills, the log has 9"),
        ({"whole_kwh": whole_kwh(5)}, "whole_kwh", "meters of whole kWh: 5 bills, the log has 4"),
    ],
)
def test_another_count_than_the_log_s_is_a_no(changes: dict[str, Any], name: str, words: str) -> None:
    report = report_with(**changes)
    assert not report.equal
    assert report.differing == [name]
    assert report.differences == [words]
    assert as_text(report).endswith("no")
    assert json.loads(as_json(report))["differing"] == [name]


def test_the_tables_of_the_docs_are_what_md_prints() -> None:
    remaining = [(8, "BILL_ABOVE", "", "Litong", 3), (8, "BILL_ABOVE", "", "Dakai", 1_200), (6, "", "", "Dakai", 5)]
    found = [dict(zip(("code", "reason", "cause", "vendor", "bills"), row, strict=True)) for row in remaining]
    changes = {"corrected": {"6": 1_234}, "causes": {"OFFLINE": 2}, "remaining": found}
    lines = render(report_with(**changes), "md").splitlines()
    assert "13 bills from 9 frames" in lines[0]
    assert lines[0].endswith("the log's: yes.")
    assert "| 6 | 1 | 1 | 1,234 |" in lines
    assert "| **with a code** | 3 | 3 | 1,234 |" in lines
    assert "| OFFLINE | 2 |" in lines
    at = lines.index("| stays | because | cause | bills | Dakai | Litong |")
    assert lines[at + 1 : at + 3] == ["|---|---|---|--:|--:|--:|", "| 8 | BILL_ABOVE | not known | 1,203 | 1,200 | 3 |"]


def test_lost_bills_of_both_kinds_are_both_named() -> None:
    report = report_with(bills=3, whole_kwh=whole_kwh(0))
    assert not report.equal
    assert report.differing == ["bills", "whole_kwh"]
    assert report.differences[0] == "with and without a code: 3 bills, the log has 9"
