"""Ways to bring the readings of a spool's segments into table `readings`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from benchmarks.load.charges import pile_code
from core.directory import Ownership, Pile, PileDirectory
from core.ykc.realtime import RealtimeColumns
from ingest.loader import Loader
from ingest.native_insert import insert_columns
from ingest.record_buffer import scan_records
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments

BATCH_ROWS: Final = 200_000
Columns = dict[str, Any]
Contestant = Callable[[Path, ClickHouseAddress, int], None]
"""Loads the spool in the folder into the database; the last argument is the number of chargers."""


def pilestream_loader(spool: Path, address: ClickHouseAddress, piles: int) -> None:
    """The product: exactly once, with notes on disk, owners, and the proof of each segment."""
    directory = PileDirectory(_pile(number) for number in range(1, piles + 1))
    loader = Loader(spool, partial(connect, address), directory)
    loader.load_available()
    loader.close()


def row_tuples(spool: Path, address: ClickHouseAddress, _: int) -> None:
    """clickhouse-driver as its documentation begins: a list of tuples."""
    client = connect(address)
    for columns in _batches(spool):
        rows = list(zip(*(values.tolist() for values in columns.values()), strict=True))
        client.execute(_insert(columns), rows)
    client.disconnect()


def column_lists(spool: Path, address: ClickHouseAddress, _: int) -> None:
    """clickhouse-driver with `columnar`, a list for each column."""
    client = connect(address)
    for columns in _batches(spool):
        client.execute(_insert(columns), [values.tolist() for values in columns.values()], columnar=True)
    client.disconnect()


def numpy_columns(spool: Path, address: ClickHouseAddress, _: int) -> None:
    """clickhouse-driver with `use_numpy` and `columnar`."""
    client = connect(address, use_numpy=True)
    for columns in _batches(spool):
        client.execute(_insert(columns), list(columns.values()), columnar=True)
    client.disconnect()


def prebuilt(batches: list[Columns], address: ClickHouseAddress) -> None:
    """Columns that are in memory already, sent as they lie: what the inserts alone cost."""
    client = connect(address, use_numpy=True)
    for columns in batches:
        insert_columns(client, "readings", columns, {})
    client.disconnect()


def prebuilt_batches(spool: Path) -> list[Columns]:
    """What `prebuilt` sends; nothing of it is used again by a later batch."""
    return list(_batches(spool, 5 * BATCH_ROWS))


CONTESTANTS: Final[dict[str, Contestant]] = {
    "pilestream": pilestream_loader,
    "driver, numpy columns": numpy_columns,
    "driver, lists": column_lists,
    "driver, row tuples": row_tuples,
}


def _batches(spool: Path, at_once: int = BATCH_ROWS) -> Any:
    """The columns of readings, decoded as fast as the product's decoder does it: only the way to the server differs."""
    for segment in list_segments(spool):
        data = segment.path.read_bytes()
        at = SEGMENT_HEADER_BYTES
        while at < len(data):
            records = scan_records(data, at, at_once)
            at = records.end
            decoder = RealtimeColumns(records.count)
            decoder.decode_many(data, records.payload_offset, records.payload_length)
            columns: Columns = dict(decoder.columns())
            del columns["checksum_order"]
            yield columns | {
                "operator_id": np.full(records.count, 2, np.uint32),
                "pile_id": records.pile_id,
                "connector": records.connector,
                "event_ms": records.event_ms,
                "receive_ms": records.receive_ms,
                "connection_id": records.connection_id,
                "live_accepted_e4kwh": records.live_accepted_e4kwh,
                "live_amount_fen": records.live_amount_fen,
                "segment_id": np.full(records.count, segment.segment_id, np.uint64),
                "segment_offset": records.offset,
            }


def _insert(columns: Columns) -> str:
    return f"INSERT INTO readings ({', '.join(columns)}) VALUES"


def _pile(number: int) -> Pile:
    return Pile(
        pile_id=number,
        code=pile_code(number),
        protocol="ykc",
        station_id=1,
        zone="Asia/Shanghai",
        connectors=2,
        rated_power_w=120_000,
        register_kind="session",
        quantum_e4kwh=1,
        register_digits=0,
        occupancy_grace_ms=0,
        commissioned_ms=0,
        current_kind="dc",
        owners=(Ownership(2, 0),),
        tariffs=(),
    )


def stored(client: Client) -> int:
    """Rows of `readings`."""
    return int(client.execute("SELECT count() FROM readings")[0][0])
