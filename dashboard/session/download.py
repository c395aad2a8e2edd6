"""The evidence of a session as files: a page to print, and a pack to send."""

from typing import Any
from urllib.parse import urlencode

from dash import Dash, html
from flask import Response, request

from dashboard.catalogue import Catalogue
from dashboard.context import Services, request_words
from dashboard.parts import icon
from dashboard.session.evidence_case import evidence_case
from dashboard.session.evidence_pack import evidence_zip
from dashboard.session.evidence_page import evidence_html
from dashboard.source import SourceAwayError

PAGE_PATH, PACK_PATH = "/evidence.html", "/evidence.zip"
NOT_FOUND, AWAY = 404, 503
_NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What the page may load: nothing. Much of its text comes from chargers."""


def evidence_links(session: dict[str, Any], words: Catalogue) -> html.Div:
    """The two ways to take the evidence along."""
    key = urlencode({"pile": session["pile"], "connector": session["connector"], "trade_no": session["trade_no"]})
    return html.Div(
        [
            html.A(
                [icon("list", size=15), words.text("evidence.print")],
                href=f"{PAGE_PATH}?{key}",
                target="_blank",
                className="tool",
                id="evidence-page",
            ),
            html.A(
                [icon("shield", size=15), words.text("evidence.pack")],
                href=f"{PACK_PATH}?{key}",
                className="tool",
                title=words.text("evidence.pack.hint"),
                id="evidence-pack",
            ),
        ],
        className="head-tools",
    )


def register_downloads(app: Dash, services: Services) -> None:
    """Answer both addresses within the scope of the pages."""

    def answer(as_pack: bool) -> Response:
        words = request_words()
        connector = request.args.get("connector", "")
        try:
            case = evidence_case(
                services,
                request.args.get("pile", ""),
                int(connector) if connector.isdecimal() and len(connector) <= 3 else -1,
                request.args.get("trade_no", ""),
            )
        except SourceAwayError:
            return Response(words.text("error.database"), status=AWAY, mimetype="text/plain")
        if case is None:
            return Response(words.text("evidence.unknown"), status=NOT_FOUND, mimetype="text/plain")
        if not as_pack:
            page = Response(evidence_html(case, words), mimetype="text/html")
            page.headers["Content-Security-Policy"] = _NO_SCRIPT
            return page
        pack = Response(evidence_zip(case, words), mimetype="application/zip")
        pack.headers["Content-Disposition"] = f'attachment; filename="{case.file_name}.zip"'
        return pack

    app.server.add_url_rule(PAGE_PATH, "evidence_page", lambda: answer(as_pack=False))
    app.server.add_url_rule(PACK_PATH, "evidence_pack", lambda: answer(as_pack=True))
