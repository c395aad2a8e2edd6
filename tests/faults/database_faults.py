"""ClickHouse that loses answers, is away for long, or hangs while the disk of the spool fills."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Final

import msgspec

from analytics.embedded import EmbeddedServer
from tests.faults.kills import PILES
from tests.faults.serve_process import ServeProcess, until
from tests.faults.tally import Row
from tests.faults.under_load import under_load
from tests.ingest.cutting_proxy import CuttingProxy, cutting_proxy

LOST_WITHIN_S: Final = 10.0
CAUGHT_UP_BYTES: Final = 200_000
CAUGHT_UP_S: Final = 120.0
SPOOL_FULL_S: Final = 150.0


def lost_answers(folder: Path, rounds: int, seed: int) -> Row:
    """Between loader and ClickHouse the line loses the answer after the commit and is cut, `rounds` times."""
    chance = random.Random(seed)
    row = Row("answer of ClickHouse lost after the commit")
    server = EmbeddedServer(folder / "clickhouse")
    address = msgspec.structs.replace(server.start(), database="pilestream")
    try:
        with cutting_proxy(address) as proxy:
            serve = ServeProcess(folder / "data", PILES, database=address, clickhouse=proxy.address.url())
            with under_load(row, serve, folder, seed):
                _lose_answers(row, proxy, rounds, chance)
    finally:
        server.stop()
    return row


def _lose_answers(row: Row, proxy: CuttingProxy, rounds: int, chance: random.Random) -> None:
    for _ in range(rounds):
        time.sleep(chance.random())
        lost = proxy.lost
        proxy.losing.set()
        until(lambda lost=lost: proxy.lost > lost, LOST_WITHIN_S, "an answer is lost")  # type: ignore[misc]
        time.sleep(chance.random() * 0.2)
        proxy.cut()
        proxy.losing.clear()
        row.rounds += 1
    row.notes["lost bytes of answers"] = proxy.lost


def database_away(folder: Path, seconds: float, seed: int) -> Row:
    """ClickHouse is stopped for `seconds` under load, and started again on its port."""
    row = Row(f"ClickHouse away for {seconds:.0f} s", 1)
    server = EmbeddedServer(folder / "clickhouse")
    address = msgspec.structs.replace(server.start(), database="pilestream")
    try:
        with under_load(
            row,
            ServeProcess(folder / "data", PILES, database=address, clickhouse=address.url()),
            folder,
            seed,
            rate=60.0,
        ) as serve:
            time.sleep(0.5)
            server.stop()
            time.sleep(seconds)
            row.notes["spool at the return, bytes"] = serve.spool_status()["bytes"]
            server = EmbeddedServer(folder / "clickhouse", port=address.port)
            server.start()
            began = time.monotonic()
            until(lambda: serve.loader()["waiting_bytes"] < CAUGHT_UP_BYTES, CAUGHT_UP_S, "the loader has caught up")
            row.notes["seconds to catch up"] = round(time.monotonic() - began, 1)
    finally:
        server.stop()
    return row


def away_beyond_the_spool(folder: Path, seconds: float, seed: int, megabytes: int = 8) -> Row:
    """ClickHouse is away until the spool has reached its limit, and `seconds` more; a spool of hours, in little."""
    row = Row("ClickHouse away for longer than the spool lasts", 1)
    server = EmbeddedServer(folder / "clickhouse")
    address = msgspec.structs.replace(server.start(), database="pilestream")
    try:
        with under_load(
            row,
            ServeProcess(
                folder / "data", PILES, database=address, clickhouse=address.url(), spool_max_bytes=megabytes * 1024**2
            ),
            folder,
            seed,
            rate=150.0,
            balanced=False,
        ) as serve:
            server.stop()
            began = time.monotonic()
            until(lambda: _given_up(serve) > 0, SPOOL_FULL_S, "the spool has reached its limit", 0.5)
            row.notes["seconds until telemetry was given up"] = round(time.monotonic() - began, 1)
            time.sleep(seconds)
            row.require(
                serve.counters()["spool_bytes"] <= megabytes * 1024**2,
                f"the spool has {serve.counters()['spool_bytes']}",
            )
            server = EmbeddedServer(folder / "clickhouse", port=address.port)
            server.start()
            until(lambda: serve.loader()["waiting_bytes"] < CAUGHT_UP_BYTES, CAUGHT_UP_S, "the loader has caught up")
        row.require(row.lost_allowed > 0, "nothing was given up after all")
    finally:
        server.stop()
    return row


def _given_up(serve: ServeProcess) -> int:
    """Pieces of telemetry that the limit of the spool cost so far."""
    folders = serve.spool_status()["folders"].values()
    return sum(folder.get("shed", {}).get("records", 0) for folder in folders)


def disk_full(folder: Path, seed: int, megabytes: int = 6) -> Row:
    """ClickHouse hangs, and the spool fills a disk of its own; then ClickHouse goes on."""
    row = Row("disk full", 1)
    serve = ServeProcess(folder / "data", PILES, spool_disk=f"{megabytes}m", spool_max_bytes=2 * megabytes * 1024**2)
    with under_load(row, serve, folder, seed, rate=150.0, drain_s=60.0, balanced=False) as serve:
        hanging = serve.roles()["clickhouse"][0]
        os.kill(hanging, signal.SIGSTOP)
        try:
            until(lambda: serve.counters().get("commit_failures", 0) > 1, 150.0, "the disk is full", 0.5)
            row.notes["while it was full"] = {
                name: serve.counters()[name]
                for name in ("commit_failures", "commit_error", "bills_acked", "connections")
            }
            time.sleep(3.0)
        finally:
            os.kill(hanging, signal.SIGCONT)
        acked = serve.counters()["bills_acked"]
        until(lambda: serve.counters()["bills_acked"] > acked, 60.0, "records are acknowledged again", 0.5)
        row.notes["after it"] = {"bills_acked": serve.counters()["bills_acked"]}
    return row
