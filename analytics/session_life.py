"""Whether a session goes on, ended or never began, and whether the bill that it owes is missing (codes 1 and 2)."""

import numpy as np

from analytics.missing_bill import Verdict, judge_missing_bill
from analytics.session_facts import CHARGING, SessionFacts
from analytics.session_measurement import Measured
from analytics.session_revision import CurrentRevision, Life
from analytics.thresholds import MINUTE_MS, Thresholds

LONGEST_FAILED_START_MS = 5 * MINUTE_MS
_LATEST_ANSWER_MS = 3 * MINUTE_MS


def life_of(
    facts: SessionFacts, measured: Measured, as_of_ms: int, stays_since_ms: int | None, thresholds: Thresholds
) -> Life:
    """The life of a charge that has begun, at `as_of_ms`; `stays_since_ms`: see `Biller.settle`."""
    last_ms = facts.last_charging_ms
    ended_ms = min((moment for moment in _ends(facts) if moment > last_ms), default=0)
    if last_ms and not ended_ms:
        silent_ms = as_of_ms - int(facts.readings["receive_ms"].max())
        return "open" if silent_ms < thresholds.offline_ms and stays_since_ms is None else "ended_offline"
    took_nothing = measured.without_energy and not (facts.bill and facts.bill.energy_e4kwh)
    if took_nothing and measured.result.end_ms - measured.result.start_ms <= LONGEST_FAILED_START_MS:
        return "failed_start"
    if last_ms and ended_ms - last_ms > measured.gap_ms:
        return "ended_offline"
    return "ended"


def _ends(facts: SessionFacts) -> tuple[int, ...]:
    """Moments at which the charge is known to be over, 0 = unknown; a bill is never sent before."""
    return (facts.after.after_ms, max(facts.bill.receive_ms, facts.last_charging_ms + 1) if facts.bill else 0)


def bill_verdict(
    facts: SessionFacts,
    measured: Measured,
    life: Life,
    before: CurrentRevision,
    as_of_ms: int,
    stays_since_ms: int | None,
    thresholds: Thresholds,
) -> Verdict:
    """Whether the bill of a charge that has begun is there, awaited or lost (codes 1, 2); `before` is what stands."""
    if facts.bill is not None:
        return Verdict("present", 0)
    if life == "open":
        last_heard_ms = int(facts.readings["receive_ms"].max())
        return Verdict("waiting", last_heard_ms + thresholds.offline_ms)
    return _missing_bill(
        facts,
        measured.result.end_ms,
        before,
        as_of_ms,
        stays_since_ms,
        thresholds,
        proof_of_start=_proof_of_start(facts) and life != "failed_start",
    )


def not_begun(
    facts: SessionFacts, before: CurrentRevision, as_of_ms: int, stays_since_ms: int | None, thresholds: Thresholds
) -> tuple[Life, Verdict]:
    """What is to be thought of a charge that was ordered or named, while neither a reading nor a bill shows it.

    It may begin at any moment until a bill would be overdue (codes 1 and 2). Then the start failed, unless the charger
    said yes and nothing shows that the connector stood idle: what that charge took is not known.
    """
    verdict = _missing_bill(
        facts,
        facts.ordered_ms,
        before,
        as_of_ms,
        stays_since_ms,
        thresholds,
        proof_of_start=facts.start_acked and not _stood_idle(facts) and not _has_another_number(facts),
    )
    lives: dict[str, Life] = {"lost": "ended", "lost_offline": "ended_offline", "not_expected": "failed_start"}
    return lives.get(verdict.state, "open"), verdict


def _stood_idle(facts: SessionFacts) -> bool:
    """Whether the connector was seen without this charge for longer than a start takes."""
    after, own = facts.after, facts.readings["event_ms"]
    seen_ms = max(after.plugged_until_ms, after.unplugged_ms, after.next_start_ms, int(own.max()) if own.size else 0)
    return seen_ms - facts.ordered_ms > LONGEST_FAILED_START_MS


def _has_another_number(facts: SessionFacts) -> bool:
    """Whether the charge that was ordered runs under a number of the charger's own (aaf5.md, cmd 7: "serial")."""
    begun_ms = facts.after.next_start_ms
    return facts.pile.protocol == "aaf5" and 0 <= begun_ms - facts.ordered_ms <= _LATEST_ANSWER_MS


def _missing_bill(
    facts: SessionFacts,
    end_ms: int,
    before: CurrentRevision,
    as_of_ms: int,
    stays_since_ms: int | None,
    thresholds: Thresholds,
    *,
    proof_of_start: bool,
) -> Verdict:
    if before.bill_state == "lost":
        return Verdict("lost", 0)
    heard = facts.heard
    if stays_since_ms is not None and heard and not _silent_while_charging(facts, thresholds):
        online_at_last = stays_since_ms - heard[-1][1] < thresholds.offline_ms
        heard = [*heard[:-1], (heard[-1][0], as_of_ms)] if online_at_last else heard
    return judge_missing_bill(
        end_ms=end_ms,
        heard=heard,
        outages=facts.outages,
        as_of_ms=as_of_ms,
        proof_of_start=proof_of_start,
        thresholds=thresholds,
    )


def _silent_while_charging(facts: SessionFacts, thresholds: Thresholds) -> bool:
    """Whether the last that was heard of the whole charger is this session's charging."""
    if facts.after.after_ms or not facts.last_charging_ms:
        return False
    return facts.heard[-1][1] - int(facts.readings["receive_ms"].max()) <= thresholds.silence_ms


def _proof_of_start(facts: SessionFacts) -> bool:
    return facts.start_acked or int(np.count_nonzero(facts.readings["state"] == CHARGING)) >= 2
