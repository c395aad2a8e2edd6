"""`kill -9` of a part of a running platform at random moments under load."""

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.faults.load import Load
from tests.faults.serve_process import Held, ServeProcess
from tests.faults.tally import Row
from tests.faults.verdict import compare

PILES: Final = tuple(f"3201060099{number:04d}" for number in range(1, 9))
TARGETS: Final = ("gateway", "loader", "clickhouse")
TARGETS_OF_WORKERS: Final = ("gateway", "hub", "loader", "clickhouse")
TOGETHER: Final = "+"
"""Between the names of roles that are killed in one round, one soon after the other."""
PAUSE_BETWEEN_S: Final = 0.3
HOLDS_TELEMETRY: Final = ("gateway",)
GROUP_COMMIT_MS: Final = 50.0
ONE_COMMIT_MS: Final = 150.0
"""What the commit that runs at the kill may take on a busy disk: what came during it waits behind it."""
LONGEST_LOAD_S: Final = 1.2
RESTART_PAUSE_S: Final = 1.1
"""`serve` starts nothing again sooner than so long after its last start."""
MAY_GROW_KIB: Final = 30_000
MAY_VARY: Final = 6


def kill_rounds(folder: Path, rounds: int, seed: int, *, targets: Sequence[str] = (), workers: int = 1) -> list[Row]:
    """Kill the targets in turn, `rounds` times in all; gives a row for each target, and one for all together.

    Without `targets` everything that holds data, or knows who is there.
    """
    chance = random.Random(seed)
    targets = targets or (TARGETS_OF_WORKERS if workers > 1 else TARGETS)
    where = f", {workers} workers" if workers > 1 else ""
    rows = {target: Row(f"kill -9 {target}{where}") for target in targets}
    serve = ServeProcess(folder / "data", PILES, workers=workers)
    load = Load(folder / "sent", PILES, seed)
    try:
        serve.start()
        usual = sum(map(len, serve.roles().values()))
        at_begin = None
        leave_out = {role for target in targets for role in target.split(TOGETHER)} | {"clickhouse"}
        for number in range(rounds):
            target = targets[number % len(targets)]
            _kill_once(serve, load, rows[target], target, chance, usual)
            if number == len(targets) - 1:
                at_begin = serve.held(leave_out)
        whole = _afterwards(serve, load, rounds, at_begin, leave_out)
    finally:
        load.close()
        serve.close()
    whole.fault += where
    return [*rows.values(), whole]


def _kill_once(serve: ServeProcess, load: Load, row: Row, target: str, chance: random.Random, usual: int) -> None:
    began = time.monotonic()
    load.start(serve.port)
    time.sleep(0.3 + chance.random() * LONGEST_LOAD_S)
    killed_ns = []
    for role in target.split(TOGETHER):
        at_ns = serve.kill(role, chance.randrange(100))
        killed_ns += [at_ns] if role in HOLDS_TELEMETRY else []
        time.sleep(chance.random() * PAUSE_BETWEEN_S)
    time.sleep(RESTART_PAUSE_S)
    serve.until_back(usual)
    log = load.finish()
    serve.until_loaded()
    client = serve.client()
    verdict = compare(client, log, load.ever)
    client.disconnect()
    row.rounds += 1
    row.judge(verdict, killed_ns, GROUP_COMMIT_MS + ONE_COMMIT_MS)
    row.seconds += time.monotonic() - began


def _afterwards(serve: ServeProcess, load: Load, rounds: int, at_begin: Held | None, leave_out: set[str]) -> Row:
    """All that was ever sent once more, what the processes hold, and the end by SIGTERM."""
    row = Row("all kills together", rounds)
    began = time.monotonic()
    client = serve.client()
    verdict = compare(client, load.ever)
    client.disconnect()
    row.acknowledged, row.found, row.missing = verdict.acknowledged, verdict.found, len(verdict.missing)
    row.telemetry_sent, row.lost_allowed = verdict.telemetry_sent, len(verdict.telemetry_missing)
    row.wrong += verdict.wrong
    now = serve.held(leave_out)
    row.notes["held"] = [at_begin, now]
    if at_begin is not None:
        row.require(now.processes == at_begin.processes, f"processes: {at_begin.processes}, then {now.processes}")
        row.require(now.descriptors <= at_begin.descriptors + MAY_VARY, f"descriptors leak: {at_begin}, {now}")
        row.require(now.threads <= at_begin.threads + MAY_VARY, f"threads leak: {at_begin}, {now}")
        row.require(now.resident_kib <= at_begin.resident_kib + MAY_GROW_KIB, f"memory leaks: {at_begin}, {now}")
        row.require(now.scratch_files == 0, f"{now.scratch_files} scratch files are left")
    status = serve.loader()
    row.require(status["differences"] == 0, f"the loader sees a difference: {status['last_difference']}")
    row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
    row.seconds = time.monotonic() - began
    return row
