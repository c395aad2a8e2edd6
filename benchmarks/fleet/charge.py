"""One charge as it truly happens, and as its charger shows it."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet.faults import JUMP_E4KWH, READING_PERIOD_MS, Fault, Glitch, apply_glitches
from benchmarks.fleet.piles import AAF5, SimPile
from benchmarks.fleet.power import IntArray, PowerCurve

START_BY_APP: Final = 1
START_BY_CARD: Final = 2
START_BY_OFFLINE_CARD: Final = 4
START_BY_VIN: Final = 5

# How a start at the charger is asked for in 0x31 (ykc.md section 4.1); 0 = the platform is not asked.
NOT_ASKED: Final = 0
ASK_BY_CARD: Final = 1
ASK_BY_ACCOUNT: Final = 2
ASK_BY_VIN: Final = 3

READING_JITTER_MS: Final = 400

STOPPED_BY_APP: Final = 0x40
BATTERY_FULL: Final = 0x41
STOPPED_BY_HAND: Final = 0x45


class Charge(msgspec.Struct, frozen=True):
    """One charge of the plan. Times are UTC epoch milliseconds and ascend in the order of the fields.

    `order_ms`: the driver asks for it (app, card, plug and charge). `start_ms`, `end_ms`: the charger executes it, as
    in its record. `charging_ms`, `stop_ms`: energy flows. `record_ms`: the record is ready to be sent.
    `trade_no` is replaced when the platform gives another number.
    `asks_by`: how the charger asks the platform for the start, `account` the card or account it names then (16 digits).
    `parallel_no`: both guns charge one vehicle; `gun_role` is 0 on the main one.
    """

    pile: SimPile
    connector: int
    trade_no: str
    start_mode: int
    plug_ms: int
    order_ms: int
    start_ms: int
    charging_ms: int
    stop_ms: int
    end_ms: int
    record_ms: int
    unplug_ms: int
    curve: PowerCurve
    battery_e4kwh: int
    soc_start: int
    vin: str
    physical_card: str
    stop_reason: int
    meter_start_e4kwh: int
    fault: Fault
    glitches: tuple[Glitch, ...]
    salt: int
    asks_by: int = NOT_ASKED
    account: str = ""
    parallel_no: str = ""
    gun_role: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        """What names it within the plan."""
        return self.pile.code, self.connector, self.salt

    @property
    def first_reading_ms(self) -> int:
        """When the first reading with the charging state goes out: late for `LATE_FIRST_READING`."""
        if self.fault is not Fault.LATE_FIRST_READING:
            return self.charging_ms
        return self.charging_ms + (self.stop_ms - self.charging_ms) * 2 // 5

    @property
    def energy_e4kwh(self) -> int:
        """The energy truly delivered in the whole charge."""
        return self.curve.total_e4kwh

    def energy_at(self, times_ms: IntArray) -> IntArray:
        """The energy truly delivered up to each moment, in 1e-4 kWh."""
        return self.curve.energy_e4kwh(times_ms - self.charging_ms)

    def power_at(self, times_ms: IntArray) -> IntArray:
        """The true power at each moment, in watts."""
        return self.curve.power_w(times_ms - self.charging_ms)

    def counter_at(self, times_ms: IntArray) -> IntArray:
        """The session counter that the charger shows, with its meter's quantum and its lies."""
        counter = _floor_to(self.energy_at(times_ms), self.pile.quantum_e4kwh)
        if not self.glitches:
            return counter
        starts = np.array([glitch.from_ms for glitch in self.glitches], dtype=np.int64)
        at_start = _floor_to(self.energy_at(starts), self.pile.quantum_e4kwh)
        return apply_glitches(self.glitches, times_ms, counter, at_start)

    def soc_at(self, times_ms: IntArray) -> IntArray:
        """State of charge in percent; 0 on AC, where the charger cannot know it."""
        if not self.pile.is_dc:
            return np.zeros_like(times_ms)
        return np.minimum(self.soc_start + self.energy_at(times_ms) * 100 // self.battery_e4kwh, 100)

    @property
    def register_after_e4kwh(self) -> int:
        """What the charger's register shows after the charge: that of an AAF5 charger may have jumped."""
        jumped = self.fault is Fault.REGISTER_JUMP and self.pile.protocol == AAF5
        return self.meter_start_e4kwh + self.energy_e4kwh + JUMP_E4KWH * jumped

    def reading_times(self, from_ms: int, to_ms: int, period_ms: int = READING_PERIOD_MS) -> IntArray:
        """When realtime frames go out while energy flows, from `from_ms` until before `to_ms` (ykc.md section 5)."""
        first = max((from_ms - self.charging_ms) // period_ms - 1, 0)
        last = (min(to_ms, self.stop_ms) - self.charging_ms) // period_ms + 1
        k = np.arange(first, max(last + 1, first), dtype=np.int64)
        jitter = (k * 2_654_435_761 + self.salt * 40_503) % (2 * READING_JITTER_MS) - READING_JITTER_MS
        times = self.charging_ms + k * period_ms + np.where(k == 0, 0, jitter)
        inside = (times >= max(from_ms, self.first_reading_ms)) & (times < min(to_ms, self.stop_ms))
        return times[inside]

    def shifted(self, delta_ms: int) -> "Charge":
        """The same charge, that much later."""
        if delta_ms == 0:
            return self
        return msgspec.structs.replace(
            self,
            plug_ms=self.plug_ms + delta_ms,
            order_ms=self.order_ms + delta_ms,
            start_ms=self.start_ms + delta_ms,
            charging_ms=self.charging_ms + delta_ms,
            stop_ms=self.stop_ms + delta_ms,
            end_ms=self.end_ms + delta_ms,
            record_ms=self.record_ms + delta_ms,
            unplug_ms=self.unplug_ms + delta_ms,
            glitches=tuple(glitch.shifted(delta_ms) for glitch in self.glitches),
        )

    def stopped_at(self, stop_ms: int, stop_reason: int) -> "Charge":
        """The same charge, ended early."""
        stop_ms = max(min(stop_ms, self.stop_ms), self.charging_ms)
        early_ms = self.stop_ms - stop_ms
        return msgspec.structs.replace(
            self,
            stop_ms=stop_ms,
            end_ms=self.end_ms - early_ms,
            record_ms=self.record_ms - early_ms,
            unplug_ms=max(self.unplug_ms - early_ms, self.record_ms - early_ms + 1),
            curve=self.curve.cut(stop_ms - self.charging_ms),
            stop_reason=stop_reason,
        )


def _floor_to(values: IntArray, quantum: int) -> IntArray:
    return values if quantum == 1 else values // quantum * quantum
