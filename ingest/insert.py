"""Inserts that store each row once, however often they are tried (promise P4)."""

import logging
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from clickhouse_driver import Client
from clickhouse_driver.errors import Error as DriverError

from ingest.errors import IngestError
from ingest.native_insert import insert_columns, sends_as_it_lies
from ingest.table_rows import TIME_COLUMNS, TableRows

# Called with the driver's client settings as keywords (`use_numpy`).
ClientFactory = Callable[..., Client]

# Deduplication changed its defaults and its names more than once (24.7, 26.2, mid-2026), so nothing is left to them;
# those that a server does not know are not sent.
INSERT_SETTINGS: dict[str, Any] = {
    "async_insert": 0,  # the reply must mean that the rows are stored
    "wait_for_async_insert": 1,
    "async_insert_deduplicate": 1,
    "insert_deduplicate": 1,
    "deduplicate_insert": "enable",
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "insert_distributed_sync": 1,
    "distributed_foreground_insert": 1,
    "max_partitions_per_insert_block": 0,  # a charger's wrong clock must not stop the rows of all others
    "max_insert_block_size": 1_048_576,  # one insert is one block: the token then covers it as a whole
    "min_insert_block_size_rows": 1_048_576,
    "min_insert_block_size_bytes": 0,
}

# The driver warns at every insert with an Enum column that it handles that column value by value; it is meant here.
logging.getLogger("clickhouse_driver.columns.service").setLevel(logging.ERROR)


class DatabaseAwayError(IngestError):
    """ClickHouse could not be asked, or refused; nothing is lost, the spool keeps it."""


class Inserter:
    """Inserts rows of segments; a repeated insert of the same piece of a segment stores nothing twice.

    Two guards: the deduplication token (segment, start, end, table, part) for the server's window, and for pieces that
    may have been inserted before, a look at which keys (segment_id, segment_offset) are there already.
    """

    def __init__(self, client_factory: ClientFactory) -> None:
        self._client_factory = client_factory
        self._clients: dict[bool, Client] = {}
        self._settings: dict[str, Any] | None = None

    def insert(
        self,
        rows: TableRows,
        segment_id: int,
        start: int,
        end: int,
        *,
        maybe_stored: bool,
        attempt: str = "",
    ) -> int:
        """Store the rows of the bytes `start` to `end` of a segment; gives how many were sent.

        `maybe_stored`: an earlier try may have reached the server. `attempt`: not empty, the server is to take the rows
        even if it remembers the token of an earlier try (its rows are known to be gone). Raises DatabaseAwayError.
        """
        token = f"{segment_id:016x}:{start}:{end}:{rows.table}{rows.part}{attempt}"
        try:
            if maybe_stored:
                missing = self._not_yet_stored(rows, segment_id, start, end)
                if len(missing) < len(rows):
                    # A part of them: another insert than the one that the server may remember under that token.
                    token += f":{_digest(missing.segment_offset)}"
                rows = missing
            if len(rows):
                self._send(rows, token)
        except (DriverError, OSError, EOFError) as error:
            self.disconnect()
            raise DatabaseAwayError(f"ClickHouse did not take {len(rows)} rows of {rows.table}: {error}") from error
        return len(rows)

    def insert_lists(self, table: str, columns: Mapping[str, list[Any]], token: str) -> None:
        """Store a few rows of a table about the loading itself. Raises DatabaseAwayError."""
        try:
            names = ", ".join(columns)
            self._client(use_numpy=False).execute(
                f"INSERT INTO {table} ({names}) VALUES",
                list(columns.values()),
                columnar=True,
                settings={**self._insert_settings(), "insert_deduplication_token": token},
            )
        except (DriverError, OSError, EOFError) as error:
            self.disconnect()
            raise DatabaseAwayError(f"ClickHouse did not take rows of {table}: {error}") from error

    def ask(self, query: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of a query. Raises DatabaseAwayError."""
        try:
            answer: list[tuple[Any, ...]] = self._client(use_numpy=False).execute(query, dict(parameters))
        except (DriverError, OSError, EOFError) as error:
            self.disconnect()
            raise DatabaseAwayError(f"ClickHouse did not answer: {error}") from error
        return answer

    def disconnect(self) -> None:
        """Drop the connections; the next insert opens new ones."""
        for client in self._clients.values():
            client.disconnect()
        self._clients.clear()
        self._settings = None

    def _send(self, rows: TableRows, token: str) -> None:
        settings = {**self._insert_settings(), "insert_deduplication_token": token}
        client = self._client(use_numpy=rows.numpy_only)
        if sends_as_it_lies(client, rows.columns):
            insert_columns(client, rows.table, rows.columns, settings)
            return
        names = ", ".join(f"`{name}`" for name in rows.columns)
        client.execute(
            f"INSERT INTO {rows.table} ({names}) VALUES",
            list(rows.columns.values()),
            columnar=True,
            settings=settings,
        )

    def _not_yet_stored(self, rows: TableRows, segment_id: int, start: int, end: int) -> TableRows:
        """Without the rows whose key is in the table."""
        first_ms, last_ms = rows.time_range
        time_column = TIME_COLUMNS[rows.table]
        stored = self._client(use_numpy=False).execute(
            f"SELECT segment_offset FROM {rows.table} WHERE segment_id = %(segment_id)s"
            f" AND segment_offset >= %(start)s AND segment_offset < %(end)s"
            f" AND {time_column} BETWEEN %(first_ms)s AND %(last_ms)s",
            {"segment_id": segment_id, "start": start, "end": end, "first_ms": first_ms, "last_ms": last_ms},
            columnar=True,
        )
        if not stored:
            return rows
        return rows.keep(~np.isin(rows.segment_offset, np.asarray(stored[0], np.uint64)))

    def _insert_settings(self) -> dict[str, Any]:
        if self._settings is None:
            names = self._client(use_numpy=False).execute(
                "SELECT name FROM system.settings WHERE name IN %(names)s", {"names": tuple(INSERT_SETTINGS)}
            )
            known = {name for (name,) in names}
            self._settings = {name: value for name, value in INSERT_SETTINGS.items() if name in known}
        return self._settings

    def _client(self, *, use_numpy: bool) -> Client:
        client = self._clients.get(use_numpy)
        if client is None:
            try:
                client = self._clients[use_numpy] = self._client_factory(use_numpy=use_numpy)
            except Exception as error:  # whoever made the factory chose its errors
                raise DatabaseAwayError(f"no connection to ClickHouse: {error}") from error
        return client


def _digest(offsets: "np.ndarray[Any, np.dtype[np.uint64]]") -> str:
    return blake2b(np.sort(offsets).tobytes(), digest_size=8).hexdigest()
