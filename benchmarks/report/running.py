"""Runs one workload's benchmark as a process of its own, and takes what it printed."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.report.results import Machine, Result
from benchmarks.report.workloads import Workload

ROOT: Final = Path(__file__).parents[2]
OWN_OUTPUT: Final = ("benchmarks/results", "benchmarks/RESULTS.md")
TOLD_OF_AN_ERROR: Final = 300
ERROR_LINE: Final = re.compile(r"[\w.]+(Error|Exception|Expired|Interrupt)\b")


def run(workload: Workload, machine: Machine, *, full: bool = False) -> Result:
    """Run it to its end. Whatever goes wrong there is in the result, not raised."""
    arguments = workload.full_arguments if full and workload.full_arguments else workload.arguments
    command = [sys.executable, "-m", workload.module, *arguments, "--json"]
    began, load_before, cpu_before_s = datetime.now(UTC), os.getloadavg()[0], _children_cpu_s()
    commit, has_local_changes = _git("rev-parse", "--short=10", "HEAD"), _has_local_changes()
    report, error = _reported(command, workload.patience_s)
    return Result(
        workload=workload.name,
        command=shlex.join(["python", *command[1:]]),
        began=began.strftime("%Y-%m-%d %H:%M"),
        seconds=round((datetime.now(UTC) - began).total_seconds(), 1),
        commit=commit,
        has_local_changes=has_local_changes,
        cpu_s=round(_children_cpu_s() - cpu_before_s, 1),
        load_before=round(load_before, 2),
        machine=machine,
        report=report,
        error=error,
    )


def _reported(command: list[str], patience_s: float) -> tuple[dict[str, Any] | None, str]:
    """What it printed as its last line, or why there is nothing."""
    # A group of its own: what it started ends with it.
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        output, words = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        return None, f"not done after {patience_s:.0f} s"
    finally:
        _end_group(process)
    if process.returncode:
        return None, f"exit code {process.returncode}: {_reason(words)[:TOLD_OF_AN_ERROR]}"
    try:
        found = json.loads(_last_line(output))
    except ValueError:
        return None, "its last line is no JSON"
    return (found, "") if isinstance(found, dict) else (None, "its last line is no JSON object")


def _end_group(process: "subprocess.Popen[str]") -> None:
    """Whatever is left of a benchmark must not take part in the next one."""
    for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 0.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            process.poll()
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.05)
    process.wait()


def _reason(words: str) -> str:
    """The last error that was told, since what a benchmark started may log until its end; else the last line."""
    told = [line for line in words.splitlines() if ERROR_LINE.match(line)]
    return told[-1] if told else _last_line(words)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _has_local_changes() -> bool:
    excluded = [f":(exclude){path}" for path in OWN_OUTPUT]
    return bool(_git("status", "--porcelain", "--untracked-files=no", "--", ".", *excluded))


def _git(*arguments: str) -> str:
    """Empty outside of a repository: a source archive can be measured too."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
