"""Torn and flipped bytes in the segments of a spool that was not loaded yet."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Final

from ingest.segment import SEGMENT_HEADER_BYTES
from tests.faults.kills import PILES
from tests.faults.load import Load
from tests.faults.serve_process import ServeProcess
from tests.faults.tally import Row
from tests.faults.verdict import compare

FLIPS: Final = 3
TORN_BYTES: Final = 40


def damaged_segments(folder: Path, rounds: int, seed: int) -> Row:
    """All processes are killed while ClickHouse hangs; some bytes of each segment flip, some at its end are missing.

    A record that was hit cannot be in ClickHouse; its bytes must lie aside with a reason. All others must be there.
    """
    chance = random.Random(seed)
    row = Row("torn and flipped bytes in segments")
    serve = ServeProcess(folder / "data", PILES)
    load = Load(folder / "sent", PILES, seed)
    began = time.monotonic()
    hit_in_all = 0
    try:
        for _ in range(rounds):
            serve.start()
            os.kill(serve.roles()["clickhouse"][0], signal.SIGSTOP)
            load.start(serve.port)
            time.sleep(2.0)
            killed_ns = serve.kill_all()
            log = load.finish(drain_s=0.0)
            whole = b"".join(path.read_bytes() for path in serve.spool.rglob("*.seg"))
            for path in serve.spool.rglob("*.seg"):
                _damage(path, chance)
            left = b"".join(path.read_bytes() for path in serve.spool.rglob("*.seg"))
            hit = {
                trade_no for trade_no, sent in log.acknowledged.items() if sent.data in whole and sent.data not in left
            }
            hit_in_all += len(hit)
            serve.start()
            serve.until_loaded()
            client = serve.client()
            verdict = compare(client, log, load.ever)
            client.disconnect()
            missing = {text.removeprefix("record ") for text in verdict.missing}
            row.require(missing <= hit, f"records are missing that were not hit: {sorted(missing - hit)[:3]}")
            verdict.missing, verdict.acknowledged = [], verdict.acknowledged - len(missing)
            row.notes["telemetry lost"] = len(verdict.telemetry_missing)
            verdict.telemetry_missing = []
            row.judge(verdict, [killed_ns], 0.0)
            row.rounds += 1
            serve.terminate()
        aside = sum(path.stat().st_size for path in serve.spool.rglob("*.damaged-*"))
        row.notes |= {"records hit and set aside": hit_in_all, "bytes set aside": aside}
        row.require(aside > 0 or not hit_in_all, "nothing was set aside")
    finally:
        load.close()
        serve.close()
    row.seconds = time.monotonic() - began
    return row


def _damage(path: Path, chance: random.Random) -> None:
    size = path.stat().st_size
    if size < SEGMENT_HEADER_BYTES + 10 * TORN_BYTES:
        return
    descriptor = os.open(path, os.O_RDWR)
    for _ in range(FLIPS):
        place = chance.randrange(SEGMENT_HEADER_BYTES, size - TORN_BYTES)
        (byte,) = os.pread(descriptor, 1, place)
        os.pwrite(descriptor, bytes([byte ^ 1 << chance.randrange(8)]), place)
    os.ftruncate(descriptor, size - chance.randrange(1, TORN_BYTES))
    os.close(descriptor)
