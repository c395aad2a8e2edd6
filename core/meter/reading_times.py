"""When each reading of a session was taken, and which of them the charger had kept while it was away.

An AAF5 104 carries a time (`core.meter.device_times`), a YKC 0x13 only a count of whole minutes (DESIGN invariant 6).
What a gateway makes of that while the frames arrive depends on what it has seen since it was started, so the bill never
uses it: here the whole session is in view, and equal sets of readings give equal times.
"""

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from core.meter.device_times import STORED_LAG_MS, device_times, without_wrong_words
from core.meter.readings import REPEAT_MS, Bools, Int64s, ReadingArrays

MINUTE_MS = 60_000
PACED_FROM_MS, PACED_TO_MS = 5_000, 60_000
"""Live readings keep a pace of 15 s; kept ones are sent back to back."""
LONGEST_CHARGE_MINUTES = 2160  # 36 h (anomaly-codes.md, code 5)
LONGEST_KEPT_MS = 31 * 24 * 3_600_000
CLOCK_PLAY_MS = 60_000
FAR_MS = np.iinfo(np.int64).max
A_MINUTE = 5  # steady readings, 15 s apart


class ToldSpan(NamedTuple):
    """Begin and end of a charge by the charger's own record."""

    start_ms: int
    end_ms: int


def told_span(start_ms: int, end_ms: int, receive_ms: int) -> ToldSpan | None:
    """The times of a record that arrived at `receive_ms`, None where they cannot be those of one charge before then."""
    is_charge = start_ms > 0 and 0 <= end_ms - start_ms <= LONGEST_CHARGE_MINUTES * MINUTE_MS
    is_past = -CLOCK_PLAY_MS <= receive_ms - end_ms <= LONGEST_KEPT_MS
    return ToldSpan(start_ms, end_ms) if is_charge and is_past else None


def at_times_taken(readings: ReadingArrays, told: ToldSpan | None = None) -> ReadingArrays:
    """The same readings with `event_ms` and `stored` by the rule of DESIGN invariant 6, whatever stood there.

    A reading was taken when it arrived, except for those that the charger had kept: they were taken at the moment when
    the minutes count was 0, plus their own count (the begin of their minute). Those that carry the charger's own time
    are placed by it.

    When the count was 0 follows from what came later: a count never runs ahead of time, so no reading can be older than
    a later one allows. A vehicle that pauses holds the count back for good and so makes nothing before it old. Only
    what came after the last steady reading has no such witness; there the pace before it counts, and where the whole
    charge came as one backlog, `told`.
    """
    event_ms = readings.receive_ms.copy()
    stored = np.zeros(len(readings), dtype=np.uint8)
    minutes = readings.charge_minutes
    if _all_came_at_their_pace(readings):
        return msgspec.structs.replace(readings, event_ms=event_ms, stored=stored)
    timed = readings.device_timed
    if timed.any():
        event_ms[timed], stored[timed] = device_times(
            readings.receive_ms[timed], readings.start_ms[timed], readings.duration_s[timed]
        )
    places = np.flatnonzero(readings.charging & ~timed & (minutes >= 0) & (minutes <= LONGEST_CHARGE_MINUTES))
    if len(places):
        places = places[_order_of_arrival(readings, places)]
        first = ~_repeats(readings, places)
        group = np.cumsum(first) - 1  # a frame that was sent twice is one word
        steady, zero_ms = _minute_zero(readings.receive_ms[places[first]], minutes[places[first]], told)
        taken_ms = zero_ms[group] + minutes[places] * MINUTE_MS
        arrived_ms = readings.receive_ms[places]
        kept = ~steady[group] & (arrived_ms - taken_ms > _kept_lag_ms(arrived_ms[first])[group])
        event_ms[places[kept]] = taken_ms[kept]
        stored[places[kept]] = 1
    return msgspec.structs.replace(readings, event_ms=event_ms, stored=stored)


def _all_came_at_their_pace(readings: ReadingArrays) -> bool:
    """Whether they arrived in this order, none of them back to back with another, and the last after no silence.

    Then each is steady (`_minute_zero`), none repeats another, and so none was kept: as it is with most charges.
    """
    charging = readings.charging
    arrived_ms = readings.receive_ms if charging.all() else readings.receive_ms[charging]
    if len(arrived_ms) < 2 or readings.start_ms.any():
        return False
    minutes = readings.charge_minutes
    if minutes.min() < 0 or minutes.max() > LONGEST_CHARGE_MINUTES:
        return False
    gaps_ms = arrived_ms[1:] - arrived_ms[:-1]
    return bool(gaps_ms.min() > max(REPEAT_MS, PACED_FROM_MS) and gaps_ms[-1] <= PACED_TO_MS)


