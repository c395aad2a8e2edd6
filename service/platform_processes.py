"""The processes of one platform on one machine: started in order, watched, stopped in order."""

import fcntl
import os
import sys
import time
from pathlib import Path
from threading import Event

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.migrate import migrate
from backoffice.database import open_database
from dashboard.loopback import require_loopback
from service.charger_access import require_safe_access
from service.child_process import ChildProcess
from service.database_process import DatabaseProcess
from service.descriptor_limit import raise_descriptor_limit
from service.errors import AlreadyRunsError, StartError
from service.master_data import Publisher
from service.reserved_ports import ReservedPorts
from service.role import RoleSettings
from service.settings import Settings

PORT_NAMES = {
    "ykc": "chargers (YKC):       ",
    "aaf5": "chargers (AAF5):      ",
    "detect": "chargers (any):       ",
    "tls": "chargers (any, TLS):  ",
}
GATEWAY = "gateway"
HUB = "hub"
BEHIND_GATEWAYS = ("loader", "biller", "dashboard")
BEHIND = 5
"""The niceness of what may wait: chargers wait for the gateway and people for the dashboard, what was received waits in
the spool. Not more, because a role has to start and to stop in seconds on a machine that is busy with others, too."""
HANGS_S = 30.0
"""What has not ended after so long hangs, and is killed; a busy machine may take seconds for the last bills."""
WATCH_EVERY_S = 0.25


