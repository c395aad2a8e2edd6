"""The rounds of the workload, each on a platform of its own."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.endtoend.costs import OTHERS, Costs
from benchmarks.endtoend.platform import served
from benchmarks.endtoend.report import report
from benchmarks.endtoend.senders import sending
from benchmarks.endtoend.stored import await_readings, await_records, require_all
from benchmarks.endtoend.traffic import Sent, write_stored
from benchmarks.sockets.traffic import Traffic

GOAL: Final = {"frames_per_s": 1_500_000}
MEMORY_FOLDER: Final = Path("/dev/shm")


def backlog(
    connections: int, readings: int, rounds: int, seconds: float, workers: int, seed: int, folder: Path | None
) -> dict[str, Any]:
    """Frames a second over the whole time from the first byte sent to the last row that can be asked for.

    All chargers are logged in when that time begins. Every round compares count and digest of what is stored with what
    was sent; raises `EndToEndError` when they differ.
    """
    runs: list[dict[str, Any]] = []
    began = time.monotonic()
    # The frames lie in memory: the sender is not to read a disk while it is measured.
    with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER) as name:
        traffic, sent = write_stored(Path(name) / "traffic", connections, readings, seed)
        while len(runs) < rounds and (not runs or time.monotonic() - began < seconds):
            runs.append(_one(traffic, sent, workers, folder))
    rates = [run["frames_per_s"] for run in runs]
    middle = min(runs, key=lambda run: abs(run["frames_per_s"] - statistics.median(rates)))
    return report(
        "backlog",
        rates,
        "frames/s",
        {
            "frames_per_s": ["frames/s", *rates],
            "acknowledged_frames_per_s": ["frames/s", *(run["acknowledged_frames_per_s"] for run in runs)],
            "cpu_s_per_million": ["s", *(run["cpu_s_per_million"] for run in runs)],
        },
        middle["processes"],
        goal=GOAL,
        connections=connections,
        readings=readings,
        workers=workers,
        stored=middle["stored"],
        warnings=sorted({line for run in runs for line in run["warnings"]}),
        seed=seed,
    )


def _one(traffic: Traffic, sent: Sent, workers: int, folder: Path | None) -> dict[str, Any]:
    with served(traffic.connections, workers=workers, folder=folder) as platform:
        client = platform.client()
        sender = sending(platform.port, "bulk", traffic, traffic.connections, 0)
        try:
            sender.await_ready()
            costs = Costs(platform)
            began = time.monotonic()
            sender.go()
            account = sender.result()
            await_readings(client, sent.readings)
            await_records(client, sent.records)
            took = time.monotonic() - began
            processes = costs.found({"sender": (sender.cpu_s, sender.memory_mb)})
        finally:
            sender.close()
        stored = require_all(client, sent)
        client.disconnect()
        warnings = platform.warnings()
    frames = sent.readings + sent.records
    used_s = sum(process["cpu_s"] for name, process in processes.items() if name != OTHERS)
    return {
        "frames_per_s": round(frames / took),
        "acknowledged_frames_per_s": round(frames / account["seconds"]),
        "cpu_s_per_million": round(used_s / frames * 1e6, 3),
        "processes": processes,
        "stored": stored,
        "warnings": warnings,
    }
