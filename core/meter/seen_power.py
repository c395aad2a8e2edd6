"""What power says beside a register: of the steps that were seen whole, and of the time before its first value."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import Bools, Int64s, ReadingArrays

POWER_SHARE, POWER_E4KWH = 10, 1_000
"""Power is good to 5 %, and up to 8 % are lost between a meter on the AC side and the vehicle (metering.md, 10)."""
POWER_SHARED = 2  # two guns of a charger share its power: where the other ends, the first gets twice as much
BEGIN_SHARE, BEGIN_PLAY_MS = 20, 5_000
PLAY_MS = 15_000  # the register is not read at the moment of the power beside it


class SeenSteps(NamedTuple):
    """The steps in which nothing was unseen: what the register rose in them lies in [low, high], 1e-4 kWh.

    `power_e4kwh` flowed meanwhile by voltage and current, good to `play_e4kwh`.
    """

    low_e4kwh: int = 0
    high_e4kwh: int = 0
    power_e4kwh: int = 0
    play_e4kwh: int = 0

    @property
    def power_contradicts(self) -> bool:
        """One of both is wrong: no time that nobody saw explains the difference."""
        power, play = self.power_e4kwh, self.play_e4kwh
        return power > 0 and not self.low_e4kwh - play <= power <= self.high_e4kwh + play


def seen_steps(charged: ReadingArrays, rows: Int64s, profile: MeterProfile) -> SeenSteps:
    """Those of the steps (`rows` of `MeterCalculator.run`) that lie between two readings without a silence.

    `charged`: the charging readings in the order of time. Each stretch of such steps is good to one quantum, and to the
    time between the reading of the register and that of power. One that the charger kept is good to a minute only.
    """
    event_ms, power_w = charged.event_ms, charged.power_w
    size = len(event_ms)
    if size < 2 or not len(rows) or not power_w.any():
        return SeenSteps()
    step_ms = event_ms[1:] - event_ms[:-1]
    unseen = _running(step_ms > profile.gap_ms)
    flowed = _running((power_w[1:] + power_w[:-1]) * step_ms)
    changed = _running(np.abs(power_w[1:] - power_w[:-1]) * step_ms)
    first, last = np.searchsorted(event_ms, rows[:, 0]), np.searchsorted(event_ms, rows[:, 1])
    at_first, at_last = np.minimum(first, size - 1), np.minimum(last, size - 1)
    is_seen = (event_ms[at_first] == rows[:, 0]) & (event_ms[at_last] == rows[:, 1])
    is_seen &= unseen[at_first] == unseen[at_last]
    inexact = (charged.stored != 0) & ~charged.device_timed
    if inexact.any():
        is_seen &= ~inexact[at_first] & ~inexact[at_last]
    rested = _rests_before_silence(charged, at_first[~is_seen], rows[~is_seen], unseen)
    if not is_seen.any():
        return SeenSteps()
    from_place, to_place, seen = at_first[is_seen], at_last[is_seen], rows[is_seen]
    stretches = 1 + int(np.count_nonzero(seen[1:, 0] != seen[:-1, 1]))
    quantum = profile.quantum_e4kwh
    risen = int(seen[:, 2].sum())
    less = int(np.maximum(seen[:, 2] - quantum - seen[:, 3], 0).sum())
    more = int(np.maximum(seen[:, 4] - quantum - seen[:, 2], 0).sum())
    twice_w_ms = int((flowed[to_place] - flowed[from_place]).sum())
    twice_w_ms += sum(int(flowed[last] - flowed[first]) for first, last in rested)
    power = twice_w_ms // (2 * W_MS_PER_E4KWH)
    play = int((changed[to_place] - changed[from_place]).sum()) // (2 * W_MS_PER_E4KWH)
    play += int(power_w.max()) * PLAY_MS * stretches // W_MS_PER_E4KWH
    return SeenSteps(
        low_e4kwh=risen - less - quantum * stretches,
        high_e4kwh=risen + more + quantum * stretches,
        power_e4kwh=power,
        play_e4kwh=power // POWER_SHARE + play + POWER_E4KWH,
    )


def _rests_before_silence(
    charged: ReadingArrays, first: npt.NDArray[np.intp], rows: Int64s, unseen: Int64s
) -> list[tuple[int, int]]:
    """Where a step begins with a rest and ends beyond a silence: the places between which the register stood still.

    What it rose later it may have risen in that silence, and says nothing of what it missed while power was told.
    """
    found = []
    for place, step in zip(first.tolist(), rows.tolist(), strict=True):
        if charged.event_ms[place] != step[0]:
            continue
        last = int(np.searchsorted(unseen, unseen[place], side="right")) - 1
        if (
            last > place
            and charged.event_ms[last] < step[1]
            and charged.counter_e4kwh[last] == charged.counter_e4kwh[place]
        ):
            found.append((place, last))
    return found


def lacking(best_e4kwh: int, short_by_e4kwh: int, seen_e4kwh: int, silent_e4kwh: int, profile: MeterProfile) -> int:
    """By how much a register of coarse steps is short of what power says, 0 where its last step may explain that.

    A register that shows whole steps leaves out at most what flowed since its last rise, `short_by_e4kwh`, wherever in
    its step it began. So a loss that hides in one step shows in the whole charge. `seen_e4kwh` flowed by power,
    `silent_e4kwh` in silences by the power at both their ends, half of which may be a pause. Power is good to 5 %; for
    the steps of a finer register that proves nothing.
    """
    quantum, power = profile.quantum_e4kwh, seen_e4kwh + silent_e4kwh
    least = seen_e4kwh - seen_e4kwh // BEGIN_SHARE + silent_e4kwh // 2 - POWER_E4KWH
    if quantum < power // BEGIN_SHARE or least <= best_e4kwh + short_by_e4kwh:
        return 0
    return power - best_e4kwh


def energy_by_power(event_ms: Int64s, power_w: Int64s) -> int:
    """What flowed between the first and the last reading, 1e-4 kWh: power changes evenly from one to the next."""
    twice_w_ms = int(((power_w[1:] + power_w[:-1]) * (event_ms[1:] - event_ms[:-1])).sum())
    return twice_w_ms // (2 * W_MS_PER_E4KWH)


class FlowedBefore(NamedTuple):
    """What flowed before the first value of an absolute register, 1e-4 kWh.

    `told_e4kwh`: by power as it was told. `allowed_e4kwh`: the same with the highest power of that time in the seconds
    before the first reading, and where power was zero as the register was. `play_e4kwh`: by so much more it may be;
    `changed_e4kwh` of that because power changed between two readings.
    """

    told_e4kwh: int
    allowed_e4kwh: int
    play_e4kwh: int
    changed_e4kwh: int


def flowed_before(charged: ReadingArrays, began_ms: int, value_ms: int) -> FlowedBefore | None:
    """Between the begin of the charge and the first value of its register at `value_ms`; None: no power was told.

    `charged`: the charging readings in the order of time.
    """
    if not charged.power_w.any():
        return None
    until = int(np.searchsorted(charged.event_ms, value_ms, side="right"))
    event_ms, power_w = charged.event_ms[:until], charged.power_w[:until]
    if not until:
        return None
    step_ms = event_ms[1:] - event_ms[:-1]
    peak_w = int(power_w.max())
    is_mute = (power_w == 0) & (charged.counter_e4kwh[:until] == 0)
    most_w = np.where(is_mute, peak_w, power_w)
    unseen = peak_w * max(0, int(event_ms[0]) - began_ms) // W_MS_PER_E4KWH
    told = energy_by_power(event_ms, power_w)
    allowed = energy_by_power(event_ms, most_w) + unseen
    changed = int((np.abs(most_w[1:] - most_w[:-1]) * step_ms).sum()) // (2 * W_MS_PER_E4KWH)
    late = peak_w * BEGIN_PLAY_MS // W_MS_PER_E4KWH
    return FlowedBefore(told, allowed, allowed // BEGIN_SHARE + changed + late, changed)


def _running(values: Int64s | Bools) -> Int64s:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
