"""A real `pilestream serve` on a folder of its own: its processes by name, killed, counted, and waited for."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from backoffice.database import open_database
from backoffice.directory import register_pile
from backoffice.master_file import load_master_file
from ingest.spool_status import read_spool_status
from service.settings import Settings
from tests.faults.fault_points import ROOT, FaultPoints
from tests.faults.scratch_files import left_behind

START_S: Final = 120.0
BACK_S: Final = 40.0
STOP_S: Final = 30.0
PILESTREAM: Final = (sys.executable, str(ROOT / "pilestream.py"))
ROLE: Final = re.compile(r"service\.(\w+)_role")


@dataclass(frozen=True)
class Held:
    """What long-lived processes hold at a moment; `processes` counts all, `resident_kib` is of `serve` itself."""

    processes: int
    descriptors: int
    threads: int
    resident_kib: int
    scratch_files: int


class ServeProcess:
    """`pilestream serve` with chargers known to it; started by the constructor of the process, `start`."""

    def __init__(
        self,
        folder: Path,
        piles: Iterable[str],
        *,
        workers: int = 1,
        points: FaultPoints | None = None,
        database: ClickHouseAddress | None = None,
        spool_disk: str = "",
        site: str = "",
        **settings: Any,
    ) -> None:
        """`database`: one that the caller runs (else the embedded one). `spool_disk`: the size of a disk for the spool
        alone (a tmpfs that only these processes see, gone with them; needs root). `site`: more master data, as TOML.
        `settings`: by name.
        """
        self.folder = folder
        self.workers = workers
        self.address = database
        self.port = 0
        self._points = points
        self._embedded = database is None
        self._spool_disk = spool_disk
        self._settings = {"logins_per_pile": 0, "logins_per_address": 0, "dashboard_port": 0, "ykc_port": 0} | settings
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        engine = open_database(Settings(data=str(folder)).database_url)
        for code in piles:
            register_pile(engine, code, "ykc", 1)
        if site:
            path = folder / "site.toml"
            path.write_text(site, "utf-8")
            load_master_file(engine, path)
        engine.dispose()

    def start(self) -> None:
        """Start it on the port it had before; returns when chargers may connect."""
        variables = {f"PILESTREAM_{name.upper()}": str(value) for name, value in self._settings.items()}
        variables |= self._points.environment() if self._points else {}
        more = ["--workers", str(self.workers)] if self.workers > 1 else []
        self._process = subprocess.Popen(
            [
                *self._own_disk(),
                sys.executable,
                str(ROOT / "pilestream.py"),
                "serve",
                "--data",
                str(self.folder),
                *more,
            ],
            stdin=subprocess.DEVNULL,
            stderr=(self.folder / "serve.log").open("ab"),
            text=True,
            env=os.environ | variables,
            cwd=ROOT,
        )
        begin = self._log_size()
        until(lambda: self._ready(begin), START_S, "serve is ready")
        self._settings["ykc_port"] = self.port
        if self._embedded:
            self.address = msgspec.convert(_json(self.folder / "run" / "role.json")["clickhouse"], ClickHouseAddress)

    @property
    def pid(self) -> int:
        """Of `pilestream serve` itself."""
        assert self._process is not None
        return self._process.pid

    def roles(self) -> dict[str, list[int]]:
        """The process numbers by role: gateway, hub, loader, biller, dashboard, clickhouse."""
        found: dict[str, list[int]] = {}
        for pid in _children(self.pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                role = ROLE.search(line)
                name = role[1] if role else "clickhouse" if "embedded_child" in line else ""
                if name:
                    found.setdefault(name, []).append(pid)
        return found

    def kill(self, role: str, which: int = 0) -> int:
        """`kill -9` one process of a role; gives CLOCK_MONOTONIC in ns just before."""
        pids = self.roles()[role]
        at_ns = time.monotonic_ns()
        os.kill(pids[which % len(pids)], signal.SIGKILL)
        return at_ns

    def kill_all(self) -> int:
        """End everything at one moment, as a power cut does; gives CLOCK_MONOTONIC in ns just before."""
        everybody = [self.pid, *(pid for pids in self.roles().values() for pid in pids)]
        at_ns = time.monotonic_ns()
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none sees another end
            for pid in everybody:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        assert self._process is not None
        self._process.wait(STOP_S)
        until(lambda: not any(_lives(pid) for pid in everybody), STOP_S, "all processes are gone")
        return at_ns

    def until_back(self, count: int) -> None:
        """Return when there are `count` processes, chargers may connect and ClickHouse answers."""

        def back() -> bool:
            return sum(map(len, self.roles().values())) >= count and self.answers() and _connects(self.port)

        until(back, BACK_S, "the platform is back")

    def answers(self) -> bool:
        """Whether ClickHouse does."""
        try:
            client = self.client(answer_timeout_s=2.0)
            client.execute("SELECT 1")
            client.disconnect()
        except Exception:  # noqa: BLE001 - away is away, whatever the driver calls it
            return False
        return True

    def client(self, answer_timeout_s: float = 60.0) -> Client:
        """A connection to its database, past every proxy."""
        assert self.address is not None
        return connect(self.address, answer_timeout_s=answer_timeout_s)

    def until_loaded(self, limit_s: float = 90.0) -> None:
        """Return when the loader says that nothing waits, some time after this was called."""
        called_ms = self._own_ms()
        time.sleep(0.3)

        def loaded() -> bool:
            status = self.loader()
            return bool(status) and status["waiting_bytes"] == 0 and abs(status["updated_ms"] - called_ms) > 300

        until(loaded, limit_s, "the loader has nothing waiting")

    @property
    def spool(self) -> Path:
        """The folder of the spool, as the processes see it."""
        return Path(f"/proc/{self.pid}/root{self.folder}/spool") if self._spool_disk else self.folder / "spool"

    def loader(self) -> dict[str, Any]:
        """What the loader said last."""
        return _json(self.spool / "loader.json")

    def counters(self) -> dict[str, Any]:
        """What the gateway (all workers together) said last."""
        return _json(self.folder / "run" / "gateway.json")

    def status(self) -> dict[str, Any]:
        """`pilestream status --json`."""
        asked = subprocess.run(
            [*PILESTREAM, "status", "--json", "--data", str(self.folder)],
            capture_output=True, text=True, check=False, cwd=ROOT, timeout=30,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(asked.stdout)
        return answer

    def spool_status(self) -> dict[str, Any]:
        """What `pilestream status` says of the spool, as the processes see it."""
        return read_spool_status(self.spool)

    def held(self, but: Collection[str] = ()) -> Held:
        """What `serve` and its children hold now, but those of these roles (which begin anew, or have caches)."""
        roles = self.roles()
        pids = [self.pid, *(pid for role, pids in roles.items() if role not in but for pid in pids)]
        return Held(
            1 + sum(map(len, roles.values())),
            sum(_count(pid, "fd") for pid in pids),
            sum(_count(pid, "task") for pid in pids),
            _memory_kib(self.pid),
            len(left_behind(self.folder)),
        )

    def memory_kib(self, role: str, kind: str = "VmRSS") -> int:
        """What the processes of a role take now, all together; of kind `VmHWM` what they took at the most."""
        return sum(_memory_kib(pid, kind) for pid in self.roles()[role])

    def terminate(self) -> int:
        """SIGTERM; gives the exit code once it has drained and ended."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_S)

    def close(self) -> None:
        """End what still runs."""
        if self._process is not None and self._process.poll() is None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                self.kill_all()

    def log(self) -> str:
        """What `serve` wrote to standard error."""
        return (self.folder / "serve.log").read_text("utf-8", errors="replace")

    def _own_disk(self) -> list[str]:
        if not self._spool_disk:
            return []
        (self.folder / "spool").mkdir(exist_ok=True)
        mount = f'mount -t tmpfs -o size={self._spool_disk} faults "$0" && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, str(self.folder / "spool")]

    def _log_size(self) -> int:
        return (self.folder / "serve.log").stat().st_size

    def _ready(self, begin: int) -> bool:
        assert self._process is not None
        said = self.log()[begin:]
        found = re.search(r"chargers \(YKC\): +\S+:(\d+)", said)
        if found and "dashboard:" in said:
            self.port = int(found[1])
            return True
        if self._process.poll() is not None:
            raise AssertionError(f"serve ended with {self._process.returncode}:\n{said}")
        return False

    def _own_ms(self) -> int:
        return int(self.loader().get("updated_ms", 0))


def stored_after_the_end(folder: Path) -> tuple[EmbeddedServer, Client]:
    """The database of a folder on which nothing runs any more."""
    server = EmbeddedServer(folder / "clickhouse")
    return server, connect(msgspec.structs.replace(server.start(), database="pilestream"))


def until(question: Callable[[], bool], limit_s: float, what: str, pause_s: float = 0.05) -> None:
    """Return when `question` says yes; raises AssertionError when that takes too long."""
    deadline = time.monotonic() + limit_s
    while not question():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(pause_s)


def _json(path: Path) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return answer


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(word) for word in path.read_text().split()]
    return found


def _lives(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _count(pid: int, kind: str) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/{kind}").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _memory_kib(pid: int, kind: str = "VmRSS") -> int:
    found = re.search(rf"{kind}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def _connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2.0):
            return True
    except OSError:
        return False
