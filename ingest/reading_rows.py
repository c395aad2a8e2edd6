"""Realtime frames (YKC 0x13) to rows of `readings`, in columns, without a Python object per reading."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.ykc.realtime import COLUMN_TYPES, RealtimeColumns
from ingest.record_buffer import FLAG_STORED
from ingest.table_rows import TableRows

if TYPE_CHECKING:
    from ingest.batch import Batch

CHECKSUM_LE = 1


def reading_rows(
    batch: "Batch", picked: NDArray[np.intp], operators: NDArray[np.uint32]
) -> tuple[TableRows, NDArray[np.intp]]:
    """Rows of the picked records, and those of the picked whose bytes must (also) be kept in `frames`.

    The latter are frames that their row does not reproduce to the byte (`exact` = 0), and frames too short for a row.
    """
    records = batch.records
    decoder = RealtimeColumns(max(len(picked), 1))
    decoder.decode_many(batch.data, records.payload_offset[picked], records.payload_length[picked])
    decoded = picked[decoder.source]
    wire = decoder.columns()
    columns: dict[str, Any] = {name: wire[name] for name in COLUMN_TYPES if name != "checksum_order"}
    columns |= {
        "operator_id": operators[decoded],
        "pile_id": records.pile_id[decoded],
        "connector": records.connector[decoded],
        "event_ms": records.event_ms[decoded],
        "receive_ms": records.receive_ms[decoded],
        "stored": records.flags[decoded] & np.uint8(FLAG_STORED),
        "connection_id": records.connection_id[decoded],
        "live_accepted_e4kwh": records.live_accepted_e4kwh[decoded],
        "live_amount_fen": records.live_amount_fen[decoded],
        "live_flags": records.live_flags[decoded],
        "segment_id": np.full(len(decoded), batch.segment_id, np.uint64),
        "segment_offset": batch.segment_offset(decoded),
    }
    if np.any(wire["checksum_order"] != CHECKSUM_LE):
        # The driver handles an Enum value by value; without the column ClickHouse takes its first value, "le".
        columns["checksum_order"] = wire["checksum_order"]
    inexact = decoded[wire["exact"] == 0]
    undecoded = np.setdiff1d(picked, decoded, assume_unique=True)
    return TableRows("readings", columns, numpy_only=True), np.concatenate((inexact, undecoded))
