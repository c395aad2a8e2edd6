"""One charge as its charger tells it: which readings go out, when each arrives, and what the record will say."""

from typing import Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.evaluation.chargers import Charger
from benchmarks.evaluation.charges import TrueCharge
from benchmarks.evaluation.meter import Misread, Moved
from benchmarks.fleet.power import IntArray

READING_JITTER_MS: Final = 400
LOGIN_TAKES_MS: Final = 2_000
DELAY_MS: Final = 60
DELAY_SPREAD_MS: Final = 150
STALL_SHARE: Final = 0.002
STALL_MS: Final = (2_000, 15_000)

RecordLie = Literal["", "scaled", "huge", "low", "zero", "zero_begin"]


class Silence(msgspec.Struct, frozen=True):
    """The charger's link is away. `keeps`: what was read meanwhile is sent when it is back, `shuffled` or in order."""

    from_ms: int
    to_ms: int
    keeps: bool = False
    shuffled: bool = False


class Story:
    """What faults may change of one charge; each is a function that does so. Everything begins as it should be.

    `fault`: the name under which it counts, `faults`: what happened. `taken_ms`: when the charger takes its readings;
    `delay_ms`: how long each is under way. `told`: which are sent at all. `copies`: (reading, delay after the first) of
    those that come again. `told_begin_is_zero` (AAF5): it took a register of 0 for where the charge began.
    `mute_power`: where its register reads 0 it tells no power either.
    `count_factor` (AAF5): so far is the charger's own count of the energy off.
    """

    def __init__(self, charger: Charger, charge: TrueCharge, base_e4kwh: int, random: np.random.Generator) -> None:
        self.charger = charger
        self.charge = charge
        self.base_e4kwh = base_e4kwh
        self.fault = "none"
        self.faults: tuple[str, ...] = ()
        self.moved: list[Moved] = []
        self.misread: list[Misread] = []
        self.taken_ms = _reading_times(charger, charge, random)
        self.delay_ms = _delays(len(self.taken_ms), random)
        self.told = np.ones(len(self.taken_ms), dtype=np.bool_)
        self.copies: list[tuple[int, int]] = []
        self.silences: list[Silence] = []
        self.told_begin_is_zero = False
        self.mute_power = False
        self.clock_error_ms = charger.clock_error_ms
        self.has_record = True
        self.record_copies = 1
        self.record_lie: RecordLie = ""
        self.record_factor: tuple[int, int] = (1, 1)
        self.record_extra_e4kwh = 0
        self.count_factor: tuple[int, int] = (1, 1)

    @property
    def lost(self) -> npt.NDArray[np.bool_]:
        """Which of the readings were taken while the link was away, and not kept."""
        gone = np.zeros(len(self.taken_ms), dtype=np.bool_)
        for silence in self.silences:
            if not silence.keeps:
                gone |= (self.taken_ms >= silence.from_ms) & (self.taken_ms < silence.to_ms + LOGIN_TAKES_MS)
        return gone

    def is_away(self, time_ms: int) -> bool:
        """Whether nothing can be sent then."""
        return any(silence.from_ms <= time_ms < silence.to_ms for silence in self.silences)

    def online_from(self, time_ms: int) -> int:
        """The first moment from then on at which the charger is connected."""
        for silence in sorted(self.silences, key=lambda silence: silence.from_ms):
            if silence.from_ms <= time_ms < silence.to_ms:
                time_ms = silence.to_ms
        return time_ms


def _reading_times(charger: Charger, charge: TrueCharge, random: np.random.Generator) -> IntArray:
    """Every period while energy flows, and when it stops where the firmware does that."""
    period_ms = charger.model.period_ms
    times = np.arange(charge.charging_ms, charge.stop_ms, period_ms, dtype=np.int64)
    times[1:] += random.integers(-READING_JITTER_MS, READING_JITTER_MS + 1, size=max(len(times) - 1, 0))
    times = times[times < charge.stop_ms]
    return np.append(times, charge.stop_ms) if charger.model.final_reading else times


def _delays(count: int, random: np.random.Generator) -> IntArray:
    """A mobile link: a tenth of a second, now and then some seconds."""
    delays = (DELAY_MS + random.exponential(DELAY_SPREAD_MS, size=count)).astype(np.int64)
    stalls = random.random(count) < STALL_SHARE
    delays[stalls] += random.integers(*STALL_MS, size=int(stalls.sum()))
    return delays
