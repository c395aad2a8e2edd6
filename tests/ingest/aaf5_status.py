"""Status frames and heartbeats of AAF5 chargers, and a whole charge in them."""

from typing import Any

from core.aaf5.bcd_time import ms_to_bcd8
from tests.ingest.aaf5_frames import AAF5_CODE, SERIAL, aaf5_record, up
from tests.ingest.charger_frames import NOW_MS, ZONE

CHARGING, IDLE, FAULT, FINISHED = 2, 0, 6, 3
METER_BEFORE = 1_000_000
TEMPERATURES = {"temp_outlet": 30, "temp_ambient": 25, "temp_gun": 40, "temp_water": 0}


def status(code: str = AAF5_CODE, serial: str | None = SERIAL, seq: bytes = b"\x41", **changes: Any) -> bytes:
    """104 of an idle gun with nothing plugged in; `serial` None gives the shortest variant."""
    fields: dict[str, Any] = {
        **dict.fromkeys(("gun_count", "gun_type"), 1),
        "gun_no": 1,
        **dict.fromkeys(("work_state", "soc", "alarm", "car_conn", "amount", "var2", "var3", "bms_mode"), 0),
        **dict.fromkeys(("dc_voltage", "dc_current", "bms_voltage", "bms_current"), 0),
        **{f"ac_{what}_{phase}": 0 for what in ("voltage", "current") for phase in "abc"},
        **dict.fromkeys(("remain_minutes", "duration", "energy", "start_mode", "strategy", "strategy_param"), 0),
        "meter_before": METER_BEFORE,
        "meter_now": METER_BEFORE,
        **dict.fromkeys(("appt_flag", "appt_timeout", "card_balance", "upgrade_mode", "power"), 0),
        **dict.fromkeys(("sys3", "sys4", "sys5"), 0),
        "card": "",
        "start_time": bytes(8),
    }
    if serial is not None:
        fields |= TEMPERATURES | {"serial": serial}
    return up("status", code, seq, **(fields | changes))


def charging(
    energy: int,
    duration_s: int,
    code: str = AAF5_CODE,
    start_ms: int = NOW_MS,
    meter_before: int = METER_BEFORE,
    **changes: Any,
) -> bytes:
    """104 of a charge by a card at 40 kW: `energy` in 0.01 kWh since the start."""
    fields: dict[str, Any] = {
        "work_state": CHARGING,
        "car_conn": 2,
        "soc": 40,
        "dc_voltage": 4_000,
        "dc_current": 1_000,
        "duration": duration_s,
        "energy": energy,
        "meter_before": meter_before,
        "meter_now": meter_before + energy,
        "card": "0012345678",
        "start_time": ms_to_bcd8(start_ms, ZONE),
    }
    return status(code, **(fields | changes))


def heartbeat(counter: int = 1, code: str = AAF5_CODE, seq: bytes = b"\x41") -> bytes:
    return up("heartbeat", code, seq, counter=counter)


def charge(
    conn: str = "a", code: str = AAF5_CODE, start_ms: int = NOW_MS, serial: str | None = SERIAL, gun_no: int = 1
) -> list[tuple[int, str, bytes]]:
    """(ts, connection, frame) of a charge of ten minutes, without a login before it; the last is its record."""
    place: dict[str, Any] = {"serial": serial, "gun_no": gun_no}
    lines = [(start_ms - 15_000, conn, status(code, car_conn=2, **place))]
    for n in range(41):
        frame = charging(n * 17, n * 15, code, start_ms, **place)
        lines.append((start_ms + n * 15_000, conn, frame))
    over: dict[str, Any] = {
        "work_state": FINISHED,
        "car_conn": 2,
        "energy": 680,
        "meter_now": METER_BEFORE + 680,
        "duration": 600,
    }
    begun: dict[str, Any] = {"start_time": ms_to_bcd8(start_ms, ZONE)}
    lines.append((start_ms + 615_000, conn, status(code, **over, **begun, **place)))
    record = aaf5_record(
        code,
        **begun,
        end_time=ms_to_bcd8(start_ms + 600_000, ZONE),
        duration=600,
        energy=680,
        meter_after=METER_BEFORE + 680,
        **place,
    )
    lines.append((start_ms + 616_000, conn, record))
    return lines
