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
