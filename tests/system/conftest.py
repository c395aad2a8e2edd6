"""A whole platform as an operator starts it: `pilestream serve` in a process, on free ports and an empty folder."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_driver import Client

from analytics.client import connect
from backoffice.database import open_database
from backoffice.directory import register_pile
from service.running import running_database
from service.settings import Settings

ROOT = Path(__file__).parents[2]
START_S = 40.0


class RunningPlatform:
    """`pilestream serve` on its own folder."""

    def __init__(self, folder: Path, piles: list[str], *flags: str) -> None:
        self.settings = Settings(data=str(folder))
        folder.mkdir(parents=True, exist_ok=True)
        engine = open_database(self.settings.database_url)
        for code in piles:
            register_pile(engine, code, "ykc", 2)
        engine.dispose()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "pilestream.py"), "serve", "--ykc-port", "0", "--dashboard-port", "0", *flags],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PILESTREAM_DATA": str(folder)},
            cwd=ROOT,
        )
        self.ykc_port = int(self._line(r"chargers \(YKC\): +.*:(\d+)"))
        self.dashboard_url = self._line(r"dashboard: +(\S+)")

    def client(self) -> Client:
        """A connection to its database."""
        with running_database(self.settings) as address:
            return connect(address)

    def stop(self, limit_s: float = 60.0) -> int:
        """Ctrl-C; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(limit_s)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return code

    def _line(self, pattern: str) -> str:
        assert self.process.stderr is not None
        seen = []
        for line in self.process.stderr:
            seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError("the platform did not start:\n" + "".join(seen))


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningPlatform]:
    """One platform per test module; its chargers are the module's `PILES`."""
    running = RunningPlatform(tmp_path_factory.mktemp("serve") / "data", request.module.PILES)
    yield running
    running.stop()
