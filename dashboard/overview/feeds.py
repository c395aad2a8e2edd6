"""The tables of the overview: stations, latest bills, and what is worth a look."""

from typing import Any

from dash import html

from dashboard import written
from dashboard.alarm_words import alarm_detail
from dashboard.catalogue import Catalogue, all_texts
from dashboard.overview.figures import state_bar
from dashboard.overview.snapshot import Snapshot, StationNow
from dashboard.parts import bill_badges, empty, icon, session_link, table

EVENT_ICONS = {
    "connector.fault": ("alert", "fault"),
    "connector.recovered": ("check", "charging"),
    "connector.violation": ("alert", "held"),
    "pile.silent": ("away", "offline"),
    "bill.abnormal": ("receipt", "held"),
    "connection.login_refused": ("shield", "fault"),
    "connection.replaced": ("swap", "offline"),
    "alarm.duplicate_login": ("shield", "fault"),
    "alarm.takeover": ("swap", "held"),
    "alarm.facts_flood": ("alert", "held"),
    "alarm.login_flood": ("shield", "fault"),
    "alarm.silent": ("away", "offline"),
    "alarm.clock_off": ("clock", "held"),
    "alarm.tariff_mismatch": ("coin", "held"),
    "alarm.register_not_continued": ("gauge", "held"),
    "alarm.too_many_connections": ("shield", "fault"),
    "alarm.too_many_unidentified": ("shield", "fault"),
    "alarm.unknown_connector": ("alert", "held"),
    "alarm.charger_alarm": ("alert", "fault"),
    "alarm.spool_repaired": ("alert", "held"),
    "alarm.spool_different": ("alert", "fault"),
}


def stations_table(now: Snapshot, words: Catalogue) -> Any:
    """One line per station."""
    if not now.stations:
        return empty(words.text("overview.stations.none"))
    head = [
        words.text(f"overview.stations.{column}")
        for column in ("station", "states", "power", "energy", "money", "bills", "abnormal")
    ]
    return table(head, [_station_row(station, words) for station in now.stations], numeric=(2, 3, 4, 5, 6))


def _station_row(station: StationNow, words: Catalogue) -> list[Any]:
    counts = station.states
    shown = f"{counts['charging']} / {sum(counts.values())}"
    return [
        html.Div(
            [
                html.Div(words.name(station.name, station.name_en), className="strong"),
                html.Div(words.word("overview", station.profile) if station.profile else "", className="faint"),
            ]
        ),
        html.Div([state_bar(counts, words, slim=True), html.Span(shown, className="faint num-text")], className="mini"),
        html.Span([written.kilowatts(station.power_w), " ", html.Span(words.text("unit.kw"), className="faint")]),
        html.Span([written.energy(station.energy_e4kwh, 1), " ", html.Span(words.text("unit.kwh"), className="faint")]),
        html.Span([written.money(station.amount_fen), " ", html.Span(words.text("unit.yuan"), className="faint")]),
        f"{station.bills:,}",
        html.Span(f"{station.abnormal:,}", className="warn-text" if station.abnormal else "faint"),
    ]


def latest_bills(now: Snapshot, words: Catalogue, zone: str) -> Any:
    """The last charges that were billed, each a link to its page."""
    if not now.latest_bills:
        return empty(words.text("overview.latest.none"))
    return html.Ul([_bill_row(bill, words, zone) for bill in now.latest_bills], className="feed")


def _bill_row(bill: dict[str, Any], words: Catalogue, zone: str) -> html.Li:
    connector = words.text("connector", number=bill["connector"])
    line = [
        html.Span(written.clock(bill["end_ms"], zone), className="feed-time"),
        html.Span(
            [
                html.Span(words.name(bill["station"], bill["station_en"]), className="strong"),
                html.Span(f"{bill['pile']} · {connector}", className="faint"),
            ],
            className="feed-text",
        ),
        bill_badges(bill["status"], bill["held"], bill["codes"], bill["codes_raw"], words),
        html.Span(
            [
                html.Span(_amount(bill["amount_fen"], words), className="strong"),
                html.Span(_energy(bill["final_energy_e4kwh"], words), className="faint"),
            ],
            className="feed-figures",
        ),
    ]
    return html.Li(session_link(line, bill["pile"], bill["connector"], bill["trade_no"]))


def _amount(amount_fen: int | None, words: Catalogue) -> str:
    return written.NOTHING if amount_fen is None else f"{written.money(amount_fen)} {words.text('unit.yuan')}"


def _energy(energy_e4kwh: int | None, words: Catalogue) -> str:
    return written.NOTHING if energy_e4kwh is None else f"{written.energy(energy_e4kwh)} {words.text('unit.kwh')}"


def notable_events(now: Snapshot, words: Catalogue, zone: str) -> Any:
    """Faults, alarms, lost connections and refused orders of the last day."""
    if not now.events:
        return html.Div(
            [icon("check", size=22), html.Div(words.text("overview.events.none"))], className="empty empty-good"
        )
    return html.Ul([_event_row(event, words, zone) for event in now.events], className="feed")


def event_text(kind: str, event: str, detail: str, words: Catalogue) -> tuple[str, str]:
    """An event in words, and its detail in words (empty when the text already holds it)."""
    key = f"event.{kind}.{event}"
    if key in all_texts() and "{detail}" in words.text(key):
        return words.text(key, detail=_measure(kind, event, detail, words)), ""
    if kind == "alarm":
        return words.word("event.alarm", event), alarm_detail(event, detail, words)
    said = ", ".join(words.word("detail", part) for part in detail.split(", ") if part)
    if kind == "command" and key not in all_texts():
        order, _, outcome = event.rpartition(".")
        return words.word("event.command.any", outcome, order=words.word("order", order)), said
    return words.word(f"event.{kind}", event), said


def _measure(kind: str, event: str, detail: str, words: Catalogue) -> str:
    if kind in ("outage", "clock"):
        return written.length(int(detail), words)
    if kind == "record":
        return written.energy(int(detail), 4)
    if (kind, event) == ("bill", "abnormal"):
        return "; ".join(f"{code} {words.word('code', code)}" for code in detail.split(","))
    return detail


def _event_row(event: dict[str, Any], words: Catalogue, zone: str) -> html.Li:
    name = f"{event['kind']}.{event['event']}"
    picture, tone = EVENT_ICONS.get(name, ("alert", "held"))
    text, detail = event_text(event["kind"], event["event"], event["detail"], words)
    where = [event["pile"] or words.text("word.unknown")] if event["kind"] != "outage" else []
    if event["connector"]:
        where.append(words.text("connector", number=event["connector"]))
    station = words.name(event["station"], event["station_en"]) if event["station"] or event["station_en"] else ""
    line = [
        html.Span(written.clock(event["event_ms"], zone), className="feed-time"),
        html.Span(icon(picture, size=16), className=f"ink-{tone} feed-icon"),
        html.Span(
            [
                html.Span([text, f" · {detail}" if detail else ""], className="strong"),
                html.Span(" · ".join([*where, *([station] if station else [])]), className="faint"),
            ],
            className="feed-text feed-wrap",
        ),
    ]
    if event["trade_no"] and event["connector"]:
        return html.Li(session_link(line, event["pile"], event["connector"], event["trade_no"]))
    return html.Li(html.Div(line, className="link"))
