"""A benchmark is run as a process of its own, and what goes wrong there is kept as its result."""

import os
import time
from pathlib import Path

import msgspec
import pytest

from benchmarks.report.__main__ import main
from benchmarks.report.machine import this_machine
from benchmarks.report.results import Machine
from benchmarks.report.running import run
from benchmarks.report.steps import as_report
from benchmarks.report.workloads import Workload

MACHINE = Machine("A processor", 2, 8.0, "Linux 6", "ext4", 900, "tmpfs", 2_000)


def workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, patience_s: int = 20) -> Workload:
    """One whose module has that code."""
    (tmp_path / "a_benchmark.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Workload("some", "Some", "Something.", "a_benchmark", ("--short",), ("--long",), patience_s)


def test_the_last_line_is_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import json, sys\nprint('words')\nprint(json.dumps({'arguments': sys.argv[1:]}))\nsum(range(10**7))"
    found = run(workload(tmp_path, monkeypatch, code), MACHINE)
    assert found.report == {"arguments": ["--short", "--json"]}
    assert found.command == "python -m a_benchmark --short --json"
    assert (found.error, found.machine) == ("", MACHINE)
    assert found.cpu_s > 0
    long = run(workload(tmp_path, monkeypatch, code), MACHINE, full=True)
    assert long.report == {"arguments": ["--long", "--json"]}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise SystemExit('the server\\nwas away')", "exit code 1: was away"),
        (
            "import atexit, sys\natexit.register(print, 'gateway: WARNING', file=sys.stderr)\nraise OSError('full')",
            "exit code 1: OSError: full",
        ),
        ("print('all is well')", "its last line is no JSON"),
        ("print([1])", "its last line is no JSON object"),
        ("pass", "its last line is no JSON"),
    ],
)
def test_what_goes_wrong_is_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: str) -> None:
    found = run(workload(tmp_path, monkeypatch, code), MACHINE)
    assert (found.report, found.error) == (None, error)


def test_one_that_hangs_ends_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "pid"
    code = (
        "import subprocess, time, pathlib\n"
        f"pathlib.Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '60']).pid))\n"
        "time.sleep(60)"
    )
    found = run(workload(tmp_path, monkeypatch, code, patience_s=1), MACHINE)
    assert found.error == "not done after 1 s"
    assert _is_gone(int(note.read_text()))


def _is_gone(pid: int) -> bool:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_an_unknown_workload_is_wrong_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["report", "--only", "frams"])
    assert main() == 2
    assert "no workload 'frams': there are frames, steps" in capsys.readouterr().err


def test_this_machine() -> None:
    machine = this_machine(8 << 20)
    assert machine.cores >= 1
    assert machine.processor
    assert machine.disk != "unknown"
    assert machine.disk_mb_per_s > 1
    assert msgspec.json.decode(msgspec.json.encode(machine), type=Machine) == machine


def test_steps_are_told_by_their_quartiles() -> None:
    stats = {"q1": 1e-7, "median": 2e-7, "q3": 3e-7, "rounds": 9}
    report = as_report({"benchmarks": [{"name": "test_crc16_of_a_frame[tables]", "stats": stats}]})
    assert report["contestants"] == {
        "crc16 of a frame: tables": {"unit": "ns", "values": [100.0, 200.0, 300.0], "median": 200.0, "rounds": 9}
    }
