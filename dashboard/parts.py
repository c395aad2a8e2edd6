"""The small pieces that every page is made of: cards, icons, badges, figures, empty and error states."""

import hashlib
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from plotly.utils import PlotlyJSONEncoder

from dashboard.catalogue import Catalogue
from dashboard.written import codes as written_codes

CONNECTOR_STATES = ("charging", "plugged", "idle", "fault", "offline", "unknown")
STATE_ICONS = {
    "charging": "bolt",
    "plugged": "plug",
    "idle": "ring",
    "fault": "alert",
    "offline": "away",
    "unknown": "question",
}


def aria(**names: str) -> dict[str, Any]:
    """Attributes for screen readers: `aria(label="…")` is aria-label."""
    return {f"aria-{name}": value for name, value in names.items()}


def icon(name: str, *, size: int = 16, label: str | None = None) -> html.Span:
    """An icon of `assets/icons` in the colour of the text around it; with a label it speaks to screen readers."""
    extra = {"role": "img", **aria(label=label)} if label else aria(hidden="true")
    return html.Span(className=f"icon icon-{name}", style={"width": size, "height": size}, **extra)


def card(children: Any, *, title: str | None = None, aside: Any = None, class_name: str = "") -> html.Section:
    """A panel with an optional heading and something at the heading's right."""
    head = []
    if title is not None:
        head = [html.Div([html.H2(title, className="card-title"), html.Div(aside)], className="card-head")]
    body = children if isinstance(children, list) else [children]
    return html.Section([*head, *body], className=f"card {class_name}".strip())


def figure_card(label: str, value: str, unit: str, detail: Any, *, icon_name: str, tone: str = "") -> html.Section:
    """One key figure: what it is, how much, and one line that explains it."""
    return html.Section(
        [
            html.Div([icon(icon_name, size=17), html.H2(label, className="figure-label")], className="figure-head"),
            html.Div([html.Span(value, className="figure-value"), html.Span(unit, className="figure-unit")]),
            html.Div(detail, className="figure-detail"),
        ],
        className=f"card figure {tone}".strip(),
    )


def empty(text: str) -> html.Div:
    """What stands where data would be."""
    return html.Div(text, className="empty")


def database_away(words: Catalogue, *, nothing_yet: bool) -> html.Div:
    """The one message for a database that does not answer."""
    text = "error.database.none" if nothing_yet else "error.database.keep"
    return html.Div(
        [icon("away", size=18), html.Strong(words.text("error.database")), html.Span(words.text(text))],
        className="banner",
        role="status",
    )


def badge(text: str, tone: str = "plain", *, title: str | None = None) -> html.Span:
    """A short word on a tinted ground; `tone` is a class of style.css."""
    return html.Span(text, className=f"badge badge-{tone}", title=title)


def code_badges(numbers: list[int], words: Catalogue, *, tone: str = "warn") -> list[Any]:
    """One badge per anomaly code, its name shown by the pointer."""
    return [badge(str(number), tone, title=words.word("code", number)) for number in numbers]


def bill_badges(status: str, held: int, numbers: list[int], raw: list[int], words: Catalogue) -> html.Span:
    """State of a bill in words, and its codes."""
    tone = {"final": "good", "provisional": "info"}.get(status, "plain")
    parts: list[Any] = [badge(words.text("bill.held"), "warn")] if held else [badge(words.word("bill", status), tone)]
    if numbers:
        parts += code_badges(numbers, words)
    elif raw:
        text = words.text("sessions.codes.explained", codes=written_codes(raw))
        parts.append(html.Span(text, className="faint"))
    return html.Span(parts, className="badges")


def table(head: list[str], rows: list[list[Any]], *, numeric: tuple[int, ...] = (), class_name: str = "") -> html.Div:
    """A plain table; columns in `numeric` are set to the right with even figures.

    With the class `labelled`, each cell carries its column's name, which a narrow screen shows instead of the head.
    """

    def kind(index: int) -> str:
        return "num" if index in numeric else ""

    return html.Div(
        html.Table(
            [
                html.Thead(
                    html.Tr([html.Th(name, className=kind(index), scope="col") for index, name in enumerate(head)])
                ),
                html.Tbody(
                    [
                        html.Tr(
                            [
                                html.Td(cell, className=kind(index), **column_name(head[index]))
                                for index, cell in enumerate(row)
                            ]
                        )
                        for row in rows
                    ]
                ),
            ],
            className=f"table {class_name}".strip(),
        ),
        className=f"table-wrap {class_name}".strip(),
    )


def column_name(name: str) -> dict[str, Any]:
    """What a cell of a `labelled` table says of its column where the head is not shown."""
    return {"data-label": name}


def fact(label: str, value: Any) -> html.Div:
    """A named value."""
    return html.Div([html.Dt(label), html.Dd(value)], className="fact")


def session_path(pile: str, connector: int, trade_no: str) -> str:
    """The address of a session's page."""
    return f"/session/{pile}/{connector}/{trade_no}"


def session_link(children: Any, pile: str, connector: int, trade_no: str) -> dcc.Link:
    """A link to a session's page."""
    return dcc.Link(children, href=session_path(pile, connector, trade_no), className="link")


def choice(identity: str, label: str, options: list[tuple[str, str]], value: str) -> html.Div:
    """A few alternatives side by side, named for screen readers."""
    return html.Div(
        dmc.SegmentedControl(
            id=identity, value=value, data=[{"value": key, "label": text} for key, text in options], size="xs"
        ),
        role="group",
        **aria(label=label),
    )


def chart_holder(chart: Any, label: str) -> html.Div:
    """A chart with a name for screen readers."""
    return html.Div(chart, role="img", **aria(label=label))


def mark(content: Any) -> str:
    """A short digest of what a piece of a page would show, so that an unchanged piece is not sent again."""
    parts = content if isinstance(content, list) else [content]
    text = PlotlyJSONEncoder().encode(parts)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
