"""What the loader writes of AAF5 chargers: every column says what was in the frame."""

import re
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from core.aaf5.bcd_time import ms_to_bcd8
from core.aaf5.codec import wrap_body
from core.directory import PileDirectory
from core.session_number import session_halves
from core.ykc.cp56 import ms_to_cp56
from ingest.aaf5_types import trade_no_of
from ingest.record_buffer import FLAG_STORED, FRAME_DOWN, FRAME_UP, PROTOCOL_AAF5, QUARANTINE
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments
from ingest.stored_frames import frames_hex
from tests.ingest.aaf5_frames import AAF5_CODE, SERIAL, aaf5_login, aaf5_pile, aaf5_record, up
from tests.ingest.aaf5_status import charging, heartbeat, status
from tests.ingest.charger_frames import CODE, ZONE, make_pile
from tests.ingest.charger_frames import charging as ykc_charging
from tests.ingest.charger_frames import record as ykc_record
from tests.ingest.loader_parts import TRADE, counts, make_loader, rows
from tests.ingest.spool_parts import NOW_MS, add_frame, open_spool

pytestmark = pytest.mark.server

DIRECTORY = PileDirectory([make_pile(), aaf5_pile()])
START_MS = NOW_MS - 600_000
ABOVE = ("energy_above_e4kwh", "amount_above_e4yuan")
NAMELESS = f"{AAF5_CODE}-1-20261122061640"


def add(spool: Any, frame: bytes, **fields: Any) -> None:
    add_frame(spool, frame, pile_id=21, protocol=PROTOCOL_AAF5, **fields)


def load(folder: Path, spool: Any, address: ClickHouseAddress) -> None:
    spool.commit()
    make_loader(folder, address, directory=DIRECTORY).load_available()
    spool.close()


