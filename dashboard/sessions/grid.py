"""The grid of sessions: which columns it has, and a session as one of its rows."""

from typing import Any

import dash_ag_grid as dag

from dashboard import written
from dashboard.catalogue import Catalogue, all_texts
from dashboard.parts import session_path

PAGE_SIZE = 50
GRID_ID = "sessions-grid"


def sessions_grid(words: Catalogue) -> dag.AgGrid:
    """An empty grid that asks for its rows page by page. Every cell is a text made by the server."""
    return dag.AgGrid(
        id=GRID_ID,
        columnDefs=_columns(words),
        rowModelType="infinite",
        defaultColDef={"sortable": False, "resizable": True, "suppressMovable": True, "sortingOrder": ["desc", "asc"]},
        dashGridOptions={
            "localeText": _locale(words),
            "rowHeight": 46,
            "headerHeight": 40,
            "pagination": True,
            "paginationPageSize": PAGE_SIZE,
            "paginationPageSizeSelector": False,
            "cacheBlockSize": PAGE_SIZE,
            "maxBlocksInCache": 4,
            "suppressCellFocus": False,
            "enableCellTextSelection": True,
            "ensureDomOrder": True,
            "animateRows": False,
        },
        getRowId="params.data.path",
        className="sessions-grid",
        style={"height": "100%", "width": "100%"},
    )


def grid_row(session: dict[str, Any], words: Catalogue, zone: str) -> dict[str, Any]:
    """One session as the texts of its cells; numbers and ids as text, so that no digit is lost on the way."""
    tone, state = _state(session, words)
    span = session["end_ms"] - session["start_ms"]  # of a charge under way: so far
    return {
        "path": session_path(session["pile"], session["connector"], session["trade_no"]),
        "start_ms": written.day_and_clock(session["start_ms"], zone),
        "duration_ms": written.length(span, words) if session["end_ms"] and span >= 0 else written.NOTHING,
        "station": words.name(session["station"], session["station_en"]),
        "pile": f"{session['pile']} / {session['connector']}",
        "pile_energy_e4kwh": written.energy(session["pile_energy_e4kwh"]),
        "platform_energy_e4kwh": written.energy(session["platform_energy_e4kwh"]),
        "energy_e4kwh": written.energy(session["energy_e4kwh"]),
        "amount_fen": written.money(session["amount_fen"]),
        "codes": written.codes(session["codes"]),
        "codes_raw": written.codes(session["codes_raw"]) if not session["codes"] else "",
        "codes_note": _codes_note(session, words),
        "state": state,
        "tone": tone,
        "trade_no": session["trade_no"],
        "vin": session["vin"] or written.NOTHING,
        "mode": words.word("mode", session["start_mode"]),
    }


def _state(session: dict[str, Any], words: Catalogue) -> tuple[str, str]:
    if session["held"]:
        return "warn", words.text("bill.held")
    if session["status"] == "open":
        heard = session["life"] == "open" and session["end_ms"] > 0  # else only ordered, or silent for long
        return "info", words.text("state.charging" if heard else "bill.open")
    tone = "good" if session["status"] == "final" else "info"
    return tone, words.word("bill", session["status"])


def _codes_note(session: dict[str, Any], words: Catalogue) -> str:
    """The names of the codes, or what the raw codes were explained by."""
    if session["codes"]:
        return "; ".join(f"{code} {words.word('code', code)}" for code in session["codes"])
    return "; ".join(words.word("cause", cause) for cause in session["causes"]) if session["codes_raw"] else ""


def _columns(words: Catalogue) -> list[dict[str, Any]]:
    def column(field: str, key: str, width: int, **more: Any) -> dict[str, Any]:
        return {
            "field": field,
            "headerName": words.text(f"sessions.column.{key}"),
            "minWidth": width,
            "width": width,
            **more,
        }

    number = {"sortable": True, "type": "rightAligned", "cellClass": "ag-right-aligned-cell num-text"}
    return [
        column("start_ms", "start", 132, sortable=True, sort="desc", cellRenderer="SessionLink", cellClass="num-text"),
        column("duration_ms", "duration", 98, sortable=True),
        column("station", "station", 150, flex=2),
        column("pile", "pile", 158, cellClass="num-text"),
        column("pile_energy_e4kwh", "pile_energy", 112, **number),
        column("platform_energy_e4kwh", "platform_energy", 120, **number),
        column("energy_e4kwh", "energy", 106, **{**number, "cellClass": "ag-right-aligned-cell num-text strong"}),
        column("amount_fen", "amount", 94, **number),
        column("codes", "codes", 118, cellRenderer="CodeBadges"),
        column("state", "state", 106, cellRenderer="StateBadge"),
        column("mode", "mode", 146),
        column("vin", "vin", 176, cellClass="num-text"),
        column("trade_no", "trade", 280, cellClass="num-text faint"),
    ]


def _locale(words: Catalogue) -> dict[str, str]:
    return {key.removeprefix("grid."): words.text(key) for key in all_texts() if key.startswith("grid.")}
