"""Realtime frames (0x13) as columns, many at a time: what a connector shows at given moments."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.traits import Traits
from core.ykc.codec import HEADER_BYTES, wrap_body
from core.ykc.realtime import COLUMN_TYPES, RealtimeColumns

Columns = dict[str, npt.NDArray[Any]]

IDLE: Final = 2
CHARGING: Final = 3
FRAME_BYTES: Final = 68
ORDER_NUMBERS: Final = {"le": 1, "be": 2}
AC_VOLTAGE_DV: Final = 2_200
TYPE_AT: Final = 5
SEQ_AT: Final = slice(2, 4)
CHECKSUM_BYTES: Final = 2
# What YLC adds to a body: the storage's state of charge; costs, energies, state and fault bits.
_EXTRA_BYTES: Final = {0x03: 1, 0x13: 81}
_UNSIGNED: Final = ("trade_hi", "trade_lo", "frame_pile", "cable_id")


def charging_columns(charge: Charge, traits: Traits, meterman: Meterman, times_ms: IntArray) -> Columns:
    """What the connector shows at moments between `charging_ms` and `stop_ms`; `seq` is 0."""
    columns = _columns(charge.pile, charge.connector, traits, len(times_ms))
    counter = charge.counter_at(times_ms)
    power_w = charge.power_at(times_ms)
    soc = charge.soc_at(times_ms)
    volts_dv = voltage_dv(charge, soc)
    columns["trade_hi"][:] = int(charge.trade_no[:16], 16)
    columns["trade_lo"][:] = int(charge.trade_no[16:], 16)
    columns["state"][:] = CHARGING
    columns["plugged"][:] = 1
    columns["voltage_dv"] = volts_dv
    columns["current_da"] = np.minimum(power_w * 100 // volts_dv, 65_535)
    columns["cable_temp_raw"] = 75 + power_w // 10_000
    columns["soc"] = soc
    columns["battery_temp_raw"] = np.where(soc > 0, 76 + soc // 20, 0)
    columns["charge_minutes"] = (times_ms - charge.charging_ms) // 60_000
    columns["remain_minutes"] = np.maximum(charge.stop_ms - times_ms, 0) // 60_000
    columns["energy_e4kwh"] = counter
    columns["loss_energy_e4kwh"] = counter if traits.loss_equals_energy else np.zeros_like(counter)
    columns["amount_e4yuan"] = meterman.amount_e4yuan(times_ms)
    return columns


def idle_columns(pile: SimPile, connector: int, traits: Traits, plugged: IntArray) -> Columns:
    """What the connector shows while nothing flows: no trade number, no measurements (ykc.md section 5)."""
    columns = _columns(pile, connector, traits, len(plugged))
    columns["state"][:] = IDLE
    columns["plugged"] = plugged
    columns["gun_home"] = 1 - plugged
    return columns


def blank_columns(rows: int) -> Columns:
    """Every column of that many frames, all 0."""
    return {
        name: np.zeros(rows, dtype=np.uint64 if name in _UNSIGNED else np.int64)
        for name in COLUMN_TYPES
        if name != "exact"
    }


def joined(parts: Sequence[Columns]) -> Columns:
    """The rows of all parts, one after the other. There must be one part at least."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def frames_of(columns: Columns, seq: IntArray) -> list[bytes]:
    """The frames of the rows; `seq` is written as the firmware does, low byte first."""
    rows = len(seq)
    if rows == 0:
        return []
    encoder = RealtimeColumns(rows)
    encoder.fill({**columns, "seq": seq})
    data = encoder.frames()
    return [data[at : at + FRAME_BYTES] for at in range(0, rows * FRAME_BYTES, FRAME_BYTES)]


def frame_of(columns: Columns, seq: bytes) -> bytes:
    """The frame of a single row, with these two sequence bytes."""
    return frames_of(columns, np.array([int.from_bytes(seq, "little")], dtype=np.int64))[0]


def extended(frame: bytes, traits: Traits) -> bytes:
    """The longer heartbeat or realtime frame of the derivative YLC, where the charger speaks it (ykc.md section 6).

    Its parts by rate class stay empty here, as on chargers that never fill them.
    """
    extra = _EXTRA_BYTES.get(frame[TYPE_AT]) if traits.extended else None
    if extra is None:
        return frame
    body = frame[HEADER_BYTES:-CHECKSUM_BYTES] + bytes(extra)
    return wrap_body(frame[TYPE_AT], body, seq=frame[SEQ_AT], checksum_order=traits.checksum_order)


def _columns(pile: SimPile, connector: int, traits: Traits, rows: int) -> Columns:
    columns = blank_columns(rows)
    columns["frame_pile"][:] = int(pile.code, 16)
    columns["gun_bcd"][:] = int(pile.gun_no(connector), 16)
    columns["checksum_order"][:] = ORDER_NUMBERS[traits.checksum_order]
    return columns


def voltage_dv(charge: Charge, soc: IntArray) -> IntArray:
    """The output voltage at a state of charge, in 0.1 V."""
    if not charge.pile.is_dc:
        return np.full_like(soc, AC_VOLTAGE_DV)
    empty_dv = 5_200 if charge.battery_e4kwh > 1_200_000 else 3_300
    return empty_dv + soc * 8
