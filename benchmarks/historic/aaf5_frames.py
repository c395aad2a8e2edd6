"""AAF5 frames of many charges at once: 104, 202 and what is said around them."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.fleet import aaf5_messages, aaf5_platform_frames
from benchmarks.fleet.aaf5_link import REPLY_SEQ, REPORT_SEQ, frame_of, with_seq
from benchmarks.fleet.messages import Message
from benchmarks.fleet.piles import AAF5, SimPile
from benchmarks.fleet.traits import Aaf5Traits
from benchmarks.historic.charges import SECOND_MS, Charges, Ints
from benchmarks.historic.fleet import GUNS, Charger, Make
from benchmarks.historic.meters import HALF_HOURS, Shown, before_e2kwh, recorded_of, shown_after, shown_at
from benchmarks.historic.moments import Kind, Moments
from benchmarks.historic.names import cards, code_digits, codes_text, number_digits, vins
from benchmarks.historic.wire import Rows, aaf5_frames, aaf5_rows, ascii_text, bcd8, put

STATUS: Final = 104
HEARTBEAT: Final = 102
RECORD: Final = 202
RECORD_ACK: Final = 201

IDLE, CHARGING, FINISHED, FAULT = 0, 2, 3, 6
PLUGGED: Final = 2
DC: Final = 1
VOLTS_DV: Final = 6_000
FEN_PER_KWH: Final = 120
FULL_SOC: Final = 90
FIRST_SOC: Final = 20
SHOWS_FAULT_MS: Final = 60 * SECOND_MS
"""So long after its return a charger shows its fault."""
UNCOUNTED: Final = int.from_bytes(REPORT_SEQ, "big")


class Aaf5Encoder:
    """The frames of charges at chargers of one make. `chargers`: those that the charges number."""

    def __init__(self, charges: Charges, chargers: Sequence[Charger], make: Make, quantum_e2kwh: int) -> None:
        self._charges = charges
        self._chargers = chargers
        self._make = make
        self._quantum = quantum_e2kwh
        self._codes = codes_text(charges, chargers)
        self._cards = cards(charges)
        self._serials = ascii_text(number_digits(charges, code_digits(charges, chargers)))
        self._starts = bcd8(charges.begin_ms + charges.clock_ms)
        told = before_e2kwh(charges, quantum_e2kwh)
        self._before = told if make.tells_start else np.zeros_like(told)

    def frames(self, kind: Kind, moments: Moments, seqs: Ints) -> list[bytes]:
        """Those of one kind. `seqs`: their running numbers, which only firmware with session numbers sends."""
        numbers = seqs if self._make.serial else np.full_like(seqs, UNCOUNTED)
        match kind:
            case Kind.READING:
                return aaf5_frames(self._readings(moments), STATUS, numbers)
            case Kind.IDLE:
                return aaf5_frames(self._idle(moments), STATUS, numbers)
            case Kind.RECORD:
                return aaf5_frames(self._records(moments), RECORD, numbers)
            case Kind.RECORD_ACK:
                return aaf5_frames(self._acks(moments), RECORD_ACK, np.zeros_like(seqs))
            case Kind.HEARTBEAT:
                return aaf5_frames(self._heartbeats(moments), HEARTBEAT, numbers)
            case Kind.LOGIN | Kind.LOGIN_ACK:
                return self._logins(kind, moments)

    def _status(self, moments: Moments, shown: Shown) -> Rows:
        """What the gun shows of a charge, whether it goes on or is over."""
        charges, of = self._charges, moments.of
        rows = aaf5_rows(STATUS, len(of), with_serial=self._make.serial)
        rows["pile_code"] = self._codes[of]
        rows["gun_count"] = GUNS
        rows["gun_no"] = charges.gun[of] + 1
        rows["gun_type"] = DC
        rows["meter_now"] = shown.register_e2kwh
        rows["meter_before"] = self._before[of]
        rows["energy"] = shown.counter_e2kwh
        rows["amount"] = shown.counter_e2kwh * FEN_PER_KWH // 100
        rows["duration"] = (np.minimum(moments.time_ms, charges.stop_ms[of]) - charges.begin_ms[of]) // SECOND_MS
        rows["card"] = self._cards[of]
        put(rows, "start_time", self._starts[of])
        lasted = charges.stop_ms[of] - charges.first_ms[of]
        since = np.clip(moments.time_ms - charges.first_ms[of], 0, lasted)
        rows["soc"] = FIRST_SOC + (FULL_SOC - FIRST_SOC) * since // lasted
        if self._make.serial:
            rows["serial"] = self._serials[of]
        return rows

    def _readings(self, moments: Moments) -> Rows:
        shown = shown_at(self._charges, moments, self._quantum)
        if self._make.tells_start:
            shown.counter_e2kwh = np.maximum(shown.register_e2kwh - self._before[moments.of], 0)
        rows = self._status(moments, shown)
        power_w = self._charges.power_at_w(moments.of, moments.time_ms)
        rows["work_state"] = CHARGING
        rows["car_conn"] = PLUGGED
        rows["dc_voltage"] = rows["bms_voltage"] = VOLTS_DV
        rows["dc_current"] = rows["bms_current"] = power_w * 100 // VOLTS_DV
        rows["power"] = power_w // 100
        rows["remain_minutes"] = (self._charges.stop_ms[moments.of] - moments.time_ms) // 60_000
        return rows

    def _idle(self, moments: Moments) -> Rows:
        """The figures of the last charge stay (aaf5.md section 4)."""
        charges, of = self._charges, moments.of
        rows = self._status(moments, shown_after(charges, of, self._quantum))
        plugged = moments.time_ms < charges.unplug_ms[of]
        just_back = charges.faulty[of] & (moments.time_ms < charges.back_ms[of] + SHOWS_FAULT_MS)
        rows["work_state"] = np.where(just_back, FAULT, np.where(plugged, FINISHED, IDLE))
        rows["car_conn"] = plugged * PLUGGED
        return rows

    def _records(self, moments: Moments) -> Rows:
        charges, of = self._charges, moments.of
        recorded = recorded_of(charges, self._quantum)
        rows = aaf5_rows(RECORD, len(of), with_serial=self._make.serial)
        rows["pile_code"] = self._codes[of]
        rows["gun_type"] = DC
        rows["gun_no"] = charges.gun[of] + 1
        rows["card"] = self._cards[of]
        put(rows, "start_time", self._starts[of])
        put(rows, "end_time", bcd8(charges.end_ms + charges.clock_end_ms)[of])
        lasted_ms = charges.end_ms - charges.begin_ms
        told_ms = lasted_ms if self._make.counts_seconds else lasted_ms + charges.clock_end_ms - charges.clock_ms
        rows["duration"] = told_ms[of] // SECOND_MS
        rows["soc_start"], rows["soc_end"] = FIRST_SOC, FULL_SOC
        rows["energy"] = recorded.energy_e2kwh[of]
        rows["meter_before"] = np.where(self._make.tells_start, recorded.before_e2kwh[of], 0)
        rows["meter_after"] = recorded.after_e2kwh[of]
        rows["amount"] = recorded.energy_e2kwh[of] * FEN_PER_KWH // 100
        rows["record_index"] = charges.stretch[of]
        rows["record_total"] = charges.stretch[of] + 1
        rows["vin"] = vins(charges)[of]
        slots, lines = recorded.first_slot[of], np.arange(len(of))
        rows["half_hour_energy"][lines, slots] = recorded.first_part_e2kwh[of]
        rows["half_hour_energy"][lines, (slots + 1) % HALF_HOURS] = recorded.second_part_e2kwh[of]
        if self._make.serial:
            rows["serial"] = self._serials[of]
        return rows

    def _acks(self, moments: Moments) -> Rows:
        charges, of = self._charges, moments.of
        rows = aaf5_rows(RECORD_ACK, len(of), with_serial=True)
        rows["gun_no"] = charges.gun[of] + 1
        rows["card"] = self._cards[of]
        rows["record_index"] = charges.stretch[of]
        if self._make.serial:
            rows["serial"] = self._serials[of]
        return rows

    def _heartbeats(self, moments: Moments) -> Rows:
        rows = aaf5_rows(HEARTBEAT, len(moments), with_serial=False)
        rows["pile_code"] = self._codes[moments.of]
        rows["counter"] = moments.time_ms // 60_000 & 0xFFFF
        return rows

    def _logins(self, kind: Kind, moments: Moments) -> list[bytes]:
        charges = self._charges
        make_frame = login_frame if kind is Kind.LOGIN else login_ack_frame
        at = zip(charges.charger[moments.of], charges.connection[moments.of], charges.back_ms[moments.of], strict=True)
        return [make_frame(self._chargers[int(one)], int(number) + 1, int(ms)) for one, number, ms in at]


def login_frame(charger: Charger, number: int, time_ms: int) -> bytes:
    """106 of the connection with that number."""
    return frame_of(_login(charger, number, time_ms))


def login_ack_frame(charger: Charger, number: int, time_ms: int) -> bytes:
    """105, the answer."""
    return with_seq(frame_of(aaf5_platform_frames.login_ack(_login(charger, number, time_ms))), REPLY_SEQ)


def _login(charger: Charger, number: int, time_ms: int) -> Message:
    pile = SimPile(charger.code, charger.make.current, GUNS, charger.make.rated_power_w, protocol=AAF5)
    traits = Aaf5Traits(
        serial=charger.make.serial,
        temperatures=charger.make.serial,
        floods=False,
        states=True,
        asks_platform=False,
        tail=False,
        protocol_version=34 if charger.make.serial else 26,
        firmware=charger.firmware.version,
    )
    return aaf5_messages.login(pile, 1, traits, time_ms=time_ms, boots=number, records=0, heartbeat_s=15)
