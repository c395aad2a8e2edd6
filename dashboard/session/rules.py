"""The rules of the meter calculator that fired in a session: when, what they do, and what they did to the energy."""

from typing import Any

from dash import html

from analytics.fired_rules import FiredRules, fired_rules
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, icon, table
from dashboard.session.record import SessionRecord


def rules_table(record: SessionRecord, words: Catalogue) -> Any:
    """Each stretch of readings in which rules fired, in the order of time; those of the whole session stand behind."""
    found = fired_rules(record.session, record.curve)
    if not found:
        good = [icon("check", size=16), html.Span(words.text("session.rules.none"))]
        return html.Div(good, className="good-line card-inset")
    rows = [
        [
            html.Span(_when(one, record, words), className="num-text"),
            html.Div([_rule(name, words) for name in one.rules]),
            _reported(one),
            written.energy(one.accepted_e4kwh, 4),
            _range(one, words),
        ]
        for one in found
    ]
    columns = ("time", "rule", "reported", "accepted", "range")
    return html.Div(
        [
            table(
                [words.text(f"session.rules.{column}") for column in columns],
                rows,
                numeric=(2, 3, 4),
                class_name="labelled",
            ),
            html.Div(words.text("session.rules.unit"), className="table-note faint"),
        ]
    )


def _when(one: FiredRules, record: SessionRecord, words: Catalogue) -> str:
    if not one.to_ms:
        return written.NOTHING
    begin, end = written.clock(one.from_ms, record.zone), written.clock(one.to_ms, record.zone)
    text = words.text("session.rules.until", begin=begin, end=end)
    return text if one.times == 1 else f"{text} · {words.text('session.rules.times', count=f'{one.times:,}')}"


def _rule(name: str, words: Catalogue) -> html.Div:
    return html.Div([badge(words.word("flag", name), "plain", title=name), " ", html.Span(words.word("rule", name))])


def _reported(one: FiredRules) -> str:
    """What the readings said: at the begin, farthest away, at the end."""
    begin, end, away = one.reported_e4kwh
    if begin is None and end is None and away is None:
        return written.NOTHING
    said = [begin, away, end] if away is not None else [begin, end]
    return " → ".join(written.energy(value, 4) for value in said)


def _range(one: FiredRules, words: Catalogue) -> str:
    if one.low_e4kwh is None or one.high_e4kwh is None:
        return written.NOTHING
    return words.text(
        "session.rules.range.text", low=written.energy(one.low_e4kwh, 4), high=written.energy(one.high_e4kwh, 4)
    )
