"""The page of one session."""

from typing import Any

import plotly.graph_objects as go
from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.context import Services, request_words
from dashboard.parts import badge, bill_badges, card, chart_holder, database_away, icon, mark
from dashboard.plots import chart
from dashboard.session.compared import facts_table, witness_table
from dashboard.session.curve_chart import curve_figure
from dashboard.session.curve_note import curve_note
from dashboard.session.download import evidence_links, register_downloads
from dashboard.session.evidence import deviations
from dashboard.session.figures import session_facts, three_figures, times_table
from dashboard.session.frames import frames_choice, frames_section, register_frames
from dashboard.session.meter import meter_card
from dashboard.session.money import slots_table
from dashboard.session.others import has_others, others
from dashboard.session.reasons import reasons
from dashboard.session.record import SessionRecord, session_record
from dashboard.session.rules import rules_table
from dashboard.session.story import hypothesis_table, plausibility
from dashboard.session.timeline import timeline
from dashboard.session.touches import touches_list
from dashboard.session.verdict import verdict
from dashboard.shell import as_of
from dashboard.source import SourceAwayError

REFRESH_MS = 4_000  # of a charge under way
PIECES = (
    "head",
    "facts",
    "figures",
    "verdict",
    "facts3",
    "curve",
    "rules",
    "hypotheses",
    "witness",
    "compare",
    "tariff",
    "revisions",
    "codes",
    "story",
    "meter",
    "others",
    "deviations",
    "timeline",
)
KEY_FIELDS = (
    "pile",
    "pile_id",
    "connector",
    "trade_no",
    "bill_number",
    "zone",
    "start_ms",
    "end_ms",
    "order_created_ms",
    "bill_receive_ms",
    "unplugged_ms",
)


def session_page(services: Services, words: Catalogue, pile: str, connector: int, trade_no: str) -> list[Any]:
    """Everything known of the session, or a plain word that it is unknown."""
    try:
        record = session_record(services, pile, connector, trade_no)
        if record is None:
            return _missing(words, pile, connector, trade_no)
        frames: Any = frames_section(record.session, services, words)
    except SourceAwayError:
        return [
            html.Div(html.H1(words.text("title.session")), className="page-head"),
            database_away(words, nothing_yet=True),
        ]
    part = {name: html.Div(piece, id=f"session-part-{name}") for name, piece in _pieces(record, words).items()}
    return [
        part["head"],
        html.Div(id="session-banner"),
        card(part["facts"], class_name="facts-card"),
        part["figures"],
        card(part["verdict"], title=words.text("verdict"), class_name="verdict-card"),
        card(part["facts3"], title=words.text("session.facts3"), class_name="flush"),
        card(
            [
                html.Div(
                    chart_holder(chart("session-curve", _curve(record, words)), words.text("session.curve.label")),
                    id="session-curve-holder",
                    hidden=not len(record.curve),
                ),
                part["curve"],
            ],
            title=words.text("session.curve"),
        ),
        card(part["rules"], title=words.text("session.rules"), class_name="flush"),
        _optional(part["hypotheses"], words.text("session.hypotheses"), class_name="flush"),
        html.Div(
            [
                html.Div(
                    [
                        card(part["witness"], title=words.text("session.witness"), class_name="flush"),
                        card(part["compare"], title=words.text("session.compare"), class_name="flush"),
                        card(part["tariff"], title=words.text("session.tariff"), class_name="flush"),
                        card(part["meter"], title=words.text("session.meter")),
                        card(part["revisions"], title=words.text("session.revisions")),
                    ],
                    className="stack",
                ),
                html.Div(
                    [
                        card(part["codes"], title=words.text("session.codes")),
                        _optional(part["others"], words.text("session.others")),
                        card(part["story"], title=words.text("session.story")),
                        card(part["deviations"], title=words.text("session.deviations")),
                        card(part["timeline"], title=words.text("session.timeline")),
                    ],
                    className="stack",
                ),
            ],
            className="row row-right",
        ),
        card(frames, title=words.text("session.frames"), aside=frames_choice(words), class_name="flush"),
        dcc.Store(id="session-key", data=_key(record)),
        dcc.Store(id="session-marks", data={}),
        dcc.Interval(id="session-tick", interval=REFRESH_MS, disabled=not record.is_open),
    ]


def _optional(part: html.Div, title: str, class_name: str = "") -> html.Div:
    """A card that stands only where there is something to say."""
    return html.Div(card(part, title=title, class_name=class_name), hidden=part.children is None)


def _key(record: SessionRecord) -> dict[str, Any]:
    """What later questions of the page need to know of the session."""
    return {field: record.session[field] for field in KEY_FIELDS}


