"""The demo as a person runs it: it serves pages, counts right, stops at Ctrl-C and leaves no process behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
START_S = 120.0
LIVE_S = 20.0
HANGS_S = 100.0
"""More than all of the platform's own bounds together, after which it kills what hangs."""

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(240)]


class RunningDemo:
    """`pilestream demo --json`, from its start to Ctrl-C."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "pilestream.py"), "demo", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PILESTREAM_DATA": str(folder)},
            cwd=ROOT,
        )

    def wait_for(self, pattern: str) -> str:
        """Read what it says until a line fits; gives the pattern's group, or the line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(pattern, line)
            if found:
                return found[found.lastindex or 0]
        raise AssertionError(f"the demo never said {pattern!r}")

    def interrupt(self) -> tuple[str, str]:
        """Ctrl-C; gives what it still wrote, data and words. Every process ended by itself, none had to be killed."""
        self.process.send_signal(signal.SIGINT)
        output, words = self.process.communicate(timeout=HANGS_S)
        assert "killed" not in words
        return output, words

    def processes(self) -> list[str]:
        """Command lines of everything that works on the demo's folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().decode(errors="replace")
                working = str((path / "cwd").readlink())
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if str(self.folder) in words or working.startswith(str(self.folder)):
                found.append(words.replace("\0", " "))
        return found


def test_ctrl_c_while_the_history_is_replayed_ends_the_demo(tmp_path: Path) -> None:
    demo = RunningDemo(tmp_path)
    try:
        demo.wait_for("replaying a day of history")
        time.sleep(3)
        _, words = demo.interrupt()
    finally:
        demo.process.kill()
        demo.process.wait()
    assert "Traceback" not in words
    assert demo.process.returncode == 128 + signal.SIGINT
    assert demo.processes() == []


def test_demo_serves_pages_bills_every_few_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = RunningDemo(tmp_path)
    try:
        url = demo.wait_for(r"dashboard: +(\S+)")
        with urllib.request.urlopen(url, timeout=20) as page:
            assert page.status == 200
        assert demo.processes()
        time.sleep(LIVE_S)
        output, words = demo.interrupt()
    finally:
        demo.process.kill()
        demo.process.wait()
    assert demo.process.returncode == 0, words
    assert demo.processes() == []

    (line,) = output.splitlines()
    result: dict[str, Any] = json.loads(line)
    assert result["acked_bills_stored"] is True
    assert result["acked_bills"] == result["bills"] > 0
    assert result["readings"] > 200
    assert result["frames"] > result["readings"]
    assert result["sessions"] > 100
    assert result["frames_per_second"] > 0
    assert result["dashboard"] == url
    history = result["history"]
    assert history["bills"] > 1000
    assert history["readings"] > 100_000
    assert history["abnormal"]
    assert sum(history["abnormal_corrected"].values()) < sum(history["abnormal"].values())
