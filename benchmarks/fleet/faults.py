"""The ways in which chargers do not tell the truth, by name, and how often each happens.

The cases are those of metering.md ("What real chargers do") and of the incidents B01 to B23.
"""

import zlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.power import IntArray


class Fault(StrEnum):
    """What goes wrong in one charge. `NONE` is a clean one; `START_FAILED` is no anomaly either.

    The `STEP_*` and `NEVER_ANSWERED` break the order of steps that a protocol prescribes and leave the bill alone.
    """

    NONE = "none"
    RECORD_REPEATED = "record_repeated"
    RECORD_LOST = "record_lost"
    OFFLINE_MIDDLE = "offline_middle"
    OFFLINE_END = "offline_end"
    OFFLINE_STORED = "offline_stored"
    OFFLINE_FOREVER = "offline_forever"
    BACKLOG_SHUFFLED = "backlog_shuffled"
    COUNTER_ZERO = "counter_zero"
    COUNTER_RESET = "counter_reset"
    COUNTER_ROLLBACK = "counter_rollback"
    COUNTER_SPIKE = "counter_spike"
    COUNTER_FROZEN = "counter_frozen"
    LATE_FIRST_READING = "late_first_reading"
    RECORD_ENERGY_SCALED = "record_energy_scaled"
    RECORD_ENERGY_HUGE = "record_energy_huge"
    RECORD_ENERGY_LOW = "record_energy_low"
    RECORD_ENERGY_ZERO = "record_energy_zero"
    RECORD_METER_ZERO = "record_meter_zero"
    CLOCK_OFF = "clock_off"
    RECORD_END_BEFORE_START = "record_end_before_start"
    RECORD_DURATION_LONG = "record_duration_long"
    START_FAILED = "start_failed"
    DUPLICATED_FRAMES = "duplicated_frames"
    GARBAGE_ON_LINE = "garbage_on_line"
    METER_ZERO_BEFORE_START = "meter_zero_before_start"
    REGISTER_JUMP = "register_jump"
    STEP_MISSING = "step_missing"
    STEP_REPEATED = "step_repeated"
    STEP_OUT_OF_ORDER = "step_out_of_order"
    STEP_LATE = "step_late"
    NEVER_ANSWERED = "never_answered"


DEFAULT_SHARES: Final[dict[Fault, float]] = {
    Fault.RECORD_REPEATED: 0.022,
    Fault.RECORD_LOST: 0.006,
    Fault.OFFLINE_MIDDLE: 0.014,
    Fault.OFFLINE_END: 0.006,
    Fault.OFFLINE_STORED: 0.003,
    Fault.OFFLINE_FOREVER: 0.001,
    Fault.COUNTER_ZERO: 0.018,
    Fault.COUNTER_RESET: 0.004,
    Fault.COUNTER_ROLLBACK: 0.004,
    Fault.COUNTER_SPIKE: 0.010,
    Fault.COUNTER_FROZEN: 0.003,
    Fault.LATE_FIRST_READING: 0.015,
    Fault.RECORD_ENERGY_SCALED: 0.003,
    Fault.RECORD_ENERGY_HUGE: 0.003,
    Fault.RECORD_ENERGY_LOW: 0.004,
    Fault.RECORD_ENERGY_ZERO: 0.004,
    Fault.RECORD_METER_ZERO: 0.006,
    Fault.CLOCK_OFF: 0.004,
    Fault.RECORD_END_BEFORE_START: 0.001,
    Fault.RECORD_DURATION_LONG: 0.003,
    Fault.START_FAILED: 0.010,
    Fault.DUPLICATED_FRAMES: 0.004,
    Fault.GARBAGE_ON_LINE: 0.002,
    Fault.BACKLOG_SHUFFLED: 0.002,
    Fault.METER_ZERO_BEFORE_START: 0.002,
    Fault.REGISTER_JUMP: 0.001,
    Fault.STEP_MISSING: 0.006,
    Fault.STEP_REPEATED: 0.004,
    Fault.STEP_OUT_OF_ORDER: 0.004,
    Fault.STEP_LATE: 0.003,
    Fault.NEVER_ANSWERED: 0.003,
}

# Shown early in a demo: each changes what a bill says, none takes the charger away.
VISIBLE_FAULTS: Final = (
    Fault.COUNTER_SPIKE,
    Fault.RECORD_ENERGY_SCALED,
    Fault.LATE_FIRST_READING,
    Fault.CLOCK_OFF,
    Fault.RECORD_ENERGY_LOW,
    Fault.COUNTER_ZERO,
    Fault.RECORD_ENERGY_ZERO,
    Fault.RECORD_DURATION_LONG,
    Fault.RECORD_REPEATED,
    Fault.RECORD_ENERGY_HUGE,
)

OFFLINE_FAULTS: Final = frozenset(
    {Fault.OFFLINE_MIDDLE, Fault.OFFLINE_END, Fault.OFFLINE_STORED, Fault.OFFLINE_FOREVER, Fault.BACKLOG_SHUFFLED}
)

# The charger keeps its readings of an outage and sends them after the next login.
STORING_FAULTS: Final = frozenset({Fault.OFFLINE_STORED, Fault.BACKLOG_SHUFFLED})

# What one vendor's chargers do worse than the others': meter, radio, or records (B23: a vendor's defect stays).
WEAK_SPOTS: Final = (
    ("counter_", "late_first"),
    ("offline_", "backlog_", "record_lost", "record_repeated"),
    ("record_energy", "record_meter", "record_duration", "clock_"),
)
WEAKNESS: Final = 2.5

