"""What an operator may want to look into: alarms stand among the rest, and nothing is told twice."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.questions import PLATFORM_SCOPE, Scope, ask
from tests.analytics.stored_facts import MINUTE, SECOND, T0, Facts

pytestmark = pytest.mark.server


def notable(client: Client, scope: Scope = PLATFORM_SCOPE) -> list[tuple[str, str, str]]:
    found = ask(
        client, "notable_events", scope, since_ms=T0 - MINUTE, now_ms=T0 + 60 * MINUTE, quiet_ms=MINUTE,
        day="2023-11-15", limit=50,
    )  # fmt: skip
    return [(row["kind"], row["event"], row["detail"]) for row in found.records()]


def alarm(kind: str, at_ms: int, **changes: Any) -> dict[str, Any]:
    return {"operator_id": 2, "pile_id": 4, "connector": 0, "event_ms": at_ms, "kind": kind, "detail": "", **changes}


def connection(event: str, at_ms: int, detail: str = "") -> dict[str, Any]:
    row = {"operator_id": 2, "pile_id": 4, "event_ms": at_ms, "event": event, "detail": detail}
    return {**row, "connection_id": 1, "peer": "1.2.3.4:5", "pile": "32010600019236"}


def test_alarms_are_shown_once_and_to_their_operator_only(empty_database: Client) -> None:
    facts = Facts(empty_database)
    kinds = ("duplicate_login", "takeover", "clock_off", "tariff_mismatch", "register_not_continued", "silent")
    facts.insert("alarms", [alarm(kind, T0 + place * MINUTE) for place, kind in enumerate(kinds)])
    flood = alarm(
        "login_flood", T0 + 9 * MINUTE, operator_id=0, pile_id=0, peer="6.6.6.6:1", detail="address_login_limit"
    )
    facts.insert("alarms", [flood])
    refused = [connection("login_refused", T0, "id_in_use"), connection("login_refused", T0, "wrong_protocol")]
    replaced = [connection("replaced", T0 + MINUTE + 2, "peer"), connection("replaced", T0 + 30 * MINUTE, "peer")]
    facts.insert("connection_events", [*refused, *replaced])
    facts.heard(T0, T0 + 2 * MINUTE)  # silent since then, and an alarm says so
    found = notable(empty_database)
    assert [event for kind, event, _detail in reversed(found) if kind == "alarm"] == [*kinds, "login_flood"]
    assert [(event, detail) for kind, event, detail in reversed(found) if kind == "connection"] == [
        ("login_refused", "wrong_protocol"),
        ("replaced", "peer"),
    ]
    assert not [event for kind, event, _detail in found if kind == "pile"]
    assert notable(empty_database, Scope(frozenset({3}))) == []
    assert ("alarm", "login_flood", "address_login_limit") not in notable(empty_database, Scope(frozenset({2})))


def test_a_charger_whose_silence_rang_no_alarm_is_shown_silent(empty_database: Client) -> None:
    facts = Facts(empty_database)
    facts.insert("alarms", [alarm("silent", T0)])
    facts.heard(T0 + SECOND, T0 + 2 * MINUTE)
    assert ("pile", "silent", "") in notable(empty_database)


def test_an_order_that_has_no_answer_is_nothing_to_look_into(empty_database: Client) -> None:
    facts = Facts(empty_database)
    order = {"operator_id": 2, "pile_id": 4, "connector": 0, "command": "qr_codes", "trade_no": "", "sent_ms": T0}
    facts.insert("commands", [{**order, "outcome": "sent"}, {**order, "outcome": "timeout"}])
    assert notable(empty_database) == [("command", "qr_codes.timeout", "")]
