"""Fixtures for every package: a real ClickHouse for the whole run, and a fresh database with the schema per test."""

import signal
from collections.abc import Iterator
from uuid import uuid4

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import migrate


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseAddress]:
    """The address of an embedded server on a free port."""
    with EmbeddedServer(tmp_path_factory.mktemp("clickhouse")) as address:
        yield address


@pytest.fixture
def database_address(clickhouse: ClickHouseAddress) -> Iterator[ClickHouseAddress]:
    """The address of a fresh database with the schema applied; dropped after the test."""
    address = msgspec.structs.replace(clickhouse, database=f"test_{uuid4().hex[:12]}")
    migrate(address)
    yield address
    client = connect(clickhouse)
    client.execute(f"DROP DATABASE {address.database} SYNC")
    client.disconnect()


@pytest.fixture
def database(database_address: ClickHouseAddress) -> Iterator[Client]:
    """A connected client of a fresh database with the schema applied."""
    client = connect(database_address)
    yield client
    client.disconnect()


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A command that ran inside a test leaves its handlers of signals to no other test."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        if handler is not None:  # None: set by something else than Python, which cannot set it again
            signal.signal(number, handler)