class Platform:
    """ClickHouse, gateway, loader, biller and dashboard on one data folder.

    `start` brings them up in that order, `stop` ends them so that nothing received is left behind: the gateway
    first (no new bytes), then the loader (the spool is emptied), the biller, the dashboard, and ClickHouse last.
    With several workers there are as many gateways, side by side, and a hub that starts before and ends after them.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.folder
        self.address: ClickHouseAddress | None = None
        self.ports: dict[str, int] = {}
        """Where chargers connect: ykc, aaf5, detect, tls, as far as they are open."""
        self.dashboard_port = 0
        self._children: dict[str, ChildProcess] = {}
        self._database: DatabaseProcess | None = None
        self._publisher: Publisher | None = None
        self._lock = FolderLock(self.folder)
        self._reserved = ReservedPorts()

    def prepare(self) -> ClickHouseAddress:
        """Start ClickHouse, bring both schemas up to date, publish the master data; gives where ClickHouse answers."""
        require_loopback(self.settings.dashboard_bind)
        self._lock.take()
        if self.settings.clickhouse:
            self.address = ClickHouseAddress.from_url(self.settings.clickhouse)
        else:
            self._database = DatabaseProcess(self.folder / "clickhouse", self.settings.clickhouse_port or None, BEHIND)
            self.address = msgspec.structs.replace(self._database.start(), database=self.settings.clickhouse_database)
        migrate(self.address)
        self._publisher = Publisher(open_database(self.settings.database_url))
        self._publisher.publish(self.client())
        return self.address

    @property
    def dashboard_url(self) -> str:
        """Where the pages answer."""
        return f"http://{self.settings.dashboard_bind}:{self.dashboard_port}/"

    def addresses(self) -> list[str]:
        """Where everybody finds the platform, one line each, fit to print."""
        chargers = [f"{PORT_NAMES[kind]}{self.settings.bind}:{port}" for kind, port in self.ports.items()]
        return [*chargers, f"dashboard:            {self.dashboard_url}"]

    def client(self) -> Client:
        """A new connection to this platform's database."""
        if self.address is None:
            raise StartError("ClickHouse has not been started yet")
        return connect(self.address)

    def start(self) -> None:
        """Start every process; raises `StartError` when one does not come up (those before it are stopped).

        Raises `SettingsError` before anything starts when the chargers' ports must not be opened as they are set.
        """
        require_safe_access(self.settings)
        self._lock.take()
        if self._is_shared:
            self.settings = self._reserved.reserve(self.settings)
        if self.address is None:
            self.prepare()
        warning = raise_descriptor_limit(self.settings)
        if warning:
            print(f"pilestream: {warning}", file=sys.stderr, flush=True)
        try:
            self._forget_other_workers()
            role_file = self._write_role_file()
            if self._is_shared:
                self._launch(HUB, HUB, role_file)
                self._children[HUB].await_ready()
            for worker, name in enumerate(self._gateways):
                self._launch(name, GATEWAY, role_file, str(worker))
            for role in BEHIND_GATEWAYS:
                self._launch(role, role, role_file)
            answers = {name: child.await_ready() for name, child in self._children.items() if name != HUB}
        except StartError:
            self.stop()
            raise
        self.ports = answers[self._gateways[0]]["ports"]
        self.dashboard_port = answers["dashboard"]["port"]
        # A process that is started again must be found where it was.
        found = {f"{kind}_port": port for kind, port in self.ports.items()}
        self.settings = msgspec.structs.replace(self.settings, **found, dashboard_port=self.dashboard_port)
        self._write_role_file()

    def look_after(self) -> list[str]:
        """Start again what ended by itself and publish changed master data; gives the names of what fell.

        Nothing here waits long: while one process comes up again the others, and Ctrl-C, are served.
        """
        if self._database is not None:
            self._database.look_after()
        if self._publisher is not None and self.address is not None:
            self._publisher.look_after(self.address)
        fallen = [child for child in self._children.values() if not child.alive() and child.pause_over()]
        for child in fallen:
            print(
                f"pilestream: {child.name} ended ({child.last_words()}); starting it again", file=sys.stderr, flush=True
            )
            child.relaunch()
        return [child.name for child in fallen]

    def stop_serving(self) -> None:
        """End all processes but ClickHouse, in an order that leaves nothing behind in the spool.

        One that hangs is killed; what the loader could not load then stays in the spool.
        """
        deadline = time.monotonic() + HANGS_S
        dashboard = self._children.get("dashboard")
        if dashboard is not None:
            dashboard.ask_to_stop()
        for names in (self._gateways, (HUB,), *((role,) for role in BEHIND_GATEWAYS)):
            ending = [self._children.pop(name) for name in names if name in self._children]
            for child in ending:
                child.ask_to_stop()
            for child in ending:
                child.wait_stopped(deadline - time.monotonic())
        self._reserved.release()

    def stop(self) -> None:
        """End everything."""
        self.stop_serving()
        if self._database is not None:
            self._database.stop()
            self._database = None
        self.address = None
        self._lock.release()

    @property
    def _is_shared(self) -> bool:
        """Whether several gateways share the ports."""
        return self.settings.workers > 1

    @property
    def _gateways(self) -> tuple[str, ...]:
        """The names of their processes."""
        workers = self.settings.workers
        return tuple(f"{GATEWAY}-{worker}" for worker in range(workers)) if workers > 1 else (GATEWAY,)

    def _forget_other_workers(self) -> None:
        """A worker that is not started any more must not look like one that has fallen silent."""
        workers = range(self.settings.workers) if self._is_shared else ()
        kept = {f"{kind}-{worker}.json" for kind in (GATEWAY, "beat") for worker in workers}
        for kind in (GATEWAY, "beat"):
            for path in (self.folder / "run").glob(f"{kind}-*.json"):
                if path.name not in kept:
                    path.unlink(missing_ok=True)

    def _launch(self, name: str, role: str, role_file: Path, *arguments: str) -> None:
        words = ["-m", f"service.{role}_role", str(role_file), *arguments]
        child = ChildProcess(name, words, self.folder / "logs", niceness=BEHIND if role in ("loader", "biller") else 0)
        child.launch()
        self._children[name] = child

    def _write_role_file(self) -> Path:
        assert self.address is not None
        path = self.folder / "run" / "role.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        content = msgspec.json.encode(RoleSettings(self.settings, self.address))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        return path


class FolderLock:
    """One platform per data folder: held while this process lives."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "platform.lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises `AlreadyRunsError` when another platform runs on the folder."""
        if self._descriptor is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise AlreadyRunsError(
                f"a platform already runs on {self._path.parent}; stop it, or set PILESTREAM_DATA to another folder"
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Let another platform have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def watch(platform: Platform, until: float | None, stopped: Event) -> None:
    """Keep the platform up until `stopped` is set or the monotonic time `until` is reached."""
    while not stopped.is_set() and (until is None or time.monotonic() < until):
        platform.look_after()
        stopped.wait(WATCH_EVERY_S)
