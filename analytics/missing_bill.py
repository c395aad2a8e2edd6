"""Is a bill that has not come late, lost, or kept by a charger that is away? (anomaly-codes.md, codes 1 and 2)"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from analytics.session_facts import merge_spans, overlap_ms
from analytics.thresholds import MINUTE_MS, Thresholds

BillState = Literal["present", "waiting", "overdue", "lost", "lost_offline", "not_expected"]
Spans = Sequence[tuple[int, int]]

OFFLINE_RECHECK_MS = 10 * MINUTE_MS
NEVER_MS = 0


class Verdict(NamedTuple):
    """The state of the missing bill, and when time alone may change it (`NEVER_MS`: never)."""

    state: BillState
    recheck_ms: int


def online_runs(heard: Spans, outages: Spans, silence_ms: int) -> list[tuple[int, int]]:
    """The times without interruption in which a charger was heard.

    Silence up to `silence_ms` is none, and neither is one in which the platform could not hear: such time counts
    against nobody.
    """
    if not heard:
        return []
    first, last = heard[0][0], heard[-1][1]
    deaf = [(max(start, first), min(end, last)) for start, end in outages if start < last and end > first]
    return merge_spans(sorted([*heard, *deaf]), silence_ms)


def judge_missing_bill(
    *,
    end_ms: int,
    heard: Spans,
    outages: Spans,
    as_of_ms: int,
    proof_of_start: bool,
    thresholds: Thresholds,
) -> Verdict:
    """What a session that ended at `end_ms` without a bill is at `as_of_ms`.

    Once the charger was online for long enough without sending it, the bill stays lost, whatever comes later. Runs
    and outages beyond `as_of_ms` must not be given.
    """
    runs = online_runs(heard, outages, thresholds.silence_ms)
    last_heard_ms = runs[-1][1] if runs else end_ms
    deaf_since = overlap_ms(last_heard_ms, as_of_ms, outages)
    silent_ms = as_of_ms - last_heard_ms - deaf_since
    online = bool(runs) and silent_ms <= thresholds.silence_ms
    if online:
        runs[-1] = (runs[-1][0], as_of_ms)

    waited_ms = 0
    for first, last in runs:
        since = max(end_ms, first)
        patience = last - since - overlap_ms(since, last, outages)
        if last - first >= thresholds.online_min_ms:
            waited_ms = max(waited_ms, patience)
    if not proof_of_start:
        # a start that nobody saw succeed needs no bill
        expected_until_ms = end_ms + thresholds.bill_lost_ms
        over = as_of_ms >= expected_until_ms
        return Verdict("not_expected", NEVER_MS) if over else Verdict("waiting", expected_until_ms)
    if waited_ms >= thresholds.bill_lost_ms:
        return Verdict("lost", NEVER_MS)
    if not online and silent_ms >= thresholds.offline_ms:
        given_up = as_of_ms - end_ms >= thresholds.bill_max_wait_ms
        return Verdict("lost_offline", NEVER_MS if given_up else as_of_ms + OFFLINE_RECHECK_MS)
    if not online:
        return Verdict(
            "overdue" if waited_ms >= thresholds.bill_overdue_ms else "waiting",
            last_heard_ms + deaf_since + thresholds.offline_ms,
        )
    overdue = waited_ms >= thresholds.bill_overdue_ms
    next_limit = thresholds.bill_lost_ms if overdue else thresholds.bill_overdue_ms
    current = as_of_ms - max(end_ms, runs[-1][0]) - overlap_ms(max(end_ms, runs[-1][0]), as_of_ms, outages)
    return Verdict("overdue" if overdue else "waiting", as_of_ms + max(1_000, next_limit - current))