def test_a_reading_has_every_column(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    frame = charging(
        1_234, 605, start_ms=START_MS, seq=b"\x9c", amount=4_321, alarm=1002, start_mode=1, remain_minutes=33, gun_no=0
    )
    add(spool, frame, event_ms=NOW_MS + 5_000, flags=FLAG_STORED, accepted=123_300, amount=987, live_flags=6)
    load(tmp_path, spool, database_address)
    (row,) = rows(database, "readings", "*, trade_no, uncertainty_ms")
    segment = list_segments(tmp_path)[0]
    assert row.pop("inserted_ms") > NOW_MS - 10**12
    absent = ("frame_pile", "gun_home", "cable_temp_raw", "cable_id", "battery_temp_raw", "fault_bits", *ABOVE)
    assert row == dict.fromkeys((*absent, "gun_bcd", "loss_energy_e4kwh", "exact", "uncertainty_ms"), 0) | {
        "operator_id": 2,
        "pile_id": 21,
        "connector": 1,
        "event_ms": NOW_MS + 5_000,
        "receive_ms": NOW_MS,
        "stored": 1,
        "trade_hi": int(SERIAL[:16], 16),
        "trade_lo": int(SERIAL[16:], 16),
        "trade_no": SERIAL,
        "session_no": "",
        "protocol": "aaf5",
        "seq": 0x9C,
        "checksum_order": "le",
        "state": 3,
        "work_state": 2,
        "plugged": 1,
        "voltage_dv": 4_000,
        "current_da": 1_000,
        "soc": 40,
        "charge_minutes": 10,
        "duration_s": 605,
        "remain_minutes": 33,
        "energy_e4kwh": 123_400,
        "amount_e4yuan": 432_100,
        "register_before_e4kwh": 100_000_000,
        "register_e4kwh": 100_123_400,
        "start_ms": START_MS,
        "start_mode": 1,
        "alarm": 1002,
        "connection_id": 5,
        "live_accepted_e4kwh": 123_300,
        "live_amount_fen": 987,
        "live_flags": 6,
        "segment_id": segment.segment_id,
        "segment_offset": SEGMENT_HEADER_BYTES,
    }
    key = (segment.segment_id, SEGMENT_HEADER_BYTES)
    assert frames_hex(database, [(21, key)]) == {key: frame.hex().upper()}


def test_readings_of_both_protocols_in_one_piece_are_all_stored(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    for number in range(3):
        add_frame(spool, ykc_charging(TRADE, number, number))
        add(spool, charging(number, number))
        add_frame(spool, ykc_record(TRADE))
        add(spool, aaf5_record())
    load(tmp_path, spool, database_address)
    for table in ("readings", "pile_bill_uploads"):
        found = database.execute(f"SELECT protocol, count() FROM {table} GROUP BY protocol ORDER BY protocol")
        assert found == [("ykc", 3), ("aaf5", 3)]
    assert counts(database)["frames"] == 9  # all but the realtime frames of YKC


STATES: tuple[tuple[dict[str, Any], dict[str, int]], ...] = (
    ({"work_state": 6, "car_conn": 1}, {"state": 1, "work_state": 6, "plugged": 0}),
    ({"work_state": 5, "car_conn": 2}, {"state": 2, "work_state": 5, "plugged": 1}),
    ({"work_state": 99}, {"state": 2, "work_state": 99}),
    (
        {"gun_type": 2, "dc_voltage": 1, "dc_current": 1, "ac_voltage_a": 2_200}
        | {f"ac_current_{phase}": 30_000 for phase in "abc"},
        {"voltage_dv": 2_200, "current_da": 0xFFFF},
    ),
    ({"gun_type": 1, "dc_voltage": 7_500, "ac_voltage_a": 2_200}, {"voltage_dv": 7_500, "current_da": 0}),
    (
        {"energy": 2**32 - 1, "amount": 2**32 - 1, "meter_now": 2**32 - 1, "duration": 2**32 - 1},
        {
            "told_energy_e4kwh": (2**32 - 1) * 100,
            "told_amount_e4yuan": (2**32 - 1) * 100,
            "register_e4kwh": (2**32 - 1) * 100,
            "charge_minutes": 0xFFFF,
            "duration_s": 2**32 - 1,
        },
    ),
)


def test_what_readings_say_of_gun_and_meter(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    for changes, _ in STATES:
        add(spool, status(**changes))
    load(tmp_path, spool, database_address)
    told = rows(database, "readings", "*, told_energy_e4kwh, told_amount_e4yuan")
    for row, (_, expected) in zip(told, STATES, strict=True):
        assert {name: row[name] for name in expected} == expected


def test_a_session_has_one_number_in_every_table(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    text = "serial of the maker"
    for serial in (SERIAL, text, None, "0" * 32):
        add(spool, charging(1, 1, start_ms=START_MS, serial=serial, gun_no=1))
        add(spool, aaf5_record(serial=serial, gun_no=1, start_time=ms_to_bcd8(START_MS, ZONE)))
    add(spool, status())
    add(spool, status(serial=None))
    load(tmp_path, spool, database_address)
    numbers = [SERIAL, text, NAMELESS, NAMELESS]
    readings = rows(database, "readings", "trade_no, session_no, trade_hi, trade_lo")
    assert [row["trade_no"] for row in readings] == [*numbers, SERIAL, "0" * 32]
    assert [row["session_no"] for row in readings] == ["", text, NAMELESS, NAMELESS, "", ""]
    assert [(row["trade_hi"], row["trade_lo"]) for row in readings[:4]] == [
        session_halves(number) for number in numbers
    ]
    assert [row["trade_no"] for row in rows(database, "pile_bill_uploads", "trade_no")] == numbers
    frames = [row["trade_no"] for row in rows(database, "frames", "trade_no")]
    assert sorted(frames) == sorted([*numbers, *numbers, SERIAL, ""])


def test_a_letter_of_the_gun_is_no_part_of_the_session_s_number(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    wire = AAF5_CODE + "B"
    add(spool, charging(1, 1, wire, start_ms=START_MS, serial=None, gun_no=0), connector=2)
    start = ms_to_bcd8(START_MS, ZONE)
    add(spool, aaf5_record(wire, serial=None, gun_no=0, start_time=start), connector=2)
    load(tmp_path, spool, database_address)
    for table in ("readings", "pile_bill_uploads", "frames"):
        assert {row["trade_no"] for row in rows(database, table, "trade_no")} == {NAMELESS.replace("-1-", "-2-")}, table


def test_frames_say_what_became_of_them(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    body = status()[8:-1]
    cases = [
        (FRAME_UP, 0, heartbeat(seq=b"\x07"), ("ok", "up", 102, 7, "")),
        (FRAME_DOWN, 0, wrap_body(101, bytes(6)), ("ok", "down", 101, 0, "")),
        (FRAME_UP, 0, status(), ("ok", "up", 104, 0x41, SERIAL)),
        (FRAME_UP, 0, wrap_body(104, body[:173]), ("ok", "up", 104, 0, "")),
        (FRAME_UP, 0, wrap_body(104, body + b"\0"), ("variant", "up", 104, 0, "")),
        (FRAME_UP, 0, wrap_body(104, body[:168]), ("variant", "up", 104, 0, "")),
        (FRAME_UP, 0, wrap_body(206, b"?"), ("variant", "up", 206, 0, "")),
        (FRAME_UP, 0, wrap_body(9999, b"?"), ("unknown_type", "up", 9999, 0, "")),
        (FRAME_UP, 0, aaf5_login(), ("ok", "up", 106, 0x41, "")),
        (FRAME_UP, 0, up("start_reply", gun_no=1, result=0, serial=SERIAL), ("ok", "up", 8, 0x41, SERIAL)),
        (QUARANTINE, 10, b"\xaa\xf5", ("garbage", "up", 0, 0, "")),
        (QUARANTINE, 20, aaf5_record(), ("not_logged_in", "up", 202, 0x41, SERIAL)),
        (QUARANTINE, 21, b"\xaa\xf5\0", ("foreign_pile", "up", 0, 0, "")),
    ]
    for number, (kind, reason, data, _) in enumerate(cases):
        fields: dict[str, Any] = {
            "reason": reason,
            "receive_ms": NOW_MS + number,
            "payload": data,
            "protocol": PROTOCOL_AAF5,
        }
        assert spool.buffer.append(kind, pile_id=21, **fields)
    load(tmp_path, spool, database_address)
    stored = rows(
        database, "frames", "verdict, direction, frame_type, seq, trade_no, protocol, hex(bytes)", "receive_ms"
    )
    assert [tuple(row.values())[:5] for row in stored] == [expected for *_, expected in cases]
    assert [row["hex(bytes)"] for row in stored] == [data.hex().upper() for _, _, data, _ in cases]
    assert {row["protocol"] for row in stored} == {"aaf5"}
    assert counts(database)["readings"] == 3
    assert counts(database)["pile_bill_uploads"] == 0


def test_an_upload_has_every_column(tmp_path: Path, database_address: ClickHouseAddress, database: Client) -> None:
    spool = open_spool(tmp_path)
    half_hours = [*range(47), 0xFFFF]
    end_ms = NOW_MS - 121_000
    fields: dict[str, Any] = {
        "start_time": ms_to_bcd8(START_MS, ZONE),
        "end_time": ms_to_bcd8(end_ms, ZONE),
        "end_reason": 100_001,
        "energy": 2**32 - 1,
        "half_hour_energy": half_hours,
        "vin": "LSVAU2A37N2183294",
        "plate": "B12345",
        "start_mode": 2,
    }
    frame = aaf5_record(**fields)
    later = aaf5_record(**fields, record_index=3, record_total=101)
    add(spool, frame, connector=2)
    add(spool, later, connector=2, receive_ms=NOW_MS + 1)
    add(spool, wrap_body(202, frame[8:-1][:255]))
    load(tmp_path, spool, database_address)
    upload, second = rows(database, "pile_bill_uploads")
    names = ("segment", "inserted", "content")
    assert {name: value for name, value in upload.items() if not name.startswith(names)} == {
        "operator_id": 2,
        "pile_id": 21,
        "connector": 2,
        "trade_no": SERIAL,
        "protocol": "aaf5",
        "receive_ms": NOW_MS,
        "start_ms": START_MS,
        "end_ms": end_ms,
        "trade_time_ms": 0,
        "stored": 1,
        "duration_s": 3600,
        **{f"class_{name}": [0] * 4 for name in ("price_e5yuan", "energy_e4kwh", "loss_energy_e4kwh", "amount_e4yuan")},
        "half_hour_energy_e4kwh": [value * 100 for value in half_hours],
        "meter_start_e4kwh": 100_000_000,
        "meter_end_e4kwh": 100_400_000,
        "energy_e4kwh": (2**32 - 1) * 100,
        "loss_energy_e4kwh": 0,
        "amount_e4yuan": 500_000,
        "vin": "LSVAU2A37N2183294",
        "plate": "B12345",
        "start_mode": 2,
        "stop_reason": 100_001,
        "physical_card": "0012345678",
        "record_index": 7,
        "soc_start": 20,
        "soc_end": 80,
        "connection_id": 5,
    }
    # Sent again later it stands elsewhere in the charger's memory, and is the same bill.
    assert second["record_index"] == 3
    assert database.execute("SELECT uploads, stored FROM pile_bills") == [(2, 1)]


@pytest.mark.parametrize(
    ("changes", "bills"),
    [
        ({"reserved1": 9, "reserved2": 9, "reserved3": 9, "reserved4": 9, "record_index": 3, "record_total": 101}, 1),
        ({"balance_before": 10_001}, 2),
        ({"meter_after": 1_004_001}, 2),
        ({"half_hour_energy": [1, *[0] * 47]}, 2),
        ({"start_mode": 0}, 2),
    ],
)
def test_a_repeat_is_told_by_what_a_record_says_of_the_charge(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, changes: dict[str, Any], bills: int
) -> None:
    spool = open_spool(tmp_path)
    add(spool, aaf5_record())
    add(spool, aaf5_record(**changes), receive_ms=NOW_MS + 1)
    load(tmp_path, spool, database_address)
    assert database.execute("SELECT count(), sum(uploads) FROM pile_bills") == [(bills, 2)]


def unnamed(**changes: Any) -> bytes:
    """A record without a serial, of a charger that lost the begin of its charge."""
    return aaf5_record(serial=None, **{"start_time": bytes(8), **changes})


@pytest.mark.parametrize(
    "other",
    [
        {"energy": 4_001},
        {"end_time": ms_to_bcd8(NOW_MS - 60_000, ZONE)},
        {"meter_before": 1_004_000, "meter_after": 1_008_000},
        {"card": "0012345679"},
        {"gun_no": 1},
    ],
)
def test_charges_that_no_record_names_stay_apart(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, other: dict[str, Any]
) -> None:
    spool = open_spool(tmp_path)
    add(spool, unnamed(), connector=2)
    add(spool, unnamed(**other), connector=other.get("gun_no", 2))
    add(spool, unnamed(record_index=8, record_total=101, reserved1=5), connector=2, receive_ms=NOW_MS + 1)
    load(tmp_path, spool, database_address)
    first, second, again = (row["trade_no"] for row in rows(database, "pile_bill_uploads", "trade_no"))
    assert first.startswith(f"{AAF5_CODE}-2-R20261122062640-")
    assert first == again != second
    assert [row["trade_no"] for row in rows(database, "frames", "trade_no")] == [first, second, again]
    assert database.execute("SELECT uploads FROM pile_bills ORDER BY uploads") == [(1,), (2,)]


def test_records_of_a_charger_without_clock_and_meter_are_told_apart_by_their_place() -> None:
    blank = {"end_time": bytes(8), "meter_before": 0, "meter_after": 0}
    bodies = [unnamed(**blank, record_index=index)[8:-1] for index in (1, 2, 1)]
    first, second, again = (trade_no_of(202, body, AAF5_CODE) for body in bodies)
    assert first == again != second
    assert re.fullmatch(f"{AAF5_CODE}-2-R[0-9A-F]{{8}}", first)


def test_ykc_charges_that_no_record_names_stay_apart(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    bodies = [ykc_record("0" * 32, energy=energy, end_time=ms_to_cp56(NOW_MS, ZONE)) for energy in (100, 200, 100)]
    for body in bodies:
        add_frame(spool, body, connector=1)
    load(tmp_path, spool, database_address)
    first, second, again = (row["trade_no"] for row in rows(database, "pile_bill_uploads", "trade_no"))
    assert first.startswith(f"{CODE}-1-R20261122062640-")
    assert first == again != second
    assert [row["trade_no"] for row in rows(database, "frames", "trade_no")] == [first, second, again]


def test_a_session_is_named_by_what_the_frame_holds() -> None:
    body = status()[8:-1]
    assert trade_no_of(104, body[:173], AAF5_CODE) == ""
    assert trade_no_of(104, body[:140], AAF5_CODE) == ""
    assert trade_no_of(202, aaf5_record(serial=None)[8:-1], AAF5_CODE) == f"{AAF5_CODE}-2-20261122052640"
    assert trade_no_of(201, bytes(45) + SERIAL.encode(), AAF5_CODE) == SERIAL
    assert trade_no_of(201, bytes(77), AAF5_CODE) == ""
    assert trade_no_of(102, bytes(38), AAF5_CODE) == ""
