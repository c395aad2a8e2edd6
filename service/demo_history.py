"""The demo's day of history: the fleet's frames of the last 24 hours, through the same way as live ones."""

from functools import partial
from pathlib import Path

from analytics.biller import Biller
from analytics.client import connect
from backoffice.database import open_database
from backoffice.directory import read_directory
from benchmarks.fleet.history import history_frames
from benchmarks.fleet.master_data import fleet_of
from benchmarks.fleet.plan import demo_plan
from core.directory import PileDirectory
from ingest.loader import Loader
from ingest.replay import Replayer
from ingest.spool import Spool
from service.platform_processes import Platform
from service.role import now_ms


def replay_history(platform: Platform, master_file: Path, seed: int, live_ms: int) -> None:
    """Take in what the fleet sent before `live_ms` and bill it; sessions under way then stay open."""
    settings = platform.settings
    assert platform.address is not None
    directory = PileDirectory(read_directory(open_database(settings.database_url)))
    plan = demo_plan(fleet_of(master_file), seed, live_ms)
    folder = settings.folder / "spool"
    spool = Spool(folder, clock=now_ms, node=settings.node)
    try:
        Replayer(directory, spool).replay_frames(history_frames(plan, plan.from_ms, live_ms))
    finally:
        spool.close()
    load_rest(platform)
    Biller(platform.client(), directory, clock=lambda: live_ms).run_once()


def load_rest(platform: Platform) -> None:
    """Bring what still lies in the spool into the database."""
    assert platform.address is not None
    directory = PileDirectory(read_directory(open_database(platform.settings.database_url)))
    loader = Loader(platform.settings.folder / "spool", partial(connect, platform.address), directory)
    loader.load_available()
    loader.close()
