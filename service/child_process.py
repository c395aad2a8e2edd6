"""Child processes of the platform: started in order, watched, restarted, stopped in order.

A child tells that it is ready by one JSON line on its standard output. Its standard input is a pipe held open by the
parent: when the parent ends, however it ends, the child reads end-of-file and stops by itself. Children run in
sessions of their own, so that Ctrl-C reaches the parent alone and the order of stopping is the parent's.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from analytics.process_rank import give_way
from service.errors import StartError

READY_TIMEOUT_S = 30.0
RESTART_PAUSE_S = 1.0


class ChildProcess:
    """One process of the platform; `start` waits until it says that it is ready.

    `niceness`: it is nicer than this process by so much, and waits for it when the processors are short.
    """

    def __init__(self, name: str, arguments: Sequence[str], log_folder: Path, *, niceness: int = 0) -> None:
        self.name = name
        self._niceness = niceness
        self._arguments = list(arguments)
        self._log_path = log_folder / f"{name}.log"
        self._process: subprocess.Popen[str] | None = None
        self._started = 0.0
        self.restarts = 0

    def start(self) -> dict[str, Any]:
        """`launch` and `await_ready` in one."""
        self.launch()
        return self.await_ready()

    def launch(self) -> None:
        """Start it and return at once."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        if self._niceness:
            give_way(self._process.pid, self._niceness)
        self._started = time.monotonic()

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def last_words(self) -> str:
        """The last line that it wrote to its log."""
        return _last_line(self._log_path)

    def pause_over(self) -> bool:
        """Whether long enough has gone by since the last start to try again."""
        return time.monotonic() - self._started > RESTART_PAUSE_S

    def relaunch(self) -> None:
        """Start it again after it ended, without waiting until it is ready."""
        self.restarts += 1
        self.wait_stopped(0)
        self.launch()

    def ask_to_stop(self) -> None:
        """Tell it to finish what it holds and end; returns at once."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self, timeout_s: float) -> str:
        """Wait for its end and give what it still wrote; it is killed, which is said, when that takes longer."""
        if self._process is None:
            return ""
        try:
            rest, _ = self._process.communicate(timeout=max(timeout_s, 0.1))
        except subprocess.TimeoutExpired:
            print(f"pilestream: {self.name} did not end in time and is killed", file=sys.stderr, flush=True)
            self._process.kill()
            rest, _ = self._process.communicate()
        self._process = None
        return rest or ""

    def await_ready(self) -> dict[str, Any]:
        """What it said when it became ready (a port, for instance).

        Raises `StartError` with the end of its log when it ends before, or says nothing for 30 s.
        """
        assert self._process is not None
        assert self._process.stdout is not None
        line = _read_line(self._process.stdout, READY_TIMEOUT_S)
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        self._process.kill()
        self._process.wait()
        raise StartError(f"{self.name} did not start: {self.last_words()} (more in {self._log_path})")


def _read_line(stream: IO[str], timeout_s: float) -> str:
    """One line, or what came of it before the stream ended or the time ran out."""
    deadline = time.monotonic() + timeout_s
    received = b""
    while not received.endswith(b"\n"):
        readable, _, _ = select.select([stream], [], [], max(deadline - time.monotonic(), 0))
        if not readable:
            return ""
        chunk = os.read(stream.fileno(), 1)
        if not chunk:
            return ""
        received += chunk
    return received.decode("utf-8")


def _last_line(path: Path) -> str:
    lines = path.read_text("utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")
