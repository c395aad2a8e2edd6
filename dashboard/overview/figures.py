"""The key figures of the overview and the bar of connector states."""

from typing import Any

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.overview.snapshot import Snapshot
from dashboard.parts import CONNECTOR_STATES, STATE_ICONS, aria, card, empty, figure_card, icon


def state_bar(counts: dict[str, int], words: Catalogue, *, slim: bool = False) -> html.Div:
    """The shares of the states in one bar; the same in words for screen readers."""
    spoken = ", ".join(f"{words.text(f'state.{state}')} {counts[state]}" for state in CONNECTOR_STATES if counts[state])
    parts = [
        html.Span(className=f"bar-part tint-{state}", style={"flexGrow": counts[state]})
        for state in CONNECTOR_STATES
        if counts[state]
    ]
    kind = "bar bar-slim" if slim else "bar"
    return html.Div(parts, className=kind, role="img", title=spoken, **aria(label=spoken))


def states_card(now: Snapshot, words: Catalogue) -> html.Section:
    """All connectors by state."""
    counts = {state: now.connectors(state) for state in CONNECTOR_STATES}
    if not now.connector_count:
        return card(empty(words.text("overview.states.none")), title=words.text("overview.states"))
    legend = [
        html.Div(
            [
                html.Div(
                    [icon(STATE_ICONS[state], size=15), html.Span(words.text(f"state.{state}"))],
                    className=f"state-name ink-{state}",
                ),
                html.Div(f"{counts[state]:,}", className="state-count", id=f"state-{state}"),
            ],
            className="state",
        )
        for state in CONNECTOR_STATES
        if counts[state] or state != "unknown"
    ]
    total = html.Span(words.text("overview.states.total", count=f"{now.connector_count:,}"), className="faint")
    return card(
        [state_bar(counts, words), html.Div(legend, className="states")],
        title=words.text("overview.states"),
        aside=total,
    )


def figure_cards(now: Snapshot, words: Catalogue) -> list[Any]:
    """Power, charges, energy, money, bills and abnormal bills."""
    today = now.today
    charging = now.connectors("charging")
    power = figure_card(
        words.text("overview.power"),
        written.kilowatts(now.power_w),
        words.text("unit.kw"),
        words.text(
            "overview.power.rated",
            rated=written.kilowatts(now.rated_power_w, 0),
            share=written.percent(now.power_w, now.rated_power_w),
        ),
        icon_name="gauge",
        tone="figure-lead",
    )
    live = words.text(
        "overview.charging.live",
        energy=written.energy(today.charging_e4kwh, 1),
        amount=written.money(today.charging_fen),
    )
    charges = figure_card(
        words.text("overview.charging"),
        f"{charging:,}",
        "",
        live if charging else words.text("overview.charging.none"),
        icon_name="bolt",
    )
    energy = figure_card(
        words.text("overview.energy"),
        written.energy(today.energy_e4kwh, 1),
        words.text("unit.kwh"),
        words.text(
            "overview.energy.parts",
            billed=written.energy(today.billed_e4kwh, 1),
            live=written.energy(today.unbilled_e4kwh, 1),
        ),
        icon_name="battery",
    )
    money = figure_card(
        words.text("overview.money"),
        written.money(today.amount_fen),
        words.text("unit.yuan"),
        words.text(
            "overview.money.parts",
            electricity=written.money(today.electricity_fen),
            service=written.money(today.service_fen),
            live=written.money(today.unbilled_fen),
        ),
        icon_name="coin",
    )
    provisional = words.text("overview.bills.parts", provisional=f"{today.provisional:,}")
    bills = figure_card(
        words.text("overview.bills"),
        f"{today.bills:,}",
        "",
        provisional if today.provisional else words.text("overview.bills.none"),
        icon_name="receipt",
    )
    abnormal = figure_card(
        words.text("overview.abnormal"),
        f"{today.abnormal:,}",
        "",
        words.text(
            "overview.abnormal.parts",
            raw=f"{today.abnormal_raw:,}",
            explained=f"{max(0, today.abnormal_raw - today.abnormal):,}",
            held=f"{today.held:,}",
        ),
        icon_name="alert",
        tone="figure-warn" if today.abnormal else "",
    )
    return [power, charges, energy, money, bills, abnormal]
