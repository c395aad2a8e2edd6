"""Servers and the sender as processes, each on a core of its own, and what they cost."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from benchmarks.sockets.traffic import Traffic

HERE: Final = Path(__file__).parent
BUILD_FOLDER: Final = HERE.parents[1] / "build" / "benchmarks"
C_FLAGS: Final = ("-O2", "-Wall", "-Wextra")
SERVER_CORE: Final = 0
SENDER_CORE: Final = 1
PATIENCE_S: Final = 180
HOST: Final = "127.0.0.1"
WAITS: Final = ("p50", "p99", "max")
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """A server or the sender did not do its part."""


class Server(NamedTuple):
    """A contestant that listens."""

    process: "subprocess.Popen[str]"
    port: int

    def cpu_s(self) -> float:
        """Processor time of it and its threads so far, in user mode and in the kernel."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_bytes(self) -> int:
        """What it holds in memory that is its own."""
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) << 10
        raise BenchmarkError("the kernel tells no private memory")


class Run(NamedTuple):
    """What one run of the sender gave. `cpu_s`: of the server, while it ran.

    `wait_ms`: for acknowledgements. `login_ms`: from connecting to the answer to the login.
    """

    seconds: float
    cpu_s: float
    answers: int
    wait_ms: dict[str, float]
    login_ms: dict[str, float]


def compiled(name: str) -> Path:
    """The program of a C file of this folder, compiled when it is older than its sources."""
    source, program = HERE / f"{name}.c", BUILD_FOLDER / name
    newest = max(path.stat().st_mtime for path in (source, *HERE.glob("*.h")))
    if not program.exists() or program.stat().st_mtime < newest:
        BUILD_FOLDER.mkdir(parents=True, exist_ok=True)
        part = program.with_suffix(f".{os.getpid()}")  # two that compile at once replace a whole program by a whole one
        subprocess.run(["gcc", *C_FLAGS, "-o", part, source], check=True)
        part.replace(program)
    return program


def floor_command(workload: str, file: Path, traffic: Traffic) -> list[str]:
    """The least that a server must do, in C."""
    total = traffic.login_bytes + traffic.body_bytes + traffic.tail_bytes
    return [str(compiled("floor")), workload, str(file), str(traffic.login_bytes), str(total)]


def python_command(module: str, *arguments: object) -> list[str]:
    """A module of the benchmarks as a process."""
    return [sys.executable, "-m", module, *map(str, arguments)]


@contextmanager
def serving(command: list[str]) -> Iterator[Server]:
    """Start a server that prints its port; it is stopped at the end."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE})
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.strip().isdigit():
            raise BenchmarkError(f"{command[0]} did not print its port but {line!r}")
        yield Server(process, int(line))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def send(server: Server, workload: str, traffic: Traffic, last: float) -> Run:
    """Run the sender against a server; `last` is its number of probes, or of seconds."""
    sizes = (traffic.connections, traffic.login_bytes, traffic.body_bytes, traffic.tail_bytes, last)
    command = [str(compiled("sender")), HOST, str(server.port), workload, str(traffic.path), *map(str, sizes)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {SENDER_CORE}),
    ) as sender:
        if sender.stdin is None or sender.stdout is None or sender.stdout.readline() != "ready\n":
            raise BenchmarkError("the sender could not log all connections in")
        before_s = server.cpu_s()
        sender.stdin.write("go\n")
        sender.stdin.flush()
        line = sender.stdout.readline()
        cpu_s = server.cpu_s() - before_s
    if sender.returncode or not line:
        raise BenchmarkError("the sender did not finish; what it says is on stderr")
    result: dict[str, Any] = msgspec.json.decode(line)
    waits = [{part: result[kind][part] for part in WAITS} for kind in ("wait_ms", "login_ms")]
    return Run(result["seconds"], cpu_s, result["answers"], *waits)
