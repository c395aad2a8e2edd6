"""The overview page: put together once, then refreshed piece by piece where something changed."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard.catalogue import Catalogue
from dashboard.context import Services, request_words
from dashboard.overview.feeds import latest_bills, notable_events, stations_table
from dashboard.overview.figures import figure_cards, states_card
from dashboard.overview.power_chart import power_figure
from dashboard.overview.snapshot import Snapshot, power_history, snapshot
from dashboard.parts import card, chart_holder, choice, database_away, mark
from dashboard.plots import chart
from dashboard.shell import as_of
from dashboard.source import SourceAwayError

REFRESH_MS = 2_500
CURVE_REFRESH_MS = 20_000
PIECES = ("states", "figures", "stations", "latest", "events")


def overview_page(services: Services, words: Catalogue) -> list[Any]:
    """The page with its first figures already in it."""
    try:
        now: Snapshot | None = snapshot(services)
        history = power_history(services, 2)
    except SourceAwayError:
        now, history = None, []
    pieces = _pieces(now, words, services.zone) if now else dict.fromkeys(PIECES)
    banner = database_away(words, nothing_yet=True) if now is None else None
    return [
        html.Div(html.H1(words.text("title.overview")), className="page-head"),
        html.Div(banner, id="overview-banner"),
        html.Div(pieces["figures"], id="overview-figures", className="figures"),
        html.Div(
            [
                html.Div(pieces["states"], id="overview-states"),
                card(
                    chart_holder(
                        chart("overview-curve", power_figure(history, words, services.zone)),
                        words.text("overview.curve.label"),
                    ),
                    title=words.text("overview.curve"),
                    aside=choice(
                        "overview-range",
                        words.text("overview.curve"),
                        [("2", words.text("overview.curve.2h")), ("24", words.text("overview.curve.24h"))],
                        "2",
                    ),
                ),
            ],
            className="row row-left",
        ),
        card(
            html.Div(pieces["stations"], id="overview-stations"),
            title=words.text("overview.stations"),
            class_name="flush",
        ),
        html.Div(
            [
                card(
                    html.Div(pieces["latest"], id="overview-latest"),
                    title=words.text("overview.latest"),
                    aside=dcc.Link(words.text("overview.latest.all"), href="/sessions", className="quiet-link"),
                ),
                card(html.Div(pieces["events"], id="overview-events"), title=words.text("overview.events")),
            ],
            className="row row-right",
        ),
        dcc.Interval(id="overview-tick", interval=REFRESH_MS),
        dcc.Interval(id="overview-curve-tick", interval=CURVE_REFRESH_MS),
        dcc.Store(id="overview-marks", data=_marks(pieces) if now else {}),
    ]


def register_overview(app: Dash, services: Services) -> None:
    """The two refreshes of the page."""

    @app.callback(
        *[Output(f"overview-{piece}", "children") for piece in PIECES],
        Output("overview-banner", "children"),
        Output("overview-marks", "data"),
        Output("as-of", "children", allow_duplicate=True),
        Input("overview-tick", "n_intervals"),
        State("overview-marks", "data"),
        prevent_initial_call=True,
    )
    def refresh(_ticks: int | None, marks: dict[str, str] | None) -> list[Any]:
        words = request_words()
        try:
            now = snapshot(services)
        except SourceAwayError:
            away = database_away(words, nothing_yet=not marks)
            return [*[no_update] * len(PIECES), away, no_update, no_update]
        pieces = _pieces(now, words, services.zone)
        new_marks = _marks(pieces)
        old = marks or {}
        changed = [no_update if old.get(piece) == new_marks[piece] else pieces[piece] for piece in PIECES]
        return [*changed, None, new_marks, as_of(now.as_of_ms, words, services.zone)]

    @app.callback(
        Output("overview-curve", "figure"),
        Input("overview-curve-tick", "n_intervals"),
        Input("overview-range", "value"),
        prevent_initial_call=True,
    )
    def refresh_curve(_ticks: int | None, hours: str) -> Any:
        try:
            history = power_history(services, 24 if hours == "24" else 2)
        except SourceAwayError:
            return no_update
        return power_figure(history, request_words(), services.zone)


def _pieces(now: Snapshot, words: Catalogue, zone: str) -> dict[str, Any]:
    return {
        "states": states_card(now, words),
        "figures": figure_cards(now, words),
        "stations": stations_table(now, words),
        "latest": latest_bills(now, words, zone),
        "events": notable_events(now, words, zone),
    }


def _marks(pieces: dict[str, Any]) -> dict[str, str]:
    return {piece: mark(content) for piece, content in pieces.items()}
