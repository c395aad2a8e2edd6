"""A fleet without faults keeps to its protocols in every step, in a replayed history and live; so does the platform."""

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, connect
from analytics.conformance import ConformanceChecker
from backoffice.database import open_database
from backoffice.directory import read_directory
from backoffice.master_file import load_master_file
from benchmarks.fleet.accounts import start_accounts
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.faults import FaultMix
from benchmarks.fleet.history import history_frames
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.master_data import fleet_of
from benchmarks.fleet.orders import ControlSocketOrders
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, build_plan
from benchmarks.leaping_loop import LeapingLoop
from core.directory import PileDirectory
from ingest.gateway import Ports
from ingest.group_commit import GroupCommit
from ingest.loader import Loader
from ingest.replay import Replayer
from ingest.spool import Spool
from ingest.start_decision import StartAccount, StartTable
from service.demo import MASTER_FILE
from service.master_data import Publisher
from tests.ingest.running_gateway import running

pytestmark = pytest.mark.server

SEED = 5
DAY_MS = 24 * HOUR_MS
NOON_IN_SHANGHAI_MS = 4 * HOUR_MS
LIVE_MINUTES = 90
OFTEN = ["remote_start", "local_start", "offline_start", "login"]


class SeldomCommit(GroupCommit):
    """Not twenty times a second: an hour is over in seconds."""

    def __init__(self, spool: Spool) -> None:
        super().__init__(spool, interval_ms=20_000)


def small_fleet() -> tuple[SimPile, ...]:
    """Four chargers of each model."""
    kept: dict[str, list[SimPile]] = {}
    for pile in fleet_of(MASTER_FILE):
        kept.setdefault(pile.model, []).append(pile)
    return tuple(pile for piles in kept.values() for pile in piles[:4])


def directory_of(folder: Path, client: Client) -> PileDirectory:
    engine = open_database(f"sqlite:///{folder / 'backoffice.db'}")
    load_master_file(engine, MASTER_FILE)
    Publisher(engine).publish(client)
    return PileDirectory(read_directory(engine))


def checks(folder: Path, address: ClickHouseAddress, client: Client, directory: PileDirectory, at_ms: int) -> Any:
    """Load, bill and check; gives the number of checks by kind, and all deviations of either side."""
    loader = Loader(folder / "spool", partial(connect, address), directory)
    loader.load_available()
    loader.close()
    Biller(client, directory, clock=lambda: at_ms).run_once()
    ConformanceChecker(client, directory).run_once()
    counts = dict(client.execute("SELECT flow, count() FROM conformance GROUP BY flow"))
    deviations = client.execute("SELECT party, kind, step, pile, trade_no, detail FROM session_deviations")
    return counts, deviations


def test_a_history_without_faults_has_no_deviation(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    directory = directory_of(tmp_path, database)
    # The plan follows the hour of the day; an order on its way when the history ends would have no answer in it.
    live_ms = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS - 4 * HOUR_MS
    from_ms = live_ms - 8 * HOUR_MS
    plan = build_plan(small_fleet(), SEED, from_ms, live_ms, faults=FaultMix({}))
    spool = Spool(tmp_path / "spool", clock=lambda: live_ms)
    Replayer(directory, spool).replay_frames(history_frames(plan, from_ms, live_ms, heartbeat_s=55))
    spool.close()
    counts, deviations = checks(tmp_path, database_address, database, directory, live_ms)
    assert deviations == []
    assert set(OFTEN) <= set(counts)
    outcomes = database.execute("SELECT command, outcome, detail, count() FROM commands GROUP BY 1, 2, 3 ORDER BY 1")
    assert [(command, outcome, detail) for command, outcome, detail, _ in outcomes] == [
        ("remote_start", "ok", ""),
        ("remote_stop", "ok", ""),
        ("time_sync", "ok", ""),
    ]


def test_a_live_fleet_without_faults_has_no_deviation(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    directory = directory_of(tmp_path, database)
    begin_ms = (time.time_ns() // 1_000_000 // DAY_MS - 1) * DAY_MS + NOON_IN_SHANGHAI_MS  # by night few vehicles come
    end_ms = begin_ms + LIVE_MINUTES * MINUTE_MS
    plan = build_plan(small_fleet(), SEED, begin_ms, end_ms, live_ms=begin_ms, faults=FaultMix({}))
    errors: list[dict[str, Any]] = []

    async def play() -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        clock = Clock(start_ms=begin_ms, monotonic_ns=lambda: int(loop.time() * 1e9))
        control = tmp_path / "gateway.sock"
        drivers = StartTable(msgspec.convert(start_accounts(), list[StartAccount]))
        async with running(
            tmp_path,
            directory=directory,
            clock=clock.now_ms,
            group_commit=SeldomCommit,
            ports=Ports(ykc=0, aaf5=0),
            decide_start=drivers,
            control_path=control,
        ) as here:
            ports = here.gateway.ports
            orders = ControlSocketOrders(control)
            fleet = LiveFleet(plan, "127.0.0.1", ports["ykc"], aaf5_port=ports["aaf5"], clock=clock, orders=orders)
            fleet.start()
            await clock.sleep_until(end_ms)
            await fleet.stop()
            return fleet.report() | {"refused": orders.refusals}

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        report = runner.run(play())
    assert not errors, errors
    assert (report["refused"], report["starts_refused"], report["connections_lost"]) == ({}, 0, 0)
    counts, deviations = checks(tmp_path, database_address, database, directory, end_ms)
    assert deviations == []
    assert set(OFTEN) <= set(counts)
    assert counts["remote_start"] + counts["local_start"] + counts["offline_start"] > 60
