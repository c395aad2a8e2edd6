"""The diagnosis of a session in words: what went wrong, who answers it, what to do, and why this figure is billed."""

from typing import Any

from dash import html

from analytics.diagnosis import Diagnosis, Finding, diagnose
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, icon
from dashboard.session.record import SessionRecord
from dashboard.session.values import said_all

PARTY_TONES = {"charger": "warn", "network": "info", "platform": "bad", "user": "plain"}


def session_diagnosis(record: SessionRecord) -> Diagnosis:
    """What went wrong in this session, and what to do."""
    return diagnose(
        record.session,
        record.bill,
        record.codes["hits"],
        record.state_after,
        record.curve.told_start_e4kwh,
        record.deviations,
    )


def verdict(record: SessionRecord, words: Catalogue) -> html.Div:
    """The findings with who answers them, the suggested action, and the rule that chose the figure."""
    found = session_diagnosis(record)
    rows: list[Any] = [html.Li(_finding(one, record, words)) for one in found.findings]
    if not rows:
        key = "verdict.open" if record.is_open else "verdict.clean"
        line = [icon("clock" if record.is_open else "check", size=16), html.Span(words.text(key))]
        rows = [html.Li(line, className="good-line")]
    action = words.text(f"action.{found.action}", **said_all(found.values, words, record.zone))
    rule = words.word("session.rule", record.session["final_rule"])
    return html.Div(
        [
            html.Ul(rows, className="verdict-list"),
            html.Div(
                [
                    _line(words.text("verdict.action"), action),
                    _line(words.text("session.rule"), rule),
                ],
                className="verdict-lines",
            ),
        ],
        className="verdict",
    )


def finding_words(one: Finding, words: Catalogue, zone: str) -> str:
    """One finding as a sentence."""
    return words.text(f"finding.{one.key}", **said_all(one.values, words, zone))


def _finding(one: Finding, record: SessionRecord, words: Catalogue) -> list[Any]:
    text = html.Span(finding_words(one, words, record.zone))
    if one.party == "nobody":
        return [text]
    return [text, " ", badge(words.word("party", one.party), PARTY_TONES[one.party])]


def _line(label: str, text: str) -> html.Div:
    return html.Div([html.Span(label, className="note-label"), html.Span(text)], className="verdict-line")
