"""The log's table of abnormal bills comes out of frames alone, in a folder that holds nothing else (S02)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

import pilestream
from analytics.client import ClickHouseAddress
from benchmarks.historic.table import scaled
from service.historic_report import HistoricReport

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


@pytest.mark.server
def test_a_replayed_capture_gives_the_table_of_the_log(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    capture = tmp_path / "capture.jsonl"
    assert run("evaluate", "--historic", "--capture", str(capture), "--scale", str(SCALE)) == 0
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
    remaining = {one["code"] for one in table["remaining"]}
    assert remaining == {1, 2, 3, 4, 5, 6, 7, 8, 9, 11}
    assert sum(table["corrected"].values()) < sum(table["raw"].values()) / 2


@pytest.mark.server
@pytest.mark.long
def test_the_evaluation_holds_the_table_against_the_log(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("evaluate", "--historic", "--scale", str(SCALE), "--json") == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["equal"]
    assert report["raw"] == report["logged"] == expected()
    assert report["bills"] == scaled(SCALE).bills
    assert report["whole_kwh"]["raw"] == {"8": sum(report["whole_kwh"]["raw"].values())}
    assert report["whole_kwh"]["corrected"] == {}
    assert {one["vendor"] for one in report["remaining"]} >= {"Hengxin", "Nanyuan", "Litong"}


def test_another_count_than_the_log_s_is_a_no() -> None:
    report = msgspec.convert(
        {
            "logged": {"8": 2, "6": 1},
            "raw": {"8": 3, "6": 1},
            "corrected": {},
            "causes": {},
            "remaining": [],
            "bills": 9,
            "whole_kwh": {"bills": 0, "raw": {}, "corrected": {}, "causes": {}},
            "frames": 9,
            "seconds": 1.0,
            "bytes_on_disk": 1,
        },
        HistoricReport,
    )
    assert not report.equal
    assert report.differing == ["8"]
