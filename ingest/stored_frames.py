"""The bytes of stored frames: kept in `frames`, or made again from their rows in `readings`."""

from collections.abc import Collection
from typing import Any, Final

from clickhouse_driver import Client

from core.ykc.realtime import COLUMN_TYPES, encode_realtime

NOT_KNOWN_PILE: Final = 0
"""Frames that came before the login stand under no charger."""
_READING_COLUMNS = tuple(name for name in COLUMN_TYPES if name != "exact")
_STRUCTURE = [("pile_id", "UInt32"), ("segment_id", "UInt64"), ("segment_offset", "UInt64")]
_WANTED = (
    "pile_id IN (SELECT pile_id FROM wanted)"
    " AND (segment_id, segment_offset) IN (SELECT segment_id, segment_offset FROM wanted)"
)

FrameKey = tuple[int, int]
"""Segment and offset."""


def frames_hex(client: Client, wanted: Collection[tuple[int, FrameKey]]) -> dict[FrameKey, str]:
    """Upper-case hex of the frames with those chargers and keys, all by one query (and one for those in `readings`).

    The charger narrows the search to its rows. A frame that is not stored is left out.
    """
    if not wanted:
        return {}
    rows = client.execute(
        f"SELECT segment_id, segment_offset, hex(bytes) FROM frames WHERE {_WANTED}",
        external_tables=[_table(wanted)],
    )
    found: dict[FrameKey, str] = {(segment_id, offset): frame for segment_id, offset, frame in rows}
    missing = [(pile_id, key) for pile_id, key in wanted if key not in found]
    if not missing:
        return found
    columns = ", ".join(f"toUInt64({name}) AS {name}" for name in _READING_COLUMNS)
    # A row with exact = 0 does not give the bytes that came; those are in `frames`, and if they are not, nothing is.
    rows = client.execute(
        f"SELECT segment_id, segment_offset, {columns} FROM readings WHERE exact = 1 AND {_WANTED}",
        external_tables=[_table(missing)],
    )
    for segment_id, offset, *row in rows:
        frame = encode_realtime(dict(zip(_READING_COLUMNS, row, strict=True)))
        found[segment_id, offset] = frame.hex().upper()
    return found


def _table(wanted: Collection[tuple[int, FrameKey]]) -> dict[str, Any]:
    data = [{"pile_id": pile_id, "segment_id": key[0], "segment_offset": key[1]} for pile_id, key in wanted]
    return {"name": "wanted", "structure": _STRUCTURE, "data": data}
