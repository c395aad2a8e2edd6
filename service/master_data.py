"""The master data of a running platform: loaded from files, shown to ClickHouse whenever it changed."""

import hashlib
import sys
import time
from pathlib import Path

import msgspec
from clickhouse_driver import Client
from clickhouse_driver.errors import Error as DriverError
from sqlalchemy import Engine

from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from backoffice.changes import ChangeWatch
from backoffice.database import open_database
from backoffice.directory import read_directory, register_pile
from backoffice.master_file import load_master_file
from backoffice.publish import publish
from core.directory import Pile, PileDirectory
from service.settings import Settings

LOOK_EVERY_S = 5.0
UNKNOWN_PILE_CONNECTORS = 2


def load_file(settings: Settings, path: Path) -> int:
    """`pilestream load`: take a master data file into the SQL database; gives the exit code.

    A running platform takes up the change within some seconds. Raises `MasterFileError` for a file that cannot be used.
    """
    settings.folder.mkdir(parents=True, exist_ok=True)
    counts = load_master_file(open_database(settings.database_url), path)
    for word, tables in (("added", counts.added), ("changed", counts.changed)):
        for table, number in tables.items():
            print(f"{word} {number} {table}", file=sys.stderr)
    if not counts.added and not counts.changed:
        print("nothing new", file=sys.stderr)
    return 0


class Publisher:
    """Shows the master data to ClickHouse at the start and after each change."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watch = ChangeWatch(engine)
        self._looked_at = ""
        self._shown = b""
        self._next_look = 0.0

    def publish(self, client: Client) -> None:
        """Show it now."""
        looked_at = self._watch.mark()
        digest = self._digest()
        publish(self._engine, client)
        self._looked_at = looked_at
        self._shown = digest
        self._next_look = time.monotonic() + LOOK_EVERY_S

    def look_after(self, address: ClickHouseAddress) -> None:
        """Show it again if it changed; looks every 5 s. While ClickHouse is away it is tried again."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_EVERY_S
        looked_at = self._watch.mark()
        if looked_at == self._looked_at:
            return
        if self._digest() == self._shown:
            self._looked_at = looked_at
            return
        try:
            client = connect(address)
            self.publish(client)
            client.disconnect()
        except (OSError, EOFError, DriverError, DatabaseUnreachable) as error:
            print(f"pilestream: master data not shown to ClickHouse yet: {error}", file=sys.stderr, flush=True)

    def _digest(self) -> bytes:
        content = msgspec.msgpack.encode(read_directory(self._engine))
        return hashlib.blake2b(content, digest_size=16).digest()


class WelcomingDirectory(PileDirectory):
    """Registers a charger that nobody knows when it first asks (setting `accept_unknown_piles`)."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(read_directory(engine))
        self._engine = engine

    def by_wire_code(self, code: str, protocol: str = "") -> tuple[Pile, int] | None:
        """The charger that goes by this id; an unknown one becomes a charger of operator `unassigned`."""
        known = super().by_wire_code(code, protocol)
        if known is not None or not protocol:
            return known
        pile = register_pile(self._engine, code, protocol, UNKNOWN_PILE_CONNECTORS)
        self.add(pile)
        return pile, 0
