"""One life of the workload."""

import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.endtoend.lives import live_through
from benchmarks.endtoend.platform import served
from benchmarks.endtoend.report import report
from benchmarks.endtoend.senders import Pace
from benchmarks.endtoend.stored import require_all
from benchmarks.endtoend.traffic import Sent, write_lives
from benchmarks.endtoend.watching import in_columns

GOAL: Final = {"gateway_and_loader_share_of_core": 0.05, "missed_acks": 0}
HEARTBEATS_PER_S: Final = 1 / 11
"""Of each charger, so that 11,000 make the 1,000 a second of the goal; the protocol's period is 10 s."""
READINGS_PER_S: Final = 0.25
"""Of each that charges: 1,000 make the 250 a second of the goal, where the protocol would send one in 15 s."""
CHARGE_S: Final = 3_600
SETTLE_S: Final = 5.0


def idle(
    connections: int, charging: int, seconds: float, workers: int, seed: int, folder: Path | None
) -> dict[str, Any]:
    """Heartbeats of all, readings of those that charge, and now and then the record of a charge that has ended.

    Raises `EndToEndError` when the database does not hold in the end what was sent, each row once.
    """
    everybody = connections + charging
    pace = Pace(
        connections=everybody,
        charging=charging,
        seconds=seconds,
        readings_per_s=charging * READINGS_PER_S,
        heartbeats_per_s=everybody * HEARTBEATS_PER_S,
        records_per_s=charging / CHARGE_S,
        seed=seed,
    )
    with tempfile.TemporaryDirectory() as name, served(everybody, workers=workers, folder=folder) as platform:
        path = write_lives(Path(name) / "traffic", everybody)
        # What the logins brought is loaded before anything is counted.
        life = live_through(platform, path, pace, Sent(0, 0, 0), every_s=10.0, ready=lambda: time.sleep(SETTLE_S))
        client = platform.client()
        stored = require_all(client, life.sent)
        client.disconnect()
        warnings = platform.warnings()
    names = [name for name in life.processes if name == "loader" or name.startswith(("gateway", "hub"))]
    share = sum(life.processes[name]["share_of_core"] for name in names)
    account = life.account
    return report(
        "idle",
        [round(share, 4)],
        "of one core",
        {
            "gateway_and_loader_share_of_core": ["of one core", round(share, 4)],
            "clickhouse_share_of_core": ["of one core", life.processes["clickhouse"]["share_of_core"]],
            "missed_acks": ["", life.missed],
            "heartbeat_p99_ms": ["ms", account["heartbeats"]["wait_ms"]["p99"]],
            "heartbeat_longest_ms": ["ms", account["heartbeats"]["wait_ms"]["max"]],
        },
        life.processes,
        goal=GOAL,
        sent={kind: account[kind]["sent"] for kind in ("readings", "heartbeats", "records")},
        behind_ms=account["behind_ms"],
        wait_ms=life.waits(),
        first_logins_ms=account["first_logins"],
        samples=in_columns(life.samples),
        connections=connections,
        charging=charging,
        seconds=seconds,
        workers=workers,
        stored=stored,
        warnings=warnings,
        seed=seed,
    )
