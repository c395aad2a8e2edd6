"""Answers of ClickHouse as columns: arrays for numbers, lists for all else, with no Python object per number.

The connection stays one of clickhouse-driver; its switch for arrays holds for a connection as a whole, external tables
included, while here a single question asks for them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from clickhouse_driver import Client, defines
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.reader import read_binary_str, read_binary_uint8
from clickhouse_driver.streams.native import BlockInputStream
from clickhouse_driver.varint import read_varint

NUMBERS = frozenset(f"{kind}{bits}" for kind in ("UInt", "Int") for bits in (8, 16, 32, 64))

Columns = dict[str, Any]


def ask_columns(
    client: Client, query: str, parameters: Mapping[str, Any], external_tables: Sequence[dict[str, Any]] = ()
) -> Columns:
    """The answer's columns by name: numpy arrays of the type that ClickHouse says for integers, else lists.

    A question without rows gives empty columns. Raises what the driver raises; the connection is closed then.
    """
    with client.disconnect_on_error(query, {}):
        connection = client.connection
        usual = connection.block_in
        # the question is sent as any other; only how its blocks are read differs
        connection.send_query(client.substitute_params(query, dict(parameters), connection.context))
        connection.send_external_tables(list(external_tables))
        connection.block_in = _ArrayBlocks(connection.fin, connection.context)
        try:
            blocks = [packet.block for packet in client.packet_generator() if getattr(packet, "block", None)]
        finally:
            connection.block_in = usual
    kinds = dict(blocks[0].columns_with_types) if blocks else {}
    parts = [block.get_columns() for block in blocks if block.num_rows]
    return {
        name: _joined([part[place] for part in parts], is_number=kind in NUMBERS)
        for place, (name, kind) in enumerate(kinds.items())
    }


def _joined(parts: list[Any], *, is_number: bool) -> Any:
    if is_number:
        return np.concatenate(parts) if parts else np.empty(0, np.int64)
    return [value for part in parts for value in part]


class _ArrayBlocks(BlockInputStream):  # type: ignore[misc]  # the driver is not typed
    """Reads a block as the driver does, but columns of integers as arrays."""

    def read(self, use_numpy: bool | None = None) -> ColumnOrientedBlock:
        info = BlockInfo()
        revision = self.context.server_info.used_revision
        if revision >= defines.DBMS_MIN_REVISION_WITH_BLOCK_INFO:
            info.read(self.fin)
        number, rows = read_varint(self.fin), read_varint(self.fin)
        columns: list[Any] = []
        kinds: list[tuple[str, str]] = []
        for _ in range(number):
            kinds.append((read_binary_str(self.fin), read_binary_str(self.fin)))
            is_custom = revision >= defines.DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION and bool(
                read_binary_uint8(self.fin)
            )
            if rows:
                kind = kinds[-1][1]
                columns.append(
                    read_column(
                        self.context,
                        kind,
                        rows,
                        self.fin,
                        use_numpy=kind in NUMBERS and not is_custom,
                        has_custom_serialization=is_custom,
                    )
                )
        return ColumnOrientedBlock(columns_with_types=kinds, data=columns, info=info)
