"""The same idle connections to three servers, and what each holds for one."""

import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.memory.chargers import IdleChargers
from benchmarks.sockets import traffic
from benchmarks.sockets.processes import floor_command, python_command, serving

SETTLE_S: Final = 110.0
"""An order is remembered for 80 s after its answer was due, and each login causes one: the clock is set."""
GATEWAY: Final = "pilestream"
FLOOR: Final = "c epoll"
UVLOOP: Final = "uvloop, only answers"
KIB: Final = 1_024


def compare(few: int, many: int, settle_s: float) -> dict[str, Any]:
    """Bytes of private memory for each idle connection, beyond what the kernel holds for its socket.

    Each server runs twice, with `few` and with `many` connections; what is between the two is divided by the
    connections that are. So neither the program itself nor the list of chargers counts, which is equally long in both.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heartbeats = traffic.write_heartbeats(folder / "traffic", 1)
        jobs: dict[tuple[str, int], list[str]] = {}
        for count in (few, many):
            jobs[FLOOR, count] = floor_command("segments", folder / f"bytes {count}", heartbeats)
            jobs[UVLOOP, count] = python_command("benchmarks.sockets.uvloop_alone")
            jobs[GATEWAY, count] = python_command("benchmarks.sockets.gateway_alone", folder / f"spool {count}", many)
        # All wait at the same time: what one holds does not depend on who else runs.
        with ThreadPoolExecutor(len(jobs)) as pool:
            held = pool.map(lambda job: _held_bytes(job, jobs[job], settle_s), jobs)
            found = dict(zip(jobs, held, strict=True))
    each = {name: (found[name, many] - found[name, few]) / (many - few) for name in (FLOOR, UVLOOP, GATEWAY)}
    return _report(each, few, many, settle_s)


def _held_bytes(job: tuple[str, int], command: list[str], settle_s: float) -> int:
    contestant, count = job
    with (
        serving(command) as server,
        IdleChargers(server.port, count, talks=contestant == GATEWAY) as chargers,
    ):
        chargers.idle(settle_s)
        return server.memory_bytes()


def _report(each: dict[str, float], few: int, many: int, settle_s: float) -> dict[str, Any]:
    own = each[GATEWAY] - each[UVLOOP]
    return {
        "workload": "memory",
        "few": few,
        "many": many,
        "settle_seconds": settle_s,
        "contestants": {
            name: {"unit": "bytes/connection", "values": [round(size)], "median": round(size)}
            for name, size in each.items()
        },
        "measures": {"bytes_per_connection": {"unit": "bytes", "values": [round(each[GATEWAY])]}},
        "ratios": {f"{GATEWAY} / {UVLOOP}": round(each[GATEWAY] / max(each[UVLOOP], 1), 3)},
        "limit": (
            f"{each[UVLOOP] / KIB:.1f} KiB of it are uvloop's own for a connection whose protocol keeps nothing; "
            f"{own / KIB:.1f} KiB are what pilestream knows of the charger"
        ),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("uvloop", "cython")}},
    }
