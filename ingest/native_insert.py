"""Columns of numbers to ClickHouse as they lie in memory, over the connection of clickhouse-driver.

The driver's own way for numpy looks for nulls in every column and copies it four times; this one hands the arrays to
the kernel. All else of an insert (the query, its settings, the answers) stays the driver's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from clickhouse_driver import Client, defines
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.protocol import ClientPacketTypes
from clickhouse_driver.varint import write_varint
from clickhouse_driver.writer import write_binary_str
from numpy.typing import NDArray

from ingest.errors import IngestError

DTYPES = {
    **{f"UInt{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"Int{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
}
ENUM8 = np.dtype("<i1")
BUFFERS_AT_ONCE = 512  # of the 1024 that a kernel takes in one call


class ColumnMismatchError(IngestError):
    """A column is not what its table needs; nothing was inserted."""


def sends_as_it_lies(client: Client, columns: Mapping[str, Any]) -> bool:
    """Whether `insert_columns` can send these: arrays of numbers, over a connection without compression or TLS."""
    connection = client.connection
    return not (connection.compression or connection.secure_socket) and all(
        isinstance(values, np.ndarray) and values.dtype.kind in "iu" for values in columns.values()
    )


def insert_columns(
    client: Client, table: str, columns: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
) -> None:
    """Insert one block; returns when the server has stored it.

    Raises `ColumnMismatchError` when a column's type is another than the table's, and what the driver raises. Whatever
    is raised, the connection is closed.
    """
    names = ", ".join(f"`{name}`" for name in columns)
    query = f"INSERT INTO {table} ({names}) VALUES"
    connection = client.connection
    with client.disconnect_on_error(query, dict(settings)):
        connection.send_query(query)
        connection.send_external_tables([])
        sample = client.receive_sample_block()
        arrays = [
            _as_needed(name, kind, columns[name])
            for name, kind in sample.columns_with_types  # the server's order
        ]
        _send_block(connection, sample.columns_with_types, arrays)
        connection.send_data(ColumnOrientedBlock())
        client.receive_end_of_insert_query()


def _as_needed(name: str, kind: str, values: NDArray[Any]) -> NDArray[Any]:
    needed = ENUM8 if kind.startswith("Enum8(") else DTYPES.get(kind)
    if needed is None or values.dtype.itemsize != needed.itemsize:
        raise ColumnMismatchError(f"column {name} is {kind}; an array of {values.dtype} does not fit")
    return np.ascontiguousarray(values)


def _send_block(connection: Any, columns_with_types: Sequence[tuple[str, str]], arrays: list[NDArray[Any]]) -> None:
    revision = connection.server_info.used_revision
    head = _Head()
    write_varint(ClientPacketTypes.DATA, head)
    if revision >= defines.DBMS_MIN_REVISION_WITH_TEMPORARY_TABLES:
        write_binary_str("", head)
    if revision >= defines.DBMS_MIN_REVISION_WITH_BLOCK_INFO:
        BlockInfo().write(head)
    write_varint(len(arrays), head)
    write_varint(len(arrays[0]), head)
    buffers: list[memoryview] = []
    for (name, kind), values in zip(columns_with_types, arrays, strict=True):
        write_binary_str(name, head)
        write_binary_str(kind, head)
        if revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION:
            head.write(b"\0")
        buffers += [memoryview(head.take()), values.view(np.uint8).data]
    connection.fout.flush()
    _send_all(connection.socket, buffers)


class _Head:
    """What the driver's writers write to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._parts.append(bytes(data))

    def take(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


def _send_all(socket: Any, buffers: list[memoryview]) -> None:
    first = 0
    while first < len(buffers):
        sent = socket.sendmsg(buffers[first : first + BUFFERS_AT_ONCE])
        while first < len(buffers) and sent >= len(buffers[first]):
            sent -= len(buffers[first])
            first += 1
        if sent:
            buffers[first] = buffers[first][sent:]
