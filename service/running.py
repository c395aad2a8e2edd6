"""A connection to the database of a data folder, whether the platform runs on it or not."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from service.errors import ServiceError
from service.settings import Settings


@contextmanager
def running_database(settings: Settings) -> Iterator[ClickHouseAddress]:
    """Where the data of `settings.data` answers: the server that runs, else one started for as long as this lasts.

    Raises `ServiceError` when the folder holds no data yet.
    """
    if settings.clickhouse:
        yield ClickHouseAddress.from_url(settings.clickhouse)
        return
    folder = settings.folder / "clickhouse"
    if not folder.exists():
        raise ServiceError(f"{settings.folder} holds no data yet; run 'pilestream serve' or 'pilestream replay' first")
    found = EmbeddedServer.find(folder)
    if found is not None:
        yield msgspec.structs.replace(found, database=settings.clickhouse_database)
        return
    with EmbeddedServer(folder) as address:
        yield msgspec.structs.replace(address, database=settings.clickhouse_database)


@contextmanager
def running_client(settings: Settings) -> Iterator[Client]:
    """A connection as in `running_database`."""
    with running_database(settings) as address:
        client = connect(address)
        try:
            yield client
        finally:
            client.disconnect()
