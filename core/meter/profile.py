"""What must be known of a meter to judge its readings."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from core.directory import Pile
from core.errors import CoreError

Int64s = npt.NDArray[np.int64]
RegisterKind = Literal["session", "lifetime", "boot"]
REGISTER_KINDS = ("session", "lifetime", "boot")

W_MS_PER_E4KWH = 360_000  # 1e-4 kWh = 0.1 Wh = 360 W s

NETWORK_DELAY_MS = 30_000
"""A YKC reading has no time of its own, it is stamped on arrival. It can be late by as much as a link may be silent
before the charger counts it as lost and logs in again: three heartbeats of 10 s (ykc.md section 5)."""


QUANTA_E4KWH = (10_000, 1_000, 100, 10)
ENOUGH_DIFFERENCES = 20
ENOUGH_VALUES = 5
FALSE_VALUES, FEW_VALUES = 10, 4
ONE_IN_REST = 4  # at least one value in four is read again by a coarse register


class MeterProfileError(CoreError):
    """A meter profile holds a value that no meter can have."""


class MeterProfile(msgspec.Struct, frozen=True):
    """One meter as the calculator sees it.

    `register_kind`: "session" counts from 0 in each charge (YKC 0x13), "lifetime" never restarts, "boot" restarts with
    the charger. `quantum_e4kwh`: its smallest step. `pmax_w`: what the connector can deliver at most, tolerance
    included. `digits`: whole-kWh digits before it rolls over, 0 = unknown. `time_tolerance_ms`: by how much the time
    between two readings may look shorter than it was. `period_ms`: the interval of readings while charging.
    `stops_offline_ms`: how long the connector goes on after its link was lost, 0 = until the end of the charge; 30 000
    for firmware that is known to stop (metering.md, "gap at tail"). `quantum_is_assumed`: nobody configured it, and it
    was not learned.
    """

    register_kind: RegisterKind
    quantum_e4kwh: int
    pmax_w: int
    digits: int = 0
    time_tolerance_ms: int = NETWORK_DELAY_MS
    period_ms: int = 15_000
    stops_offline_ms: int = 0
    quantum_is_assumed: bool = False

    def __post_init__(self) -> None:
        if self.register_kind not in REGISTER_KINDS:
            raise MeterProfileError(f"register_kind {self.register_kind!r}: allowed are {', '.join(REGISTER_KINDS)}")
        self._check("quantum_e4kwh", self.quantum_e4kwh, 1, 10**8)
        self._check("pmax_w", self.pmax_w, 1, 10_000_000)
        self._check("digits", self.digits, 0, 12)
        self._check("time_tolerance_ms", self.time_tolerance_ms, 0, 3_600_000)
        self._check("period_ms", self.period_ms, 1, 3_600_000)
        self._check("stops_offline_ms", self.stops_offline_ms, 0, 3_600_000)

    @staticmethod
    def _check(name: str, value: int, lowest: int, highest: int) -> None:
        if not lowest <= value <= highest:
            raise MeterProfileError(f"{name} {value}: allowed are {lowest}..{highest}")

    @classmethod
    def of_pile(cls, pile: Pile) -> "MeterProfile":
        """The profile of each connector of `pile`; Pmax = rated power x 1.10 (anomaly-codes.md, definitions)."""
        if pile.register_kind not in REGISTER_KINDS:
            raise MeterProfileError(f"pile {pile.code}: register_kind {pile.register_kind!r} is not known")
        return cls(
            register_kind=pile.register_kind,  # type: ignore[arg-type]  # checked just above
            quantum_e4kwh=pile.quantum_e4kwh,
            pmax_w=pile.rated_power_w * 110 // 100,
            digits=pile.register_digits,
        )

    def as_counted(self, registers: Sequence[int] | Int64s, *, flowing: bool = False) -> "MeterProfile":
        """The profile with the quantum in which these values of a register count, where that is larger.

        A decimal step of a kWh that divides all differences, where there are enough of them (anomaly-codes.md, "q") and
        the register rests between its steps: full power moves a fine register by even steps, too. Else one that divides
        each of at least five values. Session counters stay as they are. Zeros are no values.

        Where the quantum is only assumed it is the largest step that divides all values, however few, of counters, too:
        a meter of whole kWh is common, and one of 0.01 kWh that shows one value of whole kWh is one in a hundred. So is
        one that shows nothing although energy flows (`flowing`).
        """
        shown = np.asarray(registers, dtype=np.int64)
        shown = shown[shown > 0]
        values = np.unique(shown)
        if not self.quantum_is_assumed and (self.register_kind == "session" or len(values) < ENOUGH_VALUES):
            return self
        quantum = 1
        if len(values):
            rests = (len(shown) - len(values)) * ONE_IN_REST >= len(values)
            by_differences = not self.quantum_is_assumed and rests and len(values) > ENOUGH_DIFFERENCES
            coarser = (one for one in QUANTA_E4KWH if one > self.quantum_e4kwh)
            quantum = next((one for one in coarser if _counts_in(values, one, by_differences)), 1)
        elif flowing:
            quantum = QUANTA_E4KWH[0]
        return msgspec.structs.replace(self, quantum_e4kwh=quantum) if quantum > self.quantum_e4kwh else self

    @property
    def is_certain(self) -> bool:
        """No reading shows a better quantum (`as_counted`): a session counter's is what was configured or learned."""
        return not self.quantum_is_assumed and self.register_kind == "session"

    @property
    def gap_ms(self) -> int:
        """Silence longer than this is a gap: max(60 s, 3 periods)."""
        return max(60_000, 3 * self.period_ms)

    @property
    def modulus_e4kwh(self) -> int:
        """The value at which the register starts again, 0 = not known or never."""
        return 10 ** (self.digits + 4) if self.register_kind == "lifetime" and self.digits else 0

    def flows_on_ms(self, silent_ms: int) -> int:
        """For how long energy may have flowed in a silence at the end of a charge."""
        return min(silent_ms, self.stops_offline_ms) if self.stops_offline_ms and silent_ms > self.gap_ms else silent_ms

    def energy_at_pmax(self, elapsed_ms: int) -> int:
        """The most that the connector can deliver in that time, 1e-4 kWh, rounded up; 0 for a negative time."""
        return -(-self.pmax_w * max(0, elapsed_ms) // W_MS_PER_E4KWH)


def _counts_in(values: Int64s, step: int, by_differences: bool) -> bool:
    """Whether the register shows whole steps, spikes aside: one value in ten may be false, and one of four or more.

    `by_differences`: it may stand off the step by the same amount throughout.
    """
    rests = values % step
    rest = int(np.sort(rests)[len(rests) // 2]) if by_differences else 0
    false = int(np.count_nonzero(rests != rest))
    return false <= max(len(values) // FALSE_VALUES, len(values) >= FEW_VALUES)
