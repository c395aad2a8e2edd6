"""`pilestream status` tells a gateway that runs from one that ran."""

import json
from pathlib import Path

import pytest

from core import checksum
from core.ykc import realtime
from service.role import now_ms
from service.settings import Settings
from service.status import NOT_RUNNING, print_status, read_status


def write_counters(folder: Path, *, age_ms: int, port: int) -> Settings:
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "gateway.json").write_text(json.dumps({"now_ms": now_ms() - age_ms, "port": port, "frames": 7}))
    return Settings(data=str(folder))


def test_fresh_counters_are_those_of_a_running_gateway(tmp_path: Path) -> None:
    settings = write_counters(tmp_path, age_ms=800, port=9770)
    assert read_status(settings)["gateway"]["frames"] == 7
    assert print_status(settings, as_json=True) == 0


@pytest.mark.parametrize(("age_ms", "port"), [(60_000, 9770), (100, 0)])
def test_counters_of_a_killed_or_stopped_gateway_are_not_shown(tmp_path: Path, age_ms: int, port: int) -> None:
    settings = write_counters(tmp_path, age_ms=age_ms, port=port)
    assert read_status(settings)["gateway"] == {}
    assert print_status(settings, as_json=False) == NOT_RUNNING


@pytest.mark.parametrize("content", ["", '{"now_ms":1', "[]", "{}"], ids=["empty", "cut", "a list", "no fields"])
@pytest.mark.parametrize("name", ["run/gateway.json", "run/gateway-0.json", "run/biller.json", "spool/loader.json"])
def test_a_torn_file_is_said_and_ends_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(content)
    assert print_status(Settings(data=str(tmp_path)), as_json=True) == NOT_RUNNING
    shown = capsys.readouterr()
    status = json.loads(shown.out)
    assert (status["gateway"], status["loader"], status["biller"]) == ({}, {}, {})
    if (name, content) not in (("run/gateway.json", "{}"), ("run/gateway-0.json", "{}")):
        assert f"{path.name} cannot be read" in shown.err


def test_an_empty_folder_runs_nothing(tmp_path: Path) -> None:
    assert print_status(Settings(data=str(tmp_path)), as_json=True) == NOT_RUNNING


def test_it_says_which_ways_the_compiled_code_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = checksum.implementation()
    checksum.use(checksum.TABLES)
    try:
        print_status(Settings(data=str(tmp_path)), as_json=False)
        shown = json.loads(
            next(line for line in capsys.readouterr().out.splitlines() if line.startswith("compiled: ")).split(": ", 1)[
                1
            ]
        )
    finally:
        checksum.use(before)
    assert shown == {"checksums": "tables", "rows": realtime.implementation()}
