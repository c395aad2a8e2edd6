"""The compiled chargers as processes of their own: started, let go, and their account read."""

import os
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.endtoend.errors import EndToEndError
from benchmarks.sockets.processes import HOST, compiled
from benchmarks.sockets.traffic import Traffic

KIB_PER_MB: Final = 1024


class Pace(NamedTuple):
    """How chargers live, in events a second of all together. `charging` of them send readings and records."""

    connections: int
    charging: int
    seconds: float
    readings_per_s: float = 0.0
    heartbeats_per_s: float = 0.0
    records_per_s: float = 0.0
    probes: int = 0
    probes_per_s: float = 0.0
    seed: int = 1
    charges: int = 0
    """So many each charger has had before."""


class SenderProcess:
    """One sender, from its start to its account; `close` ends one that still runs."""

    def __init__(self, program: str, port: int, arguments: list[object], number: int = 0) -> None:
        """`number` tells several apart: each connects from an address of its own, so that none lacks ports."""
        source = f"127.0.{1 + number // 250}.{1 + number % 250}"
        command = [str(compiled(program)), HOST, str(port), *map(str, arguments), source]
        self.cpu_s = 0.0
        self.memory_mb = 0.0
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def await_ready(self) -> None:
        """Return when it waits for `go`."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise EndToEndError(self._last_words())

    def go(self) -> None:
        """What is measured begins."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """Let a pacer end before its time; it waits for answers that are missing."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def result(self) -> dict[str, Any]:
        """Wait for its end and give its account; raises `EndToEndError` when it failed."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EndToEndError(self._last_words())
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        account: dict[str, Any] = msgspec.json.decode(line)
        self.memory_mb = account["peak_kib"] / KIB_PER_MB
        return account

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None and self._process.poll() is None

    def close(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _last_words(self) -> str:
        said = self._process.communicate()[1]
        return f"a sender failed: {said.strip()}"


def paced(port: int, path: Path, pace: Pace, number: int = 0) -> SenderProcess:
    """Chargers that live at a pace; `path` is of `traffic.write_lives`."""
    rates = (pace.readings_per_s, pace.heartbeats_per_s, pace.records_per_s, pace.probes_per_s)
    counts = (pace.connections, pace.charging, pace.probes)
    return SenderProcess("pacer", port, [path, *counts, pace.seconds, *rates, pace.seed, pace.charges], number)


def sending(port: int, mode: str, traffic: Traffic, connections: int, last: float, number: int = 0) -> SenderProcess:
    """Chargers that send what they kept; `last` as in `sender.c`: probes, the first connection, or seconds."""
    sizes = (connections, traffic.login_bytes, traffic.body_bytes, traffic.tail_bytes)
    return SenderProcess("sender", port, [mode, traffic.path, *sizes, f"{last:g}"], number)
