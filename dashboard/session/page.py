"""The page of one session."""

from typing import Any

from dash import Dash, dcc, html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.context import Services
from dashboard.parts import badge, bill_badges, card, chart_holder, database_away, empty, icon
from dashboard.plots import chart
from dashboard.session.curve_chart import curve_figure
from dashboard.session.figures import compare_table, rule_note, session_facts, three_figures
from dashboard.session.frames import frames_choice, frames_section, register_frames
from dashboard.session.money import revisions_table, slots_table
from dashboard.session.reasons import reasons
from dashboard.session.record import SessionRecord, session_record
from dashboard.session.timeline import timeline
from dashboard.source import SourceAwayError

KEY_FIELDS = (
    "pile_id",
    "connector",
    "trade_no",
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
    return [
        _head(record, words),
        card(session_facts(record, words), class_name="facts-card"),
        three_figures(record, words),
        rule_note(record, words),
        card(_curve(record, words), title=words.text("session.curve")),
        html.Div(
            [
                html.Div(
                    [
                        card(compare_table(record, words), title=words.text("session.compare"), class_name="flush"),
                        card(slots_table(record, words), title=words.text("session.tariff"), class_name="flush"),
                        card(revisions_table(record, words), title=words.text("session.revisions"), class_name="flush"),
                    ],
                    className="stack",
                ),
                html.Div(
                    [
                        card(reasons(record, words), title=words.text("session.codes")),
                        card(timeline(record, words), title=words.text("session.timeline")),
                    ],
                    className="stack",
                ),
            ],
            className="row row-right",
        ),
        card(frames, title=words.text("session.frames"), aside=frames_choice(words), class_name="flush"),
        dcc.Store(id="session-key", data={field: record.session[field] for field in KEY_FIELDS}),
    ]


def _head(record: SessionRecord, words: Catalogue) -> html.Div:
    session, bill = record.session, record.bill
    when = f"{written.full_time(session['start_ms'], record.zone)} – {written.clock(session['end_ms'], record.zone)}"
    span = written.length(session["end_ms"] - session["start_ms"], words)
    state = (
        bill_badges(bill["status"], bill["held"], bill["codes"], bill["codes_raw"], words)
        if bill and bill["final_rule"]
        else badge(words.word("life", session["life"]), "info")
    )
    return html.Div(
        [
            dcc.Link(
                [icon("back", size=16), words.text("session.back")], href="/sessions", className="quiet-link back"
            ),
            html.Div([html.H1(words.text("title.session")), state], className="head-line"),
            html.Div(
                [
                    html.Span(session["trade_no"], className="trade-no", id="trade-no"),
                    dcc.Clipboard(
                        target_id="trade-no",
                        title=words.text("session.copy"),
                        className="copy",
                    ),
                    html.Span(f"{when} · {span} · {record.zone}", className="faint num-text"),
                ],
                className="sub-line",
            ),
        ],
        className="page-head session-head",
    )


def _curve(record: SessionRecord, words: Catalogue) -> list[Any]:
    curve = record.curve
    if not len(curve):
        return [empty(words.text("session.curve.none"))]
    note = words.text(
        "session.curve.note",
        reported=f"{len(curve):,}",
        flagged=f"{len(curve.marked()):,}",
        naive=written.energy(record.session["naive_energy_e4kwh"], 4),
        accepted=written.energy(int(curve.accepted_e4kwh[-1]), 4),
    )
    figure = chart("session-curve", curve_figure(curve, words, record.zone))
    return [chart_holder(figure, words.text("session.curve.label")), html.Div(note, className="faint table-note")]


def _missing(words: Catalogue, pile: str, connector: int, trade_no: str) -> list[Any]:
    return [
        html.Div(html.H1(words.text("session.missing")), className="page-head"),
        html.P(
            words.text("session.missing.text", pile=pile, connector=connector, trade_no=trade_no), className="faint"
        ),
        dcc.Link(words.text("session.back"), href="/sessions", className="quiet-link"),
    ]


def register_session(app: Dash, services: Services) -> None:
    """The page's callbacks: only its frames have any."""
    register_frames(app, services)
