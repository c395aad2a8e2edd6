"""The bytes of any stored frame: kept in `frames`, or made again from its row in `readings`."""

from typing import Any

from clickhouse_driver import Client

from core.ykc.realtime import COLUMN_TYPES, encode_realtime

_READING_COLUMNS = tuple(name for name in COLUMN_TYPES if name != "exact")


def frame_hex(client: Client, segment_id: int, segment_offset: int, *, pile_id: int | None = None) -> str | None:
    """Upper-case hex of the frame with that key, None when no such frame is stored.

    `pile_id`, where it is known, narrows the search to that charger's rows.
    """
    key: dict[str, Any] = {"segment_id": segment_id, "segment_offset": segment_offset}
    where = "segment_id = %(segment_id)s AND segment_offset = %(segment_offset)s"
    if pile_id is not None:
        key["pile_id"] = pile_id
        where = f"pile_id = %(pile_id)s AND {where}"
    kept = client.execute(f"SELECT hex(bytes) FROM frames WHERE {where} LIMIT 1", key)
    if kept:
        return str(kept[0][0])
    columns = ", ".join(f"toUInt64({name}) AS {name}" for name in _READING_COLUMNS)
    # A row with exact = 0 does not give the bytes that came; those are in `frames`, and if they are not, nothing is.
    readings = client.execute(f"SELECT {columns} FROM readings WHERE {where} AND exact = 1 LIMIT 1", key)
    if not readings:
        return None
    return encode_realtime(dict(zip(_READING_COLUMNS, readings[0], strict=True))).hex().upper()
