"""The rounds of the workload, each on a platform of its own."""

import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.endtoend.costs import Costs
from benchmarks.endtoend.platform import ServedPlatform, served
from benchmarks.endtoend.report import report
from benchmarks.endtoend.senders import Pace, SenderProcess, paced, sending
from benchmarks.endtoend.stored import await_readings, await_records, require_all
from benchmarks.endtoend.traffic import Sent, write_lives, write_stored
from benchmarks.sockets.traffic import Traffic

GOAL: Final = {"seconds": 10, "bills_not_once": 0}
SPARE_CONNECTIONS: Final = 2_000
HEARTBEAT_EVERY_S: Final = 10
PROBES: Final = 100
PROBES_PER_S: Final = 10
STEADY_AT_MOST_S: Final = 300.0
BEFORE_S: Final = 2.0


def storm(
    *,
    connections: int,
    readings: int,
    steady: int,
    senders: int,
    workers: int,
    rounds: int,
    seconds: float,
    seed: int,
    folder: Path | None,
) -> dict[str, Any]:
    """Seconds from the first attempt to connect to the last acknowledgement of a record, over all chargers.

    Each connects, logs in, checks its tariff, sends `readings` stored readings and a record, and is done when that is
    acknowledged. `steady` chargers are connected and send heartbeats all the while; others of them log in anew. Raises
    `EndToEndError` when a charger is refused, or the database does not hold in the end what was sent, each row once.
    """
    runs: list[dict[str, Any]] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        traffic, sent = write_stored(Path(name) / "stored", connections, readings, seed)
        lives = write_lives(Path(name) / "lives", steady + PROBES, first=connections)
        pace = Pace(
            connections=steady,
            charging=0,
            seconds=STEADY_AT_MOST_S,
            heartbeats_per_s=steady / HEARTBEAT_EVERY_S,
            probes=PROBES,
            probes_per_s=PROBES_PER_S,
            seed=seed,
        )
        everybody = connections + steady + PROBES
        while len(runs) < rounds and (not runs or time.monotonic() - began < seconds):
            with served(
                everybody, workers=workers, folder=folder, max_connections=everybody + SPARE_CONNECTIONS
            ) as platform:
                runs.append(_one(platform, traffic, sent, senders, lives, pace))
                runs[-1]["warnings"] = platform.warnings()
    return _report(runs, connections=connections, readings=readings, steady=steady, senders=senders, workers=workers)


def _one(
    platform: ServedPlatform, traffic: Traffic, sent: Sent, senders: int, lives: Path, pace: Pace
) -> dict[str, Any]:
    each = -(-traffic.connections // senders)
    client = platform.client()
    with ExitStack() as stack:
        steady = paced(platform.port, lives, pace)
        stack.callback(steady.close)
        steady.await_ready()
        steady.go()
        crowd: list[SenderProcess] = []
        for first in range(0, traffic.connections, each):
            count = min(each, traffic.connections - first)
            crowd.append(sending(platform.port, "storm", traffic, count, first, len(crowd) + 1))
            stack.callback(crowd[-1].close)
        for sender in crowd:
            sender.await_ready()
        time.sleep(BEFORE_S)
        costs, began = Costs(platform), time.monotonic()
        for sender in crowd:
            sender.go()
        accounts = [sender.result() for sender in crowd]
        await_readings(client, sent.readings)
        await_records(client, sent.records)
        recovered_s = time.monotonic() - began
        steady.stop()
        steady_account = steady.result()
        used = {"senders": (sum(each.cpu_s for each in crowd), sum(each.memory_mb for each in crowd))}
        used["steady"] = (steady.cpu_s, steady.memory_mb)
        processes = costs.found(used)
        stored = require_all(client, sent)
    client.disconnect()
    waits = {kind: steady_account[kind]["wait_ms"] for kind in ("heartbeats", "logins")}
    return {
        "seconds": max(account["seconds"] for account in accounts),
        "recovered_s": recovered_s,
        "again": sum(account["again"] for account in accounts),
        "served_ms": {part: max(account["wait_ms"][part] for account in accounts) for part in ("p50", "p99", "max")},
        "login_ms": {part: max(account["login_ms"][part] for account in accounts) for part in ("p50", "p99", "max")},
        "steady_wait_ms": waits,
        "steady_missed": steady_account["lost"] + sum(steady_account[kind]["missed"] for kind in waits),
        "processes": processes,
        "stored": stored,
    }


def _report(runs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    seconds = [round(run["seconds"], 2) for run in runs]
    middle = min(runs, key=lambda run: abs(run["seconds"] - statistics.median(seconds)))
    return report(
        "storm",
        seconds,
        "s",
        {
            "seconds": ["s", *seconds],
            "bills_not_once": ["", *(run["again"] for run in runs)],
            "recovered_s": ["s", *(round(run["recovered_s"], 2) for run in runs)],
            "steady_longest_ack_ms": ["ms", *(run["steady_wait_ms"]["heartbeats"]["max"] for run in runs)],
            "steady_longest_accept_ms": ["ms", *(run["steady_wait_ms"]["logins"]["max"] for run in runs)],
            "steady_missed": ["", *(run["steady_missed"] for run in runs)],
        },
        middle["processes"],
        goal=GOAL,
        served_ms=middle["served_ms"],
        login_ms=middle["login_ms"],
        steady_wait_ms=middle["steady_wait_ms"],
        stored=middle["stored"],
        warnings=sorted({line for run in runs for line in run["warnings"]}),
        **more,
    )
