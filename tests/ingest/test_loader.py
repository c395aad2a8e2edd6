"""Spool to a real ClickHouse: every row once, whatever happens on the way."""

import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from core.directory import Ownership, PileDirectory
from ingest.insert import DatabaseAwayError
from ingest.load_state import LoadState, read_state, write_state
from ingest.loader import Loader
from ingest.segment import SEGMENT_HEADER_BYTES
from tests.ingest.charger_frames import (
    OTHER_CODE,
    heartbeat,
    make_directory,
    make_pile,
)
from tests.ingest.loader_parts import EVENTS, EXPECTED, TABLES, counts, fill, make_loader, rows
from tests.ingest.spool_parts import NOW_MS, FailingDisk, add_frame, open_spool

pytestmark = pytest.mark.server


def test_every_table_gets_its_rows_and_a_second_pass_nothing(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    loader = make_loader(tmp_path, database_address)
    assert loader.waiting_bytes() > 0
    report = loader.load_available()
    assert report.records == 40 + 43 + len(EVENTS)
    assert report.rows == EXPECTED == counts(database)
    assert loader.waiting_bytes() == 0
    assert loader.load_available().records == 0
    add_frame(spool, heartbeat())
    spool.commit()
    assert loader.load_available().rows == {"frames": 1}
    assert counts(database) == EXPECTED | {"frames": 44}
    spool.close()


def test_closed_segments_go_when_loaded_unless_they_are_to_be_kept(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    for keep in (True, False):
        folder = tmp_path / str(keep)
        spool = open_spool(folder, segment_bytes=2_000)
        for number in range(40):
            add_frame(spool, heartbeat(), receive_ms=NOW_MS + number)
            spool.commit()
        segments = len(spool.segments())
        report = make_loader(folder, database_address, keep_loaded=keep).load_available()
        assert report.rows == {"frames": 40}
        assert len(spool.segments()) == (segments if keep else 1)
        assert report.segments_deleted == (0 if keep else segments - 1)
        assert len(list((folder / "loaded").glob("*"))) == len(spool.segments())
        spool.close()
    assert counts(database)["frames"] == 80


def test_damage_is_stepped_over_kept_and_counted(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    beats = [heartbeat(seq=bytes((number, 0))) for number in range(10)]
    for number, beat in enumerate(beats):
        add_frame(spool, beat, receive_ms=NOW_MS + number)
    spool.commit()
    (segment,) = spool.segments()
    size = 56 + len(beats[0])
    data = bytearray(segment.path.read_bytes())
    for number in (0, 4, 5, 9):
        data[SEGMENT_HEADER_BYTES + number * size + 60] ^= 1
    data[SEGMENT_HEADER_BYTES + 7 * size] ^= 0x80  # a length byte: the borders of the record are lost
    segment.path.write_bytes(data)
    report = make_loader(tmp_path, database_address).load_available()
    kept = {beats[number].hex().upper() for number in (1, 2, 3, 6, 8)}
    assert {row["hex"] for row in rows(database, "frames", "hex(bytes) AS hex", "receive_ms")} == kept
    assert report.damaged_bytes == 5 * size
    assert sum(path.stat().st_size for path in tmp_path.glob("*.damaged-*")) == 5 * size
    spool.close()


def test_an_insert_is_deduplicated_by_its_token_alone(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    make_loader(tmp_path, database_address, keep_loaded=True).load_available()
    for segment in spool.segments():  # as if nothing was known of the first time: no intent, so no look at the keys
        write_state(tmp_path, segment.segment_id, LoadState(), FailingDisk())
    # The rows differ by their owner: the server must know the insert by its token, not by its content.
    sold = PileDirectory([make_pile(owners=(Ownership(9, 0),)), make_pile(OTHER_CODE, 12, owners=(Ownership(9, 0),))])
    make_loader(tmp_path, database_address, directory=sold).load_available()
    assert counts(database) == EXPECTED
    spool.close()


def test_an_insert_is_deduplicated_by_its_keys_when_the_token_is_forgotten(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    make_loader(tmp_path, database_address).load_available()
    for table in TABLES:
        database.execute(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
    # Only a part of the rows arrived: what a server killed between the parts of two months leaves behind.
    database.execute("DELETE FROM readings WHERE energy_e4kwh >= 2000 SETTINGS mutations_sync = 2")
    database.execute("DELETE FROM tariff_acks WHERE 1 SETTINGS mutations_sync = 2")
    for segment in spool.segments():
        write_state(tmp_path, segment.segment_id, LoadState(SEGMENT_HEADER_BYTES, segment.size), FailingDisk())
    make_loader(tmp_path, database_address).load_available()
    assert counts(database) == EXPECTED
    done = [LoadState(segment.size, checked=SEGMENT_HEADER_BYTES) for segment in spool.segments()]
    assert [read_state(tmp_path, segment.segment_id) for segment in spool.segments()] == done
    spool.close()


def test_small_batches_give_the_same_rows(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    make_loader(tmp_path, database_address, batch_records=17).load_available()
    assert counts(database) == EXPECTED
    assert database.execute("SELECT count(DISTINCT segment_id, segment_offset) FROM readings") == [(40,)]
    spool.close()


def test_without_a_database_everything_waits_and_arrives_afterwards(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    away = True

    def factory(**settings: Any) -> Client:
        if away:
            raise ConnectionRefusedError("nobody listens")
        return connect(database_address, **settings)

    loader = Loader(tmp_path, factory, make_directory(), interval_s=0.05)
    with pytest.raises(DatabaseAwayError, match="nobody listens"):
        loader.load_available()
    stop = threading.Event()
    runner = threading.Thread(target=loader.run, args=(stop,))
    runner.start()
    time.sleep(0.3)
    assert "nobody listens" in loader.last_error
    add_frame(spool, heartbeat())
    spool.commit()
    away = False
    deadline = time.monotonic() + 10
    while loader.waiting_bytes() and time.monotonic() < deadline:
        time.sleep(0.02)
    add_frame(spool, heartbeat())
    spool.commit()
    stop.set()  # what is there at the end is loaded before the loader ends
    runner.join(10)
    assert not runner.is_alive()
    assert counts(database) == EXPECTED | {"frames": EXPECTED["frames"] + 2}
    assert loader.last_error == ""
    assert msgspec.json.decode((tmp_path / "loader.json").read_bytes())["waiting_bytes"] == 0
    spool.close()
