"""What else bears on a session: charges that lie in its time, and records that came under another number."""

from typing import Any, Final

from dash import html

from analytics.diagnosis import OVERLAPS
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, session_link
from dashboard.session.record import SessionRecord
from dashboard.session.values import said

HOLDS: Final = ("took", "same", "numbered")
"""A charge with one of these has the record, or the number, of the page."""
_FATE_TONES: Final = {"waits": "warn", "none": "warn", "took": "good", "taken": "good"}


def has_others(record: SessionRecord) -> bool:
    """Whether another charge or another number bears on it."""
    session = record.session
    if session["overlaps"] or session["bill_number"] or session["life"] == "other_number":
        return True
    return bool(record.other_records)


def others(record: SessionRecord, words: Catalogue) -> html.Div:
    """Other numbers with what became of each, and overlapping charges, each with how long and what that means."""
    parts: list[Any] = []
    if record.session["bill_number"]:
        number = record.session["bill_number"]
        said_so = words.text("session.others.record")
        parts.append(html.Div([html.Span(said_so), " ", html.Span(number, className="mono wrap-anywhere")]))
    found = record.other_records
    if record.session["life"] == "other_number" and not any(row["fate"] in HOLDS for row in found):
        parts.append(html.Div(words.text("session.others.unknown_charge")))
    if found:
        parts.append(html.Ul([_candidate(row, record, words) for row in found], className="plain-list"))
    rows = [_overlap(row, record, words) for row in record.overlaps]
    if rows:
        parts.append(html.Ul(rows, className="plain-list"))
    return html.Div(parts)


def _candidate(row: dict[str, Any], record: SessionRecord, words: Catalogue) -> html.Li:
    """A record that may be this charge's, or a charge that may have this record, with what became of it."""
    fate = row["fate"]
    here = row["holder"] == record.session["trade_no"]
    head: list[Any] = [badge(words.word("fate", f"{fate}.here" if here else fate), _FATE_TONES.get(fate, "plain")), " "]
    if row["holder"] and not here:
        head.append(session_link(row["holder"], row["pile"], row["connector"], row["holder"]))
    kind = words.text("session.others.a_record" if row["is_record"] else "session.others.a_charge")
    link = session_link(row["trade_no"], row["pile"], row["connector"], row["trade_no"])
    span = f"{written.day_and_clock(row['start_ms'], row['zone'])} – {written.clock(row['end_ms'], row['zone'])}"
    energy = said("e4kwh", row["energy_e4kwh"], words, record.zone)
    apart = words.text(
        "session.others.apart",
        start=_shift(row["start_apart_ms"], words),
        end=_shift(row["end_apart_ms"], words),
    )
    return html.Li(
        [
            html.Div(head, className="wrap-anywhere"),
            html.Div([kind, " ", link], className="wrap-anywhere"),
            html.Div(f"{span} · {energy} · {apart}", className="faint"),
        ]
    )


def _shift(ms: int, words: Catalogue) -> str:
    """How much later or earlier than this session; differences below a second are none."""
    if abs(ms) < written.SECOND_MS:
        return words.text("session.others.same_time")
    return words.text(
        "session.others.later" if ms > 0 else "session.others.earlier", length=written.length(abs(ms), words)
    )


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