def counted_begin_ms(readings: ReadingArrays, first_ms: int) -> int:
    """When a charge began whose first reading, at `first_ms`, has not lasted a whole minute: as later counts say.

    A count never runs ahead of time, so the charge had begun by the moment of a later reading less its minutes. Two
    readings must say so; a begin that is nearer than two readings of one pace can be told apart is that of the first.
    """
    counted = np.flatnonzero(readings.charging & ~readings.device_timed & (readings.charge_minutes > 0))
    _moments, places = np.unique(readings.event_ms[counted][::-1], return_index=True)
    counted = counted[::-1][places]  # of several at one moment the last, as the measurement keeps it
    latest_ms = np.sort(readings.event_ms[counted] - readings.charge_minutes[counted] * MINUTE_MS)
    if len(latest_ms) < 2 or latest_ms[1] > first_ms - PACED_FROM_MS:
        return first_ms
    return max(int(latest_ms[1]), first_ms - MINUTE_MS)


def _order_of_arrival(readings: ReadingArrays, places: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Frames that one packet brought have one time of receipt; their count says which was first."""
    columns = (readings.seq, readings.power_w, readings.counter_e4kwh, readings.charge_minutes, readings.receive_ms)
    return np.lexsort([column[places] for column in columns])


def _repeats(readings: ReadingArrays, places: npt.NDArray[np.intp]) -> Bools:
    """Which of them say the same as the one before, within a few seconds."""
    repeats = np.zeros(len(places), dtype=np.bool_)
    repeats[1:] = np.diff(readings.receive_ms[places]) <= REPEAT_MS
    for column in (readings.seq, readings.power_w, readings.counter_e4kwh, readings.charge_minutes):
        repeats[1:] &= np.diff(column[places]) == 0
    return repeats


def _kept_lag_ms(receive_ms: Int64s) -> Int64s:
    """How far behind its count a reading is kept: two minutes, and one where it came back to back with another.

    The count is of whole minutes, and so is the moment when it was 0: one minute behind may be live. But the charger
    does not read its meter twice in so short a time.
    """
    at_once = np.diff(receive_ms) < PACED_FROM_MS
    in_burst = np.concatenate((at_once, [False])) | np.concatenate(([False], at_once))
    return np.where(in_burst, MINUTE_MS, STORED_LAG_MS)


def _minute_zero(receive_ms: Int64s, minutes: Int64s, told: ToldSpan | None) -> tuple[Bools, Int64s]:
    """For readings in the order of arrival: which keep their pace, and when the count was 0 as seen from each."""
    gaps_ms = np.diff(receive_ms)
    before_ms = np.concatenate(([FAR_MS], gaps_ms))
    after_ms = np.concatenate((gaps_ms, [FAR_MS]))
    steady = (before_ms >= PACED_FROM_MS) & (after_ms >= PACED_FROM_MS)
    steady[-1] &= before_ms[-1] <= PACED_TO_MS  # one last word after a silence may have been kept
    latest_ms = without_wrong_words(receive_ms - minutes * MINUTE_MS, STORED_LAG_MS)
    zero_ms = np.minimum.accumulate(latest_ms[::-1])[::-1]
    paced = np.flatnonzero(steady)
    if len(paced):
        zero_ms = _with_the_pace_before(zero_ms, latest_ms, paced)
    elif told and _came_after(told, receive_ms, minutes):
        zero_ms = np.minimum(zero_ms, told.start_ms)
    return steady, zero_ms


def _with_the_pace_before(zero_ms: Int64s, latest_ms: Int64s, paced: npt.NDArray[np.intp]) -> Int64s:
    """The same moment, with what the steady readings of the minute before say of it.

    Where both fit to one count they narrow it; where the vehicle paused in between, what came later holds. After the
    last steady reading only these can tell a kept reading from a live one.
    """
    padded_ms = np.concatenate((np.full(A_MINUTE - 1, FAR_MS), latest_ms[paced]))
    of_last_minute = np.lib.stride_tricks.sliding_window_view(padded_ms, A_MINUTE).min(axis=1)
    paced_before = np.searchsorted(paced, np.arange(len(zero_ms)))
    before_ms = np.concatenate(([FAR_MS], of_last_minute))[paced_before]
    is_tail = paced_before == len(paced)
    fits = (before_ms < zero_ms) & (is_tail | (zero_ms - before_ms <= MINUTE_MS))
    return np.where(fits, before_ms, zero_ms)


def _came_after(told: ToldSpan, receive_ms: Int64s, minutes: Int64s) -> bool:
    """By its record the charge was over before the first reading came, and it was long enough for the last count."""
    was_over = int(receive_ms[0]) > told.end_ms + CLOCK_PLAY_MS
    return was_over and told.start_ms + int(minutes.max()) * MINUTE_MS <= told.end_ms + STORED_LAG_MS
