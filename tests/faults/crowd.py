"""A crowd of chargers as seen from the suite: prepared, let go at once, made to vanish or to hang, its log read."""

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.faults.fault_points import ROOT
from tests.faults.sender_log import SenderLog

END_S: Final = 60.0
OTHER_DESCRIPTORS: Final = 500

_SITE: Final = """
[[operators]]
key = "crowd"
name = "多桩运营商"

[[tariffs]]
key = "crowd"
name = "电价"

[[tariffs.versions]]
model_no = "0001"
from = 2020-01-01T00:00:00+08:00
slots = "{slots}"
electricity = {{ sharp = "1", peak = "1", flat = "1", valley = "1" }}
service = {{ sharp = "0.5", peak = "0.5", flat = "0.5", valley = "0.5" }}

[[models]]
key = "crowd"
vendor = "M"
current = "dc"
connectors = 1
rated_power_kw = 120

[[stations]]
key = "crowd"
name = "站"
operator = "crowd"
latitude = 23.0
longitude = 113.3
tariffs = [{{ tariff = "crowd", from = 2020-01-01T00:00:00+08:00 }}]

[[piles]]
first_code = "{first}"
count = {count}
station = "crowd"
model = "crowd"
commissioned = 2020-01-01T00:00:00+08:00
"""


class Served(NamedTuple):
    """What a crowd says when it was let go: acknowledged records, and seconds since then."""

    acknowledged: int
    seconds: float
    longest_login_s: float
    longest_ack_s: float


def site_of(first: str, count: int) -> str:
    """Master data with a station of so many chargers, as TOML."""
    return _SITE.format(first=first, count=count, slots="f" * 48)


def largest_crowd() -> int:
    """How many connections one process of ours may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - OTHER_DESCRIPTORS


class Crowd:
    """`count` chargers with codes from `first` on, prepared for `port`; they connect when told to."""

    def __init__(
        self, folder: Path, port: int, first: str, count: int, *, run: int = 1, manner: str = "backlog"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.count = count
        self._path = folder / f"crowd-{first}-{run}.log"
        words = [str(port), str(self._path), first, str(count), str(run), manner]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.crowd_driver", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def until_ready(self) -> None:
        """Return when all that they send is prepared."""
        assert self._line() == "ready"

    def go(self, limit_s: float) -> None:
        """Let all of them connect now."""
        self._say(f"go {limit_s}")

    def served(self) -> Served:
        """Return when all are acknowledged, or the time that `go` named is up."""
        word, acknowledged, *seconds = self._line().split()
        assert word == "served"
        return Served(int(acknowledged), *map(float, seconds))

    def vanish(self) -> None:
        """Make the kernel forget their sockets."""
        self._say("vanish")
        assert self._line() == "vanished"

    def hang(self) -> None:
        """Stop the process: its sockets stay, and nobody reads or writes."""
        self._process.send_signal(signal.SIGSTOP)

    def finish(self, *logs: SenderLog) -> None:
        """Let them hang up; adds what they sent to the logs."""
        self._process.communicate("finish\n", timeout=END_S)
        if self._process.returncode:
            raise AssertionError(f"the crowd's process ended with {self._process.returncode}")
        self.read(*logs)

    def read(self, *logs: SenderLog) -> None:
        """Add what was sent so far to the logs."""
        for log in logs:
            log.add_file(self._path)

    def close(self) -> None:
        """End what still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def _say(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")
