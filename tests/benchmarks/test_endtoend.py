"""The benchmarks of the whole platform: they lose nothing unseen, and each runs with a handful of chargers."""

from pathlib import Path

import numpy as np
import pytest
from clickhouse_driver import Client

from benchmarks.backlog.run import backlog
from benchmarks.endtoend.errors import EndToEndError
from benchmarks.endtoend.stored import require_all
from benchmarks.endtoend.traffic import Sent, digest_of, write_stored
from benchmarks.endtoend.watching import Sample, growth
from benchmarks.fairness.run import fairness
from benchmarks.fleet.readings import FRAME_BYTES
from benchmarks.idle.run import idle
from benchmarks.live.run import live
from benchmarks.storm.run import storm
from core.ykc.realtime import RealtimeColumns

CHARGERS, READINGS = 3, 20


def stored_frames(path: Path) -> tuple[bytes, Sent]:
    """The realtime frames of all chargers, without what is around them."""
    traffic, sent = write_stored(path, CHARGERS, READINGS, 5)
    data = path.read_bytes()
    each = traffic.login_bytes + traffic.body_bytes + traffic.tail_bytes
    assert len(data) == CHARGERS * each
    begin = traffic.login_bytes + traffic.body_bytes - READINGS * FRAME_BYTES
    parts = [data[n * each + begin :][: READINGS * FRAME_BYTES] for n in range(CHARGERS)]
    return b"".join(parts), sent


def insert_readings(database: Client, frames: bytes) -> None:
    columns = RealtimeColumns(len(frames) // FRAME_BYTES)
    starts = np.arange(0, len(frames), FRAME_BYTES, dtype=np.uint64)
    assert columns.decode_many(frames, starts, np.full(len(starts), FRAME_BYTES, np.uint32)) == len(starts)
    names = ("trade_hi", "trade_lo", "seq", "energy_e4kwh")
    data = [columns.columns()[name].tolist() for name in names]
    database.execute(f"INSERT INTO readings ({', '.join(names)}) VALUES", data, columnar=True)


@pytest.mark.server
def test_a_reading_that_is_lost_changed_or_stored_twice_is_found(tmp_path: Path, database: Client) -> None:
    frames, sent = stored_frames(tmp_path / "traffic")
    assert sent.readings == CHARGERS * READINGS
    assert sent.digest == digest_of(frames)
    expected = sent._replace(records=0)
    insert_readings(database, frames)
    require_all(database, expected)

    database.execute("TRUNCATE TABLE readings")
    insert_readings(database, frames[FRAME_BYTES:] + frames[-FRAME_BYTES:])  # one lost, another twice
    with pytest.raises(EndToEndError, match="stored"):
        require_all(database, expected)

    database.execute("TRUNCATE TABLE readings")
    insert_readings(database, frames[FRAME_BYTES:])
    with pytest.raises(EndToEndError, match="stored"):
        require_all(database, expected)

    database.execute("TRUNCATE TABLE readings")
    insert_readings(database, frames)
    database.execute("INSERT INTO pile_bill_uploads (pile_id, connector, trade_no) VALUES", [(1, 1, "1"), (1, 1, "1")])
    with pytest.raises(EndToEndError, match="of 1 charges"):
        require_all(database, expected._replace(records=2))


@pytest.mark.server
@pytest.mark.long
def test_a_backlog_comes_to_the_database(tmp_path: Path) -> None:
    found = backlog(4, 50, rounds=1, seconds=60, workers=1, seed=1, folder=tmp_path)
    assert found["stored"]["readings"] == 200
    assert found["stored"]["records"] == 4
    assert found["measures"]["frames_per_s"]["values"][0] > 0
    assert {"serve", "gateway", "loader", "clickhouse", "biller", "dashboard", "sender", "others"} == {
        *found["processes"]
    }


@pytest.mark.server
@pytest.mark.long
def test_live_traffic_comes_to_the_database_and_is_acknowledged(tmp_path: Path) -> None:
    found = live(20, rate=200, seconds=3, records=10, workers=1, seed=1, folder=tmp_path)
    assert found["stored"]["readings"] == 600 + 150
    assert found["stored"]["records"] == 30 + 15
    assert found["measures"]["missed_acks"]["values"] == [0]
    assert found["half_rate"]["wait_ms"]["records"]["count"] == 15
    assert len(found["full_rate"]["samples"]["rows"]) >= 3
    assert found["contestants"]["c epoll, bytes only"]["median"] > 200


def test_a_backlog_that_grows_is_seen_and_the_steps_of_the_loader_are_not() -> None:
    in_steps = [Sample(at_s, at_s // 2 * 2 * 1_000, 1.0, 0) for at_s in range(1, 101)]
    assert growth(in_steps, 1_000) == 0
    too_slow = [Sample(at_s, at_s * 900, 1.0, 0) for at_s in range(1, 101)]
    assert growth(too_slow, 1_000) == pytest.approx(100)


@pytest.mark.server
@pytest.mark.long
def test_idle_chargers_miss_no_acknowledgement(tmp_path: Path) -> None:
    found = idle(20, 8, seconds=6, workers=1, seed=1, folder=tmp_path)
    assert found["sent"] == {"readings": 12, "heartbeats": 15, "records": 0}
    assert found["stored"]["readings"] == 12
    assert found["measures"]["missed_acks"]["values"] == [0]
    assert 0 < found["measures"]["gateway_and_loader_share_of_core"]["values"][0] < 2


@pytest.mark.server
@pytest.mark.long
def test_a_storm_of_reconnecting_chargers_is_served(tmp_path: Path) -> None:
    found = storm(
        connections=30, readings=10, steady=5, senders=2, workers=2, rounds=1, seconds=60, seed=1, folder=tmp_path
    )
    assert (found["stored"]["readings"], found["stored"]["records"]) == (300, 30)
    assert found["measures"]["bills_not_once"]["values"] == [0]
    assert {"gateway-0", "gateway-1", "hub"} <= found["processes"].keys()


@pytest.mark.server
@pytest.mark.long
def test_steady_chargers_are_heard_beside_one_that_floods(tmp_path: Path) -> None:
    found = fairness(connections=20, flooding=1, seconds=2, rounds=1, workers=1, seed=1, folder=tmp_path)
    assert found["measures"]["flood_mb_per_s"]["values"][0] > 0
    assert found["measures"]["missed_acks"]["values"] == [0]
    assert found["wait_ms"]["flooded"]["logins"]["count"] == 20
