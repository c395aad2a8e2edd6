"""Builds the Dash application: frame, router, pages."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from clickhouse_driver import Client
from dash import Dash, Input, Output, State, dcc, html
from flask import Response, request
from flask_compress import Compress

from analytics.questions import PLATFORM_SCOPE, Scope
from analytics.session_curve import session_curve
from dashboard.catalogue import HTML_LANGUAGES, Catalogue, language_of
from dashboard.context import (
    LANGUAGE_COOKIE,
    CurveOf,
    EncodeReading,
    FrameFields,
    Services,
    request_theme,
    request_words,
)
from dashboard.overview.page import overview_page, register_overview
from dashboard.session.page import register_session, session_page
from dashboard.sessions.page import register_sessions, sessions_page
from dashboard.shell import as_of, frame, register_frame
from dashboard.source import Source

DEFAULT_ZONE = "Asia/Shanghai"
SESSION_PATH = re.compile(r"/session/([^/]+)/(\d{1,3})/([^/]+)/?")
COOKIE_SECONDS = 365 * 86_400


def create_app(
    connect: Callable[[], Client],
    scope: Scope = PLATFORM_SCOPE,
    *,
    clock: Callable[[], int],
    zone: str = DEFAULT_ZONE,
    curve_of: CurveOf = session_curve,
    encode_reading: EncodeReading | None = None,
    frame_fields: FrameFields | None = None,
) -> Dash:
    """The application, warmed up and ready for `dashboard.server.serve`.

    `connect` gives a new ClickHouse client (each serving thread calls it once), `scope` says whose rows are shown,
    `clock` gives UTC epoch milliseconds, `zone` is where "today" is cut. `encode_reading` makes the bytes of a
    realtime frame from its columns (without it only frames stored with their bytes can be shown), `frame_fields`
    decodes bytes. Neither asks the database: what is asked there goes through the scope.
    """
    services = Services(
        source=Source(connect, scope, clock),
        zone=zone,
        curve_of=curve_of,
        encode_reading=encode_reading,
        frame_fields=frame_fields or _no_fields,
    )
    app = _PilestreamDash(
        __name__,
        title="pilestream",
        update_title="",
        suppress_callback_exceptions=True,
        serve_locally=True,
        compress=False,
    )
    Compress(app.server)
    app.layout = frame
    _register_router(app, services)
    register_frame(app)
    register_overview(app, services)
    register_sessions(app, services)
    register_session(app, services)
    app.server.after_request(_remember_language)
    # Dash registers component files with its first request; parallel first requests would miss some (plotly/dash #3971)
    with app.server.test_request_context("/"):
        app._setup_server()  # type: ignore[no-untyped-call]
    return app


class _PilestreamDash(Dash):
    """Dash whose document says its language and theme from the first byte on."""

    def interpolate_index(self, *args: Any, **parts: Any) -> str:
        words = request_words()
        scheme = request_theme()
        document: str = super().interpolate_index(*args, **parts)  # type: ignore[no-untyped-call]
        return document.replace(
            "<html>", f'<html lang="{HTML_LANGUAGES[words.language]}" data-mantine-color-scheme="{scheme}">', 1
        )


def _register_router(app: Dash, services: Services) -> None:
    @app.callback(
        Output("page", "children"),
        Output("as-of", "children"),
        Input("address", "pathname"),
        State("address", "search"),
    )
    def show(path: str | None, search: str | None) -> tuple[Any, Any]:
        words = request_words()
        taken = as_of(services.now_ms(), words, services.zone)
        return page_at(unquote(path or "/"), words, search or ""), taken

    def page_at(where: str, words: Catalogue, search: str) -> Any:
        if where == "/":
            return overview_page(services, words)
        if where.rstrip("/") == "/sessions":
            return sessions_page(services, words, search)
        found = SESSION_PATH.fullmatch(where)
        if found:
            pile, connector, trade_no = found.groups()
            return session_page(services, words, pile, int(connector), trade_no)
        return _lost(words)


def _lost(words: Catalogue) -> list[Any]:
    return [
        html.Div(html.H1(words.text("title.lost")), className="page-head"),
        html.P(words.text("lost.text"), className="faint"),
        dcc.Link(words.text("lost.back"), href="/", className="quiet-link"),
    ]


def _remember_language(response: Response) -> Response:
    wanted = request.args.get("lang")
    if wanted and language_of(wanted, None) == wanted:
        response.set_cookie(LANGUAGE_COOKIE, wanted, max_age=COOKIE_SECONDS, samesite="Lax")
    return response


def _no_fields(_frame_hex: str) -> dict[str, Any]:
    return {}
