"""A power cut: all processes end at one moment, and everything that nobody synced is gone with the page cache."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from ingest.spool import Spool
from tests.faults.fault_points import ROOT, FaultPoints
from tests.faults.kills import GROUP_COMMIT_MS, ONE_COMMIT_MS, PILES
from tests.faults.load import Load
from tests.faults.platter import Platter
from tests.faults.serve_process import ServeProcess
from tests.faults.tally import Row
from tests.faults.verdict import compare
from tests.ingest.charger_frames import CODE, NOW_MS, OTHER_CODE, SpoolContent

SYNC_PAUSE_S: Final = 0.03
COMMITS_AT_ONCE: Final = 2
SLOW_SYNC_S: Final = 0.15
"""Of the gateway alone: long enough that some record is always between the disk's cache and the disk."""
OF_ONE_COMMIT: Final = 2
"""Files that a commit syncs: one for each lane."""


def power_cuts(folder: Path, rounds: int, seed: int, *, workers: int = 1) -> Row:
    """Cut the power of a whole platform `rounds` times under load."""
    chance = random.Random(seed)
    row = Row("power cut (unsynced bytes gone)")
    data = folder / "data"
    (data / "spool").mkdir(parents=True)
    platter = Platter(folder / "platter")
    platter.take_in(data / "spool")
    points = FaultPoints(platter=str(folder / "platter"), sync_pause_s=SYNC_PAUSE_S)
    allowed_ms = GROUP_COMMIT_MS + ONE_COMMIT_MS + COMMITS_AT_ONCE * OF_ONE_COMMIT * SYNC_PAUSE_S * 1000
    serve = ServeProcess(data, PILES, workers=workers, points=points)
    load = Load(folder / "sent", PILES, seed)
    began = time.monotonic()
    try:
        serve.start()
        for _ in range(rounds):
            load.start(serve.port)
            time.sleep(0.5 + chance.random() * 1.5)
            cut_ns = serve.kill_all()
            platter.cut(data / "spool")
            serve.start()
            log = load.finish()
            serve.until_loaded()
            client = serve.client()
            row.judge(compare(client, log, load.ever), [cut_ns], allowed_ms)
            client.disconnect()
            row.rounds += 1
        row.require(serve.loader()["differences"] == 0, "the loader sees a difference")
        row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
    finally:
        load.close()
        serve.close()
    row.seconds = time.monotonic() - began
    return row


def gateway_without_power(folder: Path, seed: int, *, early_ack: bool = False, no_sync: bool = False) -> Row:
    """One power cut of a gateway alone, without a database; what its spool holds afterwards is compared."""
    row = Row("power cut of a gateway alone", 1)
    began = time.monotonic()
    spool = folder / "gateway" / "spool"
    spool.mkdir(parents=True)
    platter = Platter(folder / "platter")
    platter.take_in(spool)
    points = FaultPoints(str(folder / "platter"), SLOW_SYNC_S, early_ack=early_ack, no_sync=no_sync)
    load = Load(folder / "sent", (CODE, OTHER_CODE), seed)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ingest.gateway_process", str(spool.parent)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | points.environment(),
    ) as gateway:
        try:
            assert gateway.stdout is not None
            load.start(int(gateway.stdout.readline()), rate=40.0)
            time.sleep(1.0 + random.Random(seed).random() * 0.5)
        finally:
            gateway.send_signal(signal.SIGKILL)
            gateway.wait()
    log = load.finish(drain_s=0.0)
    platter.cut(spool)
    Spool(spool, clock=lambda: NOW_MS).close()  # the recovery that the next start makes
    kept = SpoolContent(spool).up
    missing = [trade_no for trade_no, sent in log.acknowledged.items() if sent.data not in kept]
    row.acknowledged, row.missing = len(log.acknowledged), len(missing)
    row.found = row.acknowledged - row.missing
    row.wrong = [f"acknowledged and missing: record {trade_no}" for trade_no in missing]
    row.seconds = time.monotonic() - began
    return row
