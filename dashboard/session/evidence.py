"""What else is known of how a charge went: who started it, by what that is known, and where it left the protocol."""

from typing import Any

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import aria, icon
from dashboard.session.record import SessionRecord

SHORTEST_SHOWN_MS = 1_000


def start_evidence(record: SessionRecord, words: Catalogue, shown: str) -> list[html.Div]:
    """A quiet line under how the charge was started: who, and by what it is known. Nothing where nothing is.

    `shown` is the way to start as it stands above; the line repeats it only where the evidence says another.
    """
    if not record.starts:
        return []
    best = record.starts[0]
    method = words.word("start_method", best["method"])
    source = words.text("session.start.by", source=words.word("start_source", best["source"]))
    parts = [source] if method == shown else [method, source]
    account = next((start["account"] for start in record.starts if start["account"]), "")
    if account:
        parts.append(words.text("session.start.account", account=account))
    if not best["granted"]:
        known = words.word("start_refusal", best["reason"])
        reason = words.word("detail", known) if known == best["reason"] else known
        parts.append(words.text("session.start.refused", reason=reason))
    return [html.Div(" · ".join(parts), className="faint fact-note")]


def deviations(record: SessionRecord, words: Catalogue) -> html.Div:
    """Where the charge left the order of steps that its protocol prescribes, or that it did not."""
    check = record.check
    if check is None:
        return html.Div(words.text("session.deviations.unchecked"), className="faint quiet-state")
    due = check["steps_expected"]
    kept = words.text("session.deviations.kept", kept=check["steps_kept"], due=due) if due else ""
    if not record.deviations:
        good = [icon("check", size=16), html.Span(words.text("session.deviations.none"))]
        return html.Div([html.Div(good, className="good-line"), html.Div(kept, className="faint fact-note")])
    found = html.Ol([_deviation(row, record, words) for row in record.deviations], className="timeline")
    return html.Div([html.Div(kept, className="faint table-note"), found])


def _deviation(row: dict[str, Any], record: SessionRecord, words: Catalogue) -> html.Li:
    notes = [words.word("party", row["party"])]
    if row["times"] > 1:
        notes.append(words.text("session.deviations.times", count=row["times"]))
    limit = written.length(row["allowed_ms"], words) if row["allowed_ms"] >= SHORTEST_SHOWN_MS else ""
    if limit and row["observed_ms"] >= SHORTEST_SHOWN_MS:
        took = written.length(row["observed_ms"], words)
        notes.append(words.text("session.deviations.took", took=took, limit=limit))
    elif limit:
        notes.append(words.text("session.deviations.limit", limit=limit))
    tone = "held" if row["party"] == "charger" else "idle"
    return html.Li(
        [
            html.Span(written.clock(row["event_ms"], record.zone), className="feed-time"),
            html.Span(className=f"dot tint-{tone}", **aria(hidden="true")),
            html.Span(
                [
                    html.Span(f"{words.word('step', row['step'])} · {words.word('deviation', row['kind'])}"),
                    html.Span(f" · {' · '.join(notes)}", className="faint"),
                ]
            ),
        ]
    )
