"""What the kernel lets any server reach on this machine: the same chargers and a C program that keeps bytes."""

import subprocess
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.endtoend.costs import cpu_s
from benchmarks.endtoend.errors import EndToEndError
from benchmarks.endtoend.senders import Pace, paced
from benchmarks.endtoend.traffic import check_frame, write_lives
from benchmarks.sockets.processes import compiled
from benchmarks.sockets.traffic import login_frame

FLOOR: Final = "c epoll, bytes only"
MEMORY_FOLDER: Final = Path("/dev/shm")
SECONDS: Final = 8.0
NO_END: Final = 1 << 50
TOO_FAST: Final = 3


class Floor(NamedTuple):
    """`frames_per_s`: the most that came through; `cores_at_rate`: sender and server together at the wanted rate."""

    frames_per_s: int
    cores_at_rate: float


def floor(connections: int, rate: float, seed: int) -> Floor:
    """Realtime frames one by one to the program of `floor.c`, which reads them and writes them to a file in memory.

    Heartbeats, records and new logins are left out. Nothing is looked at, stored or loaded.
    """
    at_rate, cores = _run(connections, rate, seed)
    most, _ = _run(connections, rate * TOO_FAST, seed)
    return Floor(round(max(most, at_rate)), round(cores, 2))


def _run(connections: int, rate: float, seed: int) -> tuple[float, float]:
    pace = Pace(connections, connections, SECONDS, readings_per_s=rate, seed=seed)
    with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER) as name:
        path = write_lives(Path(name) / "traffic", connections)
        hello = len(login_frame(0) + check_frame(0))
        command = [str(compiled("floor")), "bulk", str(Path(name) / "bytes"), str(hello), str(NO_END)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                line = server.stdout.readline() if server.stdout else ""
                if not line.strip().isdigit():
                    raise EndToEndError(f"the C program did not print its port but {line!r}")
                sender = paced(int(line), path, pace)
                try:
                    sender.await_ready()
                    before_s = cpu_s(server.pid)
                    sender.go()
                    account = sender.result()
                    used_s = cpu_s(server.pid) - before_s + sender.cpu_s
                finally:
                    sender.close()
            finally:
                server.kill()
    seconds: float = account["seconds"]
    return account["readings"]["sent"] / seconds, used_s / seconds
