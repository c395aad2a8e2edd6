"""Exactly once, shown: segments are compared with what ClickHouse has, and lost answers store nothing twice."""

import fcntl
import logging
import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.block import BaseBlock
from clickhouse_driver.connection import Connection

from analytics.client import ClickHouseAddress, connect
from analytics.questions import PLATFORM_SCOPE, ask
from ingest.insert import DatabaseAwayError, Inserter
from ingest.load_state import read_state
from ingest.loader import Loader
from ingest.loader_status import read_loader_status
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments
from ingest.spool_folders import lock_for_loading
from ingest.table_rows import TableRows
from tests.ingest.charger_frames import heartbeat, make_directory
from tests.ingest.cutting_proxy import cutting_proxy
from tests.ingest.loader_parts import EVENTS, EXPECTED, TABLES, counts, fill, make_loader, rows
from tests.ingest.spool_parts import NOW_MS, add_frame, open_spool

pytestmark = pytest.mark.server


def closed_spool(folder: Path) -> None:
    spool = open_spool(folder)
    fill(spool)
    spool.close()


def forget_tokens(database: Client) -> None:
    """What hours do to the server's memory of tokens."""
    for table in (*TABLES, "spool_pieces"):
        database.execute(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")


def test_a_segment_goes_when_the_database_has_shown_all_of_its_rows(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    closed_spool(tmp_path)
    segments = {segment.segment_id: segment for segment in list_segments(tmp_path)}
    report = make_loader(tmp_path, database_address).load_available()
    assert counts(database) == EXPECTED
    assert report.checked_rows == sum(EXPECTED.values())
    assert (report.repaired_rows, report.differences, report.segments_deleted) == (0, 0, 2)
    assert list_segments(tmp_path) == []
    checks = rows(database, "spool_checks", order="lane")
    assert [check["lane"] for check in checks] == ["facts", "telemetry"]
    for check in checks:
        segment = segments[check["segment_id"]]
        assert (check["start_offset"], check["end_offset"]) == (SEGMENT_HEADER_BYTES, segment.size)
        assert check["verdict"] == "equal"
        assert check["held_rows"] == check["inserted_rows"] == check["found_rows"]
        assert check["held_digest"] == check["found_digest"]
        assert all(check["held_digest"])
    assert sum(check["frames_up"] for check in checks) == 83
    assert sum(check["events"] for check in checks) == len(EVENTS)
    pieces = rows(database, "spool_pieces", order="lane")
    assert [(piece["start_offset"], piece["end_offset"]) for piece in pieces] == [
        (check["start_offset"], check["end_offset"]) for check in checks
    ]


def test_rows_that_the_database_lost_are_inserted_again(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, caplog: pytest.LogCaptureFixture
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    make_loader(tmp_path, database_address).load_available()
    # A power cut took what the server had not synced. It still knows the tokens: only another one lets the rows in.
    database.execute("DELETE FROM readings WHERE energy_e4kwh >= 2000 SETTINGS mutations_sync = 2")
    database.execute("DELETE FROM alarms WHERE 1 SETTINGS mutations_sync = 2")
    spool.close()
    with caplog.at_level(logging.ERROR):
        report = make_loader(tmp_path, database_address).load_available()
    assert counts(database) == EXPECTED
    assert (report.repaired_rows, report.differences) == (21, 0)
    assert {check["verdict"] for check in rows(database, "spool_checks", order="lane")} == {"repaired"}
    assert "readings: 40 rows in the segment, 40 in ClickHouse" in caplog.text
    assert {alarm["kind"] for alarm in _alarms(database)} == {"spool_repaired"}
    assert list_segments(tmp_path) == []


def test_a_difference_that_stays_is_told_and_keeps_the_segment(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    make_loader(tmp_path, database_address).load_available()
    database.execute("INSERT INTO frames SELECT * FROM frames LIMIT 1")
    spool.close()
    stop = threading.Event()
    loader = make_loader(tmp_path, database_address)
    runner = threading.Thread(target=loader.run, args=(stop,))
    runner.start()
    deadline = time.monotonic() + 10
    while not loader.total.differences and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    runner.join(10)
    status = read_loader_status(tmp_path)
    assert status is not None
    assert status.differences == 1
    assert "frames" in status.last_difference
    (kept,) = list_segments(tmp_path)
    assert read_state(tmp_path, kept.segment_id).different
    assert sorted(check["verdict"] for check in rows(database, "spool_checks", order="lane")) == ["different", "equal"]
    (alarm,) = _alarms(database)
    assert (alarm["kind"], alarm["detail"]) == ("spool_different", status.last_difference)
    shown = ask(
        database, "notable_events", PLATFORM_SCOPE, since_ms=alarm["event_ms"] - 1, now_ms=alarm["event_ms"],
        quiet_ms=60_000, day="2026-01-01", limit=50,
    ).records()  # fmt: skip
    assert status.last_difference in [event["detail"] for event in shown if event["event"] == "spool_different"]
    assert make_loader(tmp_path, database_address).load_available().checked_rows == 0  # told once, not for ever
    assert len(list_segments(tmp_path)) == 1


def _alarms(database: Client) -> list[dict[str, Any]]:
    """Those that the loader raised itself."""
    return rows(database, "alarms WHERE segment_id = 0", order="event_ms")


@pytest.mark.parametrize("hours_later", [False, True], ids=["token", "keys"])
@pytest.mark.parametrize("answers", [2, *(pytest.param(number, marks=pytest.mark.long) for number in (1, 5, 9))])
def test_an_answer_lost_after_the_commit_stores_nothing_twice(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, hours_later: bool, answers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    closed_spool(tmp_path)
    sent = 0
    empty_blocks = 0
    send, send_data = Inserter._send, Connection.send_data

    with cutting_proxy(database_address) as proxy:

        def send_and_lose(inserter: Inserter, table_rows: TableRows, token: str) -> None:
            nonlocal sent, empty_blocks
            sent += 1
            empty_blocks = 0
            if sent == answers:
                before = database.execute(f"SELECT count() FROM {table_rows.table}")[0][0]
                threading.Thread(target=cut_after_commit, args=(table_rows.table, before)).start()
            send(inserter, table_rows, token)

        def lose_the_last_word(connection: Connection, block: BaseBlock, table_name: str = "") -> None:
            nonlocal empty_blocks
            empty_blocks += connection.port == proxy.address.port and not block.num_columns
            if sent == answers and empty_blocks == 2:  # the first ends the external tables, the second the data
                proxy.losing.set()
            send_data(connection, block, table_name)

        def cut_after_commit(table: str, before: int) -> None:
            client = connect(database_address)
            deadline = time.monotonic() + 10
            committed = False
            while not (committed and proxy.lost) and time.monotonic() < deadline:  # the answer was on its way
                time.sleep(0.001)
                committed = client.execute(f"SELECT count() FROM {table}")[0][0] > before
            proxy.cut()
            client.disconnect()

        monkeypatch.setattr(Inserter, "_send", send_and_lose)
        monkeypatch.setattr(Connection, "send_data", lose_the_last_word)
        loader = Loader(tmp_path, partial(connect, proxy.address), make_directory())
        with pytest.raises(DatabaseAwayError):
            loader.load_available()
    monkeypatch.undo()
    if hours_later:
        forget_tokens(database)
    make_loader(tmp_path, database_address).load_available()
    assert counts(database) == EXPECTED
    assert {check["verdict"] for check in rows(database, "spool_checks", order="lane")} == {"equal"}


@pytest.mark.parametrize("place", ["the same folder", pytest.param("a second folder", marks=pytest.mark.long)])
def test_a_restored_folder_brings_nothing_twice(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, place: str
) -> None:
    spool, saved = tmp_path / "spool", tmp_path / "saved"
    closed_spool(spool / "0")
    shutil.copytree(spool / "0", saved)
    make_loader(spool, database_address).load_available()
    forget_tokens(database)
    if place == "the same folder":
        shutil.rmtree(spool / "0", ignore_errors=True)
        shutil.copytree(saved, spool / "0")
    else:
        shutil.copytree(saved, spool / "restored")
    # Other borders than the first time, so that the tokens are others as well.
    report = make_loader(spool, database_address, batch_records=17).load_available()
    assert counts(database) == EXPECTED
    assert report.records == 83 + len(EVENTS)
    assert report.differences == 0
    assert list_segments(spool / "0") == []


def test_every_folder_is_loaded_and_those_without_a_writer_are_closed(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    closed_spool(tmp_path)  # of a version with one gateway
    closed_spool(tmp_path / "2")  # of a worker that is no more
    living = open_spool(tmp_path / "0")
    fill(living)
    loader = make_loader(tmp_path, database_address)
    added_later = open_spool(tmp_path / "1")
    fill(added_later)
    report = loader.load_available()
    assert counts(database) == {table: 4 * count for table, count in EXPECTED.items()}
    assert report.segments_deleted == 4
    assert [len(list_segments(tmp_path / name)) for name in ("", "2", "0", "1")] == [0, 0, 2, 2]
    add_frame(living, heartbeat())
    living.commit()
    assert loader.load_available().rows == {"frames": 1}
    assert {piece["spool"] for piece in rows(database, "spool_pieces", order="spool")} == {"", "0", "1", "2"}
    living.close()
    added_later.close()


def test_a_writer_waits_while_the_loader_recovers_its_folder_and_two_loaders_never_load_one_spool(
    tmp_path: Path, database_address: ClickHouseAddress
) -> None:
    closed_spool(tmp_path)
    recovering = os.open(tmp_path / "writer.lock", os.O_RDWR)
    fcntl.flock(recovering, fcntl.LOCK_SH)
    threading.Timer(0.3, os.close, (recovering,)).start()
    began = time.monotonic()
    open_spool(tmp_path).close()
    assert time.monotonic() - began > 0.2
    lock = lock_for_loading(tmp_path, 0.0)
    with pytest.raises(Exception, match="another process loads"):
        lock_for_loading(tmp_path, 0.1)
    os.close(lock)


@pytest.mark.long
def test_older_segments_come_first_whatever_their_folder(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[int] = []
    insert = Inserter.insert

    def noting(self: Inserter, table_rows: TableRows, segment_id: int, *rest: Any, **named: Any) -> int:
        order.append(segment_id)
        return insert(self, table_rows, segment_id, *rest, **named)

    monkeypatch.setattr(Inserter, "insert", noting)
    made: list[int] = []
    for number in range(6):
        spool = open_spool(tmp_path / str(number % 2))
        spool._clock = lambda number=number: NOW_MS + 1_000 * number  # type: ignore[misc]
        add_frame(spool, heartbeat(), receive_ms=NOW_MS + number)
        spool.close()
        made += [s.segment_id for s in list_segments(tmp_path / str(number % 2)) if s.segment_id not in made]
    make_loader(tmp_path, database_address).load_available()
    assert order == made
    assert counts(database)["frames"] == 6
