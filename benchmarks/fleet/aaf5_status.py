"""Status frames (104) many at a time: what a gun shows at given moments, laid out by the table of the messages."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.fleet.aaf5_link import COMMAND_AT, REPORT_SEQ
from benchmarks.fleet.aaf5_session import Aaf5Session
from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.readings import AC_VOLTAGE_DV, voltage_dv
from benchmarks.fleet.traits import Aaf5Traits
from core.aaf5.codec import HEADER_BYTES, wrap_body
from core.aaf5.messages import MESSAGES, STATUS

Rows = npt.NDArray[np.void]

IDLE: Final = 0
PREPARING: Final = 1
CHARGING: Final = 2
FINISHED: Final = 3
START_FAILED: Final = 4
PLUGGED: Final = 2
DC_GUN: Final = 1
AC_GUN: Final = 2
CENT_E4: Final = 100
# F adds 0.009 yuan before it rounds down (aaf5.md section 4).
ROUNDING_E4YUAN: Final = 90
TEMPERATURES: Final = {"temp_outlet": 41, "temp_ambient": 28, "temp_gun": 36, "temp_water": 0}
# What a gun shows only while energy flows.
LIVE_FIELDS: Final = (
    *("dc_voltage", "dc_current", "bms_voltage", "bms_current", "bms_mode", "power", "remain_minutes"),
    *("ac_voltage_a", "ac_voltage_b", "ac_voltage_c", "ac_current_a", "ac_current_b", "ac_current_c"),
)


def blank_rows(pile: SimPile, connector: int, traits: Aaf5Traits, count: int) -> Rows:
    """Rows of a gun that has not charged yet."""
    rows = np.zeros(count, dtype=_row_type(_body_bytes(traits)))
    rows["pile_code"] = pile.wire_code(connector).encode()
    rows["gun_count"] = pile.connectors
    rows["gun_no"] = pile.plain_gun_no(connector)
    rows["gun_type"] = DC_GUN if pile.is_dc else AC_GUN
    if traits.temperatures:
        for name, value in TEMPERATURES.items():
            rows[name] = value
    return rows


def charging_rows(session: Aaf5Session, meterman: Meterman, times_ms: IntArray) -> Rows:
    """What the gun shows at moments of a charge: energy is always the difference of the two registers."""
    charge, traits = session.charge, session.traits
    rows = blank_rows(charge.pile, charge.connector, traits, len(times_ms))
    register = session.register_e2kwh(times_ms)
    soc = charge.soc_at(times_ms)
    power_w = charge.power_at(times_ms)
    volts_dv = voltage_dv(charge, soc)
    current_da = np.minimum(power_w * 100 // volts_dv, 65_535)
    rows["reserved1"] = session.user_id
    rows["work_state"] = CHARGING
    rows["car_conn"] = PLUGGED
    rows["soc"] = soc
    rows["amount"] = (meterman.amount_e4yuan(times_ms) + ROUNDING_E4YUAN) // CENT_E4
    if charge.pile.is_dc:
        rows["dc_voltage"], rows["dc_current"] = volts_dv, current_da
        rows["bms_voltage"], rows["bms_current"], rows["bms_mode"] = volts_dv + 50, current_da, 2
        rows["ac_voltage_a"] = rows["ac_voltage_b"] = rows["ac_voltage_c"] = AC_VOLTAGE_DV
    else:
        rows["ac_voltage_a"], rows["ac_current_a"] = volts_dv, current_da
    rows["remain_minutes"] = np.maximum(charge.stop_ms - times_ms, 0) // 60_000
    rows["duration"] = np.maximum(times_ms - charge.start_ms, 0) // 1_000
    rows["energy"] = np.maximum(register - session.meter_before_e2kwh, 0)
    rows["meter_before"] = session.meter_before_e2kwh
    rows["meter_now"] = register
    rows["start_mode"] = session.start_mode
    rows["card"] = session.card.encode()
    rows["start_time"] = session.start_time
    # 0.1 kW by one source, about 0.1 W by the other (aaf5.md section 6).
    rows["power"] = power_w // 100 if traits.serial else power_w * 10
    if traits.serial:
        rows["serial"] = session.serial.encode()
    return rows


def ended(rows: Rows, work_state: int, plugged: IntArray | int) -> Rows:
    """The rows with nothing flowing: the figures of the last session stay (aaf5.md section 4)."""
    for name in LIVE_FIELDS:
        rows[name] = 0
    rows["work_state"] = work_state
    rows["car_conn"] = np.asarray(plugged) * PLUGGED
    return rows


def frames_of(rows: Rows) -> list[bytes]:
    """The frames of the rows, with the number of reports that are not counted."""
    if not len(rows):
        return []
    body_bytes = rows.dtype.itemsize
    template = np.frombuffer(wrap_body(STATUS, bytes(body_bytes), seq=REPORT_SEQ), dtype=np.uint8)
    frames = np.tile(template, (len(rows), 1))
    frames[:, HEADER_BYTES:-1] = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), body_bytes)
    frames[:, -1] = frames[:, COMMAND_AT:-1].sum(axis=1, dtype=np.uint64) & 0xFF
    return [frame.tobytes() for frame in frames]


def joined(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one after the other. There must be one part at least."""
    return np.concatenate(parts)


def _body_bytes(traits: Aaf5Traits) -> int:
    plain, with_temperatures, with_serial = MESSAGES[STATUS].sizes
    if traits.serial:
        return with_serial
    return with_temperatures if traits.temperatures else plain


@cache
def _row_type(body_bytes: int) -> "np.dtype[np.void]":
    """The body of one variant as a row: numbers as they are on the wire, everything else as bytes."""
    fields = [field for field in MESSAGES[STATUS].all_fields if field.offset + field.length <= body_bytes]
    layout: Any = {
        "names": [field.name for field in fields],
        "formats": [f"<u{field.length}" if field.kind == "uint" else f"S{field.length}" for field in fields],
        "offsets": [field.offset for field in fields],
        "itemsize": body_bytes,
    }
    row_type: np.dtype[np.void] = np.dtype(layout)
    return row_type
