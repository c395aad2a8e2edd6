"""The curve of a page is measured by what the bill was measured by: it ends at the same energy and interval."""

from collections.abc import Sequence
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.questions import PLATFORM_SCOPE, ask
from analytics.session_curve import SessionCurve, session_curve
from analytics.threshold_book import ThresholdBook
from tests.analytics.register_rows import BEFORE, RegisterFacts
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, pile, trade_no

pytestmark = pytest.mark.server

START = T0 + 10 * MINUTE
DECIDED_MS = T0 + 9 * HOUR


def billed(facts: Facts, number: str, thresholds: dict[str, int] | None = None) -> tuple[dict[str, Any], SessionCurve]:
    """The session as it was decided, and the curve of its page."""
    Biller(facts.client, facts.directory, clock=Clock(DECIDED_MS), thresholds=ThresholdBook(thresholds)).run_once()
    (session,) = ask(facts.client, "timeline_sessions", PLATFORM_SCOPE, trade_no=number).records()
    return session, session_curve(facts.client, PLATFORM_SCOPE, session)


def most_e4kwh(curve: SessionCurve) -> int:
    return int(curve.intervals.high_e4kwh.sum())


@pytest.mark.parametrize("was_over", [True, False])
def test_a_charge_before_that_may_have_gone_on_leaves_the_begin_open_on_the_page_too(
    empty_database: Client, was_over: bool
) -> None:
    facts = RegisterFacts(empty_database)
    before = facts.status(START - 2 * MINUTE, START - HOUR, number="SN-0", power_w=60_000, state=2 if was_over else 3)
    facts.insert("readings", [before, *facts.charge(START, 40, first_s=300, register_before_e4kwh=0, energy_e4kwh=0)])
    session, curve = billed(facts, "SN-1")
    assert (session["previous_end_e4kwh"], session["previous_was_over"]) == (BEFORE, was_over)
    assert ("BASELINE_PREV_END" in session["flags"]) == was_over
    assert int(curve.accepted_e4kwh[-1]) == session["best_e4kwh"]
    assert curve.register_start_e4kwh == session["register_start_e4kwh"]


@pytest.mark.parametrize(("stops", "possible_e4kwh"), [(True, 11_000), (False, 220_000)])
def test_a_connector_that_stops_when_its_link_is_lost_has_the_wedge_of_the_bill(
    empty_database: Client, stops: bool, possible_e4kwh: int
) -> None:
    """metering.md, "gap at tail": 132 kW for 30 s, not for the 10 minutes until it was heard again."""
    facts = Facts(empty_database, pile(stops_offline=stops))
    charge = facts.charging(START, 20)
    facts.insert("readings", [*charge, facts.idle(START + 30 * MINUTE)])
    session, curve = billed(facts, trade_no())
    assert int(curve.intervals.high_e4kwh[-1]) == possible_e4kwh
    assert session["high_e4kwh"] - session["best_e4kwh"] - possible_e4kwh in (0, 1)
    assert most_e4kwh(curve) - session["high_e4kwh"] in range(-1, len(curve) + 2)


def test_a_charger_that_speaks_seldom_has_the_gaps_of_its_bill(empty_database: Client) -> None:
    """A platform told to expect a reading every 90 s takes three minutes for no gap."""
    facts = Facts(empty_database)
    charge = facts.charging(START, 40)
    rows = _every(charge, 3 * MINUTE)
    facts.insert("readings", [*rows, facts.idle(START + 40 * MINUTE + 15 * SECOND)])
    session, curve = billed(facts, trade_no(), {"reading_period_ms": 90 * SECOND})
    assert session["reading_period_ms"] == 90 * SECOND
    assert (curve.gap_ms, curve.gaps()) == (270 * SECOND, [])


def _every(rows: Sequence[dict[str, Any]], step_ms: int) -> list[dict[str, Any]]:
    return [row for row in rows if (row["event_ms"] - START) % step_ms == 0]
