"""The plain twin of the compiled decoder of 104: the same columns, made from the message table."""

import re
from typing import Any

from core.aaf5.codec import HEADER_BYTES, raw_fields
from core.aaf5.messages import STATUS

UNITS = {
    "amount": "amount_fen",
    "card_balance": "card_balance_fen",
    "duration": "duration_s",
    "energy": "energy_e2kwh",
    "meter_before": "meter_before_e2kwh",
    "meter_now": "meter_now_e2kwh",
    "power": "power_e1kw",
    "dc_voltage": "dc_voltage_dv",
    "dc_current": "dc_current_da",
    "bms_voltage": "bms_voltage_dv",
    "bms_current": "bms_current_da",
    **{f"ac_voltage_{phase}": f"ac_voltage_{phase}_dv" for phase in "abc"},
    **{f"ac_current_{phase}": f"ac_current_{phase}_da" for phase in "abc"},
}
ABSENT = {"temp_outlet": 0, "temp_ambient": 0, "temp_gun": 0, "temp_water": 0, "serial": b""}


def columns_by_the_table(frame: bytes) -> dict[str, Any]:
    """The columns of a frame, made from the fields of the table-driven decoder."""
    body = frame[HEADER_BYTES:-1]
    columns: dict[str, Any] = dict(ABSENT)
    for name, value in raw_fields(STATUS, body).items():
        if isinstance(value, bytes):
            columns[name] = int.from_bytes(value, "big")
        else:
            columns[UNITS.get(name, name)] = value.encode("latin-1") if isinstance(value, str) else value
    serial = columns["serial"]
    packed = re.fullmatch(rb"[0-9A-F]{32}", serial) is not None
    columns |= {
        "packed": int(packed),
        "trade_hi": int(serial[:16], 16) if packed else 0,
        "trade_lo": int(serial[16:], 16) if packed else 0,
        "body_bytes": len(body),
        "info": frame[4],
        "seq": frame[5],
    }
    return columns
