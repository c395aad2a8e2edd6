"""When a reading was taken that carries the charger's own time: AAF5 104, start_time + duration (DESIGN invariant 6).

The charger's clock may be off and its duration may stand still while the vehicle pauses, so what it says is compared
with when the readings arrived: live ones arrive at their pace, and tell how far its time is behind the platform's.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core.meter.readings import Bools, Int64s

CLOCKS_AGREE_MS = 5_000
"""Clocks differ by up to 3 s where both are right (metering.md), and a frame needs its time on the way."""
STORED_LAG_MS = 120_000
"""Further behind than this, a reading was kept by the charger."""
PACED_FROM_MS, PACED_TO_MS = 2_000, 60_000
"""Live readings come every 3 s or slower (aaf5.md section 5); kept ones are sent back to back."""
LONGEST_KEPT_MS = 31 * 24 * 3_600_000
MOST_STARTS = 8
HEARD_FROM_BEGIN_MS = 300_000


def device_times(receive_ms: Int64s, start_ms: Int64s, duration_s: Int64s) -> tuple[Int64s, Bools]:
    """(event_ms, stored) of the charging readings of one session, in any order; equal sets give equal times.

    What the charger says holds where its live readings show that both clocks agree, and where nothing shows that they
    do not: a charge that came as one late burst keeps its times. Else it is moved by what the live readings show. No
    reading is later than its receipt. A charge that began at more than a few different times has no time of its own.
    """
    event_ms = receive_ms.copy()
    stored = np.zeros(len(receive_ms), dtype=np.bool_)
    for places, told_ms in _by_start(receive_ms, start_ms, duration_s):
        event_ms[places], stored[places] = _in_order_of_arrival(receive_ms[places], told_ms)
    return event_ms, stored


def clocks_behind(receive_ms: Int64s, start_ms: Int64s, duration_s: Int64s) -> list[int]:
    """How far behind the platform's the charger's clock was (ms), one for each begin that its readings told of.

    Only live readings tell, the least of them, and only where they were heard from the begin on: later a pause of the
    vehicle looks the same. A clock that is ahead shows at any time: no pause looks like that.
    """
    found = []
    for places, told_ms in _by_start(receive_ms, start_ms, duration_s):
        lag_ms = without_wrong_words(receive_ms[places] - told_ms, STORED_LAG_MS)
        live = _live(receive_ms[places], lag_ms)
        if live.any():
            behind_ms = int(lag_ms[live].min())
            heard_from_begin = int((told_ms[live] - start_ms[places[0]]).min()) <= HEARD_FROM_BEGIN_MS
            if heard_from_begin or behind_ms < 0:
                found.append(behind_ms)
    return found


def _by_start(
    receive_ms: Int64s, start_ms: Int64s, duration_s: Int64s
) -> Iterator[tuple[npt.NDArray[np.intp], Int64s]]:
    """The readings of each begin in the order of arrival, and what they tell of the time; none of too many begins.

    A clock that was set in the middle of a charge gives it another begin, once or twice. One that is told anew with
    every reading says nothing.
    """
    order = np.lexsort([duration_s, receive_ms, start_ms])
    borders = np.flatnonzero(np.diff(start_ms[order])) + 1
    if not len(order) or len(borders) >= MOST_STARTS:
        return
    for places in np.split(order, borders):
        yield places, start_ms[places] + duration_s[places] * 1_000


def _in_order_of_arrival(receive_ms: Int64s, told_ms: Int64s) -> tuple[Int64s, Bools]:
    lag_ms = without_wrong_words(receive_ms - told_ms, STORED_LAG_MS)
    live = _live(receive_ms, lag_ms)
    behind_ms = _behind(lag_ms, live)
    moved_ms = np.where(np.abs(behind_ms) <= CLOCKS_AGREE_MS, 0, behind_ms)
    event_ms = np.minimum(told_ms + moved_ms, receive_ms)
    return event_ms, ~live & (receive_ms - event_ms > STORED_LAG_MS)


def without_wrong_words(latest_ms: Int64s, play_ms: int) -> Int64s:
    """A single word that neither of its neighbours bears out must not make all before it old."""
    checked = latest_ms.copy()
    neighbours = np.minimum(latest_ms[:-2], latest_ms[2:])
    inner = checked[1:-1]
    wrong = inner < neighbours - play_ms
    inner[wrong] = neighbours[wrong]
    return checked


def _live(receive_ms: Int64s, lag_ms: Int64s) -> Bools:
    """Which readings arrived at their pace, next to one that did: the charger's time went on no faster than ours."""
    gap_ms = np.diff(receive_ms)
    paced = (gap_ms >= PACED_FROM_MS) & (gap_ms <= PACED_TO_MS) & (np.diff(lag_ms) >= -CLOCKS_AGREE_MS)
    live = np.zeros(len(receive_ms), dtype=np.bool_)
    live[1:] |= paced
    live[:-1] |= paced
    return live


def _behind(lag_ms: Int64s, live: Bools) -> Int64s:
    """How far the charger's time is behind the platform's at each reading.

    The least that is seen from there on: its time never runs ahead of itself, so that what a pause or a wrong clock
    adds stays. After the last live reading, that one tells. Without any, the charger's time stands, unless it lies in
    the future or further back than anything is kept.
    """
    if not live.any():
        least_ms = int(lag_ms.min())
        trusted = -CLOCKS_AGREE_MS <= least_ms <= LONGEST_KEPT_MS
        return np.full(len(lag_ms), 0 if trusted else least_ms, dtype=np.int64)
    least_ms_after: npt.NDArray[np.int64] = np.minimum.accumulate(lag_ms[::-1])[::-1]
    last = int(np.flatnonzero(live)[-1])
    least_ms_after[last + 1 :] = np.minimum(least_ms_after[last + 1 :], lag_ms[last])
    return least_ms_after
