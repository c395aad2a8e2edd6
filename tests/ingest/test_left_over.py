"""Folders that nobody writes to any more: loaded without loss, removed, and part of the limit while they are there."""

import contextlib
import threading
from pathlib import Path

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from ingest.disk import Disk
from ingest.left_over import LeftOver, remove_if_done
from ingest.load_state import STATE_FOLDER
from ingest.record_buffer import LANE_FACTS
from ingest.segment import list_segments
from ingest.spool_limit import read_shed
from ingest.spool_status import read_spool_status
from tests.ingest.charger_frames import heartbeat, record, trade_no_of
from tests.ingest.loader_parts import EXPECTED, counts, fill, make_loader
from tests.ingest.spool_parts import NOW_MS, add_frame, open_spool

SEGMENT_BYTES = 4_096


def size_of(folder: Path) -> int:
    return sum(segment.size for segment in list_segments(folder))


def fill_segments(folder: Path, count: int) -> None:
    """Many small segments of telemetry and one of facts."""
    spool = open_spool(folder, segment_bytes=SEGMENT_BYTES)
    while len(list_segments(folder)) < count:
        for number in range(40):
            add_frame(spool, heartbeat(), receive_ms=NOW_MS + number)
        spool.commit()
    add_frame(spool, record(trade_no_of()))
    spool.close()


@pytest.mark.server
def test_the_layout_of_one_gateway_is_taken_on_without_loss(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    before = open_spool(tmp_path, segment_bytes=SEGMENT_BYTES)
    fill(before)
    before.commit()
    first = make_loader(tmp_path, database_address).load_available()  # its loader was in the middle
    for number in range(100):
        add_frame(before, heartbeat(), receive_ms=NOW_MS + number)
    before.commit()
    before._let_go()  # killed: its newest segments were never closed
    with (max(list_segments(tmp_path), key=lambda segment: segment.header.created_ms)).path.open("ab") as torn:
        torn.write(b"half a record")
    spool = open_spool(tmp_path / "0")
    fill(spool)
    spool.commit()
    second = make_loader(tmp_path, database_address).load_available()
    assert counts(database) == {
        table: 2 * count + (100 if table == "frames" else 0) for table, count in EXPECTED.items()
    }
    assert first.records + second.records == 2 * first.records + 100
    assert list_segments(tmp_path) == []
    assert len(list_segments(tmp_path / "0")) == 2  # of a gateway that lives
    spool.close()


@pytest.mark.server
def test_the_folder_of_a_worker_that_is_gone_is_loaded_and_removed(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    living = open_spool(tmp_path / "0")
    for name in ("3", "4"):
        gone = open_spool(tmp_path / name)
        fill(gone)
        gone.close()
    (tmp_path / "4" / "set-aside.jsonl").touch()
    loader = make_loader(tmp_path, database_address)
    loader.load_available()
    assert counts(database) == {table: 2 * count for table, count in EXPECTED.items()}
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} - {STATE_FOLDER} == {"0", "4"}
    back = open_spool(tmp_path / "3")
    add_frame(back, heartbeat())
    back.commit()
    assert loader.load_available().rows == {"frames": 1}
    back.close()
    living.close()


def test_left_over_folders_count_towards_the_limit_and_their_telemetry_goes_first(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "5"):
        fill_segments(folder, 10)
    attended = open_spool(tmp_path / "1")
    add_frame(attended, heartbeat())
    attended.commit()
    left = size_of(tmp_path) + size_of(tmp_path / "5")
    limit = left // 2 + 4 * SEGMENT_BYTES
    left_over = LeftOver(tmp_path, 2, Disk())
    assert left_over.bytes_of_share() == -(-left // 2)
    spool = open_spool(tmp_path / "0", segment_bytes=SEGMENT_BYTES, max_bytes=limit, left_over=left_over)
    for _ in range(8):
        for number in range(40):
            add_frame(spool, heartbeat(), receive_ms=NOW_MS + number)
        spool.commit()
    assert size_of(tmp_path / "0") + left_over.bytes_of_share() <= limit
    assert read_shed(tmp_path).segments + read_shed(tmp_path / "5").segments > 0
    assert spool.shed.segments == 0
    assert read_shed(tmp_path / "1").segments == 0
    for folder in (tmp_path, tmp_path / "5"):
        assert any(segment.header.lane == LANE_FACTS for segment in list_segments(folder))
    told = [folder["shed"]["records"] for folder in read_spool_status(tmp_path)["folders"].values() if "shed" in folder]
    assert sum(told) > 0
    spool.close()
    attended.close()


def test_a_writer_that_comes_while_its_folder_is_removed_has_a_whole_one(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    stop = threading.Event()
    removed = 0

    def remove_over_and_over() -> None:
        nonlocal removed
        while not stop.is_set():
            with contextlib.suppress(FileNotFoundError):  # removed already
                (folder / STATE_FOLDER).mkdir(exist_ok=True)
            removed += remove_if_done(folder)

    remover = threading.Thread(target=remove_over_and_over)
    remover.start()
    try:
        for _ in range(60):
            spool = open_spool(folder)
            add_frame(spool, heartbeat())
            spool.commit()
            (segment,) = list_segments(folder)
            spool.close()
            segment.path.unlink()
    finally:
        stop.set()
        remover.join()
    assert removed > 0
