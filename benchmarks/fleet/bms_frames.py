"""What the vehicle says again and again while a DC charge goes on (0x23, 0x25), many moments at a time."""

from typing import Any, Final

import numpy as np

from benchmarks.fleet import messages
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.power import IntArray
from core.ykc.codec import HEADER_BYTES, encode_raw
from core.ykc.messages import MESSAGES_BY_NAME

PAIR_EVERY: Final = 3
"""A history has a pair beside every third reading, at 45 s; real chargers send one with each (ykc.md section 5)."""
DEMAND: Final = 0x23
INFO: Final = 0x25
CHECKSUM_BYTES: Final = 2

Body = tuple[int, bytes]
"""Type and body of a frame."""


def bms_bodies(charge: Charge, times_ms: IntArray) -> list[Body]:
    """0x23 and 0x25 at each of the moments, one after the other: what `messages` gives for each single one."""
    if not len(times_ms):
        return []
    values = messages.demand_values(charge, times_ms)
    first = np.frombuffer(_body(*messages.bms_demand(charge, int(times_ms[0]))), dtype=np.uint8)
    rows = np.tile(first, (len(times_ms), 1))
    for field in MESSAGES_BY_NAME["bms_demand"].fields:
        if field.name in values:
            column = values[field.name].astype("<u8").view(np.uint8).reshape(-1, 8)
            rows[:, field.offset : field.offset + field.length] = column[:, : field.length]
    info = _body(*messages.bms_info(charge))
    return [body for row in rows for body in ((DEMAND, row.tobytes()), (INFO, info))]


def _body(name: str, fields: dict[str, Any]) -> bytes:
    return encode_raw(name, fields)[HEADER_BYTES:-CHECKSUM_BYTES]