STEP_FAULTS: Final = frozenset(
    {Fault.STEP_MISSING, Fault.STEP_REPEATED, Fault.STEP_OUT_OF_ORDER, Fault.STEP_LATE, Fault.NEVER_ANSWERED}
)
CARELESSNESS: Final = 12

SPIKE_E4KWH: Final = 500_000_000
JUMP_E4KWH: Final = 200_000_000
READING_PERIOD_MS: Final = 15_000


class FaultMix:
    """Draws a fault for each charge; what the shares leave over is clean."""

    def __init__(self, shares: dict[Fault, float] | None = None) -> None:
        shares = DEFAULT_SHARES if shares is None else shares
        total = sum(shares.values())
        if any(share < 0 for share in shares.values()) or total > 1.0 + 1e-9:
            raise FleetError(f"the shares of faults must be 0 or more and sum to 1 at most, not {total:.3f}")
        self._shares = shares
        self._faults = [*shares, Fault.NONE]
        self._limits = np.cumsum([*shares.values(), 2.0])

    def of_vendor(self, vendor: str) -> "FaultMix":
        """As many faults in all, but more of those of the vendor's weak spot."""
        weak = WEAK_SPOTS[zlib.crc32(vendor.encode()) % len(WEAK_SPOTS)]
        tilted = {fault: share * (WEAKNESS if fault.startswith(weak) else 1) for fault, share in self._shares.items()}
        total, wanted = sum(tilted.values()), sum(self._shares.values())
        return FaultMix({fault: share * wanted / total for fault, share in tilted.items()} if total else tilted)

    def careless(self) -> "FaultMix":
        """Many more faults in the order of steps, as far as there are any, at the cost of clean charges."""
        wanted = {
            fault: share * CARELESSNESS if fault in STEP_FAULTS else share for fault, share in self._shares.items()
        }
        total = sum(wanted.values())
        return FaultMix({fault: share / max(total, 1) for fault, share in wanted.items()})

    def draw(self, random: np.random.Generator) -> Fault:
        """A fault, `Fault.NONE` for a clean charge."""
        return self._faults[int(np.searchsorted(self._limits, random.random(), side="right"))]


class Glitch(msgspec.Struct, frozen=True):
    """From `from_ms` until before `to_ms` the session counter lies.

    `kind`: zero (reads 0), spike (reads `size_e4kwh` too much), rollback (reads that much too little, never under 0),
    reset (counts from 0 again at `from_ms`), frozen (stands at its value of `from_ms`).
    """

    kind: str
    from_ms: int
    to_ms: int
    size_e4kwh: int = 0

    def shifted(self, delta_ms: int) -> "Glitch":
        """The same, that much later."""
        return msgspec.structs.replace(self, from_ms=self.from_ms + delta_ms, to_ms=self.to_ms + delta_ms)


def apply_glitches(glitches: Iterable[Glitch], times_ms: IntArray, counter: IntArray, at: IntArray) -> IntArray:
    """What the counter shows at `times_ms` when its truth is `counter`; `at` is its truth at each glitch's start."""
    shown = counter
    for glitch, at_start in zip(glitches, at, strict=True):
        hit = (times_ms >= glitch.from_ms) & (times_ms < glitch.to_ms)
        lie = {
            "zero": np.zeros_like(counter),
            "spike": counter + glitch.size_e4kwh,
            "rollback": np.maximum(counter - glitch.size_e4kwh, 0),
            "reset": np.maximum(counter - at_start, 0),
            "frozen": np.full_like(counter, at_start),
        }[glitch.kind]
        shown = np.where(hit, lie, shown)
    return shown


def plan_glitches(fault: Fault, random: np.random.Generator, charging_ms: int, stop_ms: int) -> tuple[Glitch, ...]:
    """When and how the counter of a charge with that fault lies. A glitch of one reading lasts one reading period."""
    length_ms = stop_ms - charging_ms

    def moment(low: float, high: float) -> int:
        return charging_ms + int(length_ms * random.uniform(low, high))

    if fault is Fault.COUNTER_ZERO:
        starts = [moment(0.1, 0.95) for _ in range(int(random.integers(1, 6)))]
        if random.random() < 0.5:
            starts.append(stop_ms - READING_PERIOD_MS)
        return tuple(Glitch("zero", start, start + READING_PERIOD_MS) for start in sorted(starts))
    if fault is Fault.COUNTER_SPIKE:
        start = stop_ms - READING_PERIOD_MS if random.random() < 0.2 else moment(0.1, 0.9)
        return (Glitch("spike", start, start + READING_PERIOD_MS, SPIKE_E4KWH),)
    if fault is Fault.REGISTER_JUMP:
        return (Glitch("spike", moment(0.3, 0.8), stop_ms + 1, JUMP_E4KWH),)
    if fault is Fault.COUNTER_ROLLBACK:
        return (Glitch("rollback", moment(0.3, 0.8), stop_ms + 1, int(random.uniform(10_000, 40_000))),)
    if fault is Fault.COUNTER_RESET:
        return (Glitch("reset", moment(0.3, 0.8), stop_ms + 1),)
    if fault is Fault.COUNTER_FROZEN:
        start = moment(0.3, 0.5)
        return (Glitch("frozen", start, start + max(int(length_ms * 0.4), 400_000)),)
    return ()
