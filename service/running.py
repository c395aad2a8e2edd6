"""A connection to the database of a data folder, whether the platform runs on it or not."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import migrate, missing_files
from service.errors import ServiceError
from service.settings import Settings

MIGRATION_WAIT_S = 5.0
"""A platform that starts answers a moment before its schema is up to date."""
POLL_S = 0.2


@contextmanager
def running_database(settings: Settings) -> Iterator[ClickHouseAddress]:
    """Where the data of `settings.data` answers: the server that runs, else one started for as long as this lasts.

    The schema of a database that is started here is brought up to date. Raises `ServiceError` when the folder holds no
    data yet, or when the server that runs has the schema of an older version; `MigrationError` when of a newer one.
    """
    if settings.clickhouse:
        address = ClickHouseAddress.from_url(settings.clickhouse)
        _require_schema(
            address, "run 'pilestream serve' or 'pilestream replay' of this version, which bring it up to date"
        )
        yield address
        return
    folder = settings.folder / "clickhouse"
    if not folder.exists():
        raise ServiceError(f"{settings.folder} holds no data yet; run 'pilestream serve' or 'pilestream replay' first")
    found = EmbeddedServer.find(folder)
    if found is not None:
        address = msgspec.structs.replace(found, database=settings.clickhouse_database)
        _require_schema(address, "stop what runs there and start 'pilestream serve' again, which brings it up to date")
        yield address
        return
    with EmbeddedServer(folder) as started:
        address = msgspec.structs.replace(started, database=settings.clickhouse_database)
        migrate(address)
        yield address


@contextmanager
def running_client(settings: Settings) -> Iterator[Client]:
    """A connection as in `running_database`."""
    with running_database(settings) as address:
        client = connect(address)
        try:
            yield client
        finally:
            client.disconnect()


def _require_schema(address: ClickHouseAddress, remedy: str) -> None:
    """The schema of a server that somebody else runs is not changed behind their back."""
    deadline = time.monotonic() + MIGRATION_WAIT_S
    client = connect(address)
    try:
        while missing := missing_files(client):
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"the database {address!r} has the schema of an older version (it lacks {missing[0]}); {remedy}"
                )
            time.sleep(POLL_S)
    finally:
        client.disconnect()
