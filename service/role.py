"""What a child process of the platform is told, and what several of them need."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from analytics.client import ClickHouseAddress
from backoffice.changes import ChangeWatch
from backoffice.database import open_database
from backoffice.directory import read_directory
from core.directory import PileDirectory
from service.master_data import WelcomingDirectory
from service.settings import Settings

_log = logging.getLogger(__name__)

DIRECTORY_REFRESH_S = 5.0
MS_PER_S = 1000


class RoleSettings(msgspec.Struct, frozen=True):
    """What a child process must know: the settings in force and where ClickHouse answers."""

    settings: Settings
    clickhouse: ClickHouseAddress

    @property
    def spool(self) -> Path:
        """The folder of the spool."""
        return self.settings.folder / "spool"

    @property
    def run(self) -> Path:
        """The folder of what the running processes tell each other."""
        return self.settings.folder / "run"

    @property
    def hub_socket(self) -> Path:
        """Where the workers find their hub."""
        return self.run / "hub.sock"


def now_ms() -> int:
    """UTC epoch milliseconds by the machine's clock."""
    return time.time_ns() // 1_000_000


def refreshed_directory(role: RoleSettings, *, welcoming: bool = False) -> PileDirectory:
    """The chargers of the master data, as they are within 5 s; with `welcoming`, who asks for an unknown one gets it.

    They are read again only when the database has changed: ten thousand chargers take a second of processor time, and
    the event loop of a gateway shares its interpreter with that.
    """
    engine = open_database(role.settings.database_url)
    watch = ChangeWatch(engine)
    mark = watch.mark()
    directory = WelcomingDirectory(engine) if welcoming else PileDirectory(read_directory(engine))

    def refresh(known: str) -> None:
        while True:
            time.sleep(DIRECTORY_REFRESH_S)
            try:
                now = watch.mark()
                if now != known:
                    directory.replace(read_directory(engine))
                    known = now
            except SQLAlchemyError:
                _log.exception("the master data cannot be read; going on with what is known")

    threading.Thread(target=refresh, args=(mark,), name="directory", daemon=True).start()
    return directory


def run_role(run: Callable[[RoleSettings], None]) -> None:
    """Run a role in this process, which was started as `python -m service.<role>_role FILE`."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=RoleSettings))
