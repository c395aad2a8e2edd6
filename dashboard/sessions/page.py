"""The list page: filters that live in the address, and a grid that is paged and sorted by the server."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard.catalogue import Catalogue
from dashboard.context import Services, request_words
from dashboard.parts import database_away, icon
from dashboard.sessions.filters import CODES, RANGES, READINGS, START_MODES, STATES, Filters, order_of
from dashboard.sessions.grid import GRID_ID, grid_row, sessions_grid
from dashboard.shell import as_of
from dashboard.source import SourceAwayError

FIELDS = ("range", "stations", "owners", "states", "codes", "reading", "modes", "pile", "vin", "trade")
LIST_FIELDS = ("stations", "owners", "states", "codes", "modes")
STATIONS_SHARED_FOR_S = 30.0


def sessions_page(services: Services, words: Catalogue, search: str) -> list[Any]:
    """The page with its filters set as the address says."""
    filters = Filters.from_search(search)
    try:
        places = services.source.shared(
            "places", STATIONS_SHARED_FOR_S, lambda: services.source.ask("stations").records()
        )
        banner = None
    except SourceAwayError:
        places, banner = [], database_away(words, nothing_yet=True)
    return [
        html.Div(
            [html.H1(words.text("title.sessions")), html.Span(id="sessions-count", className="count")],
            className="page-head",
        ),
        html.Div(banner, id="sessions-banner"),
        html.Div(_filter_fields(filters, places, words), className="card filters", role="search"),
        html.Div(sessions_grid(words), className="card flush grid-card"),
        dcc.Location(id="sessions-address", refresh=False),
        dcc.Store(id="sessions-filters", data=filters.to_search()),
    ]


def _filter_fields(filters: Filters, places: list[dict[str, Any]], words: Catalogue) -> list[Any]:
    stations = {str(row["station_id"]): words.name(row["station"], row["station_en"]) for row in places}
    owners = {str(row["operator_id"]): words.name(row["operator"], row["operator_en"]) for row in places}

    def several(field: str, key: str, options: dict[str, str]) -> Any:
        return dmc.MultiSelect(
            id=f"filter-{field}",
            label=words.text(f"sessions.filter.{key}"),
            placeholder=None if getattr(filters, field) else words.text("sessions.filter.any"),
            data=[{"value": value, "label": text} for value, text in options.items()],
            value=list(getattr(filters, field)),
            clearable=True,
            searchable=len(options) > 12,
            size="xs",
            className="filter",
        )

    def single(field: str, key: str, group: str, options: tuple[str, ...]) -> Any:
        return dmc.Select(
            id=f"filter-{field}",
            label=words.text(f"sessions.filter.{key}"),
            data=[{"value": value, "label": words.text(f"{group}.{value}")} for value in options],
            value=getattr(filters, field),
            allowDeselect=False,
            size="xs",
            className="filter filter-short",
        )

    def typed(field: str, key: str) -> Any:
        return dmc.TextInput(
            id=f"filter-{field}",
            label=words.text(f"sessions.filter.{key}"),
            placeholder=words.text("sessions.filter.any"),
            value=getattr(filters, field),
            debounce=500,
            size="xs",
            className="filter",
        )

    return [
        single("range", "range", "sessions.range", RANGES),
        several("stations", "station", stations),
        several("owners", "operator", owners),
        several("states", "state", {state: words.text(f"bill.{state}") for state in STATES}),
        several("codes", "codes", {code: f"{code} {words.text(f'code.{code}')}" for code in CODES}),
        single("reading", "reading", "sessions.reading", READINGS),
        several("modes", "mode", {mode: words.text(f"mode.{mode}") for mode in START_MODES}),
        typed("pile", "pile"),
        typed("vin", "vin"),
        typed("trade", "trade"),
        html.Button(
            [icon("clear", size=14), html.Span(words.text("sessions.filter.clear"))],
            id="filters-clear",
            className="tool",
        ),
    ]


def register_sessions(app: Dash, services: Services) -> None:
    """Filters and address follow each other; a new filter refreshes the grid."""

    @app.callback(
        Output("sessions-address", "search"),
        Output("sessions-filters", "data"),
        *[Output(f"filter-{field}", "value") for field in FIELDS],
        Input("sessions-address", "search"),
        Input("filters-clear", "n_clicks"),
        *[Input(f"filter-{field}", "value") for field in FIELDS],
        State("sessions-filters", "data"),
        prevent_initial_call=True,
    )
    def follow(search: str | None, _clicks: int | None, *rest: Any) -> list[Any]:
        values, shown = rest[:-1], rest[-1] or ""
        if ctx.triggered_id == "sessions-address":
            filters = Filters.from_search(search or "")
        elif ctx.triggered_id == "filters-clear":
            filters = Filters()
        else:
            filters = _typed_filters(values)
        wanted = filters.to_search()
        if wanted == shown:
            return [no_update] * (2 + len(FIELDS))
        own = ctx.triggered_id not in ("sessions-address", "filters-clear")
        fields = [no_update if own else _field_value(filters, field) for field in FIELDS]
        return [no_update if ctx.triggered_id == "sessions-address" else wanted, wanted, *fields]

    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction(namespace="pilestream", function_name="refreshGrid"),
        Output(GRID_ID, "className"),
        Input("sessions-filters", "data"),
        State(GRID_ID, "id"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(GRID_ID, "getRowsResponse"),
        Output("sessions-count", "children"),
        Output("sessions-banner", "children"),
        Output("as-of", "children", allow_duplicate=True),
        Input(GRID_ID, "getRowsRequest"),
        State("sessions-filters", "data"),
        prevent_initial_call=True,
    )
    def rows(request: dict[str, Any] | None, search: str | None) -> Any:
        if request is None:
            return no_update, no_update, no_update, no_update
        words, now_ms = request_words(), services.now_ms()
        try:
            found = services.source.ask(
                "sessions",
                **Filters.from_search(search or "").parameters(now_ms, services.zone),
                **order_of(request.get("sortModel")),
                limit=min(200, max(1, int(request["endRow"]) - int(request["startRow"]))),
                offset=max(0, int(request["startRow"])),
            ).records()
        except SourceAwayError:
            return {"rowData": [], "rowCount": 0}, "", database_away(words, nothing_yet=True), no_update
        total = found[0]["total"] if found else 0
        key = "sessions.count.one" if total == 1 else "sessions.count"
        taken = as_of(now_ms, words, services.zone)
        grid_rows = [grid_row(session, words, services.zone) for session in found]
        if not found and request["startRow"]:  # the last page ended exactly with the page before
            return {"rowData": [], "rowCount": int(request["startRow"])}, no_update, None, taken
        return {"rowData": grid_rows, "rowCount": total}, words.text(key, count=f"{total:,}"), None, taken


def _typed_filters(values: tuple[Any, ...]) -> Filters:
    """The filters as the fields hold them, checked in the same way as an address."""
    given = dict(zip(FIELDS, values, strict=True))
    values_of: dict[str, Any] = {
        field: tuple(value or ()) if field in LIST_FIELDS else value or "" for field, value in given.items()
    }
    return Filters.from_search(Filters(**values_of).to_search())


def _field_value(filters: Filters, field: str) -> Any:
    value = getattr(filters, field)
    return list(value) if field in LIST_FIELDS else value
