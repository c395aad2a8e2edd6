"""The contestants of one workload, in turn and again, so that a change of the machine meets them all."""

import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.sockets import traffic
from benchmarks.sockets.processes import Run, floor_command, python_command, send, serving

MEMORY_FOLDER: Final = Path("/dev/shm")
PROBES: Final = 20
GATEWAY: Final = "pilestream"
FLOOR: Final = "c epoll"
BULK_PLAIN: Final = "uvloop, plain python"
SEGMENTS_PLAIN: Final = "asyncio, plain python"
UVLOOP: Final = "uvloop, only answers"

Commands = dict[str, Callable[[Path], list[str]]]


def bulk(connections: int, readings: int, rounds: int, seed: int, folder: Path = MEMORY_FOLDER) -> dict[str, Any]:
    """Chargers that were offline send all that they kept, until the last record is acknowledged.

    Gives frames for each second that the server's core was busy, and what others wait meanwhile. The spool, and the
    floor's file, are in `folder`.
    """
    with tempfile.TemporaryDirectory(dir=folder) as name:
        sent = traffic.write_backlog(Path(name) / "traffic", connections, readings, PROBES, seed)
        commands: Commands = {
            FLOOR: lambda place: floor_command("bulk", place / "bytes", sent),
            BULK_PLAIN: lambda place: python_command("benchmarks.sockets.plain_python", "uvloop", place / "bytes"),
            GATEWAY: lambda place: python_command("benchmarks.sockets.gateway_alone", place, connections + PROBES),
        }
        runs = _in_turn(commands, Path(name), rounds, "bulk", sent, PROBES)
    rates = {name: [sent.frames / run.cpu_s for run in found] for name, found in runs.items()}
    measures = {
        "vs_floor": _in_each_round(rates, FLOOR),
        "longest_accept_ms": {"unit": "ms", "values": [run.login_ms["max"] for run in runs[GATEWAY]]},
        "longest_ack_ms": {"unit": "ms", "values": [run.wait_ms["max"] for run in runs[GATEWAY]]},
    }
    return _report("bulk", runs, rates, measures, seed=seed, connections=connections, frames=sent.frames)


def segments(connections: int, seconds: float, rounds: int) -> dict[str, Any]:
    """One heartbeat of each charger at a time, each answered.

    Gives answers for each second that the server's core was busy.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER) as name:
        sent = traffic.write_heartbeats(Path(name) / "traffic", connections)
        commands: Commands = {
            FLOOR: lambda place: floor_command("segments", place / "bytes", sent),
            SEGMENTS_PLAIN: lambda place: python_command("benchmarks.sockets.plain_python", "asyncio", place / "bytes"),
            UVLOOP: lambda place: python_command("benchmarks.sockets.uvloop_alone"),
            GATEWAY: lambda place: python_command("benchmarks.sockets.gateway_alone", place, connections),
        }
        runs = _in_turn(commands, Path(name), rounds, "segments", sent, seconds)
    rates = {name: [run.answers / run.cpu_s for run in found] for name, found in runs.items()}
    measures = {
        "vs_floor": _in_each_round(rates, FLOOR),
        "vs_asyncio": _in_each_round(rates, SEGMENTS_PLAIN),
        "vs_uvloop": _in_each_round(rates, UVLOOP),
    }
    return _report("segments", runs, rates, measures, connections=connections, limit=_limit_of_uvloop(rates))


def _limit_of_uvloop(rates: dict[str, list[float]]) -> str:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    most, own = medians[UVLOOP] / medians[FLOOR], medians[GATEWAY] / medians[UVLOOP]
    return (
        f"a server on uvloop that only reads and answers, without a look at what came and without storing it, reaches "
        f"{most:.0%} of the C program; the gateway, which does both, reaches {own:.0%} of that server"
    )


def _in_turn(
    commands: Commands, folder: Path, rounds: int, workload: str, sent: traffic.Traffic, last: float
) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _round in range(rounds):
        for name, command in commands.items():
            place = folder / "server"
            place.mkdir()
            with serving(command(place)) as server:
                runs[name].append(send(server, workload, sent, last))
            shutil.rmtree(place)
    return runs


def _in_each_round(rates: dict[str, list[float]], other: str) -> dict[str, Any]:
    """The gateway's rate by another's, where both took their turn."""
    pairs = zip(rates[GATEWAY], rates[other], strict=True)
    return {"unit": "×", "values": [round(own / others, 3) for own, others in pairs]}


def _report(
    workload: str, runs: dict[str, list[Run]], rates: dict[str, list[float]], measures: dict[str, Any], **more: Any
) -> dict[str, Any]:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "workload": workload,
        "contestants": {
            name: {
                "unit": "frames/s",
                "values": [round(value) for value in rates[name]],
                "median": round(medians[name]),
                "busy": round(statistics.median(run.cpu_s / run.seconds for run in found), 3),
                "wait_ms": _median_waits([run.wait_ms for run in found]),
                "login_ms": _median_waits([run.login_ms for run in found]),
            }
            for name, found in runs.items()
        },
        "ratios": {
            f"{GATEWAY} / {name}": round(medians[GATEWAY] / medians[name], 3) for name in medians if name != GATEWAY
        },
        "measures": measures,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("uvloop", "cython")}},
        **more,
    }


def _median_waits(waits: list[dict[str, float]]) -> dict[str, float]:
    return {part: round(statistics.median(wait[part] for wait in waits), 3) for part in waits[0]}
