"""A folder and databases of their own for what simulates: what an operator has is never touched."""

import shutil

import msgspec

from analytics.client import ClickHouseAddress, connect
from service.platform_processes import FolderLock
from service.settings import Settings


def own_settings(settings: Settings, name: str) -> Settings:
    """The same settings on the folder `name` inside the operator's, and on databases of that name."""
    clickhouse = settings.clickhouse
    if clickhouse:
        address = ClickHouseAddress.from_url(clickhouse)
        clickhouse = msgspec.structs.replace(address, database=_database(name)).url()
    return msgspec.structs.replace(settings, data=str(settings.folder / name), clickhouse=clickhouse, database="")


def empty(settings: Settings, name: str) -> None:
    """Remove what an earlier run left; `settings` are those that `own_settings` gave for `name`.

    Raises `AlreadyRunsError` while such a run is on.
    """
    lock = FolderLock(settings.folder)
    lock.take()
    try:
        if settings.clickhouse:
            address = ClickHouseAddress.from_url(settings.clickhouse)
            client = connect(msgspec.structs.replace(address, database="default"))
            client.execute(f"DROP DATABASE IF EXISTS {_database(name)} SYNC")
            client.disconnect()
        for path in settings.folder.iterdir():
            if path.name == "platform.lock":
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    finally:
        lock.release()


def _database(name: str) -> str:
    return f"pilestream_{name}"
