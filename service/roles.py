"""What each child process of the platform does: wires one part together and runs it until it is told to stop."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, connect
from backoffice.database import open_database
from backoffice.directory import read_directory
from core.directory import PileDirectory
from ingest.gateway import Gateway, GatewaySettings
from ingest.loader import Loader
from ingest.spool import Spool
from service.lifeline import on_stop, say_ready, stop_event
from service.settings import Settings

DIRECTORY_REFRESH_S = 10.0


class RoleSettings(msgspec.Struct, frozen=True):
    """What a child process must know: the settings in force and where ClickHouse answers."""

    settings: Settings
    clickhouse: ClickHouseAddress
    folder: str

    @property
    def path(self) -> Path:
        """The folder of this platform's own files."""
        return Path(self.folder)


def now_ms() -> int:
    """UTC epoch milliseconds by the machine's clock."""
    return time.time_ns() // 1_000_000


def directory_of(role: RoleSettings) -> PileDirectory:
    """The chargers of the master data, read again every 10 s."""
    engine = open_database(role.settings.database_url)
    directory = PileDirectory(read_directory(engine))

    def refresh() -> None:
        while True:
            time.sleep(DIRECTORY_REFRESH_S)
            directory.replace(read_directory(engine))

    threading.Thread(target=refresh, name="directory", daemon=True).start()
    return directory
