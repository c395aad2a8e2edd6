"""Columns sent as they lie in memory: what arrives is what was sent, and what does not fit stores nothing."""

import threading

import numpy as np
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from ingest.native_insert import ColumnMismatchError, insert_columns, sends_as_it_lies

pytestmark = pytest.mark.server

TABLE = """
CREATE TABLE numbers_of_all_kinds
(
    a UInt8, b UInt16, c UInt32, d UInt64, e Int8, f Int16, g Int32, h Int64,
    i Enum8('le' = 1, 'be' = 2), j UInt8 DEFAULT 7
)
ENGINE = MergeTree ORDER BY d
"""


def test_every_kind_of_number_arrives(database: Client, database_address: ClickHouseAddress) -> None:
    database.execute(TABLE)
    rows = 70_000
    kinds = dict(zip("abcdefgh", ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"), strict=True))
    columns = {name: np.arange(rows).astype(kind) for name, kind in kinds.items()}
    columns["h"] = columns["h"][::-1]  # not contiguous
    columns["i"] = (np.arange(rows) % 2 + 1).astype(np.uint8)
    assert sends_as_it_lies(database, columns)
    insert_columns(database, "numbers_of_all_kinds", columns, {"async_insert": 0})
    stored = database.execute("SELECT a, b, c, d, e, f, g, h, i, j FROM numbers_of_all_kinds ORDER BY d")
    plain = [columns[name].tolist() for name in "abcdefgh"]
    orders = [{1: "le", 2: "be"}[value] for value in columns["i"].tolist()]
    assert stored == list(zip(*plain, orders, [7] * rows, strict=True))
    assert database.execute("SELECT 1") == [(1,)]


def test_a_column_of_another_width_stores_nothing(database: Client) -> None:
    database.execute(TABLE)
    with pytest.raises(ColumnMismatchError, match="column c is UInt32"):
        insert_columns(database, "numbers_of_all_kinds", {"c": np.arange(4, dtype=np.uint64)}, {})
    assert database.execute("SELECT count() FROM numbers_of_all_kinds") == [(0,)]


def test_a_refused_insert_leaves_a_usable_client(database: Client) -> None:
    database.execute(TABLE)
    with pytest.raises(Exception, match="no_such_table"):
        insert_columns(database, "no_such_table", {"c": np.arange(4, dtype=np.uint32)}, {})
    insert_columns(database, "numbers_of_all_kinds", {"c": np.arange(4, dtype=np.uint32)}, {})
    assert database.execute("SELECT sum(c) FROM numbers_of_all_kinds") == [(6,)]


def test_objects_and_compressed_connections_go_the_drivers_way(
    database: Client, database_address: ClickHouseAddress
) -> None:
    numbers = {"c": np.arange(4, dtype=np.uint32)}
    assert not sends_as_it_lies(database, numbers | {"s": np.array(["x"] * 4, dtype=object)})
    assert not sends_as_it_lies(database, {"s": [1, 2, 3, 4]})


def test_a_slow_reader_gets_every_byte(database: Client, database_address: ClickHouseAddress) -> None:
    """Columns larger than the socket takes at once, from two threads with a connection each."""
    database.execute(TABLE)

    def send(first: int) -> None:
        client = connect(database_address)
        insert_columns(client, "numbers_of_all_kinds", {"d": np.arange(first, first + 400_000, dtype=np.uint64)}, {})
        client.disconnect()

    threads = [threading.Thread(target=send, args=(first,)) for first in (0, 400_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert database.execute("SELECT count(), sum(d) FROM numbers_of_all_kinds") == [(800_000, sum(range(800_000)))]
