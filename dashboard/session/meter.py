"""The meter by which a session was measured: its values, and where each of them comes from."""

from typing import Any

from dash import html

from analytics.meter_evidence import reason_parts
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import fact
from dashboard.session.record import SessionRecord
from dashboard.session.values import said, source_badge


def meter_card(record: SessionRecord, words: Catalogue) -> html.Div:
    """Register kind, digits, quantum and power limit with their sources, and what learned ones were learned from."""
    session, zone = record.session, record.zone
    kind = session["register_kind"] or "session"
    digits = session["register_digits"]
    facts = [
        _sourced("kind", words.word("register_kind", kind), session["register_source"], words),
        _sourced("quantum", said("e4kwh", session["quantum_e4kwh"], words, zone), session["quantum_source"], words),
        _sourced("pmax", said("w", session["pmax_w"], words, zone), session["pmax_source"], words),
        fact(words.text("session.meter.rated"), said("w", session["rated_power_w"], words, zone)),
    ]
    if kind != "session":
        shown = (
            words.text("session.meter.digits.count", count=digits)
            if digits
            else words.text("session.meter.digits.none")
        )
        facts.insert(1, _sourced("digits", shown, session["register_source"], words))
        start, end = session["register_start_e4kwh"], session["register_end_e4kwh"]
        span = f"{written.energy(start, 4)} → {written.energy(end, 4)}" if end else written.NOTHING
        facts.append(fact(words.text("session.meter.span"), span))
        before = session["previous_end_e4kwh"]
        facts.append(fact(words.text("session.meter.before"), said("e4kwh", before or None, words, zone)))
    return html.Div([html.Dl(facts, className="facts facts-tight"), _learned(record, words)])


def _sourced(name: str, value: str, source: str, words: Catalogue) -> html.Div:
    return fact(
        words.text(f"session.meter.{name}"),
        html.Span([html.Span(value), " ", source_badge(source, words)], className="badges"),
    )


def _learned(record: SessionRecord, words: Catalogue) -> Any:
    """Which row of learned values was in force, and its reasons."""
    row, number = record.meter, record.session["meter_profile_id"]
    if not number:
        return html.Div(words.text("session.meter.no_profile"), className="faint fact-note")
    name = words.text("session.meter.profile", number=f"{number:016X}")
    if row is None:
        return html.Div(name, className="faint fact-note")
    from_when = words.text(
        "session.meter.learned",
        begin=row["learned_from_day"],
        end=row["learned_to_day"],
        sessions=f"{row['sessions']:,}",
        since=written.full_time(row["valid_from_ms"], record.zone),
    )
    return html.Div(
        [
            html.Div(name, className="fact-note num-text"),
            html.Div(from_when, className="faint fact-note"),
            html.Ul([html.Li(reason_words(reason, words)) for reason in row["reasons"]], className="plain-list"),
        ]
    )


def reason_words(reason: str, words: Catalogue) -> str:
    """Why a value was learned, in the language of the page; one that another version wrote stays as it is stored."""
    parts = reason_parts(reason)
    if parts is None:
        return reason
    name, values = parts
    if name == "register":
        values["kind"] = words.word("register_kind", values["kind"])
    return words.text(f"learned.{name}", **values)
