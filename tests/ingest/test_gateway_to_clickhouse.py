"""From a live socket, and from a capture, into a real ClickHouse: each frame is found there, to the byte."""

import json
from pathlib import Path

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from core.directory import PileDirectory
from ingest.replay import Replayer
from ingest.spool import Spool
from ingest.stored_frames import frames_hex
from tests.ingest.charger_frames import (
    CODE,
    NOW_MS,
    charging,
    heartbeat,
    make_directory,
    make_pile,
    realtime,
    record,
    sample_frames,
    trade_no_of,
)
from tests.ingest.loader_parts import counts, make_loader
from tests.ingest.running_gateway import Charger, run, running

pytestmark = pytest.mark.server


def stored_frames(database: Client) -> set[str]:
    """The hex of every frame, made again from its row where the row is all that is kept."""
    keys = database.execute(
        "SELECT pile_id, segment_id, segment_offset FROM frames"
        " UNION DISTINCT SELECT pile_id, segment_id, segment_offset FROM readings"
    )
    return set(frames_hex(database, [(pile_id, (segment_id, offset)) for pile_id, segment_id, offset in keys]).values())


def test_each_good_sample_frame_sent_over_a_socket_is_found(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    samples = [sample for sample in sample_frames() if sample["checksum_ok"] and sample["length_ok"]]
    codes = sorted({str(sample["fields"]["pile_code"]) for sample in samples})
    directory = PileDirectory([make_pile(code, 100 + n) for n, code in enumerate(codes)])

    async def talk() -> None:
        async with running(tmp_path, directory=directory) as here:
            for code in codes:
                charger = await Charger.logged_in(here.gateway, code=code)
                own = [bytes.fromhex(sample["hex"]) for sample in samples if sample["fields"]["pile_code"] == code]
                await charger.send(b"\xff\xff".join(own) + heartbeat(code))
                beats = codes.index(code) + 1
                await here.until(lambda beats=beats: here.gateway.status().heartbeats == beats)
                await charger.close()

    run(talk())
    loader = make_loader(tmp_path / "spool", database_address, directory=directory)
    loader.load_available()
    loader.close()
    assert {sample["hex"] for sample in samples} <= stored_frames(database)
    verdicts = dict(database.execute("SELECT verdict, count() FROM frames GROUP BY verdict"))
    assert verdicts["garbage"] > 0
    assert set(verdicts) <= {"ok", "variant", "unknown_type", "garbage"}


def test_a_replayed_capture_is_stored_once(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    trade_no = trade_no_of()
    frames = [realtime(plugged=1), *(charging(trade_no, n * 100, n // 4) for n in range(9)), record(trade_no)]
    capture = tmp_path / "capture.jsonl"
    lines = [{"ts": NOW_MS + n, "conn": 1, "protocol": "ykc", "hex": frame.hex()} for n, frame in enumerate(frames)]
    capture.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    seen = []
    for _ in range(2):
        spool = Spool(tmp_path / "spool", clock=lambda: NOW_MS)
        Replayer(make_directory(), spool).replay_lines(capture)
        spool.close()
        loader = make_loader(tmp_path / "spool", database_address)
        loader.load_available()
        loader.close()
        seen.append(counts(database))
    assert seen[0] == seen[1]
    assert (seen[0]["readings"], seen[0]["pile_bill_uploads"]) == (10, 1)
    assert stored_frames(database) == {frame.hex().upper() for frame in frames}
    assert database.execute("SELECT DISTINCT pile_id, receive_ms - receive_ms % 100 FROM readings") == [(11, NOW_MS)]
    assert CODE in str(database.execute("SELECT any(trade_no) FROM pile_bill_uploads")[0][0])
