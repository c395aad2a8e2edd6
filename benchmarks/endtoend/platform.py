"""A real `pilestream serve` in a fresh data folder: its gateways, loader, biller, dashboard and embedded ClickHouse."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from benchmarks.endtoend.errors import EndToEndError
from benchmarks.sockets.traffic import PRICE_E5YUAN, code_of

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 90.0
STOP_S: Final = 60.0
LOOK_S: Final = 0.05
LAST_WORDS: Final = 30
ROLE: Final = re.compile(r"service\.(\w+)_role\0(?:[^\0]*)\0(\d*)")
WHEN: Final = re.compile(r"(?<=: )\d{4}-\d\d-\d\d [\d:,]+ ")
CLICKHOUSE: Final = "embedded_child"
MASTER: Final = """
[[operators]]
key = "bench"
name = "bench"

[[tariffs]]
key = "flat"
name = "flat"

[[tariffs.versions]]
model_no = "0001"
from = 2023-01-01T00:00:00+08:00
slots = "{slots}"
electricity = {{ sharp = "1.0", peak = "1.0", flat = "1.0", valley = "1.0" }}
service = {{ sharp = "{service}", peak = "{service}", flat = "{service}", valley = "{service}" }}

[[models]]
key = "B-120"
vendor = "B"
current = "dc"
connectors = 1
rated_power_kw = 120
register = "session"
quantum_kwh = "0.0001"

[[stations]]
key = "bench"
operator = "bench"
name = "bench"
latitude = 23.0
longitude = 113.3
tariffs = [{{ tariff = "flat", from = 2023-01-01T00:00:00+08:00 }}]

[[piles]]
first_code = "{first_code}"
count = {count}
station = "bench"
model = "B-120"
commissioned = 2023-01-01T00:00:00+08:00
"""
# All chargers of a benchmark come from a few addresses of this machine: limits against strangers would only meet them.
SETTINGS: Final = {
    "logins_per_pile": 0,
    "logins_per_address": 0,
    "unidentified_per_address": 0,
    "dashboard_port": 0,
    "ykc_port": 0,
    "keep_loaded_segments": False,
}


class ServedPlatform:
    """What runs, and what it tells."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder = folder
        self.port = 0
        self._process = process

    @property
    def pid(self) -> int:
        """Of `pilestream serve` itself."""
        return self._process.pid

    def processes(self) -> dict[str, list[int]]:
        """Process numbers by name: serve, gateway (gateway-0, gateway-1 …), hub, loader, biller, dashboard, clickhouse.

        What such a process has started is counted with it.
        """
        found = {"serve": [self.pid]}
        for child in _children(self.pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                line = Path(f"/proc/{child}/cmdline").read_bytes().decode(errors="replace")
                role = ROLE.search(line)
                name = role[1] if role else "clickhouse" if CLICKHOUSE in line else ""
                if role and role[1] == "gateway" and (self.folder / "run" / "hub.sock").exists():
                    name = f"gateway-{role[2]}"
                if name:
                    found.setdefault(name, []).extend([child, *_descendants(child)])
        return found

    def client(self) -> Client:
        """A new connection to its database."""
        role = _json(self.folder / "run" / "role.json")
        return connect(msgspec.convert(role["clickhouse"], ClickHouseAddress), answer_timeout_s=300.0)

    def counters(self) -> dict[str, Any]:
        """What the gateway (all workers together) said last; about a second old."""
        return _json(self.folder / "run" / "gateway.json")

    def loader(self) -> dict[str, Any]:
        """What the loader said last."""
        return _json(self.folder / "spool" / "loader.json")

    def spool_bytes(self) -> int:
        """What lies in the spool, loaded or not."""
        total = 0
        for path in (self.folder / "spool").rglob("*"):
            with suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def words(self) -> list[str]:
        """What `serve` and its processes wrote to standard error and their logs, but where chargers connect."""
        lines = (self.folder / "serve.log").read_text("utf-8", errors="replace").splitlines()
        for path in sorted((self.folder / "logs").glob("*.log")):
            lines += [f"{path.stem}: {line}" for line in path.read_text("utf-8", errors="replace").splitlines()]
        return [line for line in lines if not line.startswith(("chargers (", "dashboard:"))]

    def warnings(self) -> list[str]:
        """The warnings among them, each kind once, without traces."""
        kinds = {WHEN.sub("", line) for line in self.words() if WHEN.search(line) or line.startswith("pilestream:")}
        return sorted(kinds)

    def await_ready(self) -> None:
        """Return when chargers may connect; raises `EndToEndError` when that does not come."""

        def ready() -> bool:
            said = (self.folder / "serve.log").read_text("utf-8", errors="replace")
            found = re.search(r"chargers \(YKC\): +\S+:(\d+)", said)
            if found and "dashboard:" in said:
                self.port = int(found[1])
            elif self._process.poll() is not None:
                raise EndToEndError(f"serve ended with {self._process.returncode}: {said}")
            return bool(self.port)

        until(ready, START_S, "serve is ready")

    def stop(self) -> None:
        """SIGTERM, and what does not end then is killed."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def served(
    chargers: int, *, workers: int = 1, folder: Path | None = None, **settings: object
) -> Iterator[ServedPlatform]:
    """Start a platform that knows so many chargers (`benchmarks.sockets.traffic.code_of`); it is stopped at the end.

    Its data lie below `folder` (the temporary folder unless given) and are removed. `settings`: by their names.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix="pilestream-", ignore_cleanup_errors=True) as name:
        data = Path(name) / "data"
        data.mkdir()
        _load_master(data, chargers)
        variables = {f"PILESTREAM_{key.upper()}": str(value) for key, value in (SETTINGS | settings).items()}
        command = [sys.executable, str(ROOT / "pilestream.py"), "serve", "--data", str(data), "--workers", str(workers)]
        with (data / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=log, text=True, env=os.environ | variables, cwd=ROOT
            )
        platform = ServedPlatform(data, process)
        try:
            platform.await_ready()
            yield platform
        except Exception as error:
            error.add_note("\n".join(platform.words()[-LAST_WORDS:]))
            raise
        finally:
            platform.stop()


def until(question: Callable[[], bool], limit_s: float, what: str, pause_s: float = LOOK_S) -> None:
    """Return when `question` says yes; raises `EndToEndError` when that takes too long."""
    deadline = time.monotonic() + limit_s
    while not question():
        if time.monotonic() > deadline:
            raise EndToEndError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(pause_s)


def _load_master(data: Path, chargers: int) -> None:
    path = data / "chargers.toml"
    service = f"{(PRICE_E5YUAN - 100_000) / 100_000:.5f}"
    path.write_text(MASTER.format(slots="f" * 48, service=service, first_code=code_of(0), count=chargers), "utf-8")
    command = [sys.executable, str(ROOT / "pilestream.py"), "load", "--data", str(data), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise EndToEndError(f"the master data were refused: {done.stderr}")


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


def _descendants(pid: int) -> list[int]:
    return [each for child in _children(pid) for each in (child, *_descendants(child))]