def _pieces(record: SessionRecord, words: Catalogue) -> dict[str, Any]:
    """What changes while the charge goes on; the frames stay as the reader has them."""
    return {
        "head": _head(record, words),
        "facts": session_facts(record, words),
        "figures": three_figures(record, words),
        "verdict": verdict(record, words),
        "facts3": facts_table(record, words),
        "curve": curve_note(record, words),
        "rules": rules_table(record, words),
        "hypotheses": hypothesis_table(record, words),
        "witness": witness_table(record, words),
        "compare": times_table(record, words),
        "tariff": slots_table(record, words),
        "revisions": touches_list(record, words),
        "codes": reasons(record, words),
        "story": plausibility(record, words),
        "meter": meter_card(record, words),
        "others": others(record, words) if has_others(record) else None,
        "deviations": deviations(record, words),
        "timeline": timeline(record, words),
    }


def _head(record: SessionRecord, words: Catalogue) -> html.Div:
    session, bill = record.session, record.bill
    span = written.length(session["end_ms"] - session["start_ms"], words)
    start = written.full_time(session["start_ms"], record.zone)
    if record.is_open and record.so_far is None:
        when = start
    elif record.is_open:
        when = f"{start} – {words.text('session.so_far', length=span)}"
    else:
        when = f"{start} – {written.clock(session['end_ms'], record.zone)} · {span}"
    state = (
        bill_badges(bill["status"], bill["held"], bill["codes"], bill["codes_raw"], words)
        if bill
        else badge(words.word("life", session["life"]), "info")
    )
    return html.Div(
        [
            dcc.Link(
                [icon("back", size=16), words.text("session.back")], href="/sessions", className="quiet-link back"
            ),
            html.Div(
                [html.H1(words.text("title.session")), state, evidence_links(session, words)], className="head-line"
            ),
            html.Div(
                [
                    html.Span(session["trade_no"], className="trade-no", id="trade-no"),
                    dcc.Clipboard(
                        target_id="trade-no",
                        title=words.text("session.copy"),
                        className="copy",
                    ),
                    html.Span(f"{when} · {record.zone}", className="faint num-text"),
                ],
                className="sub-line",
            ),
        ],
        className="page-head session-head",
    )


def _curve(record: SessionRecord, words: Catalogue) -> go.Figure:
    return curve_figure(record, words) if len(record.curve) else go.Figure()


def _missing(words: Catalogue, pile: str, connector: int, trade_no: str) -> list[Any]:
    return [
        html.Div(html.H1(words.text("session.missing")), className="page-head"),
        html.P(
            words.text("session.missing.text", pile=pile, connector=connector, trade_no=trade_no), className="faint"
        ),
        dcc.Link(words.text("session.back"), href="/sessions", className="quiet-link"),
    ]


def register_session(app: Dash, services: Services) -> None:
    """The page's callbacks: its frames, its files, and the refresh of a charge under way until it has ended."""
    register_frames(app, services)
    register_downloads(app, services)

    @app.callback(
        *[Output(f"session-part-{piece}", "children") for piece in PIECES],
        Output("session-curve", "figure"),
        Output("session-curve-holder", "hidden"),
        Output("session-banner", "children"),
        Output("session-key", "data"),
        Output("session-marks", "data"),
        Output("session-tick", "disabled"),
        Output("as-of", "children", allow_duplicate=True),
        Input("session-tick", "n_intervals"),
        State("session-key", "data"),
        State("session-marks", "data"),
        prevent_initial_call=True,
    )
    def refresh(_ticks: int | None, key: dict[str, Any], marks: dict[str, str] | None) -> list[Any]:
        words, now_ms = request_words(), services.now_ms()
        try:
            record = session_record(services, key["pile"], key["connector"], key["trade_no"])
        except SourceAwayError:
            return [*[no_update] * (len(PIECES) + 2), database_away(words, nothing_yet=False), *[no_update] * 4]
        if record is None:  # it went to another operator
            return [no_update] * (len(PIECES) + 7)
        pieces, old, curve = _pieces(record, words), marks or {}, _curve(record, words)
        new_marks = {name: mark(piece) for name, piece in [*pieces.items(), ("chart", curve)]}
        drawn = [no_update if old.get("chart") == new_marks["chart"] else curve, not len(record.curve)]
        changed = [no_update if old.get(name) == new_marks[name] else pieces[name] for name in PIECES]
        taken = as_of(now_ms, words, services.zone)
        return [*changed, *drawn, None, _key(record), new_marks, not record.is_open, taken]
