"""Rows counted and digested in two places, the loader and the database, so that both can be compared."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.row_digest import rows_digest
from ingest.table_rows import TIME_COLUMNS, TableRows

_MODULUS = 1 << 64
_ENERGY_SHIFT = 20
# What stands for the content of a row besides its place in the segment; for other tables it is their time.
_VALUE_SQL = {
    "readings": f"bitXor(toUInt64(event_ms), bitShiftLeft(toUInt64(energy_e4kwh), {_ENERGY_SHIFT}))",
    "frames": "toUInt64(CRC32(bytes))",
    "pile_bill_uploads": "content_digest",
}


@dataclass(frozen=True)
class Tally:
    """So many rows of one table, their digest, and between which times they lie."""

    rows: int = 0
    digest: int = 0
    first_ms: int = 2**63 - 1
    last_ms: int = -(2**63)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.rows + other.rows,
            (self.digest + other.digest) % _MODULUS,
            min(self.first_ms, other.first_ms),
            max(self.last_ms, other.last_ms),
        )

    def same(self, other: "Tally") -> bool:
        """Whether both counted the same rows."""
        return (self.rows, self.digest) == (other.rows, other.digest)


def tally_of(rows: TableRows) -> Tally:
    """Of rows on their way to the database."""
    return Tally(len(rows), rows_digest(rows.segment_offset, _values(rows)), *rows.time_range)


def tally_sql(table: str) -> str:
    """Two expressions, count and digest, over rows of that table."""
    value = _VALUE_SQL.get(table, f"toUInt64({TIME_COLUMNS[table]})")
    return f"count(), sum(intHash64(bitXor(intHash64(segment_offset), {value})))"


def _values(rows: TableRows) -> NDArray[np.uint64]:
    if rows.table == "readings":
        energy = _as_uint64(rows.columns["energy_e4kwh"]) << np.uint64(_ENERGY_SHIFT)
        return _as_uint64(rows.columns["event_ms"]) ^ energy
    if rows.table == "frames":
        return np.array([zlib.crc32(frame) for frame in rows.columns["bytes"]], np.uint64)
    if rows.table == "pile_bill_uploads":
        return np.array(rows.columns["content_digest"], np.uint64)
    return _as_uint64(rows.columns[TIME_COLUMNS[rows.table]])


def _as_uint64(values: Any) -> NDArray[np.uint64]:
    """A negative number as ClickHouse's `toUInt64` takes it: wrapped round."""
    array = np.asarray(values)
    return (
        array.astype(np.int64 if array.dtype.kind != "u" else np.uint64).view(np.uint64)
        if len(array)
        else (np.empty(0, np.uint64))
    )
