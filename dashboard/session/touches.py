"""Every later touch of a session: the revisions of its measurement and bill, and what each of them changed."""

from typing import Any

from dash import html

from analytics.revision_changes import Change, Touch, touches
from dashboard import written
from dashboard.catalogue import Catalogue, all_texts
from dashboard.parts import bill_badges, empty
from dashboard.session.record import SessionRecord
from dashboard.session.values import said

MOST_CHANGES = 12
_GROUPS = {
    "life": "life",
    "bill_state": "record",
    "quality": "quality",
    "register_kind": "register_kind",
    "status": "bill",
    "causes": "causes",
}
"""How texts group the words of a field that holds a word."""


def touches_list(record: SessionRecord, words: Catalogue) -> Any:
    """The revisions, the newest first: when, what it came to, and what it changed against the one before."""
    if not record.bills and record.is_open:
        return empty(words.text("session.revisions.none"))
    found = touches(record.revisions, record.bills)
    return html.Ol([_touch(one, record, words) for one in found], className="touches")


def _touch(one: Touch, record: SessionRecord, words: Catalogue) -> html.Li:
    energy = said("e4kwh", one.final_energy_e4kwh, words, record.zone)
    amount = said("fen", one.amount_fen, words, record.zone)
    head = [
        html.Span(words.text("session.revisions.number", number=one.revision), className="strong"),
        bill_badges(one.status, int(one.held), list(one.codes), [], words),
        html.Span(f"{energy} · {amount}", className="num-text"),
    ]
    about = words.text("session.revisions.about", time=written.full_time(one.about_ms, record.zone))
    wrote = words.text("session.revisions.written", time=written.full_time(one.written_ms, record.zone))
    when = about if one.written_ms == 0 else f"{wrote} · {about}"
    shown = [change_words(change, words, record.zone) for change in one.changes[:MOST_CHANGES]]
    if not one.changes:
        shown = [words.text("session.revisions.first" if one.revision == 1 else "session.revisions.same")]
    elif len(one.changes) > MOST_CHANGES:
        shown.append(words.text("session.revisions.more", count=len(one.changes) - MOST_CHANGES))
    return html.Li(
        [
            html.Div(head, className="touch-head"),
            html.Div(when, className="faint fact-note"),
            html.Ul([html.Li(text) for text in shown], className="plain-list"),
        ]
    )


def change_words(change: Change, words: Catalogue, zone: str) -> str:
    """One changed field with what it said before and says now."""
    unit = _GROUPS.get(change.name, change.kind)
    before, after = (said(unit, value, words, zone) for value in (change.before, change.after))
    key = f"changed.{change.name}"
    name = words.text(key) if key in all_texts() else change.name
    return words.text("session.revisions.change", name=name, before=before, after=after)
