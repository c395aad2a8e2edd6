"""Fixtures for every package: a real ClickHouse for the whole run, and a database without a row per test."""

import signal
from collections.abc import Iterator

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from tests.fresh_databases import FreshDatabases


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseAddress]:
    """The address of an embedded server on a free port."""
    with EmbeddedServer(tmp_path_factory.mktemp("clickhouse")) as address:
        yield address


@pytest.fixture(scope="session")
def fresh_databases(clickhouse: ClickHouseAddress) -> FreshDatabases:
    """Databases without a row, for tests and modules."""
    return FreshDatabases(clickhouse)


@pytest.fixture
def database_address(fresh_databases: FreshDatabases) -> Iterator[ClickHouseAddress]:
    """The address of a database with the schema applied and no row in it, the test's own."""
    with fresh_databases.lent() as address:
        yield address


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole platforms first: a file that takes a minute must not be what one worker does while the others are done."""
    items.sort(key=lambda item: not {"system", "faults"} & set(item.path.parts))
