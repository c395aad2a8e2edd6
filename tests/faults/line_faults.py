"""Bad lines between chargers and gateway, clocks that step, and the order to end in the middle of it all."""

import math
import random
import time
from pathlib import Path
from typing import Final

from tests.faults.balance import require_balance
from tests.faults.fault_points import FaultPoints, write_clock
from tests.faults.kills import PILES
from tests.faults.line_proxy import ALL, GARBLE, LineProxy
from tests.faults.load import Load
from tests.faults.serve_process import ServeProcess, stored_after_the_end
from tests.faults.tally import Row
from tests.faults.under_load import under_load
from tests.faults.verdict import compare

STEPS_S: Final = (3600.0, -3600.0, 0.0, -86_400.0, 30.0, 0.0)
CLEAN_DRAIN_S: Final = 60.0
UNREAD_MS: Final = 25.0
"""What lies in the kernel, not read by the gateway, when it is told to end on a busy machine."""


def bad_line(folder: Path, seconds: float, seed: int, *, workers: int = 1) -> Row:
    """All faults of a line at once. Telemetry may be lost on it; every record is sent until it is acknowledged."""
    row = Row("line that cuts, delays, duplicates, garbles", 1)
    serve = ServeProcess(folder / "data", PILES, workers=workers)
    load = Load(folder / "sent", PILES, seed)
    began = time.monotonic()
    try:
        serve.start()
        with LineProxy(serve.port, ALL, seed) as line:
            load.start(line.port)
            time.sleep(seconds)
            log = load.finish(CLEAN_DRAIN_S)
            row.notes["faults"] = dict(line.done)
        serve.until_loaded()
        client = serve.client()
        verdict = compare(client, log, may_repeat=True, may_garble=True)
        client.disconnect()
        row.notes["telemetry lost on the line"] = len(verdict.telemetry_missing)
        verdict.telemetry_missing = []
        row.judge(verdict, [], math.inf)
        require_balance(row, serve, None)
        received = serve.counters()["bytes_in"]
        row.require(received <= line.delivered, f"{line.delivered} bytes were delivered, the gateway counts {received}")
        row.require(line.done[GARBLE] > 0, "the line garbled nothing")
        row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
    finally:
        load.close()
        serve.close()
    row.seconds = time.monotonic() - began
    return row


def clock_steps(folder: Path, seed: int, pause_s: float = 2.0) -> Row:
    """The clock of all processes of the platform jumps by an hour, back, a day back, and home again."""
    row = Row("clock steps of -1 d to +1 h")
    folder.mkdir(exist_ok=True)
    clock = folder / "clock"
    write_clock(clock, 0.0)
    serve = ServeProcess(folder / "data", PILES, points=FaultPoints(clock=str(clock)))
    with under_load(row, serve, folder, seed):
        for step in STEPS_S:
            write_clock(clock, step)
            time.sleep(pause_s)
            row.rounds += 1
    return row


def ended_under_load(folder: Path, rounds: int, seed: int) -> Row:
    """SIGTERM in the middle of the load: what was received is in ClickHouse when `serve` has ended."""
    chance = random.Random(seed)
    row = Row("SIGTERM under load")
    serve = ServeProcess(folder / "data", PILES)
    load = Load(folder / "sent", PILES, seed)
    began = time.monotonic()
    try:
        for _ in range(rounds):
            serve.start()
            load.start(serve.port)
            time.sleep(0.5 + chance.random() * 1.5)
            before_ns = time.monotonic_ns()
            row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
            log = load.finish(drain_s=0.0)
            row.require(
                serve.loader()["waiting_bytes"] == 0, f"{serve.loader()['waiting_bytes']} bytes stay in the spool"
            )
            server, client = stored_after_the_end(folder / "data")
            verdict = compare(client, log, load.ever)
            client.disconnect()
            server.stop()
            row.rounds += 1
            row.judge(verdict, [before_ns], UNREAD_MS)
        row.notes["telemetry counted as missing"] = "sent when the gateway had stopped reading already"
    finally:
        load.close()
        serve.close()
    row.seconds = time.monotonic() - began
    return row
