"""When a bill that does not come is late, lost or kept by a charger that is away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.missing_bill import Verdict, judge_missing_bill
from analytics.session_facts import merge_spans
from analytics.thresholds import HOUR_MS, MINUTE_MS, Thresholds

END = 1_700_000_000_000
THRESHOLDS = Thresholds()
Spans = list[tuple[int, int]]


def judge(heard: Spans, as_of_ms: int, outages: Spans | None = None, proof: bool = True) -> Verdict:
    return judge_missing_bill(
        end_ms=END,
        heard=heard,
        outages=outages or [],
        as_of_ms=as_of_ms,
        proof_of_start=proof,
        thresholds=THRESHOLDS,
    )


def minutes(first: int, last: int) -> Spans:
    """Heard in each minute from `first` to before `last` after the end."""
    return [(END + m * MINUTE_MS, END + m * MINUTE_MS + 50_000) for m in range(first, last)]


def at(minute: int) -> int:
    return END + minute * MINUTE_MS


@pytest.mark.parametrize(
    ("heard", "as_of", "state"),
    [
        (minutes(-5, 15), at(14), "waiting"),
        (minutes(-5, 16), at(15), "overdue"),
        (minutes(-5, 30), at(29), "overdue"),
        (minutes(-5, 31), at(30), "lost"),
        (minutes(-5, 5), at(34), "waiting"),
        (minutes(-5, 5), at(35), "lost_offline"),
        ([], at(29), "waiting"),
        ([], at(30), "lost_offline"),
        # back after an hour: the wait begins anew
        (minutes(-5, 5) + minutes(60, 75), at(74), "waiting"),
        (minutes(-5, 5) + minutes(60, 76), at(75), "overdue"),
        (minutes(-5, 5) + minutes(60, 91), at(90), "lost"),
        # short visits never add up
        (minutes(0, 9) + minutes(20, 29) + minutes(40, 49), at(49), "waiting"),
        # lost stays lost, although the charger went away afterwards
        (minutes(0, 32), at(300), "lost"),
    ],
)
def test_states(heard: Spans, as_of: int, state: str) -> None:
    clipped = [(first, min(last, as_of)) for first, last in heard if first <= as_of]
    assert judge(clipped, as_of).state == state


def test_platform_outage_stops_the_clock() -> None:
    outage = [(at(10), at(50))]
    heard = minutes(0, 10) + minutes(50, 90)
    assert judge([span for span in heard if span[1] <= at(69)], at(69), outage).state == "overdue"
    assert judge([span for span in heard if span[1] <= at(71)], at(71), outage).state == "lost"
    assert judge(minutes(0, 10), at(50), outage).state == "waiting"


def test_start_without_proof_needs_no_bill() -> None:
    assert judge(minutes(0, 40), at(29), proof=False) == Verdict("waiting", at(30))
    assert judge(minutes(0, 40), at(30), proof=False) == Verdict("not_expected", 0)


def test_offline_charger_is_looked_at_until_72_hours() -> None:
    assert judge([], END + HOUR_MS).recheck_ms == END + HOUR_MS + 10 * MINUTE_MS
    assert judge([], END + 72 * HOUR_MS) == Verdict("lost_offline", 0)


@given(
    spans=st.lists(st.tuples(st.integers(-30, 200), st.integers(0, 40)), max_size=8),
    deaf=st.lists(st.tuples(st.integers(-30, 200), st.integers(1, 40)), max_size=3),
    as_of=st.integers(0, 260),
    later=st.integers(0, 500),
)
def test_lost_stays_lost_and_a_wait_has_an_end(
    spans: list[tuple[int, int]], deaf: list[tuple[int, int]], as_of: int, later: int
) -> None:
    heard = merge_spans(sorted((at(first), at(first + length)) for first, length in spans))
    outages = merge_spans(sorted((at(first), at(first + length)) for first, length in deaf))

    def verdict(minute: int) -> Verdict:
        limit = at(minute)
        return judge(
            [(first, min(last, limit)) for first, last in heard if first <= limit],
            limit,
            [(first, min(last, limit)) for first, last in outages if first <= limit],
        )

    now = verdict(as_of)
    if now.state == "lost":
        assert verdict(as_of + later).state == "lost"
    else:
        assert now.recheck_ms > at(as_of) or now.state == "lost_offline"
