"""The evidence of a session as one self-contained page, to be sent to the charger's maker and to be printed."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from dash import html

from analytics.timeline_entries import Entry
from dashboard import written
from dashboard.catalogue import HTML_LANGUAGES, Catalogue, all_texts
from dashboard.parts import bill_badges, card, table
from dashboard.session.compared import facts_table, witness_table
from dashboard.session.curve_note import curve_note
from dashboard.session.curve_svg import curve_svg
from dashboard.session.evidence import deviations
from dashboard.session.evidence_case import EvidenceCase
from dashboard.session.figures import session_facts, three_figures, times_table
from dashboard.session.meanings import entry_words
from dashboard.session.meter import meter_card
from dashboard.session.money import slots_table
from dashboard.session.others import has_others, others
from dashboard.session.reasons import reasons
from dashboard.session.rules import rules_table
from dashboard.session.story import hypothesis_table, plausibility
from dashboard.session.timeline import timeline
from dashboard.session.touches import touches_list
from dashboard.session.verdict import verdict
from dashboard.static_html import Raw, static_html

MOST_FRAMES: Final = 1_500
MOST_READINGS: Final = 200
_STYLE = Path(__file__).parent / "evidence.css"


def evidence_html(case: EvidenceCase, words: Catalogue) -> str:
    """The page: everything that the session's page shows, its readings, and its frames in hex with their meaning.

    It needs no script and no network. A session with more frames than a reader can use shows the first ones; the pack
    has them all.
    """
    record = case.record
    title = f"{words.text('evidence.title')} {record.session['trade_no']}"
    head = [
        Raw('<meta charset="utf-8">'),
        Raw('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        html.Title(title),
        Raw(f"<style>{_style()}</style>"),
    ]
    return (
        f'<!doctype html><html lang="{HTML_LANGUAGES[words.language]}"><head>{static_html(head)}</head>'
        f"<body>{static_html(html.Main(_body(case, words)))}</body></html>\n"
    )


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")


def _body(case: EvidenceCase, words: Catalogue) -> list[Any]:
    record = case.record
    hypotheses = hypothesis_table(record, words)
    parts: list[Any] = [
        _head(case, words),
        card(session_facts(record, words)),
        three_figures(record, words),
        card(verdict(record, words), title=words.text("verdict")),
        card(facts_table(record, words), title=words.text("session.facts3")),
        _curve(case, words) if len(record.curve) else None,
        card(rules_table(record, words), title=words.text("session.rules")),
        card(hypotheses, title=words.text("session.hypotheses")) if hypotheses is not None else None,
        html.Div(
            [
                card(plausibility(record, words), title=words.text("session.story")),
                card(meter_card(record, words), title=words.text("session.meter")),
            ],
            className="pair",
        ),
        html.Div(
            [
                card(witness_table(record, words), title=words.text("session.witness")),
                card(times_table(record, words), title=words.text("session.compare")),
            ],
            className="pair",
        ),
        html.Div(
            [
                card(reasons(record, words), title=words.text("session.codes")),
                card(deviations(record, words), title=words.text("session.deviations")),
            ],
            className="pair",
        ),
        card(others(record, words), title=words.text("session.others")) if has_others(record) else None,
        card(slots_table(record, words), title=words.text("session.tariff")),
        card(touches_list(record, words), title=words.text("session.revisions")),
        card(timeline(record, words), title=words.text("session.timeline")),
        card(_readings(case, words), title=words.text("evidence.readings")) if len(record.curve) else None,
        card(_frames(case, words), title=words.text("session.frames")),
    ]
    return parts


def _head(case: EvidenceCase, words: Catalogue) -> html.Header:
    record = case.record
    session, bill = record.session, record.bills[0] if record.bills else None
    state = bill_badges(
        bill["status"] if bill and record.bill else "open",
        bill["held"] if bill and record.bill else 0,
        list(bill["codes"]) if bill else [],
        list(bill["codes_raw"]) if bill else [],
        words,
    )
    made = words.text("evidence.made", time=f"{written.full_time(case.made_ms, record.zone)} {record.zone}")
    identity = words.text(
        "evidence.identity",
        revision=session["revision"],
        rules=session["rule_version"],
        digest=f"{session['inputs_digest']:016X}",
    )
    return html.Header(
        [
            html.Div([html.H1(words.text("evidence.title")), state], className="head-line"),
            html.Div(session["trade_no"], className="trade-no"),
            html.P(made, className="faint"),
            html.P(identity, className="faint"),
            html.P(words.text("evidence.masked"), className="faint"),
        ]
    )


def _curve(case: EvidenceCase, words: Catalogue) -> Any:
    drawing = html.Div(curve_svg(case.record, words), className="drawing")
    return card([drawing, curve_note(case.record, words)], title=words.text("session.curve"))


def _readings(case: EvidenceCase, words: Catalogue) -> html.Div:
    """What the meter said and what of that was accepted: all readings, or the marked ones and an even choice."""
    record, curve = case.record, case.record.curve
    count = len(curve)
    places = list(range(count))
    if count > MOST_READINGS:
        marked = curve.marked().tolist()[:MOST_READINGS]
        step = -(-count // MOST_READINGS)
        places = sorted({*marked, *range(0, count, step), count - 1})
    rows = [
        [
            written.day_and_clock(int(curve.event_ms[place]), record.zone),
            written.energy(int(curve.reported_e4kwh[place]), 4),
            written.energy(int(curve.accepted_e4kwh[place]), 4),
            written.kilowatts(int(curve.power_w[place])),
            words.text("word.and").join(words.word("flag", name) for name in curve.flags_at(place)),
        ]
        for place in places
    ]
    columns = ("time", "reported", "accepted", "power", "rules")
    note = words.text("evidence.readings.cut", count=f"{count:,}") if count > len(places) else None
    return html.Div(
        [
            table(
                [words.text(f"evidence.readings.{column}") for column in columns],
                rows,
                numeric=(1, 2, 3),
                class_name="dense",
            ),
            html.Div(note, className="faint") if note else None,
        ]
    )


def frames_of(case: EvidenceCase) -> list[Entry]:
    """Every stored frame of the session, readings among them, in the order of arrival at the trail."""
    return [entry for entry in case.trail.entries if entry.kind in ("frame", "reading")]


def _frames(case: EvidenceCase, words: Catalogue) -> html.Div:
    """Frame by frame: when, who, which, what it means, its bytes."""
    frames = frames_of(case)
    if not frames:
        return html.Div(words.text("session.frames.none"), className="faint")
    shown = [html.Div(_frame(entry, case.record.zone, words), className="frame") for entry in frames[:MOST_FRAMES]]
    if len(frames) > MOST_FRAMES:
        cut = words.text("evidence.frames.cut", shown=f"{MOST_FRAMES:,}", count=f"{len(frames):,}")
        shown.append(html.Div(cut, className="faint"))
    return html.Div(shown)


def _frame(entry: Entry, zone: str, words: Catalogue) -> list[Any]:
    key = f"frame.{entry.type}"
    name = words.text(key if key in all_texts() else "frame.other")
    direction = words.word("direction", "up" if entry.party == "charger" else "down")
    late = f" · {words.word('verdict', 'stored')}" if entry.kept else ""
    line = [
        html.Span(written.day_and_clock(entry.at_ms, zone), className="frame-time"),
        html.Span(f"{direction} "),
        html.Span(f"{entry.type} {name}", className="strong"),
        html.Span(f" · {entry_words(entry, words)}{late}", className="warn-text" if entry.bad else "faint"),
    ]
    parts: list[Any] = [html.Div(line)]
    if entry.frame_hex:
        pairs = " ".join(entry.frame_hex[place : place + 2] for place in range(0, len(entry.frame_hex), 2))
        parts.append(html.Div(pairs, className="hex"))
    if entry.fields and entry.kind == "frame":
        parts.append(html.Div(json.dumps(entry.fields, ensure_ascii=False), className="fields"))
    return parts
