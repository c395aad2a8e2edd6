"""Steps of a register that stay, and that the power beside it cannot have brought (metering.md, "cross-check")."""

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from core.meter.flags import Flag
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import SEQ_NUMBERS, Bools, Int64s, OrderedReadings, ReadingArrays
from core.meter.seen_power import energy_by_power, flowed_before

FEWEST_EACH_SIDE = 3
MOST_EACH_SIDE = 7
QUANTA_EACH_SIDE = 3
"""Readings of less energy than that may all stand at the same place between two steps of the register."""
LEAST_E4KWH = 1_000  # what code 8 looks at (anomaly-codes.md)
PRECISE = 200  # a figure is right within 0.5 %
ONE_E3 = 1_000
OTHER_POWER_SHARE = 7
"""Power that is further off than that throughout the charge is no line: POWER_CONTRADICTS looks at it."""
SLOPE_SHARE = 20
LOOKS_AT_SLOPE = 2
MORE_LOOKS, FINE_QUANTA = 3, 300
"""A step hides in the slope of the whole charge at first: each look brings half of the rest of it out. More of them
would let the steps of a register of fewer quanta than that pass for one that stays."""
PLAY_MS = 5_000
MOST_CANDIDATES = 2

FALSE_WORD = np.uint32(Flag.SPIKE | Flag.ZERO_READ)
OF_A_REST = int(Flag.FROZEN | Flag.STANDSTILL)
NEW_LINE = np.uint32(Flag.JUMP | Flag.ROLLBACK | Flag.RESET | Flag.ROLLOVER)


class LastingStep(NamedTuple):
    """Before the reading at `place` the register rose by `energy_e4kwh` more than power says (less: negative).

    That is good to `play_e4kwh`.
    """

    place: int
    energy_e4kwh: int
    play_e4kwh: int


class NotCertain(NamedTuple):
    """What a register rose and missed in steps that stay; `most_*`: at the most that it can have been."""

    risen_e4kwh: int = 0
    most_risen_e4kwh: int = 0
    missed_e4kwh: int = 0
    most_missed_e4kwh: int = 0


class _Line(NamedTuple):
    """Readings that fit together: their places, what the register showed, what had flowed, and the play of that.

    `fell`: a reading that was passed over right before this one stood below the one before.
    """

    places: npt.NDArray[np.intp]
    shown: Int64s
    flowed: Int64s
    play: Int64s
    power_w: Int64s
    fell: Bools


def lasting_steps(
    readings: ReadingArrays,
    flags: npt.NDArray[np.uint32],
    usable: Bools,
    profile: MeterProfile,
    best_e4kwh: int,
    steps: Int64s,
) -> list[LastingStep]:
    """The steps of the charge that neither power nor what is read afterwards explains, in the order of time.

    `usable`: readings of the charging connector that are no repetition. `steps`: those of the measurement (rows of
    `Intervals.of_rows`); what the register missed in a rest that the calculator saw is in their bounds already.

    A reading that only came late, a quantum that was just full, jitter, or a rest that is made up for does not stay:
    what counts is where the register stood for several readings before and after. A rise shortly before the end stays
    however few readings follow it. Power is known up to a constant factor, which the rest of the charge shows. Nothing
    is found where power was not told, across silences, and where the register began anew.
    """
    least = _least(profile, best_e4kwh)
    found: list[LastingStep] = []
    lines = _lines(readings, flags, usable, profile)
    for number, line in enumerate(lines):
        found += _steps_of(line, least, profile.quantum_e4kwh, is_last=number == len(lines) - 1)
    return [step for step in found if step.energy_e4kwh > 0 or not _row_of(step, steps, readings)[6] & OF_A_REST]


