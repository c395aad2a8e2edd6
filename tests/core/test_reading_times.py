"""When each reading of a session was taken: from the whole session, whatever a gateway thought of it."""

import random
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.connector import ConnectorCycle
from core.meter.profile import MeterProfile
from core.meter.reading_times import ToldSpan, at_times_taken, told_span
from core.meter.readings import ReadingArrays
from core.session import PileBill, SessionInput, SessionResult, evaluate_session
from core.tariff import TariffTimeline

T0 = 1_700_000_400_000
TRADE = "32010600000001010000000000000001"
PROFILE = MeterProfile("session", 1, 66_000)
HOUR_S = 3_600


class Sent(NamedTuple):
    """One frame: when it was taken and received, in seconds since the charge began, and what it counts."""

    taken_s: float
    receive_s: float
    minutes: int


def live(from_s: int, to_s: int, *, behind_s: int = 0) -> list[Sent]:
    """A reading every 15 s; the count is `behind_s` behind because the vehicle paused."""
    return [Sent(s, s, (s - behind_s) // 60) for s in range(from_s, to_s, 15)]


def paused(from_s: int, to_s: int, *, behind_s: int = 0) -> list[Sent]:
    return [Sent(s, s, (from_s - behind_s) // 60) for s in range(from_s, to_s, 15)]


def kept(from_s: int, to_s: int, *, sent_s: float, behind_s: int = 0) -> list[Sent]:
    return [Sent(s, sent_s + 0.1 * place, (s - behind_s) // 60) for place, s in enumerate(range(from_s, to_s, 15))]


def arrays(frames: list[Sent], restarts: frozenset[int] = frozenset()) -> ReadingArrays:
    """The rows that a gateway stores which is started anew before the frames in `restarts`."""
    cycle = ConnectorCycle(PROFILE)
    rows = []
    for place, frame in enumerate(frames):
        if place in restarts:
            cycle = ConnectorCycle(PROFILE)
        receive_ms = T0 + round(1000 * frame.receive_s)
        event_ms, stored = cycle.time_of(receive_ms, 3, TRADE, frame.minutes)
        counter = int(frame.taken_s) * 600_000 // 3_600
        cycle.take(event_ms, 3, 1, TRADE, counter, 60_000, frame.minutes)
        rows.append((event_ms, counter, receive_ms, frame.minutes, (65_500 + place) % 65_536, int(stored)))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 6
    return ReadingArrays.of(
        columns[0],
        columns[1],
        receive_ms=columns[2],
        power_w=[60_000] * len(rows),
        charge_minutes=columns[3],
        seq=columns[4],
        stored=columns[5],
    )


def evaluate(readings: ReadingArrays, bill: PileBill | None = None, after_ms: int = 0) -> SessionResult:
    return evaluate_session(SessionInput(TRADE, PROFILE, "Asia/Shanghai", readings, TariffTimeline(()), bill, after_ms))


def errors_s(frames: list[Sent], told: ToldSpan | None = None) -> list[float]:
    """By how much each time found differs from the true one, kept readings at the likely end of their minute."""
    found = at_times_taken(arrays(frames), told).at_likely_times()
    return [(int(ms) - T0) / 1000 - frame.taken_s for ms, frame in zip(found.event_ms, frames, strict=True)]


def assert_in_place(frames: list[Sent], told: ToldSpan | None = None) -> None:
    """Kept readings within a minute; those that are less than two minutes behind are as good as live."""
    for error_s, was_kept, frame in zip(errors_s(frames, told), stored(frames, told), frames, strict=True):
        assert abs(error_s) <= (60 if was_kept else 120), (frame, was_kept, error_s)


def stored(frames: list[Sent], told: ToldSpan | None = None) -> list[int]:
    return [int(one) for one in at_times_taken(arrays(frames), told).stored]


OUTAGE = live(15, 600) + kept(600, 2_400, sent_s=2_400) + live(2_415, 3_000)


def test_a_backlog_lies_where_it_was_taken() -> None:
    assert_in_place(OUTAGE)
    flags = stored(OUTAGE)
    assert not any(flags[:39])
    assert not any(flags[-39:])
    assert sum(flags) >= 110, "the last two minutes of the backlog are as good as live"


def test_what_the_gateway_wrote_is_not_used() -> None:
    rows = arrays(OUTAGE)
    wrong = msgspec.structs.replace(rows, event_ms=rows.event_ms[::-1], stored=1 - rows.stored)
    assert evaluate(wrong) == evaluate(rows)


def test_a_gateway_started_within_the_backlog_moves_no_energy() -> None:
    for restart in (1, 39, 40, 80, len(OUTAGE) - 1):
        assert evaluate(arrays(OUTAGE, frozenset({restart}))) == evaluate(arrays(OUTAGE)), restart


def test_a_backlog_that_begins_the_session_is_recognised() -> None:
    frames = kept(15, 1_800, sent_s=1_800) + live(1_815, 2_400)
    assert_in_place(frames)
    assert sum(stored(frames)) >= 110


def test_a_burst_alone_spans_the_minutes_that_it_counts() -> None:
    """Nothing tells when it was sent, so its last reading is as good as live."""
    frames = kept(15, 1_800, sent_s=1_800)
    assert max(map(abs, errors_s(frames))) < 72 + 120, "the last one is 72 s behind its count, and counts as live"
    assert sum(stored(frames)) >= 105


def test_the_end_of_a_charge_that_was_over_before_the_charger_came_back() -> None:
    frames = live(15, 600) + kept(600, 2_400, sent_s=3 * HOUR_S)
    assert_in_place(frames)
    assert stored(frames) == [0] * 39 + [1] * 120


def test_a_whole_charge_as_one_backlog_lies_where_its_record_says() -> None:
    frames = kept(15, 1_800, sent_s=3 * HOUR_S)
    told = ToldSpan(T0 - 20_000, T0 + 1_820_000)
    assert_in_place(frames, told)
    assert all(stored(frames, told))
    bill = PileBill(T0 + (3 * HOUR_S + 60) * 1000, *told, 0)
    result = evaluate(arrays(frames), bill)
    assert abs(result.start_ms - T0) <= 90_000
    assert abs(result.end_ms - (T0 + 1_800_000)) <= 60_000


@pytest.mark.parametrize(
    "told",
    [
        ToldSpan(T0 + 3 * HOUR_S * 1000 - 1_800_000, T0 + 3 * HOUR_S * 1000),  # the charge went on when they came
        ToldSpan(T0, T0 + 600_000),  # too short for the count
    ],
)
def test_a_record_that_does_not_fit_places_nothing(told: ToldSpan) -> None:
    frames = kept(15, 1_800, sent_s=3 * HOUR_S)
    assert np.array_equal(at_times_taken(arrays(frames), told).event_ms, at_times_taken(arrays(frames)).event_ms)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "receive_ms"),
    [(0, 0, T0), (T0, T0 - 1, T0), (T0, T0 + 37 * 3_600_000, T0 + 38 * 3_600_000), (T0, T0 + 60_001, T0), (1, 2, T0)],
)
def test_times_that_no_record_can_have_are_not_told(start_ms: int, end_ms: int, receive_ms: int) -> None:
    assert told_span(start_ms, end_ms, receive_ms) is None


def test_a_pause_of_the_vehicle_keeps_readings_live() -> None:
    frames = live(15, 600) + paused(600, 1_800) + live(1_800, 2_400, behind_s=1_200)
    assert not any(stored(frames))
    assert set(errors_s(frames)) == {0}
    still_paused = frames[:100]
    assert not any(stored(still_paused))


def test_a_pause_before_an_outage_does_not_make_the_backlog_too_old() -> None:
    frames = live(15, 600) + paused(600, 1_800) + live(1_800, 2_400, behind_s=1_200)
    frames += kept(2_400, 3_600, sent_s=3_600, behind_s=1_200) + live(3_615, 4_200, behind_s=1_200)
    assert_in_place(frames)
    assert_in_place(frames[:-39])


def test_one_wrong_count_makes_nothing_old() -> None:
    frames = list(OUTAGE)
    frames[-5] = frames[-5]._replace(minutes=2_000)
    assert np.array_equal(stored(frames), stored(OUTAGE))
    frames[-5] = frames[-5]._replace(minutes=65_535)
    assert np.array_equal(stored(frames), stored(OUTAGE))


def test_every_frame_sent_twice_changes_no_time() -> None:
    frames = live(15, 600) + paused(600, 1_800)
    rows = arrays(frames)
    again = msgspec.structs.replace(rows, receive_ms=rows.receive_ms + 1_000)
    both = ReadingArrays(
        **{name: np.concatenate((getattr(rows, name), getattr(again, name))) for name in rows.__struct_fields__}
    )
    bill_like = ToldSpan(T0, T0 + 1_800_000)
    assert not at_times_taken(both, bill_like).stored.any()


@st.composite
def histories(draw: st.DrawFn) -> list[Sent]:
    """Stretches of live, paused and kept readings; kept ones come with the next live ones, or hours after the end."""
    frames: list[Sent] = []
    at_s, behind_s = draw(st.integers(0, 60)), 0
    for kind in draw(st.lists(st.sampled_from(["live", "paused", "kept"]), min_size=1, max_size=5)):
        until_s = at_s + 15 * draw(st.integers(1, 60))
        if kind == "live":
            frames += live(at_s, until_s, behind_s=behind_s)
        elif kind == "paused":
            frames += paused(at_s, until_s, behind_s=behind_s)
            behind_s += until_s - at_s
        else:
            sent_s = until_s + draw(st.sampled_from([0.0, 3.0, 40.0]))
            frames += kept(at_s, until_s, sent_s=sent_s, behind_s=behind_s)
            until_s += 45
        at_s = until_s
    return frames


@settings(max_examples=60, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_restarts_order_and_repetition_change_no_result(frames: list[Sent], rng: random.Random) -> None:
    """DESIGN invariant 1, from the frames on."""
    once = evaluate(arrays(frames))
    restarts = frozenset(rng.sample(range(len(frames)), rng.randint(0, len(frames))))
    rows = arrays(frames, restarts)
    assert evaluate(rows) == once
    places = rng.sample(range(len(frames)), len(frames))
    assert evaluate(rows.take(np.array(places, dtype=np.intp))) == once
    twice = evaluate(rows.take(np.array(places + places[: len(places) // 2], dtype=np.intp)))
    assert msgspec.structs.replace(twice, readings=0, flags=()) == msgspec.structs.replace(once, readings=0, flags=())


@settings(max_examples=100, deadline=None)
@given(histories())
def test_a_time_found_is_never_after_the_receipt_nor_before_the_charge(frames: list[Sent]) -> None:
    found = at_times_taken(arrays(frames))
    assert (found.event_ms <= found.receive_ms).all()
    assert (found.event_ms >= T0 - 60_000).all()
    assert ((found.stored == 1) == (found.event_ms < found.receive_ms - 60_000)).all()
