"""Every word that the code can store has a text in both languages: sources, refusals, ends, alarms, steps."""

import re
from pathlib import Path

import pytest

from core.conformance.flows import FLOWS
from dashboard.alarm_words import alarm_detail
from dashboard.catalogue import LANGUAGES, Catalogue, all_texts
from dashboard.overview.feeds import EVENT_ICONS, event_text
from ingest import command_matcher, line_health, login_rules
from ingest.commands import SECRETS_NOT_KEPT
from ingest.orders import ORDERS
from ingest.start_decision import REFUSALS
from ingest.start_evidence import CONNECTION_LOST
from ingest.unasked import UNASKED

INGEST = Path(__file__).parents[2] / "ingest"
CODE = "\n".join(path.read_text(encoding="utf-8") for path in sorted(INGEST.glob("*.py")))
ANSWERS = ("ok", "refused", "timeout", "connection_lost", "replaced")


def words_in(pattern: str) -> set[str]:
    """What the first group of `pattern` holds wherever the ingest code matches it."""
    return {word for word in re.findall(pattern, CODE, re.DOTALL) if word}


def constants(*modules: object) -> set[str]:
    return {
        value for module in modules for name, value in vars(module).items() if name.isupper() and isinstance(value, str)
    }


def unsaid(group: str, found: set[str], *, at_least: int) -> list[str]:
    """The words without a text; fails when fewer were found than there must be, so that the search is not blind."""
    assert len(found) >= at_least, sorted(found)
    return sorted(word for word in found if f"{group}.{word}" not in all_texts())


def test_every_source_of_a_clock_offset_has_a_text() -> None:
    sources = words_in(r'_clock_(?:event|offset)\([^()]*receive_ms, "(\w+)"')
    assert {"login", "record", "time_sync_reply"} <= sources
    assert not unsaid("event.clock", sources, at_least=3)
    for language in LANGUAGES:
        text, detail = event_text("clock", "login", "-342000", Catalogue(language))
        assert "login" not in text if language == "zh" else "Clock at login" in text, text
        assert detail == ""


def test_every_source_of_a_tariff_acknowledgement_has_a_text() -> None:
    assert not unsaid("event.tariff", words_in(r'source="(tariff_\w+)"'), at_least=3)


def test_every_order_and_outcome_has_a_text() -> None:
    outcomes = words_in(r'\bunanswered\(\w+, "(\w+)"\)') | {command_matcher.AMBIGUOUS, UNASKED}
    outcomes |= {"ok", "refused", "sent"}
    assert not unsaid("event.command.any", outcomes, at_least=8)
    assert not unsaid("order", {name for orders in ORDERS.values() for name in orders}, at_least=15)
    for language in LANGUAGES:
        for name in ("card_sync", "remote_start", "qr_codes"):
            for outcome in ("sent", *ANSWERS):
                text, _ = event_text("command", f"{name}.{outcome}", "", Catalogue(language))
                assert "_" not in text and "." not in text, text


def test_every_reason_of_a_charger_has_a_text() -> None:
    reasons = {reason for orders in ORDERS.values() for order in orders.values() for reason in order.reasons.values()}
    assert not unsaid("detail", reasons - {""}, at_least=15)


def test_every_detail_of_an_order_s_outcome_has_a_text() -> None:
    m = command_matcher
    details = {m.NOT_SEEN, m.WENT_ELSEWHERE, m.ANSWERED_BEFORE, m.MAY_BE_ANOTHER_S, SECRETS_NOT_KEPT, "accepted"}
    assert not unsaid("detail", details, at_least=6)


def test_every_end_of_a_connection_and_every_refused_login_has_a_text() -> None:
    ends = words_in(r'\.close\("(\w+)"\)') | words_in(r'UNKNOWN_PROTOCOL: Final = "(\w+)"')
    ends |= words_in(r'close_reason or \("(\w+)"') | {"lost", "garbage", "encrypted"}
    ends |= constants(line_health, login_rules)
    ends |= words_in(r'refusal ?= ?"(\w+)"') | words_in(r'return "(unknown_pile|wrong_protocol|other_pile_\w+)"')
    assert {"silent", "half_frame", "slow_sender", "id_in_use", "login_pending", "login_too_short", "peer"} <= ends
    assert not unsaid("detail", ends, at_least=20)
    assert not unsaid("event.connection", words_in(r'\.(?:_login_)?event\((?:request, )?"(\w+)"'), at_least=5)


def test_every_alarm_has_a_text_and_a_picture() -> None:
    kinds = words_in(r'kind="(\w+)",\n') | words_in(r'\._alarm\(\s*"(\w+)"') | words_in(r'\.ring\(\s*"(\w+)"')
    kinds |= words_in(r'(?:CLOCK_OFF|TARIFF_MISMATCH|SILENT): Final = "(\w+)"')
    assert not unsaid("event.alarm", kinds, at_least=8)
    assert not [kind for kind in kinds if f"alarm.{kind}" not in EVENT_ICONS]


