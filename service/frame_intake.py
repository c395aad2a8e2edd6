"""Simulated frames by the product's own way into bills: spool, loader, learning, biller, in a folder of their own.

Frames come in blocks, each with all that some chargers ever said. So the disk holds the spool of one block besides the
database, and several processes can take blocks of different chargers at once.
"""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from clickhouse_driver import Client

from analytics.biller import Biller, BillerReport
from analytics.biller_decision import DECIDED_AFTER_MS
from analytics.client import ClickHouseAddress, connect
from analytics.conformance import ConformanceChecker
from analytics.meter_learning import MeterLearner
from backoffice.database import open_database
from backoffice.directory import read_directory
from backoffice.master_file import load_master_file
from core.directory import PileDirectory
from ingest.loader import Loader
from ingest.replay import Replayer, ReplayReport
from ingest.spool import Spool
from service.own_folder import empty, own_settings
from service.platform_processes import Platform
from service.role import now_ms
from service.settings import Settings

OWN: Final = "evaluate"

Frames = Iterable[tuple[int, str, bytes]]
"""(epoch ms at the platform, connection, frame), in the order of time."""


class Taken(msgspec.Struct):
    """What became of one block: its frames in the spool, and what the biller made of them."""

    frames: ReplayReport
    decided: BillerReport


class FrameIntake:
    """The way into one database, for one process. `name` tells its spool from those of other processes.

    Chargers must be in the master data; frames of others go into quarantine.
    """

    def __init__(self, settings: Settings, address: ClickHouseAddress, name: str = "main") -> None:
        self.settings = settings
        self.address = address
        self.directory = PileDirectory(read_directory(open_database(settings.database_url)))
        self._spool = settings.folder / f"spool-{name}"
        self._client = connect(address)

    def take(self, frames: Frames, *, learn: bool = True, observed_until_ms: int = 0) -> Taken:
        """Take one block, learn what nobody configured of its meters, and decide every session of its chargers.

        `observed_until_ms`: until then the chargers are taken to have been listened to, and from then on each stays as
        it was last seen (`Biller.settle`); 0 = until the last frame of the block. Chargers may come again in a later
        block, with later frames.
        """
        report = self._store(frames)
        until_ms = max(observed_until_ms, report.to_ms)
        if learn:
            MeterLearner(self._client, self.directory).learn_closed_days(until_ms, report.pile_ids)
        biller = Biller(self._client, self.directory, clock=now_ms)
        observed = dict.fromkeys(report.pile_ids, until_ms)
        decided = biller.settle(report.pile_ids, until_ms + DECIDED_AFTER_MS, observed)
        return Taken(report, decided)

    def check_conformance(self) -> int:
        """Hold every session that is stored against its protocol, once after all blocks; gives their number."""
        return ConformanceChecker(self._client, self.directory).run_to_end()

    def client(self) -> Client:
        """A connection of the caller's own to the database."""
        return connect(self.address)

    def close(self) -> None:
        """Let go of the database."""
        self._client.disconnect()

    def _store(self, frames: Frames) -> ReplayReport:
        shutil.rmtree(self._spool, ignore_errors=True)
        spool = Spool(self._spool, clock=now_ms, node=self.settings.node, max_bytes=self.settings.spool_max_bytes)
        try:
            report = Replayer(self.directory, spool).replay_frames(frames)
        finally:
            spool.close()
        loader = Loader(self._spool, partial(connect, self.address), self.directory)
        loader.load_available()
        loader.close()
        shutil.rmtree(self._spool)
        return report


@contextmanager
def frame_intake(settings: Settings, master_file: Path) -> Iterator[FrameIntake]:
    """An intake into an empty database in the folder `evaluate` of the operator's, with the chargers of `master_file`.

    What an earlier run left there goes first; what this one leaves stays to be asked, with `--data <folder>/evaluate`.
    Other processes open `FrameIntake(intake.settings, intake.address, name)` while this lasts.
    Raises `AlreadyRunsError` while another run has the folder, `MasterFileError` for a file that cannot be used.
    """
    own = own_settings(settings, OWN)
    empty(own, OWN)
    load_master_file(open_database(own.database_url), master_file)
    platform = Platform(own)
    try:
        intake = FrameIntake(own, platform.prepare())
        yield intake
        intake.close()
    finally:
        platform.stop()
