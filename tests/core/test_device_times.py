"""Readings that carry the charger's own time lie where it says, unless live ones show that its clock is off."""

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.meter.device_times import clocks_behind
from core.meter.reading_times import at_times_taken
from core.meter.readings import ReadingArrays, in_order

T0 = 1_700_006_400_000
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
PACE_S = 15


def statuses(arrival_ms: list[int], duration_s: list[int], start_ms: int = T0, **columns: list[int]) -> ReadingArrays:
    """Charging readings with the charger's time, in the order of arrival."""
    return ReadingArrays.of(
        arrival_ms,
        [100 * seconds for seconds in duration_s],
        charge_minutes=[seconds // 60 for seconds in duration_s],
        start_ms=[start_ms] * len(duration_s),
        duration_s=duration_s,
        **columns,
    )


def live(minutes: int, *, delay_ms: int = 300, clock_off_ms: int = 0, from_s: int = 0) -> ReadingArrays:
    """A reading every 15 s; `clock_off_ms`: the charger's clock ahead of the platform's."""
    seconds = list(range(from_s, minutes * 60 + 1, PACE_S))
    return statuses([T0 + s * SECOND + delay_ms for s in seconds], seconds, T0 + clock_off_ms)


def together(*parts: ReadingArrays) -> ReadingArrays:
    """Readings of several kinds in one session."""
    names = parts[0].__struct_fields__
    return ReadingArrays(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def test_a_live_reading_was_taken_when_the_charger_says() -> None:
    placed = at_times_taken(live(10))
    assert (placed.event_ms == T0 + placed.duration_s * SECOND).all()
    assert not placed.stored.any()


@pytest.mark.parametrize("off_ms", [-2 * HOUR, -10 * MINUTE, 7 * MINUTE, 3 * HOUR, -20 * 365 * DAY])
def test_a_clock_that_is_off_is_moved_by_the_least_lag(off_ms: int) -> None:
    placed = at_times_taken(live(10, clock_off_ms=off_ms))
    assert (placed.event_ms == placed.receive_ms).all()
    assert not placed.stored.any()


def test_a_clock_seconds_ahead_makes_no_reading_later_than_its_receipt() -> None:
    placed = at_times_taken(live(10, clock_off_ms=3 * SECOND))
    assert (placed.event_ms == placed.receive_ms).all()


def test_what_the_charger_kept_lies_at_its_own_time_between_live_readings() -> None:
    kept_s = list(range(10 * 60, 20 * 60, PACE_S))
    back_ms = T0 + 20 * MINUTE
    kept = statuses([back_ms + 40 * place for place in range(len(kept_s))], kept_s)
    placed = at_times_taken(together(live(10), kept, live(30, from_s=20 * 60 + PACE_S)))
    assert (placed.event_ms == T0 + placed.duration_s * SECOND).all()
    late = placed.receive_ms - placed.event_ms > 2 * MINUTE
    assert late.sum() == (placed.stored != 0).sum() > 20


def test_a_charge_that_came_as_one_late_burst_keeps_its_times() -> None:
    seconds = list(range(0, 1_800, PACE_S))
    placed = at_times_taken(statuses([T0 + 5 * HOUR + 30 * place for place in range(len(seconds))], seconds))
    assert (placed.event_ms == T0 + placed.duration_s * SECOND).all()
    assert placed.stored.all()


def test_a_burst_from_the_future_or_from_years_ago_ends_at_its_receipt() -> None:
    seconds = list(range(0, 1_800, PACE_S))
    for start_ms in (T0 + 9 * DAY, T0 - 400 * DAY):
        placed = at_times_taken(statuses([T0 + 30 * place for place in range(len(seconds))], seconds, start_ms))
        assert placed.event_ms.max() == placed.receive_ms.max()
        assert (np.diff(placed.event_ms) > 0).all()
        assert (placed.event_ms <= placed.receive_ms).all()


def test_a_kept_end_lies_at_its_own_time_after_the_last_live_reading() -> None:
    kept_s = list(range(10 * 60 + PACE_S, 20 * 60, PACE_S))
    kept = statuses([T0 + 2 * HOUR + 40 * place for place in range(len(kept_s))], kept_s)
    placed = at_times_taken(together(live(10), kept))
    assert (placed.event_ms == T0 + placed.duration_s * SECOND).all()


@pytest.mark.parametrize("stands_still_at_s", [0, 300])
def test_a_duration_that_stands_still_makes_nothing_old(stands_still_at_s: int) -> None:
    """The vehicle pauses, or the firmware does not count."""
    seconds = list(range(0, 1_201, PACE_S))
    told = [min(s, stands_still_at_s) for s in seconds]
    placed = at_times_taken(statuses([T0 + s * SECOND + 300 for s in seconds], told))
    assert not placed.stored.any()
    assert (np.abs(placed.receive_ms - placed.event_ms) <= 5_300).all()


def test_one_wrong_duration_makes_nothing_before_it_old() -> None:
    readings = live(10)
    wrong = readings.duration_s.copy()
    wrong[20] = 30_000
    placed = at_times_taken(msgspec.structs.replace(readings, duration_s=wrong))
    others = np.arange(len(wrong)) != 20
    assert (placed.event_ms[others] == T0 + readings.duration_s[others] * SECOND).all()
    assert placed.event_ms[20] == placed.receive_ms[20]


def test_a_clock_that_is_set_in_the_middle_gives_two_begins_and_one_line() -> None:
    before, after = live(10, clock_off_ms=-HOUR), live(20, from_s=10 * 60 + PACE_S)
    placed = at_times_taken(together(before, after))
    assert (np.diff(placed.event_ms) >= 14 * SECOND).all()
    assert (placed.receive_ms - placed.event_ms <= 300).all()


def test_a_kept_reading_with_a_time_of_its_own_is_not_moved_to_the_end_of_a_minute() -> None:
    seconds = list(range(0, 120, PACE_S))
    placed = at_times_taken(statuses([T0 + 5 * HOUR + place for place in range(len(seconds))], seconds))
    assert (in_order(placed).readings.event_ms == T0 + np.array(seconds) * SECOND).all()


def test_readings_without_a_begin_follow_the_rule_of_minutes() -> None:
    plain = msgspec.structs.replace(live(10), start_ms=np.zeros(41, dtype=np.int64))
    placed = at_times_taken(plain)
    assert (placed.event_ms == placed.receive_ms).all()


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 4 * HOUR), st.integers(0, 14_400)), min_size=1, max_size=40),
    clock_off_ms=st.sampled_from([0, 0, -HOUR, HOUR, 4 * SECOND]),
    seed=st.integers(0, 2**32),
)
def test_times_depend_on_the_set_alone_and_never_lie_in_the_future(
    arrivals: list[tuple[int, int]], clock_off_ms: int, seed: int
) -> None:
    order = list(range(len(arrivals)))
    random.Random(seed).shuffle(order)

    def placed(places: list[int]) -> dict[tuple[int, int], tuple[int, int]]:
        rows = [arrivals[place] for place in places]
        readings = at_times_taken(
            statuses([T0 + at for at, _ in rows], [seconds for _, seconds in rows], T0 + clock_off_ms)
        )
        return dict(zip(rows, zip(readings.event_ms.tolist(), readings.stored.tolist(), strict=True), strict=True))

    found = placed(order)
    assert found == placed(list(range(len(arrivals))))
    assert all(event_ms <= T0 + at for (at, _seconds), (event_ms, _stored) in found.items())