def losses_in_backlog(
    ordered: OrderedReadings,
    kept: ReadingArrays,
    flags: npt.NDArray[np.uint32],
    profile: MeterProfile,
    best_e4kwh: int,
    steps: Int64s,
) -> list[LastingStep]:
    """The one fall among readings that the charger had kept, where the last reading of its minute does not show it.

    They have no time but their minute, yet numbers in the order in which they were taken; one that was lost makes the
    next rise more, never less, so they are taken to be as far apart as the live ones. Where there is more than one
    fall they were sent in no order, and nothing is found. `kept` are the readings without those that a later one of
    their minute replaced, `steps` those of the measurement: what the calculator saw of the fall is in their bounds
    already, and only the rest of it counts here.
    """
    readings = ordered.readings
    if ordered.all_kept:
        return []
    places = np.flatnonzero(readings.charging & ((flags & np.uint32(Flag.DUP)) == 0) & (readings.counter_e4kwh > 0))
    untimed = _untimed(readings.take(places))
    by_pace = untimed[1:] | untimed[:-1]
    falls = np.flatnonzero((_steps(readings.counter_e4kwh[places]) < 0) & by_pace)
    live_ms = _steps(readings.event_ms[places[~untimed]])
    if len(falls) != 1 or not len(live_ms):
        return []
    before, after = int(places[falls[0]]), int(places[falls[0] + 1])
    if not 0 < (readings.seq[after] - readings.seq[before]) % SEQ_NUMBERS < SEQ_NUMBERS // 2:
        return []
    step_ms = np.where(by_pace, int(np.median(live_ms)), _steps(readings.event_ms[places]))
    borders = np.flatnonzero((step_ms > profile.gap_ms) | ((flags[places[1:]] & NEW_LINE) != 0)) + 1
    part = next(part for part in np.split(places, borders) if part[-1] >= after)
    taken_ms = readings.event_ms.copy()
    taken_ms[places] = _from_zero(np.cumsum(step_ms))
    line = _line(part, msgspec.structs.replace(readings, event_ms=taken_ms), flags, profile.quantum_e4kwh)
    if len(line.places) < 2 * FEWEST_EACH_SIDE:
        return []
    found = _steps_of(line, _least(profile, best_e4kwh), profile.quantum_e4kwh)
    place = int(np.count_nonzero(ordered.kept[:after]))
    losses = [step._replace(place=place) for step in found if step.place == after and step.energy_e4kwh < 0]
    unseen = [loss._replace(energy_e4kwh=loss.energy_e4kwh + _covered(loss, steps, kept, profile)) for loss in losses]
    return [loss for loss in unseen if loss.energy_e4kwh < 0]


def _covered(loss: LastingStep, steps: Int64s, readings: ReadingArrays, profile: MeterProfile) -> int:
    """By how much its step may be more than what was accepted, but for the quantum that every step has."""
    row = _row_of(loss, steps, readings)
    return max(0, int(row[4] - row[2]) - profile.quantum_e4kwh)


def _untimed(readings: ReadingArrays) -> Bools:
    """Which of them were kept, or came in one moment with another: when they were taken nobody knows."""
    at_once = _steps(readings.event_ms) == 0
    shared = np.concatenate((at_once, [False])) | np.concatenate(([False], at_once))
    return np.asarray(((readings.stored != 0) | shared) & ~readings.device_timed)