def test_every_picture_of_an_event_has_a_shape() -> None:
    style = (INGEST.parent / "dashboard" / "assets" / "20-style.css").read_text(encoding="utf-8")
    assert not [picture for picture, _tone in EVENT_ICONS.values() if f".icon-{picture} {{ --shape: url(" not in style]


@pytest.mark.parametrize(
    ("kind", "detail", "chinese", "english"),
    [
        (
            "duplicate_login",
            "login from 1.2.3.4:5; 9.9.9.9:1 answered its probe and stays",
            "新连接 1.2.3.4:5，在线连接 9.9.9.9:1",
            "from 1.2.3.4:5, connected is 9.9.9.9:1",
        ),
        (
            "takeover",
            "login from [::1]:5; 9.9.9.9:1, 9.9.9.9:2 did not answer its probe and is replaced"
            "; 3 more since the last alarm",
            "新连接 [::1]:5，原连接 9.9.9.9:1, 9.9.9.9:2 · 此后又 3 次",
            "from [::1]:5, before 9.9.9.9:1, 9.9.9.9:2 · 3 more since",
        ),
        ("silent", "no good frame for 45 s", "45 秒", "45 s"),
        ("clock_off", "-342 s, by its login", "-342 秒", "-342 s"),
        (
            "tariff_mismatch",
            "it holds no model that is known here, valid is 0102 (version 7)",
            "桩内型号 未知，应为 0102",
            "it holds model unknown, due is 0102",
        ),
        (
            "unknown_connector",
            "readings or records name the connectors 26, 57; the master data have 2",
            "枪口 26, 57，登记 2 个",
            "connectors 26, 57; registered are 2",
        ),
        ("too_many_connections", "50 connections are open; 1.2.3.4:5 was turned away", "上限 50", "limit 50"),
        (
            "too_many_unidentified",
            "201 connections of 1.2.3.4 have not logged in; the oldest made room",
            "地址 1.2.3.4，201 条",
            "201 from 1.2.3.4",
        ),
        ("login_flood", "pile_login_limit", "该桩登录过多", "too many logins of that charger"),
        ("register_not_continued", "SN-1", "SN-1", "SN-1"),
    ],
)
def test_what_an_alarm_says_is_said_in_both_languages(kind: str, detail: str, chinese: str, english: str) -> None:
    assert alarm_detail(kind, detail, Catalogue("zh")) == chinese
    assert alarm_detail(kind, detail, Catalogue("en")) == english


@pytest.mark.parametrize(
    "form",
    [
        'f"login from {connection.peer}; {holders} {said}"',
        '"answered its probe and stays" if kind == "duplicate_login" else "did not answer its probe and is replaced"',
        'f"no good frame for {connection.silence_ms / MS_PER_S:.0f} s"',
        'f"{event.offset_ms / 1_000:+.0f} s, by its {event.source}"',
        'f"it holds {has}, valid is {valid.model_no} (version {valid.tariff_version_id})"',
        'f"model {held.model_no}" if held is not None else "no model that is known here"',
        'f"{self._most} connections are open; {fate}"',
        'f"{len(crowd)} connections of {address} have not logged in; the oldest made room"',
        'f"readings or records name the connectors {named}; the master data have {pile.connectors}"',
        'f"{detail}; {silenced} more since the last alarm"',
    ],
)
def test_the_code_still_writes_alarms_in_the_form_that_is_read(form: str) -> None:
    assert form in CODE


def test_every_step_and_deviation_has_a_text() -> None:
    assert not unsaid("step", {rule.name for flow in FLOWS.values() for rule in flow.rules}, at_least=30)
    assert not unsaid("deviation", {"missing", "repeated", "out_of_order", "late", "never_answered"}, at_least=5)
    assert not unsaid("party", {rule.party for flow in FLOWS.values() for rule in flow.rules}, at_least=2)


def test_every_way_to_start_has_a_text() -> None:
    assert not unsaid("start_refusal", {*REFUSALS, CONNECTION_LOST}, at_least=10)
    evidence = (INGEST / "start_evidence.py").read_text(encoding="utf-8")
    methods = {
        word
        for block in re.findall(r"METHODS: Final = (\{.*?\})", evidence, re.DOTALL)
        for word in re.findall(r': "(\w+)"', block)
    }
    assert not unsaid("start_method", methods | {"unknown"}, at_least=6)
    assert not unsaid("start_source", words_in(r'source="(request|order|record|status)"'), at_least=4)
