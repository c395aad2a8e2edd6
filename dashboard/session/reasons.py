"""Anomaly codes of a session with their reasons in words."""

from typing import Any, Final

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, empty, icon
from dashboard.session.record import SessionRecord

Hit = tuple[int, str, str, str, int, int, str]
"""code, reading (raw or corrected), reason, cause, observed, threshold, unit"""

WAITED: Final = ("NO_BILL", "NO_BILL_OFFLINE")
"""Reasons of a record that never came: nothing was observed, the threshold is how long was waited for it."""


def reasons(record: SessionRecord, words: Catalogue) -> html.Div:
    """Each code: whether it stays or was explained, what was observed against which limit, and the cause."""
    raw, corrected = record.codes["codes_raw"], record.codes["codes"]
    shown = [*corrected, *[code for code in raw if code not in corrected]]
    parts: list[Any] = []
    if not shown and record.session["life"] == "open":
        parts.append(empty(words.text("session.codes.open")))
    elif not shown:
        parts.append(
            html.Div([icon("check", size=22), html.Div(words.text("session.codes.none"))], className="empty empty-good")
        )
    parts += [_code(code, code in corrected, record.codes["hits"], words) for code in shown]
    if record.codes["causes"]:
        parts.append(html.H3(words.text("session.causes"), className="small-title"))
        parts.append(
            html.Ul([html.Li(words.word("cause", cause)) for cause in record.codes["causes"]], className="plain-list")
        )
    if record.session["flags"]:
        parts.append(html.H3(words.text("session.flags"), className="small-title"))
        parts.append(
            html.Div([badge(words.word("flag", flag), "plain") for flag in record.session["flags"]], className="badges")
        )
    return html.Div(parts) if parts else empty(words.text("empty.nothing"))


def _code(code: int, stays: bool, hits: list[Hit], words: Catalogue) -> html.Div:
    own = [hit for hit in hits if hit[0] == code]
    wanted = [hit for hit in own if hit[1] == ("corrected" if stays else "raw")] or own
    state = (
        badge(words.text("session.codes.stays"), "warn")
        if stays
        else badge(words.text("session.codes.explained"), "good")
    )
    lines = [_hit_line(hit, words) for hit in wanted]
    return html.Div(
        [
            html.Div(
                [
                    html.Span(str(code), className=f"badge {'badge-warn' if stays else 'badge-struck'} code-number"),
                    html.Span(words.word("code", code), className="strong"),
                    state,
                ],
                className="code-head",
            ),
            html.Div(words.word("code", f"{code}.text"), className="faint"),
            html.Ul(lines, className="plain-list") if lines else None,
        ],
        className="code",
    )


def _hit_line(hit: Hit, words: Catalogue) -> html.Li:
    _code_number, _reading, reason, cause, observed, threshold, unit = hit
    parts = [words.word("reason", reason)]
    if reason in WAITED:
        parts.append(words.text(f"session.codes.waited.{reason}", threshold=_quantity(threshold, unit, words)))
    elif observed or threshold:
        parts.append(
            words.text(
                "session.codes.observed",
                observed=_quantity(observed, unit, words),
                threshold=_quantity(threshold, unit, words),
            )
        )
    if cause:
        parts.append(words.word("cause", cause))
    return html.Li(" · ".join(parts))


def _quantity(value: int, unit: str, words: Catalogue) -> str:
    if unit == "e4kwh":
        return f"{written.energy(value, 4)} {words.text('unit.kwh')}"
    if unit == "ms":
        return written.length(value, words)
    if unit == "w":
        return f"{written.kilowatts(value)} {words.text('unit.kw')}"
    return f"{value:,}"
