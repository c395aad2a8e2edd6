"""The two lives of the workload, one after the other on one platform."""

import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.endtoend.lives import Life, both, live_through
from benchmarks.endtoend.platform import served
from benchmarks.endtoend.report import PRODUCT, report
from benchmarks.endtoend.senders import Pace
from benchmarks.endtoend.stored import require_all
from benchmarks.endtoend.traffic import Sent, write_lives
from benchmarks.endtoend.watching import growth, in_columns
from benchmarks.live.floor import FLOOR, floor

GOAL: Final = {"frames_per_s": 150_000, "heartbeat_p99_ms": 5, "bill_p99_ms": 30}
HEARTBEAT_EVERY_S: Final = 10
PROBES: Final = 100
PROBES_PER_S: Final = 10
ACKS_S: Final = 60.0
CHARGES_BEFORE: Final = 1_000_000  # more than a charger can have had in the first life
NOTHING: Final = Sent(0, 0, 0)


def live(
    connections: int, rate: float, seconds: float, records: float, workers: int, seed: int, folder: Path | None
) -> dict[str, Any]:
    """Realtime frames one by one at `rate` for `seconds`, then at half of it, with heartbeats, records and new logins.

    Raises `EndToEndError` when the database does not hold in the end what was sent, each row once.
    """
    full = Pace(
        connections=connections,
        charging=connections,
        seconds=seconds,
        readings_per_s=rate,
        heartbeats_per_s=connections / HEARTBEAT_EVERY_S,
        records_per_s=records,
        probes=PROBES,
        probes_per_s=PROBES_PER_S,
        seed=seed,
    )
    half = full._replace(readings_per_s=rate / 2, seconds=min(seconds / 2, ACKS_S), charges=CHARGES_BEFORE)
    with (
        tempfile.TemporaryDirectory() as name,
        served(connections + PROBES, workers=workers, folder=folder) as platform,
    ):
        path = write_lives(Path(name) / "traffic", connections + PROBES)
        first = live_through(platform, path, full, NOTHING)
        second = live_through(platform, path, half, first.sent)
        client = platform.client()
        stored = require_all(client, both(first.sent, second.sent))
        client.disconnect()
        warnings = platform.warnings()
    acks = second.waits()
    frames_per_s = round(first.account["readings"]["sent"] / first.account["seconds"])
    found = report(
        "live",
        [frames_per_s],
        "frames/s",
        {
            "frames_per_s": ["frames/s", frames_per_s],
            "backlog_growth_frames_per_s": ["frames/s", round(growth(first.samples, rate), 1)],
            "caught_up_s": ["s", round(first.caught_up_s, 2)],
            "newest_age_s": ["s", round(max(sample.newest_age_s for sample in first.samples), 2)],
            "heartbeat_p99_ms": ["ms", acks["heartbeats"]["p99"]],
            "bill_p99_ms": ["ms", acks["records"]["p99"]],
            "missed_acks": ["", first.missed + second.missed],
        },
        first.processes,
        goal=GOAL,
        full_rate=_shown(first),
        half_rate=_shown(second),
        connections=connections,
        rate=rate,
        seconds=seconds,
        workers=workers,
        stored=stored,
        warnings=warnings,
        seed=seed,
    )
    bare = floor(connections, rate, seed)
    found["contestants"][FLOOR] = {
        "values": [bare.frames_per_s],
        "median": bare.frames_per_s,
        "unit": "frames/s",
        "cores_at_rate": bare.cores_at_rate,
    }
    found["ratios"][f"{PRODUCT} / {FLOOR}"] = round(frames_per_s / bare.frames_per_s, 3)
    found["limit"] += (
        f"; the same sender against a C program that only reads the frames and writes their bytes to memory takes "
        f"{bare.cores_at_rate} cores at {rate:,.0f} frames/s, and together they reach {bare.frames_per_s:,} at most"
    )
    return found


def _shown(life: Life) -> dict[str, Any]:
    account = life.account
    return {
        "sent": {kind: account[kind]["sent"] for kind in ("readings", "heartbeats", "records", "logins")},
        "no_room": {kind: account[kind]["no_room"] for kind in ("readings", "heartbeats", "records")},
        "behind_ms": account["behind_ms"],
        "missed": life.missed,
        "wait_ms": life.waits(),
        "caught_up_s": round(life.caught_up_s, 2),
        "processes": life.processes,
        "samples": in_columns(life.samples),
    }
