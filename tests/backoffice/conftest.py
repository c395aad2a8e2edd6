"""Both databases that the back office supports; PostgreSQL runs where its programs are installed."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from backoffice.database import open_database

START_LIMIT_S = 20


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The conninfo of a PostgreSQL server on a free port; skips where initdb or postgres is missing."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # PostgreSQL refuses to run as root; pytest's own temporary folders are closed to other accounts.
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pilestream-postgresql-") as name:
        folder = Path(name)
        if account is not None:
            user = pwd.getpwnam(account)
            os.chown(folder, user.pw_uid, user.pw_gid)
        subprocess.run(
            [
                programs / "initdb",
                "--auth=trust",
                "--username=postgres",
                "--no-sync",
                "--encoding=UTF8",
                folder / "data",
            ],
            check=True,
            capture_output=True,
            user=account,
            cwd=folder,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = ["-c", "fsync=off", "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-k", folder, *options],
            stderr=subprocess.DEVNULL,
            user=account,
            cwd=folder,
        )
        try:
            conninfo = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
            _await(conninfo)
            yield conninfo
        finally:
            server.send_signal(signal.SIGINT)  # closes without waiting for connections
            server.wait(START_LIMIT_S)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'backoffice.db'}"
    conninfo = request.getfixturevalue("postgresql")
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        port = connection.info.port
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{name}"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An open database of each kind with the schema applied."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """A SQLite database, for rules that do not depend on the kind."""
    engine = open_database(f"sqlite:///{tmp_path / 'backoffice.db'}")
    yield engine
    engine.dispose()


def _programs() -> Path | None:
    candidates = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((path for path in candidates if (path / "initdb").exists() and (path / "postgres").exists()), None)


def _await(conninfo: str) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        try:
            psycopg.connect(conninfo).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
