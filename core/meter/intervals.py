"""The steps of a measurement: what was accepted between two trusted readings, between what the truth lies, and why."""

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from core.meter.flags import Flag, Quality, flag_names
from core.meter.readings import Int64s

BROKEN_REGISTER = Flag.JUMP | Flag.ROLLBACK | Flag.RESET | Flag.POWER_RATING_DOUBTFUL | Flag.POWER_CONTRADICTS
ESTIMATES = Flag.FROZEN | Flag.TAIL_GAP | Flag.LATE_BASELINE
REPLACED_READINGS = (
    Flag.ZERO_READ
    | Flag.SPIKE
    | Flag.BASELINE_PREV_END
    | Flag.BASELINE_BILL_START
    | Flag.BASELINE_BACKCAST
    | Flag.SCALE
    | Flag.AMBIGUOUS
)
_BROKEN, _ESTIMATED, _REPLACED = (int(flags) for flags in (BROKEN_REGISTER, ESTIMATES, REPLACED_READINGS))


class Interval(NamedTuple):
    """One of `Intervals`; `rules` are the names of its flags."""

    from_ms: int
    to_ms: int
    accepted_e4kwh: int
    low_e4kwh: int
    high_e4kwh: int
    estimated_e4kwh: int
    quality: Quality
    rules: tuple[str, ...]


class Intervals(msgspec.Struct, frozen=True, eq=False):
    """The session cut at its trusted readings, from the begin of the charge to its latest possible end.

    One element for each step, in the order of time and without holes; energies in 1e-4 kWh.

    `accepted_e4kwh` is what the register proves of the step, or what the previous end, the record or the charger's own
    count proves of the time before the first reading; `estimated_e4kwh` what a second witness says was delivered beside
    it (FROZEN). The sum of both is the measurement's best figure; that of the accepted ones is the best figure less
    what is estimated. What the step delivered lies in [low, high]. Each bound is good to one quantum by itself, which
    cancels between neighbours, so the bounds of the session are narrower than their sums. A negative `low_e4kwh` takes
    back what earlier steps accepted: the register was too high there, or fell since. `flags`: the bits of
    `core.meter.flags.Flag` of the rules that fired within the step, also on readings that were passed over. `quality`:
    metering.md, of the step. SCALE and POWER_CONTRADICTS are about the whole charge: they stand on no step, nor does
    what they add to its bounds.
    """

    from_ms: Int64s
    to_ms: Int64s
    accepted_e4kwh: Int64s
    low_e4kwh: Int64s
    high_e4kwh: Int64s
    estimated_e4kwh: Int64s
    flags: npt.NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.from_ms)

    @property
    def quality(self) -> npt.NDArray[np.uint8]:
        """`core.meter.flags.Quality` of each step."""
        found = np.full(len(self), Quality.VALID, dtype=np.uint8)
        found[(self.flags & np.uint32(_REPLACED)) != 0] = Quality.DERIVED
        found[(self.flags & np.uint32(_ESTIMATED)) != 0] = Quality.ESTIMATED
        found[(self.flags & np.uint32(_BROKEN)) != 0] = Quality.QUESTIONABLE
        found[(self.flags & np.uint32(Flag.MISSING_DATA)) != 0] = Quality.MISSING
        return found

    def rows(self) -> list[Interval]:
        """The same as rows."""
        columns = (self.from_ms, self.to_ms, self.accepted_e4kwh, self.low_e4kwh, self.high_e4kwh, self.estimated_e4kwh)
        return [
            Interval(*figures, Quality(quality), tuple(flag_names(flags)))  # type: ignore[call-arg]  # six figures
            for *figures, quality, flags in zip(
                *(column.tolist() for column in columns), self.quality.tolist(), self.flags.tolist(), strict=True
            )
        ]

    @classmethod
    def of_rows(cls, rows: npt.NDArray[np.int64]) -> "Intervals":
        """From the rows that `MeterCalculator.run` writes."""
        from_ms, to_ms, accepted, low, high, estimated, flags = np.ascontiguousarray(rows.T)
        return cls(from_ms, to_ms, accepted, low, high, estimated, flags.astype(np.uint32))


def quality_of(flags: int) -> Quality:
    """The quality that these flags leave (metering.md, "Quality order")."""
    if flags & Flag.MISSING_DATA:
        return Quality.MISSING
    if flags & _BROKEN:
        return Quality.QUESTIONABLE
    if flags & _ESTIMATED:
        return Quality.ESTIMATED
    return Quality.DERIVED if flags & _REPLACED else Quality.VALID
