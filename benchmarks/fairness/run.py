"""The rounds of the workload, each on a platform of its own."""

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.endtoend.costs import Costs
from benchmarks.endtoend.platform import ServedPlatform, served
from benchmarks.endtoend.report import report
from benchmarks.endtoend.senders import Pace, paced, sending
from benchmarks.endtoend.traffic import write_lives, write_stored
from benchmarks.sockets.traffic import Traffic

GOAL: Final = {"longest_accept_ms": 100, "longest_ack_ms": 100}
HEARTBEAT_EVERY_S: Final = 10
RECORDS_PER_S: Final = 2
PROBES: Final = 100
PROBES_PER_S: Final = 10
STEADY_AT_MOST_S: Final = 600.0
FLOOD_READINGS: Final = 4_000


def fairness(
    *, connections: int, flooding: int, seconds: float, rounds: int, workers: int, seed: int, folder: Path | None
) -> dict[str, Any]:
    """Milliseconds that the slowest acknowledgement of a heartbeat took while others flooded.

    Steady chargers send a heartbeat each 10 s and now and then the record of a charge, others log in anew; first with
    nobody else, then, as long again, beside those that flood with stored readings.
    """
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        traffic, _ = write_stored(Path(name) / "flood", flooding, FLOOD_READINGS, seed)
        lives = write_lives(Path(name) / "lives", connections + PROBES, first=flooding)
        pace = Pace(
            connections=connections,
            charging=connections,
            seconds=seconds,
            heartbeats_per_s=connections / HEARTBEAT_EVERY_S,
            records_per_s=RECORDS_PER_S,
            probes=PROBES,
            probes_per_s=PROBES_PER_S,
            seed=seed,
        )
        for _round in range(rounds):
            with served(connections + flooding + PROBES, workers=workers, folder=folder) as platform:
                quiet = _steady(platform, lives, pace, None, 0)
                flooded = _steady(platform, lives, pace._replace(charges=1_000_000), traffic, seconds)
                runs.append({"quiet": quiet, "flooded": flooded, "warnings": platform.warnings()})
    return _report(runs, connections=connections, flooding=flooding, seconds=seconds, workers=workers, seed=seed)


def _steady(
    platform: ServedPlatform, lives: Path, pace: Pace, traffic: Traffic | None, seconds: float
) -> dict[str, Any]:
    with ExitStack() as stack:
        steady = paced(platform.port, lives, pace)
        stack.callback(steady.close)
        steady.await_ready()
        flood = None
        if traffic is not None:
            flood = sending(platform.port, "flood", traffic, traffic.connections, seconds, 1)
            stack.callback(flood.close)
            flood.await_ready()
        costs = Costs(platform)
        if flood is not None:
            flood.go()
        steady.go()
        account = steady.result()
        used = {"steady": (steady.cpu_s, steady.memory_mb)}
        flooded = 0.0
        if flood is not None:
            told = flood.result()
            used["flood"] = (flood.cpu_s, flood.memory_mb)
            flooded = told["bytes"] / told["seconds"]
        return {"account": account, "bytes_per_s": flooded, "processes": costs.found(used)}


def _report(runs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    def longest(when: str, kind: str) -> list[float]:
        return [run[when]["account"][kind]["wait_ms"]["max"] for run in runs]

    def lost(when: str) -> int:
        accounts = [run[when]["account"] for run in runs]
        return int(sum(each["lost"] + each["heartbeats"]["missed"] + each["records"]["missed"] for each in accounts))

    acks = longest("flooded", "heartbeats")
    middle = min(
        runs, key=lambda run: abs(run["flooded"]["account"]["heartbeats"]["wait_ms"]["max"] - statistics.median(acks))
    )
    kinds = ("heartbeats", "records", "logins")
    return report(
        "fairness",
        acks,
        "ms",
        {
            "longest_accept_ms": ["ms", *longest("flooded", "logins")],
            "longest_ack_ms": ["ms", *acks],
            "longest_bill_ack_ms": ["ms", *longest("flooded", "records")],
            "quiet_longest_accept_ms": ["ms", *longest("quiet", "logins")],
            "quiet_longest_ack_ms": ["ms", *longest("quiet", "heartbeats")],
            "flood_mb_per_s": ["MB/s", *(round(run["flooded"]["bytes_per_s"] / 1e6, 1) for run in runs)],
            "missed_acks": ["", lost("quiet") + lost("flooded")],
        },
        middle["flooded"]["processes"],
        goal=GOAL,
        wait_ms={
            when: {kind: middle[when]["account"][kind]["wait_ms"] for kind in kinds} for when in ("quiet", "flooded")
        },
        warnings=sorted({line for run in runs for line in run["warnings"]}),
        **more,
    )
