"""What each child process of the platform does: it wires one part together and runs it until it is told to stop.

Run as `python -m service.roles ROLE FILE`, where FILE holds the `RoleSettings` that the parent wrote.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import uvloop
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from analytics.questions import PLATFORM_SCOPE
from backoffice.database import open_database
from backoffice.directory import read_directory
from core.directory import PileDirectory
from core.ykc.hex_lines import decode_line
from dashboard.app import create_app
from dashboard.server import serve
from ingest.gateway import Gateway, GatewaySettings
from ingest.group_commit import GroupCommit
from ingest.loader import Loader
from ingest.spool import Spool
from ingest.stored_frames import frame_hex
from service.lifeline import on_parent_end, on_stop, say_ready, stop_event
from service.loaded import loaded_until
from service.settings import Settings

DIRECTORY_REFRESH_S = 10.0
LOADER_INTERVAL_S = 0.5
MS_PER_S = 1000

_log = logging.getLogger(__name__)


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


def now_ms() -> int:
    """UTC epoch milliseconds by the machine's clock."""
    return time.time_ns() // 1_000_000


def run_gateway(role: RoleSettings) -> None:
    """Serve chargers until told to stop."""
    uvloop.run(_serve_chargers(role))


async def _serve_chargers(role: RoleSettings) -> None:
    settings = role.settings
    spool = Spool(role.spool, clock=now_ms, node=settings.node, max_bytes=settings.spool_max_bytes)
    commit = GroupCommit(spool, interval_ms=settings.group_commit_ms, bill_interval_ms=settings.bill_commit_ms)
    commit.start()
    limits = GatewaySettings(
        node=settings.node,
        idle_timeout_ms=settings.idle_timeout_s * MS_PER_S,
        status_path=role.run / "gateway.json",
        beat_path=role.run / "beat.json",
        control_path=role.run / "gateway.sock",
    )
    gateway = Gateway(_directory(role), spool, commit, now_ms, limits)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(stopped.set)

    on_stop(stop)
    await gateway.start(settings.bind, settings.ykc_port)
    say_ready(port=gateway.port)
    await stopped.wait()
    await gateway.stop()
    await commit.close()
    spool.close()


def run_loader(role: RoleSettings) -> None:
    """Bring the spool into ClickHouse until told to stop, then once more what is there."""
    loader = Loader(
        role.spool,
        partial(connect, role.clickhouse),
        _directory(role),
        keep_loaded=role.settings.keep_loaded_segments,
        interval_s=LOADER_INTERVAL_S,
    )
    stop = stop_event()
    say_ready()
    loader.run(stop)


def run_biller(role: RoleSettings) -> None:
    """Make bills of what is stored until told to stop, then have one more pass."""
    stop = stop_event()
    directory = _directory(role)
    say_ready()
    biller: Biller | None = None
    while True:
        last_pass = stop.is_set()
        try:
            biller = biller or _new_biller(role, directory)
            biller.run_once()
        except (OSError, EOFError, DatabaseUnreachable) as error:
            _log.warning("the biller waits for ClickHouse: %s", error)
            biller = None
        if last_pass:
            return
        stop.wait(role.settings.biller_interval_ms / MS_PER_S)


def _new_biller(role: RoleSettings, directory: PileDirectory) -> Biller:
    return Biller(connect(role.clickhouse), directory, clock=now_ms, loaded_until=loaded_until(role.spool))


def run_dashboard(role: RoleSettings) -> None:
    """Answer the pages until told to stop."""
    settings = role.settings
    port = settings.dashboard_port or _free_port()
    app = create_app(
        partial(connect, role.clickhouse),
        PLATFORM_SCOPE,
        clock=now_ms,
        zone=settings.default_zone,
        frame_hex=_hex_of_frame,
        frame_fields=decode_line,
    )
    on_parent_end(lambda: os.kill(os.getpid(), signal.SIGTERM))
    threading.Thread(target=_say_ready_when_open, args=(port,), name="ready", daemon=True).start()
    serve(app, "127.0.0.1", port)


def _hex_of_frame(client: Client, pile_id: int, _receive_ms: int, segment_id: int, segment_offset: int) -> str | None:
    return frame_hex(client, segment_id, segment_offset, pile_id=pile_id)


def _say_ready_when_open(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            say_ready(url=f"http://127.0.0.1:{port}/")
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _directory(role: RoleSettings) -> PileDirectory:
    """The chargers of the master data, read again every 10 s."""
    engine = open_database(role.settings.database_url)
    directory = PileDirectory(read_directory(engine))

    def refresh() -> None:
        while True:
            time.sleep(DIRECTORY_REFRESH_S)
            directory.replace(read_directory(engine))

    threading.Thread(target=refresh, name="directory", daemon=True).start()
    return directory


ROLES: dict[str, Callable[[RoleSettings], None]] = {
    "gateway": run_gateway,
    "loader": run_loader,
    "biller": run_biller,
    "dashboard": run_dashboard,
}


def main() -> None:
    """Run the role named on the command line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    name, path = sys.argv[1:]
    ROLES[name](msgspec.json.decode(Path(path).read_bytes(), type=RoleSettings))


if __name__ == "__main__":
    main()
