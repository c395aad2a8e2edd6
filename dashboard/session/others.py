"""What else bears on a session: charges that lie in its time, and records that came under another number."""

from typing import Any

from dash import html

from analytics.diagnosis import OVERLAPS
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, session_link
from dashboard.session.record import SessionRecord
from dashboard.session.values import said


def has_others(record: SessionRecord) -> bool:
    """Whether another charge or another number bears on it."""
    session = record.session
    return bool(session["overlaps"] or session["bill_number"] or session["life"] == "other_number")


def others(record: SessionRecord, words: Catalogue) -> html.Div:
    """The other number with its charge, and each overlapping charge with how long it overlaps and what that means."""
    parts: list[Any] = []
    if record.session["bill_number"]:
        number = record.session["bill_number"]
        said_so = words.text("session.others.record")
        parts.append(html.Div([html.Span(said_so), " ", html.Span(number, className="mono wrap-anywhere")]))
    if record.session["life"] == "other_number":
        parts.append(_taken(record, words))
    rows = [_overlap(row, record, words) for row in record.overlaps]
    if rows:
        parts.append(html.Ul(rows, className="plain-list"))
    return html.Div(parts)


def _taken(record: SessionRecord, words: Catalogue) -> html.Div:
    charge = record.taken_by
    if charge is None:
        return html.Div(words.text("session.others.unknown_charge"))
    link = session_link(charge["trade_no"], charge["pile"], charge["connector"], charge["trade_no"])
    return html.Div([html.Span(words.text("session.others.taken")), " ", link], className="wrap-anywhere")


def _overlap(row: dict[str, Any], record: SessionRecord, words: Catalogue) -> html.Li:
    length = said("ms", row["overlap_ms"], words, record.zone)
    kind = words.word("overlap", row["kind"])
    tone = "warn" if row["kind"] in OVERLAPS else "plain"
    head: list[Any] = [badge(kind, tone), " ", words.text("session.others.overlap", length=length)]
    if not row["trade_no"]:
        return html.Li([*head, " ", html.Span(words.text("session.others.hidden"), className="faint")])
    where = f"{row['pile']} · {words.text('connector', number=row['connector'])}"
    span = f"{written.day_and_clock(row['start_ms'], row['zone'])} – {written.clock(row['end_ms'], row['zone'])}"
    energy = said("e4kwh", row["final_energy_e4kwh"], words, record.zone)
    link = session_link(row["trade_no"], row["pile"], row["connector"], row["trade_no"])
    return html.Li(
        [*head, html.Div(link, className="wrap-anywhere"), html.Div(f"{where} · {span} · {energy}", className="faint")]
    )
