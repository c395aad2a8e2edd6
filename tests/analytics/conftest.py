"""Fixtures for tests that read many results of one database."""

from collections.abc import Iterator
from uuid import uuid4

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.migrate import migrate


@pytest.fixture(scope="module")
def module_database(clickhouse: ClickHouseAddress) -> Iterator[Client]:
    """A connected client of a database with the schema applied, one for the test module."""
    address = msgspec.structs.replace(clickhouse, database=f"test_{uuid4().hex[:12]}")
    migrate(address)
    client = connect(address)
    yield client
    client.execute(f"DROP DATABASE {address.database} SYNC")
    client.disconnect()


@pytest.fixture
def empty_database(module_database: Client) -> Client:
    """The module's database without any row: much cheaper than a fresh one for each test."""
    tables = module_database.execute(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND total_rows > 0 AND name != 'schema_migrations'"
    )
    for (table,) in tables:
        module_database.execute(f"TRUNCATE TABLE {table}")
    return module_database
