"""The frame around every page: brand, navigation, clock, language and theme."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.context import request_theme, request_words
from dashboard.parts import aria, icon
from dashboard.plots import FONT

DARK_SHADES = [  # from text to ground, in step with the dark theme of style.css
    "#e4eaf0",
    "#b8c4cf",
    "#97a5b3",
    "#6c7a88",
    "#33414e",
    "#2a3743",
    "#1e2933",
    "#18212a",
    "#121920",
    "#0c1116",
]
THEME = {
    "fontFamily": FONT,
    "primaryColor": "teal",
    "colors": {"dark": DARK_SHADES},
    "defaultRadius": "md",
    "headings": {"fontFamily": FONT},
}
NAVIGATION = (("/", "nav.overview", "gauge"), ("/sessions", "nav.sessions", "list"))


def frame() -> Any:
    """The whole document in the language and theme of the request; the page itself is put in by the router."""
    words = request_words()
    return dmc.MantineProvider(
        [
            dcc.Location(id="address", refresh="callback-nav"),
            html.A(words.text("shell.skip"), href="#page", className="skip"),
            _header(words),
            html.Main(id="page", className="page", tabIndex="-1"),
            dcc.Store(id="theme-kept"),
            dcc.Store(id="language-kept"),
        ],
        id="theme",
        theme=THEME,
        forceColorScheme=request_theme(),
    )


def _header(words: Catalogue) -> html.Header:
    links = [
        dcc.Link(
            [icon(icon_name, size=16), html.Span(words.text(key))], href=path, className="nav-link", id=f"nav-{key[4:]}"
        )
        for path, key, icon_name in NAVIGATION
    ]
    return html.Header(
        html.Div(
            [
                dcc.Link(
                    [
                        html.Span(className="brand-mark", **aria(hidden="true")),
                        html.Span(words.text("brand"), className="brand-name"),
                    ],
                    href="/",
                    className="brand",
                    title=words.text("brand.line"),
                ),
                html.Nav(links, className="nav", **aria(label=words.text("nav.main"))),
                html.Div(id="as-of", className="as-of"),
                html.Button(
                    words.text("shell.language"),
                    id="switch-language",
                    className="tool",
                    title=words.text("shell.language.hint"),
                    lang="en" if words.is_chinese else "zh-CN",
                ),
                html.Button(
                    [icon("sun", size=17), icon("moon", size=17)],
                    id="switch-theme",
                    className="tool tool-icon",
                    title=words.text("shell.theme.hint"),
                    **aria(label=words.text("shell.theme.hint")),
                ),
            ],
            className="header-inner",
        ),
        className="header",
    )


def as_of(ms: int, words: Catalogue, zone: str) -> list[Any]:
    """When the figures were taken, with the zone."""
    return [
        html.Span(className="pulse", **aria(hidden="true")),
        html.Span(f"{words.text('shell.as_of')} ", className="as-of-label"),
        html.Span(written.full_time(ms, zone), className="num-text"),
        html.Span(zone, className="faint as-of-zone"),
    ]


def register_frame(app: Dash) -> None:
    """Language and theme are the browser's own: both switch without asking the server for anything but the page."""
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="pilestream", function_name="switchTheme"),
        Output("theme", "forceColorScheme"),
        Input("switch-theme", "n_clicks"),
        State("theme", "forceColorScheme"),
        prevent_initial_call=True,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="pilestream", function_name="switchLanguage"),
        Output("language-kept", "data"),
        Input("switch-language", "n_clicks"),
        prevent_initial_call=True,
    )
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="pilestream", function_name="markPlace"),
        Output("theme-kept", "data"),
        Input("address", "pathname"),
        Input("theme", "forceColorScheme"),
    )
