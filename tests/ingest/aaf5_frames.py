"""What the tests of AAF5 chargers need: a charger of that family and the frames that it sends."""

from typing import Any

from core.aaf5.bcd_time import ms_to_bcd8
from core.aaf5.codec import encode_raw
from core.directory import Pile
from tests.ingest.charger_frames import NOW_MS, ZONE, make_pile

AAF5_CODE = "44011300040000200061"
SERIAL = "20191112001934329341000000000001"


def aaf5_pile(code: str = AAF5_CODE, pile_id: int = 21, **changes: Any) -> Pile:
    fields: dict[str, Any] = {"protocol": "aaf5", "register_kind": "lifetime", "quantum_e4kwh": 100, "connectors": 2}
    return make_pile(code, pile_id, **(fields | changes))


def up(message: str, code: str = AAF5_CODE, seq: bytes = b"\x41", **fields: Any) -> bytes:
    """A frame of the charger, with the head that nearly all have."""
    return encode_raw(message, {"reserved1": 0, "reserved2": 0, "pile_code": code} | fields, seq=seq)


def aaf5_login(code: str = AAF5_CODE, clock_ms: int = NOW_MS, seq: bytes = b"\x41", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "flag": 0,
        "ver_major": 3,
        "ver_minor": 1,
        "ver_patch": "0700",
        "project_type": 0,
        "boot_count": 12,
        "upload_mode": 2,
        "login_interval": 30,
        "run_var": 0,
        "gun_count": 2,
        "heartbeat_period": 15,
        "heartbeat_miss_max": 3,
        "record_count": 4,
        "pile_time": ms_to_bcd8(clock_ms, ZONE) if clock_ms else bytes(8),
        "time2": "00" * 8,
        "time3": "00" * 8,
        "time4": "00" * 8,
        "random": "DEADBEEF",
        "protocol_version": 34,
    }
    return up("login", code, seq, **(fields | changes))


def aaf5_record(code: str = AAF5_CODE, seq: bytes = b"\x41", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "gun_type": 1,
        "gun_no": 2,
        "card": "0012345678",
        "start_time": ms_to_bcd8(NOW_MS - 3_600_000, ZONE),
        "end_time": ms_to_bcd8(NOW_MS, ZONE),
        "duration": 3600,
        "soc_start": 20,
        "soc_end": 80,
        "end_reason": 200,
        "energy": 4_000,
        "meter_before": 1_000_000,
        "meter_after": 1_004_000,
        "amount": 5_000,
        "reserved3": 0,
        "balance_before": 10_000,
        "record_index": 7,
        "record_total": 100,
        "reserved4": 0,
        "strategy": 0,
        "strategy_param": 0,
        "vin": "",
        "plate": "",
        "half_hour_energy": [0] * 48,
        "start_mode": 1,
        "serial": SERIAL,
    }
    fields |= changes
    if fields["serial"] is None:
        del fields["serial"]
    return up("record", code, seq, **fields)


def account_query(card: str = "0012345678", seq: bytes = b"\x41", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "card": card,
        "card_balance": 2_500,
        "blacklisted": 0,
        "password": "00" * 32,
        "random": "00" * 48,
    }
    return up("account_query", seq=seq, **(fields | changes))