def _least(profile: MeterProfile, best_e4kwh: int) -> int:
    return max(profile.quantum_e4kwh, best_e4kwh // PRECISE, LEAST_E4KWH)


def _row_of(step: LastingStep, steps: Int64s, readings: ReadingArrays) -> Int64s:
    row = int(np.searchsorted(steps[:, 1], readings.event_ms[step.place]))
    return np.asarray(steps[min(row, len(steps) - 1)])


def _lines(readings: ReadingArrays, flags: npt.NDArray[np.uint32], usable: Bools, profile: MeterProfile) -> list[_Line]:
    own_time = (readings.stored == 0) | readings.device_timed
    places = np.flatnonzero(usable & own_time)
    if len(places) <= FEWEST_EACH_SIDE or not readings.power_w.any():
        return []
    places = places[_at_their_pace(readings.event_ms[places]) | readings.device_timed[places]]
    step_ms = _steps(readings.event_ms[places])
    borders = np.flatnonzero((step_ms > profile.gap_ms) | ((flags[places[1:]] & NEW_LINE) != 0)) + 1
    divided = np.split(places, borders) if len(borders) else [places]
    parts = (part for part in divided if len(part) > FEWEST_EACH_SIDE)
    lines = (_line(part, readings, flags, profile.quantum_e4kwh) for part in parts)
    return [line for line in lines if len(line.places) > FEWEST_EACH_SIDE]


def _at_their_pace(event_ms: Int64s) -> Bools:
    """Without times of their own, readings that came in a burst, or right before the next one, were taken earlier.

    The last one may be: what it shows more than the others was shown later still.
    """
    step_ms = _steps(event_ms)
    hurried = 2 * step_ms < np.median(step_ms)
    paced = np.ones(len(event_ms), dtype=np.bool_)
    paced[1:] &= ~hurried
    paced[:-1] &= ~hurried
    paced[-1] = True
    return paced


def _line(places: npt.NDArray[np.intp], readings: ReadingArrays, flags: npt.NDArray[np.uint32], quantum: int) -> _Line:
    power_w = readings.power_w[places]
    step_ms = _steps(readings.event_ms[places])
    flowed = _from_zero(np.cumsum((power_w[1:] + power_w[:-1]) * step_ms) // (2 * W_MS_PER_E4KWH))
    play = _from_zero(np.cumsum(np.abs(_steps(power_w)) * step_ms) // (2 * W_MS_PER_E4KWH))
    # Of false words, and of zeros that may be false, the power still stands.
    right = np.flatnonzero(((flags[places] & FALSE_WORD) == 0) & (readings.counter_e4kwh[places] > 0))
    if len(right):
        right = right[~_at_rest(readings.counter_e4kwh[places[right]], flowed[right], quantum)]
    shown = readings.counter_e4kwh[places]
    fell = np.zeros(len(right), dtype=np.bool_)
    for after in (np.flatnonzero(_steps(right) > 1) + 1).tolist():
        between = shown[right[after - 1] + 1 : right[after]]
        fell[after] = bool(((between > 0) & (between < shown[right[after - 1]])).any())
    return _Line(places[right], shown[right], flowed[right], play[right], power_w[right], fell)


def _at_rest(shown: Int64s, flowed: Int64s, quantum: int) -> Bools:
    """Readings of a register that stands still longer than two quanta take, but for the first of each such rest."""
    began = np.concatenate((np.ones(1, dtype=np.bool_), shown[1:] != shown[:-1]))
    first = np.flatnonzero(began)
    last = np.append(first[1:] - 1, len(shown) - 1)
    rests = flowed[last] - flowed[first] > 2 * quantum
    return np.asarray(~began & rests[np.cumsum(began) - 1])


def _steps(values: Int64s) -> Int64s:
    return values[1:] - values[:-1]  # np.diff takes five times as long for arrays of this size


def _from_zero(running: Int64s) -> Int64s:
    return np.concatenate((np.zeros(1, dtype=np.int64), running))


def _steps_of(line: _Line, least: int, quantum: int, *, is_last: bool = False) -> list[LastingStep]:
    off = _steps(line.shown - line.flowed)
    if 2 * np.abs(off).max() <= least:
        return []
    found: list[LastingStep] = []
    for sign in (1, -1):
        signed = sign * off
        for after in np.argsort(signed, kind="stable")[: -MOST_CANDIDATES - 1 : -1].tolist():
            if 2 * signed[after] <= least:
                break
            step = _step_at(line, after + 1, least, quantum, is_last=is_last)
            if step is not None and step.energy_e4kwh * sign > 0:
                found.append(step)
    return sorted(found)


def _step_at(line: _Line, after: int, least: int, quantum: int, *, is_last: bool) -> LastingStep | None:
    """How far the register left its line between two readings, None where that may be explained.

    `is_last`: nothing is read after this line, so that a rise at its end stays.
    """
    size, flowed = len(line.places), line.flowed
    first = _far_enough(flowed, after - 1, -QUANTA_EACH_SIDE * quantum)
    last = _far_enough(flowed, after, QUANTA_EACH_SIDE * quantum)
    first = max(0, min(first, after - MOST_EACH_SIDE))
    last = min(size, max(last + 1, after + MOST_EACH_SIDE))
    is_end = size - after < FEWEST_EACH_SIDE
    if after - first < FEWEST_EACH_SIDE or (is_end and not is_last):
        return None
    before, behind = slice(first, after), slice(after, last)
    energy = 0
    if is_end:
        risen = int(line.shown[after - 1] - line.shown[0])
        gain_e3 = _gain_e3(risen, int(flowed[after - 1])) if risen > SLOPE_SHARE * quantum else ONE_E3
        energy = max(0, _left_by(line, before, behind, gain_e3))
    else:
        for _ in range(MORE_LOOKS if flowed[-1] > FINE_QUANTA * quantum else LOOKS_AT_SLOPE):
            gain_e3 = _gain_e3(int(line.shown[-1] - line.shown[0]) - energy, int(flowed[-1]))
            energy = _left_by(line, before, behind, gain_e3)
    risen = int(line.shown[-1] - line.shown[0]) - energy
    if abs(risen - int(flowed[-1])) > int(flowed[-1]) // OTHER_POWER_SHARE + quantum:
        return None
    middle, next_middle = (first + after - 1) // 2, (after + last - 1) // 2
    play = int(line.play[next_middle] - line.play[middle])
    play += int(flowed[next_middle] - flowed[middle]) // SLOPE_SHARE
    play += int(line.power_w[first:last].max()) * PLAY_MS // W_MS_PER_E4KWH
    # That it stood below is a second witness of a fall: each of both need only exclude that nothing happened.
    enough = max(least, play) if line.fell[after] else least + play
    return LastingStep(int(line.places[after]), energy, play) if abs(energy) > enough else None


def _left_by(line: _Line, before: slice, behind: slice, gain_e3: int) -> int:
    """How far what was shown left the line of power that is so much steeper than told, from the one to the other."""
    rest = line.shown - line.flowed * gain_e3 // ONE_E3
    return _standing(rest[behind]) - _standing(rest[before])


def _standing(rest: Int64s) -> int:
    """Where most readings of a register stood that jitters downwards only."""
    return int(np.sort(rest)[len(rest) * 3 // 4])


def _gain_e3(risen: int, flowed: int) -> int:
    return risen * ONE_E3 // flowed if flowed > 0 else ONE_E3


def _far_enough(flowed: Int64s, place: int, energy: int) -> int:
    return min(int(np.searchsorted(flowed, flowed[place] + energy)), len(flowed) - 1)


def widen(steps: Int64s, found: list[LastingStep], readings: ReadingArrays) -> NotCertain:
    """Widen the steps of a measurement by those that stay, and give their sums."""
    sums = NotCertain()
    for step in found:
        row = _row_of(step, steps, readings)
        row[6] |= int(Flag.AMBIGUOUS)
        most = abs(step.energy_e4kwh) + step.play_e4kwh
        if step.energy_e4kwh > 0:
            row[3] -= most
            sums = sums._replace(
                risen_e4kwh=sums.risen_e4kwh + step.energy_e4kwh, most_risen_e4kwh=sums.most_risen_e4kwh + most
            )
        else:
            row[4] += most
            sums = sums._replace(
                missed_e4kwh=sums.missed_e4kwh - step.energy_e4kwh, most_missed_e4kwh=sums.most_missed_e4kwh + most
            )
    return sums


class Jumps(NamedTuple):
    """What the register rose in jumps that are not counted, and what flowed meanwhile: by power, else at Pmax."""

    risen_e4kwh: int = 0
    flowed_e4kwh: int = 0


def _first_word(readings: ReadingArrays, began_ms: int, place: int) -> Jumps:
    """A session counter that did not begin at 0 still counts the charge before (`measured_figure`)."""
    flowed = flowed_before(readings, began_ms, int(readings.event_ms[place]))
    return Jumps(int(readings.counter_e4kwh[place]), flowed.allowed_e4kwh) if flowed else Jumps()


def jumps(readings: ReadingArrays, steps: Int64s, profile: MeterProfile) -> Jumps:
    """The jumps among the steps of a measurement; `readings` are the charging ones in the order of time."""
    found = Jumps()
    for from_ms, to_ms in steps[(steps[:, 6] & int(Flag.JUMP)) != 0][:, :2].tolist():
        first, last = (int(place) for place in np.searchsorted(readings.event_ms, (from_ms, to_ms)))
        if last >= len(readings):
            continue
        if profile.register_kind == "session" and (from_ms < readings.event_ms[0] or last == 0):
            found = _first_word(readings, from_ms, last)
            continue
        if readings.event_ms[first] != from_ms or readings.event_ms[last] != to_ms:
            continue
        risen = int(readings.counter_e4kwh[last] - readings.counter_e4kwh[first])
        between = slice(first, last + 1)
        flowed = profile.energy_at_pmax(to_ms - from_ms)
        if to_ms - from_ms <= profile.gap_ms and readings.power_w[between].any():
            flowed = energy_by_power(readings.event_ms[between], readings.power_w[between])
        found = Jumps(found.risen_e4kwh + risen, found.flowed_e4kwh + flowed)
    return found
