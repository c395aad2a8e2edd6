"""What the loader writes: every column of every table says what was in the record."""

from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from core.directory import Ownership, PileDirectory
from core.ykc.codec import raw_fields, wrap_body
from core.ykc.cp56 import ms_to_cp56
from ingest.bill_rows import content_digest, was_stored
from ingest.events import (
    PlatformOutage,
    TariffAck,
)
from ingest.record_buffer import FRAME_DOWN, FRAME_UP, QUARANTINE
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments
from ingest.stored_frames import frames_hex
from tests.ingest.charger_frames import (
    CODE,
    OTHER_CODE,
    ZONE,
    charging,
    heartbeat,
    make_pile,
    realtime,
    record,
)
from tests.ingest.loader_parts import EVENTS, TABLES, TRADE, counts, make_loader, rows
from tests.ingest.spool_parts import NOW_MS, add_event, add_frame, open_spool

pytestmark = pytest.mark.server

# Columns of `readings` that YKC leaves alone.
AAF5_COLUMNS = (
    *("register_e4kwh", "register_before_e4kwh", "start_ms", "duration_s", "work_state", "start_mode", "alarm"),
    *("energy_above_e4kwh", "amount_above_e4yuan"),
)


def test_a_reading_has_every_column(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    frame = charging(TRADE, 123_456, 17, seq=b"\x34\x12", soc=55, fault_bits=0x8001, cable_id="A1" * 8)
    body = frame[6:-2]
    add_frame(
        spool,
        frame,
        event_ms=NOW_MS - 60_000,
        flags=1,
        accepted=123_400,
        amount=987,
        live_flags=6,
    )
    add_frame(spool, wrap_body(0x13, body, checksum_order="be"), receive_ms=NOW_MS + 1, pile_id=999)
    spool.commit()
    make_loader(tmp_path, database_address).load_available()
    first, second = rows(database, "readings", "*, trade_no")
    offset = list_segments(tmp_path)[0]
    assert first.pop("inserted_ms") > NOW_MS - 10**12
    assert first == {
        "operator_id": 2,
        "pile_id": 11,
        "connector": 1,
        "event_ms": NOW_MS - 60_000,
        "receive_ms": NOW_MS,
        "stored": 1,
        "trade_hi": int(TRADE[:16], 16),
        "trade_lo": int(TRADE[16:], 16),
        "trade_no": TRADE,
        "frame_pile": int(CODE, 16),
        "gun_bcd": 1,
        "protocol": "ykc",
        "seq": 0x1234,  # as the charger counts: low byte first
        "checksum_order": "le",
        "state": 3,
        "gun_home": 1,
        "plugged": 1,
        "voltage_dv": 4000,
        "current_da": 1000,
        "cable_temp_raw": 70,
        "cable_id": 0xA1A1A1A1A1A1A1A1,
        "soc": 55,
        "battery_temp_raw": 0,
        "charge_minutes": 17,
        "remain_minutes": 0,
        "energy_e4kwh": 123_456,
        "loss_energy_e4kwh": 0,
        "amount_e4yuan": 0,
        "fault_bits": 0x8001,
        "connection_id": 5,
        "exact": 1,
        "live_accepted_e4kwh": 123_400,
        "live_amount_fen": 987,
        "live_flags": 6,
        "segment_id": offset.segment_id,
        "segment_offset": SEGMENT_HEADER_BYTES,
        **dict.fromkeys(AAF5_COLUMNS, 0),
        "session_no": "",
    }
    ((uncertainty,),) = database.execute("SELECT uncertainty_ms FROM readings WHERE stored = 1")
    assert uncertainty == 60_000
    assert (second["checksum_order"], second["operator_id"], second["stored"]) == ("be", 1, 0)
    assert counts(database)["frames"] == 0
    spool.close()


def test_frames_say_what_became_of_them(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    beat = heartbeat(seq=b"\x01\x02")
    buffer = spool.buffer
    cases = [
        (FRAME_UP, 0, beat, ("ok", "up", 0x03, 0x0201, "")),
        (FRAME_DOWN, 0, wrap_body(0x04, beat[6:-2]), ("ok", "down", 0x04, 0, "")),
        (FRAME_UP, 0, wrap_body(0x03, beat[6:-2] + b"\7"), ("variant", "up", 0x03, 0, "")),
        (FRAME_UP, 0, wrap_body(0xEE, b"abc"), ("unknown_type", "up", 0xEE, 0, "")),
        (FRAME_UP, 0, record(TRADE), ("ok", "up", 0x3B, 0x0004, TRADE)),
        (FRAME_UP, 0, wrap_body(0x13, bytes(59)), ("variant", "up", 0x13, 0, "")),
        (FRAME_UP, 0, wrap_body(0x13, charging(TRADE, 1, 1)[6:-2] + b"\0" * 81), ("variant", "up", 0x13, 0, TRADE)),
        (QUARANTINE, 10, b"\x00\xff\xfe", ("garbage", "up", 0, 0, "")),
        (QUARANTINE, 12, beat[:-1] + b"\0", ("bad_checksum", "up", 0, 0, "")),
        (QUARANTINE, 20, record(TRADE), ("not_logged_in", "up", 0x3B, 0x0004, TRADE)),
        (QUARANTINE, 77, b"?", ("reason_77", "up", 0, 0, "")),
    ]
    for number, (kind, reason, data, _) in enumerate(cases):
        assert buffer.append(kind, 0, 0, 11, number, NOW_MS + number, None, 0, 0, 0, reason, data)
    spool.commit()
    make_loader(tmp_path, database_address).load_available()
    columns = "verdict, direction, frame_type, seq, trade_no, hex(bytes) AS hex, connection_id"
    stored = rows(database, "frames", columns, "receive_ms")
    assert [tuple(row.values())[:5] for row in stored] == [expected for *_, expected in cases]
    assert [row["hex"] for row in stored] == [data.hex().upper() for _, _, data, _ in cases]
    # The longer realtime frame is a reading as well; the quarantined upload is no bill.
    assert counts(database) | {"frames": 0} == dict.fromkeys(TABLES, 0) | {"readings": 1, "pile_bill_uploads": 1}
    spool.close()


def test_both_tables_count_a_sequence_number_low_byte_first(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    frames = [heartbeat(seq=b"\x01\x02"), charging(TRADE, 1, 1, seq=b"\x01\x02")]
    for frame in frames:
        add_frame(spool, frame)
    spool.commit()
    make_loader(tmp_path, database_address).load_available()
    for table in ("frames", "readings"):
        assert database.execute(f"SELECT seq FROM {table}") == [(int.from_bytes(frames[0][2:4], "little"),)], table
        where = f"table = '{table}' AND database = currentDatabase() AND name = 'seq'"
        ((comment,),) = database.execute(f"SELECT comment FROM system.columns WHERE {where}")
        assert "little-endian" in comment
    spool.close()


def test_an_upload_has_every_column(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    start_ms, end_ms = NOW_MS - 3_600_000, NOW_MS - 1_000
    prices: dict[str, Any] = {
        f"{rate}_{part}": number * 10 + position
        for number, rate in enumerate(("sharp", "peak", "flat", "valley"), 1)
        for position, part in enumerate(("price", "energy", "loss_energy", "amount"), 1)
    }
    frame = record(
        TRADE,
        start_time=ms_to_cp56(start_ms, ZONE),
        end_time=ms_to_cp56(end_ms, ZONE),
        gun_no="12",
        meter_start=2**40 - 2,
        meter_end=2**40 - 1,
        energy=363_600,
        loss_energy=363_601,
        amount=2**32 - 1,
        vin="LSVAU2A37N2183294",
        start_mode=4,
        stop_reason=0x41,
        physical_card="00000000D14B0A54",
        **prices,
    )
    for number in range(2):
        add_frame(spool, frame, receive_ms=NOW_MS + number, connector=12)
    add_frame(spool, wrap_body(0x3B, frame[6:-2][:100]))
    spool.commit()
    make_loader(tmp_path, database_address).load_available()
    stored = rows(database, "pile_bill_uploads")
    assert len(stored) == 2
    assert counts(database)["frames"] == 3
    upload = stored[0]
    assert {name: value for name, value in upload.items() if not name.startswith(("segment", "inserted"))} == {
        "operator_id": 2,
        "pile_id": 11,
        "connector": 12,
        "trade_no": TRADE,
        "receive_ms": NOW_MS,
        "start_ms": start_ms,
        "end_ms": end_ms,
        "trade_time_ms": 0,
        "class_price_e5yuan": [11, 21, 31, 41],
        "class_energy_e4kwh": [12, 22, 32, 42],
        "class_loss_energy_e4kwh": [13, 23, 33, 43],
        "class_amount_e4yuan": [14, 24, 34, 44],
        "meter_start_e4kwh": 2**40 - 2,
        "meter_end_e4kwh": 2**40 - 1,
        "energy_e4kwh": 363_600,
        "loss_energy_e4kwh": 363_601,
        "amount_e4yuan": 2**32 - 1,
        "vin": "LSVAU2A37N2183294",
        "start_mode": 4,
        "stop_reason": 0x41,
        "physical_card": "00000000D14B0A54",
        "content_digest": content_digest(frame[6:-2]),
        "connection_id": 5,
        "protocol": "ykc",
        "stored": 0,
        "half_hour_energy_e4kwh": [],
        "plate": "",
        **dict.fromkeys(("duration_s", "record_index", "soc_start", "soc_end"), 0),
    }
    ((uploads,),) = database.execute("SELECT uploads FROM pile_bills")
    assert uploads == 2
    assert raw_fields(0x3B, frame[6:-2])["gun_no"] == "12"
    spool.close()


@pytest.mark.parametrize(
    ("end_ms", "stored"),
    [
        (NOW_MS - 120_000, 0),
        (NOW_MS - 121_000, 1),
        (NOW_MS - 300 * 86_400_000, 1),
        (NOW_MS - 3_000 * 86_400_000, 0),  # the clock lost its battery: nobody knows when that was
        (NOW_MS + 600_000, 0),
        (0, 0),
    ],
)
def test_a_record_that_comes_long_after_its_end_is_from_the_backlog(end_ms: int, stored: int) -> None:
    assert was_stored(end_ms, NOW_MS) == stored


def test_events_keep_every_field(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    for event in EVENTS:
        add_event(spool, event)
    assert spool.buffer.append(4, payload=b"\x81\xa4type\xa7nothing")
    spool.commit()
    report = make_loader(tmp_path, database_address).load_available()
    assert report.undecodable_events == 1
    assert [path.read_bytes() for path in tmp_path.glob("*.damaged-*")] == [b"\x81\xa4type\xa7nothing"]
    for event in EVENTS:
        table = str(event.__struct_config__.tag)
        names = event.__struct_fields__
        selected = ", ".join(f"hex({name})" if name in ("request", "reply", "frame") else name for name in names)
        ((*stored,),) = database.execute(f"SELECT {selected} FROM {table}")
        expected = [getattr(event, name) for name in names]
        assert stored == [value.hex().upper() if isinstance(value, bytes) else value for value in expected]
        if not isinstance(event, PlatformOutage):
            assert database.execute(f"SELECT operator_id FROM {table}") == [(2,)]
    spool.close()


def test_the_owner_is_that_of_the_moment(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    owners = (Ownership(3, NOW_MS - 1_000, NOW_MS), Ownership(4, NOW_MS, NOW_MS + 1_000))
    directory = PileDirectory([make_pile(owners=owners), make_pile(OTHER_CODE, 12)])
    spool = open_spool(tmp_path)
    for offset in (-1_001, -1_000, -1, 0, 999, 1_000):
        add_frame(spool, realtime(), receive_ms=NOW_MS + offset)
        add_frame(spool, heartbeat(), receive_ms=NOW_MS + offset)
        add_frame(spool, heartbeat(OTHER_CODE), receive_ms=NOW_MS + offset, pile_id=12)
        add_event(spool, TariffAck(11, NOW_MS + offset, "0008", 8, "tariff_reply"))
    spool.commit()
    make_loader(tmp_path, database_address, directory=directory).load_available()
    expected = [1, 3, 3, 4, 4, 1]
    for table, time_column in (("readings", "event_ms"), ("frames", "receive_ms"), ("tariff_acks", "event_ms")):
        found = database.execute(f"SELECT operator_id FROM {table} WHERE pile_id = 11 ORDER BY {time_column}")
        assert [operator for (operator,) in found] == expected
    assert database.execute("SELECT DISTINCT operator_id FROM frames WHERE pile_id = 12") == [(2,)]
    spool.close()


def test_the_hex_of_any_stored_frame_can_be_shown(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    frames = [
        charging(TRADE, 77, 3, seq=b"\xab\xcd"),
        wrap_body(0x13, charging(TRADE, 78, 3)[6:-2], checksum_order="be"),
        wrap_body(0x13, charging(TRADE, 79, 3)[6:-2] + b"\1\2\3"),
        wrap_body(0x13, b"short"),
        realtime(state=9, plugged=7, gun_home=255, trade_no="AB" * 16),
        heartbeat(),
    ]
    offsets = []
    offset = SEGMENT_HEADER_BYTES
    for number, frame in enumerate(frames):
        add_frame(spool, frame, receive_ms=NOW_MS + number)
        offsets.append(offset)
        offset += 56 + len(frame)
    spool.commit()
    (segment,) = spool.segments()
    make_loader(tmp_path, database_address).load_available()
    assert counts(database)["readings"] == 4
    assert counts(database)["frames"] == 3
    keys = [(segment.segment_id, at) for at in offsets]
    shown = frames_hex(database, [(11, key) for key in keys])
    assert [shown[key] for key in keys] == [frame.hex().upper() for frame in frames]
    assert frames_hex(database, [(11, (segment.segment_id, offsets[0] + 1))]) == {}
    assert frames_hex(database, []) == {}
    spool.close()
