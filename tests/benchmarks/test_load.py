"""The benchmark of the loader: every contestant brings every reading, and the loader the same ones as the driver."""

from pathlib import Path

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from benchmarks.load.charges import make_readings
from benchmarks.load.contestants import CONTESTANTS, prebuilt, prebuilt_batches, stored
from benchmarks.load.segments import write_segments
from ingest.segment import list_segments

pytestmark = [pytest.mark.server, pytest.mark.long]

ROWS = "SELECT groupBitXor(cityHash64(pile_id, event_ms, energy_e4kwh, trade_no, live_amount_fen)) FROM readings"


@pytest.mark.parametrize("run", [1, 50])
def test_all_contestants_store_the_same_readings(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, run: int
) -> None:
    readings = make_readings(6_000, 30, 7)
    write_segments(tmp_path, readings, run=run)
    (segment,) = list_segments(tmp_path)
    database.execute("ALTER TABLE readings MODIFY SETTING non_replicated_deduplication_window = 0")
    prebuilt(prebuilt_batches(tmp_path), database_address)
    (expected,) = database.execute(ROWS)
    for contestant in reversed(CONTESTANTS.values()):  # the product's loader comes last: it deletes what is loaded
        database.execute("TRUNCATE TABLE readings")
        contestant(tmp_path, database_address, 30)
        assert stored(database) == len(readings)
        assert database.execute(ROWS) == [expected]
    assert not segment.path.exists()


def test_equal_seeds_make_equal_readings() -> None:
    one, other = (make_readings(2_000, 9, seed).frames for seed in (3, 3))
    assert one == other
    assert one != make_readings(2_000, 9, 4).frames
