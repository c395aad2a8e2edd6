"""Child processes say when they are ready, stop when told, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.child_process import ChildProcess
from service.errors import StartError

OBEDIENT = """
from service.lifeline import say_ready, stop_event
stop = stop_event()
say_ready(port=4711)
stop.wait()
print("last words", flush=True)
"""

DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("{}", flush=True)
sys.stdin.read()
time.sleep(60)
"""

RANKS_OF_AN_ORDINARY_ACCOUNT = """
import os, subprocess
from pathlib import Path
from analytics.process_rank import give_way
if os.getuid() == 0:
    os.setuid(65534)
sessions = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(4)]
for session in sessions:
    give_way(session.pid, 7)
print(*(Path(f"/proc/{session.pid}/autogroup").read_text().split()[-1] for session in sessions))
for session in sessions:
    session.kill()
"""

PARENT = f"""
import os, sys, time
from pathlib import Path
from service.child_process import ChildProcess
child = ChildProcess("orphan", ["-c", {OBEDIENT!r}], Path(sys.argv[1]))
child.start()
print(child._process.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int, within_s: float = 30.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_child_reports_ready_and_stops_when_asked(tmp_path: Path) -> None:
    child = ChildProcess("obedient", ["-c", OBEDIENT], tmp_path)
    assert child.start() == {"ready": True, "port": 4711}
    assert child.alive()
    child.ask_to_stop()
    assert child.wait_stopped(30.0) == "last words\n"
    assert not child.alive()


def test_child_that_fails_is_reported_with_its_log(tmp_path: Path) -> None:
    child = ChildProcess("broken", ["-c", "raise ValueError('no such port')"], tmp_path)
    with pytest.raises(StartError, match="no such port"):
        child.start()


def test_child_that_will_not_stop_is_killed_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = ChildProcess("deaf", ["-c", DEAF], tmp_path)
    child.start()
    child.ask_to_stop()
    child.wait_stopped(0.3)
    assert not child.alive()
    assert "deaf did not end in time and is killed" in capsys.readouterr().err


def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child_pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(child_pid)


def test_a_child_can_rank_below_its_parent(tmp_path: Path) -> None:
    child = ChildProcess("last", ["-c", OBEDIENT], tmp_path, niceness=7)
    child.start()
    assert child._process is not None
    pid = child._process.pid
    group = Path(f"/proc/{pid}/autogroup")
    told = group.read_text().split() if group.exists() else []
    niceness = os.getpriority(os.PRIO_PROCESS, pid)
    child.ask_to_stop()
    child.wait_stopped(30.0)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert niceness == min(own + 7, 19)
    assert told[1:] in ([], ["nice", str(niceness)])


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel schedules no sessions as groups")
def test_without_root_every_one_of_several_children_gets_its_rank() -> None:
    words = [sys.executable, "-c", RANKS_OF_AN_ORDINARY_ACCOUNT]
    said = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2])
    assert said.stdout.split() == [str(os.getpriority(os.PRIO_PROCESS, 0) + 7)] * 4, said.stderr
