"""The same readings in tables that keep their columns in different ways."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import SCHEMA_FOLDER, migrate, read_schema
from benchmarks.load.charges import make_readings
from benchmarks.load.contestants import pilestream_loader
from benchmarks.load.segments import write_segments

HERE: Final = Path(__file__).parent
PILESTREAM: Final = "pilestream"
PLAIN: Final = "MergeTree without codecs"
ZSTD: Final = "MergeTree, ZSTD on each column"
EARLIER: Final = "the schema before its codecs were measured"
TABLES: Final = {PILESTREAM: "readings", PLAIN: "readings_plain", ZSTD: "readings_zstd", EARLIER: "readings_earlier"}
FIRST_MEASURED_SCHEMA: Final = 26
LARGEST: Final = 12


class Stored(NamedTuple):
    """What a merged table takes on disk, in bytes per row."""

    total: float
    columns: dict[str, float]


def contest(readings: int, piles: int, seeds: list[int]) -> dict[str, Any]:
    """Bytes per reading in each table, one value for each seed."""
    found: dict[str, list[Stored]] = {name: [] for name in TABLES}
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(Path(folder) / "clickhouse") as server:
        for seed in seeds:
            for name, stored in _of_one_seed(server, Path(folder), readings, piles, seed).items():
                found[name].append(stored)
    medians = {name: median(one.total for one in values) for name, values in found.items()}
    largest = list(found[PILESTREAM][0].columns)[:LARGEST]
    return {
        "workload": "storage",
        "contestants": {
            name: {
                "unit": "bytes per reading",
                "values": [round(one.total, 3) for one in values],
                "median": round(medians[name], 3),
                "columns": {column: round(median(one.columns[column] for one in values), 3) for column in largest},
            }
            for name, values in found.items()
        },
        "ratios": {
            f"{PILESTREAM} / {name}": round(medians[PILESTREAM] / medians[name], 3)
            for name in medians
            if name != PILESTREAM
        },
        "measures": {
            "bytes_per_reading": {"unit": "bytes", "values": [round(one.total, 3) for one in found[PILESTREAM]]}
        },
        "versions": {"chdb-core": version("chdb-core")},
        "seed": seeds[0],
        "readings": readings,
        "piles": piles,
        "largest_columns": ", ".join(f"{name} {found[PILESTREAM][0].columns[name]:.2f}" for name in largest),
    }


def _of_one_seed(server: ClickHouseAddress, folder: Path, readings: int, piles: int, seed: int) -> dict[str, Stored]:
    address = msgspec.structs.replace(server, database=f"seed_{seed}")
    spool = folder / f"spool_{seed}"
    migrate(address)
    write_segments(spool, make_readings(readings, piles, seed))
    pilestream_loader(spool, address, piles)
    shutil.rmtree(spool)
    _make_earlier(server, f"earlier_{seed}", folder)
    client = connect(address)
    _make_plain(client, TABLES[PLAIN], "")
    _make_plain(client, TABLES[ZSTD], "CODEC(ZSTD)")
    client.execute(f"RENAME TABLE earlier_{seed}.readings TO {address.database}.{TABLES[EARLIER]}")
    stored = {}
    for name, table in TABLES.items():
        if table != TABLES[PILESTREAM]:
            client.execute(f"INSERT INTO {table} SELECT {_names(client)} FROM {TABLES[PILESTREAM]}")
        client.execute(f"OPTIMIZE TABLE {table} FINAL")
        stored[name] = _stored(client, table, readings)
    for database in (address.database, f"earlier_{seed}"):
        client.execute(f"DROP DATABASE {database} SYNC")
    client.disconnect()
    return stored


def _make_earlier(server: ClickHouseAddress, database: str, folder: Path) -> None:
    """The tables as they were before; what changed since are codecs alone, so that both have the same columns."""
    schema = folder / "schema"
    schema.mkdir(exist_ok=True)
    for file in read_schema(SCHEMA_FOLDER):
        if file.number < FIRST_MEASURED_SCHEMA:
            (schema / file.name).write_text(file.text)
    migrate(msgspec.structs.replace(server, database=database), schema)


def _make_plain(client: Client, table: str, codec: str) -> None:
    """A table with the columns, the partitions and the order of `readings`, each column compressed the same way."""
    columns = ", ".join(f"{name} {kind} {codec}" for name, kind in _columns(client))
    ((partitions, order),) = client.execute(
        "SELECT partition_key, sorting_key FROM system.tables WHERE database = currentDatabase() AND name = 'readings'"
    )
    client.execute(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree PARTITION BY {partitions} ORDER BY ({order})")


def _columns(client: Client) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = client.execute(_query("stored_columns"), {"table": TABLES[PILESTREAM]})
    return found


def _names(client: Client) -> str:
    return ", ".join(name for name, _ in _columns(client))


def _stored(client: Client, table: str, readings: int) -> Stored:
    """Raises RuntimeError when the table does not have every reading in one part."""
    ((rows, size, parts),) = client.execute(_query("table_bytes"), {"table": table})
    if rows != readings or parts != 1:
        raise RuntimeError(f"{table}: {rows} rows in {parts} parts, {readings} in one were expected")
    columns = client.execute(_query("column_bytes"), {"table": table})
    return Stored(size / rows, {name: column_bytes / rows for name, column_bytes in columns})


def _query(name: str) -> str:
    return (HERE / f"{name}.sql").read_text("utf-8")