def test_a_begin_that_is_told_anew_with_every_reading_is_no_time() -> None:
    seconds = list(range(0, 60_000, 3))
    arrival_ms = np.array([T0 + s * SECOND for s in seconds])
    ticking = msgspec.structs.replace(
        statuses(arrival_ms.tolist(), [0] * len(seconds)), start_ms=arrival_ms - 40 * MINUTE
    )
    placed = at_times_taken(ticking)
    assert (placed.event_ms == placed.receive_ms).all()
    assert not placed.stored.any()


@pytest.mark.parametrize("off_ms", [-20 * 365 * DAY, -3 * HOUR, -170 * SECOND, 0, 10 * MINUTE])
def test_live_readings_tell_how_far_the_clock_is_behind(off_ms: int) -> None:
    readings = live(10, clock_off_ms=off_ms)
    assert behind(readings) == [300 - off_ms]
    late = statuses([T0 + 5 * HOUR + 30 * n for n in range(50)], [15 * n for n in range(50)])
    assert behind(late) == [], "a backlog tells nothing"


def test_a_clock_that_was_set_tells_of_both() -> None:
    readings = together(live(5, clock_off_ms=-HOUR), live(10, from_s=5 * 60 + PACE_S))
    assert behind(readings) == [HOUR + 300], "what the later begin tells may be a pause"
    early = together(live(3, clock_off_ms=-HOUR), live(10, from_s=3 * 60 + PACE_S))
    assert sorted(behind(early)) == [300, HOUR + 300]


def test_a_pause_is_no_wrong_clock() -> None:
    seconds = list(range(0, 300, PACE_S)) + [300] * 60
    paused = statuses([T0 + PACE_S * n * SECOND for n in range(len(seconds))], seconds)
    assert behind(paused) == [0]
    later = statuses([T0 + HOUR + PACE_S * n * SECOND for n in range(20)], [1_200 + PACE_S * n for n in range(20)])
    assert behind(later) == [], "it may have paused before it was heard"


def behind(readings: ReadingArrays) -> list[int]:
    return clocks_behind(readings.receive_ms, readings.start_ms, readings.duration_s)
