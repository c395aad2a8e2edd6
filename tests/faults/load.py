"""The charger driver as seen from the suite: started on a port, stopped, its log read."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.fault_points import ROOT
from tests.faults.sender_log import SenderLog

END_S = 60.0


class Load:
    """Chargers that send, in a process of their own, from `start` to `finish`."""

    def __init__(self, folder: Path, piles: Sequence[str], seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ever = SenderLog()
        self._folder = folder
        self._piles = piles
        self._seed = seed
        self._run = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self, port: int, rate: float = 10.0) -> None:
        """Let the chargers connect and send `rate` bursts a second each."""
        self._run += 1
        path = self._folder / f"sent-{self._run}.log"
        command = [sys.executable, "-m", "tests.faults.charger_driver", str(port), str(path), ",".join(self._piles)]
        self._process = subprocess.Popen(
            [*command, str(self._run), str(self._seed + self._run), str(rate)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def finish(self, drain_s: float = 30.0, *logs: SenderLog) -> SenderLog:
        """Let them stop, and wait up to `drain_s` for acknowledgements; gives what this run sent (`ever` has all).

        Adds it to `logs` as well.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(f"{drain_s}\n", timeout=drain_s + END_S)
        if self._process.returncode:
            raise AssertionError(f"the charger driver ended with {self._process.returncode}")
        self._process = None
        path = self._folder / f"sent-{self._run}.log"
        log = SenderLog()
        for kept in (log, self.ever, *logs):
            kept.add_file(path)
        return log

    def close(self) -> None:
        """End what still runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
