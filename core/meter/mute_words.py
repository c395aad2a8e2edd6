"""Words of a meter that answered nothing: the register reads 0 and so does power, and neither is true."""

import numpy as np
import numpy.typing as npt

from core.meter.flags import Flag
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import Bools, Int64s, OrderedReadings, ReadingArrays


def without_mute_words(ordered: OrderedReadings, profile: MeterProfile) -> OrderedReadings:
    """Leave them out as what did not arrive: the time between their neighbours was silent.

    RS-485 loses the whole answer (requirement C7), so such a word says no more of power than no word at all.
    """
    readings = ordered.readings
    if not readings.power_w.any() or readings.power_w.all() or readings.counter_e4kwh.all():
        return ordered
    places = np.flatnonzero(ordered.kept & readings.charging)
    charged = readings.take(places)
    mute = (charged.counter_e4kwh == 0) & (charged.power_w == 0)
    shown = np.flatnonzero(charged.counter_e4kwh > 0)
    if not mute.any() or not len(shown):
        return ordered
    before_first = mute & (np.arange(len(charged)) < shown[0]) & _is_out_of_reach(charged, int(shown[0]), profile)
    mute = before_first | (mute & _register_goes_on(charged, shown))
    flags, kept = ordered.flags.copy(), ordered.kept.copy()
    flags[places[mute]] |= np.uint32(Flag.ZERO_READ)
    flags[places[before_first]] |= np.uint32(Flag.ZERO_BASELINE)
    kept[places[mute]] = False
    return OrderedReadings(readings, kept, flags)


def mute_at_begin(ordered: OrderedReadings) -> bool:
    """Whether the meter answered nothing until its register was first read."""
    return bool((ordered.flags[~ordered.kept] & np.uint32(Flag.ZERO_BASELINE)).any())


def name_mute_words(steps: Int64s, ordered: OrderedReadings) -> None:
    """Say so on the steps of the measurement in which they lie (rows of `Intervals.of_rows`)."""
    raised = ordered.flags & np.uint32(Flag.ZERO_READ | Flag.ZERO_BASELINE)
    mute = np.flatnonzero(~ordered.kept & (raised != 0))
    if len(mute) and len(steps):
        rows = np.minimum(np.searchsorted(steps[:, 1], ordered.readings.event_ms[mute]), len(steps) - 1)
        np.bitwise_or.at(steps[:, 6], rows, raised[mute].astype(np.int64))


def _register_goes_on(charged: ReadingArrays, shown: npt.NDArray[np.intp]) -> Bools:
    """Which lie between two values of a register that did not fall.

    One that stands lower afterwards began anew, and may truly have shown 0 without power.
    """
    after = np.searchsorted(shown, np.arange(len(charged)))
    is_between = (after > 0) & (after < len(shown))
    after = np.clip(after, min(1, len(shown) - 1), len(shown) - 1)
    goes_on = charged.counter_e4kwh[shown[after]] >= charged.counter_e4kwh[shown[after - 1]]
    return np.asarray(is_between & goes_on)


def _is_out_of_reach(charged: ReadingArrays, first: int, profile: MeterProfile) -> bool:
    """Whether the first value that is no zero shows that the zeros before it were false.

    From the last of them the power told with that value cannot have brought the register there.
    """
    if first == 0:
        return False
    elapsed_ms = int(charged.event_ms[first] - charged.event_ms[first - 1])
    flowed = int(charged.power_w[first]) * elapsed_ms // W_MS_PER_E4KWH
    return int(charged.counter_e4kwh[first]) > flowed + 2 * profile.quantum_e4kwh
