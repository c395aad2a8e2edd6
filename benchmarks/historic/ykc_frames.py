"""YKC frames of many charges at once: 0x13, 0x3B and what is said around them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.fleet import messages, platform_frames
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.readings import Columns, blank_columns, frames_of
from benchmarks.fleet.traits import Traits
from benchmarks.historic.charges import E4_PER_E2, MINUTE_MS, Charges, Ints
from benchmarks.historic.fleet import GUNS, PRICE_E5YUAN, Charger, Make
from benchmarks.historic.meters import recorded_of, shown_at
from benchmarks.historic.moments import Kind, Moments
from benchmarks.historic.names import code_digits, number_digits, vins
from benchmarks.historic.wire import (
    Rows,
    bcd,
    big_endian_halves,
    cp56,
    digits,
    little_endian,
    put,
    ykc_frames,
    ykc_rows,
)

HEARTBEAT: Final = 0x03
RECORD: Final = 0x3B
RECORD_ACK: Final = 0x40

FAULT, IDLE, CHARGING = 1, 2, 3
OFFLINE_CARD: Final = 4
STOPPED_FULL: Final = 0x41
VOLTS_DV: Final = {"dc": 6_000, "ac": 3_800}
REGISTER_BYTES: Final = 5
PLATFORM_SEQ: Final = 0
SHOWS_FAULT_MS: Final = MINUTE_MS
E4YUAN_PER_E2KWH: Final = PRICE_E5YUAN // 1_000


class YkcEncoder:
    """The frames of charges at chargers of one make. `chargers`: those that the charges number."""

    def __init__(self, charges: Charges, chargers: Sequence[Charger], make: Make, quantum_e2kwh: int) -> None:
        self._charges = charges
        self._chargers = chargers
        self._make = make
        self._quantum = quantum_e2kwh
        codes = code_digits(charges, chargers)
        self._codes = bcd(codes)
        self._numbers = bcd(number_digits(charges, codes))
        self._guns = bcd(digits(charges.gun + 1, 2))

    def frames(self, kind: Kind, moments: Moments, seqs: Ints) -> list[bytes]:
        """Those of one kind. `seqs`: their running numbers."""
        match kind:
            case Kind.READING | Kind.IDLE:
                return self._realtime(kind, moments, seqs)
            case Kind.RECORD:
                return ykc_frames(self._records(moments), RECORD, seqs)
            case Kind.RECORD_ACK:
                rows = ykc_rows(RECORD_ACK, len(moments))
                put(rows, "trade_no", self._numbers[moments.of])
                return ykc_frames(rows, RECORD_ACK, np.full_like(seqs, PLATFORM_SEQ))
            case Kind.HEARTBEAT:
                rows = ykc_rows(HEARTBEAT, len(moments))
                put(rows, "pile_code", self._codes[moments.of])
                put(rows, "gun_no", np.ones((len(moments), 1), dtype=np.uint8))
                return ykc_frames(rows, HEARTBEAT, seqs)
            case Kind.LOGIN | Kind.LOGIN_ACK:
                make_frame = login_frame if kind is Kind.LOGIN else login_ack_frame
                numbers = self._charges.charger[moments.of].tolist()
                return [make_frame(self._chargers[number]) for number in numbers]

    def _realtime(self, kind: Kind, moments: Moments, seqs: Ints) -> list[bytes]:
        charges, of = self._charges, moments.of
        columns = blank_columns(len(of))
        codes = np.zeros((len(charges), 8), dtype=np.uint8)
        codes[:, 1:] = self._codes
        columns["frame_pile"] = codes.view(">u8").astype(np.uint64)[of, 0]
        columns["gun_bcd"] = self._guns[of, 0].astype(np.int64)
        columns["checksum_order"][:] = 1
        if kind is Kind.READING:
            columns |= self._measured(moments)
        else:
            plugged = moments.time_ms < charges.unplug_ms[of]
            just_back = charges.faulty[of] & (moments.time_ms < charges.back_ms[of] + SHOWS_FAULT_MS)
            columns["state"] = np.where(just_back, FAULT, IDLE)
            columns["plugged"], columns["gun_home"] = plugged.astype(np.int64), (~plugged).astype(np.int64)
        return frames_of(columns, seqs & 0xFFFF)

    def _measured(self, moments: Moments) -> Columns:
        charges, of = self._charges, moments.of
        shown = shown_at(charges, moments, self._quantum)
        trade_hi, trade_lo = big_endian_halves(self._numbers)
        volts = VOLTS_DV[self._make.current]
        constant = np.ones(len(of), dtype=np.int64)
        return {
            "trade_hi": trade_hi[of],
            "trade_lo": trade_lo[of],
            "state": constant * CHARGING,
            "plugged": constant,
            "voltage_dv": constant * volts,
            "current_da": charges.power_at_w(of, moments.time_ms) * 100 // volts,
            "charge_minutes": (moments.time_ms - charges.first_ms[of]) // MINUTE_MS,
            "remain_minutes": (charges.stop_ms[of] - moments.time_ms) // MINUTE_MS,
            "energy_e4kwh": shown.counter_e2kwh * E4_PER_E2,
            "loss_energy_e4kwh": shown.counter_e2kwh * E4_PER_E2,
            "amount_e4yuan": np.minimum(shown.counter_e2kwh * E4YUAN_PER_E2KWH, 0xFFFF_FFFF),
        }

    def _records(self, moments: Moments) -> Rows:
        charges, of = self._charges, moments.of
        recorded = recorded_of(charges, self._quantum)
        rows = ykc_rows(RECORD, len(of))
        put(rows, "trade_no", self._numbers[of])
        put(rows, "pile_code", self._codes[of])
        put(rows, "gun_no", self._guns[of])
        end_time = cp56(charges.end_ms + charges.clock_end_ms)[of]
        put(rows, "start_time", cp56(charges.begin_ms + charges.clock_ms)[of])
        put(rows, "end_time", end_time)
        put(rows, "trade_time", end_time)
        for name in ("sharp", "peak", "flat", "valley"):
            rows[f"{name}_price"] = PRICE_E5YUAN
        energy = recorded.energy_e2kwh[of] * E4_PER_E2
        amount = recorded.energy_e2kwh[of] * E4YUAN_PER_E2KWH
        for name in ("flat_energy", "flat_loss_energy", "energy", "loss_energy"):
            rows[name] = energy
        rows["flat_amount"] = rows["amount"] = amount
        put(rows, "meter_start", little_endian(recorded.before_e2kwh[of] * E4_PER_E2, REGISTER_BYTES))
        put(rows, "meter_end", little_endian(recorded.after_e2kwh[of] * E4_PER_E2, REGISTER_BYTES))
        rows["vin"] = vins(charges)[of]
        rows["start_mode"] = OFFLINE_CARD
        rows["stop_reason"] = STOPPED_FULL
        put(rows, "physical_card", bcd(digits(charges.vehicle[of] + 88_000_000, 16)))
        return rows


def login_frame(charger: Charger) -> bytes:
    """0x01."""
    message = messages.login(_pile(charger), _traits(charger))
    return messages.encode(message, b"\0\0", "le")


def login_ack_frame(charger: Charger) -> bytes:
    """0x02, the answer."""
    return messages.encode(platform_frames.login_ack(_pile(charger)), b"\0\0", "le")


def _pile(charger: Charger) -> SimPile:
    return SimPile(charger.code, charger.make.current, GUNS, charger.make.rated_power_w)


def _traits(charger: Charger) -> Traits:
    return Traits(
        checksum_order="le",
        loss_equals_energy=True,
        final_reading=True,
        amount_to_fen=False,
        phase_ms=0,
        firmware=charger.firmware.version,
    )
