"""What happened around a session, in the order of time."""

from typing import Any

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.overview.feeds import event_text
from dashboard.parts import aria, empty
from dashboard.session.record import SessionRecord

TONES = {
    "connector.started": "charging",
    "connector.charging": "charging",
    "connector.fault": "fault",
    "connector.violation": "held",
    "connection.closed": "held",
    "connection.login_refused": "fault",
    "record.received": "plugged",
    "bill.final": "plugged",
    "outage.stopped": "held",
    "outage.crashed": "held",
}


def timeline(record: SessionRecord, words: Catalogue) -> Any:
    """Orders, plug and state changes, connections, clock, record and bills as one list."""
    if not record.events:
        return empty(words.text("session.timeline.none"))
    return html.Ol([_step(event, record, words) for event in record.events], className="timeline")


def _step(event: dict[str, Any], record: SessionRecord, words: Catalogue) -> html.Li:
    text, detail = event_text(event["kind"], event["event"], event["detail"], words)
    name = f"{event['kind']}.{event['event']}"
    failed = event["kind"] == "command" and event["event"].endswith((".refused", ".timeout", ".connection_lost"))
    tone = "held" if failed else TONES.get(name, "idle")
    return html.Li(
        [
            html.Span(written.clock(event["event_ms"], record.zone), className="feed-time"),
            html.Span(className=f"dot tint-{tone}", **aria(hidden="true")),
            html.Span([html.Span(text), html.Span(f" · {detail}", className="faint") if detail else None]),
        ]
    )
