"""The half-hours of a bill with their prices and fees."""

from typing import Any

from dash import html

from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge, empty, table
from dashboard.session.record import SessionRecord

CLASSES = ("sharp", "peak", "flat", "valley")


def slots_table(record: SessionRecord, words: Catalogue) -> Any:
    """Energy, prices and fees per half-hour, and their sums as billed."""
    bill, session = record.bill, record.session
    if bill is None or not bill["slot_of_day"]:
        return empty(words.text("session.tariff.none"))
    rows = [_slot_row(index, record, words) for index in range(len(bill["slot_of_day"]))]
    rows.append(
        [
            html.Strong(words.text("session.tariff.total")),
            "",
            html.Strong(written.energy(sum(bill["slot_energy_e4kwh"]), 4)),
            "",
            html.Strong(written.money_e5(bill["electricity_e5yuan"])),
            html.Strong(written.money_e5(bill["service_e5yuan"])),
        ]
    )
    columns = ("slot", "class", "energy", "prices", "electricity", "service")
    versions = [
        words.text("session.tariff.version", name=tariff["tariff_name"], model=tariff["model_no"])
        for tariff in record.tariffs.values()
    ]
    note: list[Any] = [html.Span(" · ".join([*versions, words.word("method", session["slot_method"])]))]
    if bill["tariff_stale"]:
        note.append(badge(words.text("session.tariff.stale"), "warn"))
    return html.Div(
        [
            table([words.text(f"session.tariff.{column}") for column in columns], rows, numeric=(2, 3, 4, 5)),
            html.Div(note, className="table-note faint"),
        ]
    )


def _slot_row(index: int, record: SessionRecord, words: Catalogue) -> list[Any]:
    bill = record.bill or {}
    slot, rate = bill["slot_of_day"][index], bill["slot_class"][index]
    from_minute, to_minute = slot * 30, slot * 30 + 30
    versions = record.session["slot_tariff_version"]
    tariff = record.tariffs.get(versions[index]) if index < len(versions) else None
    prices = written.NOTHING
    if tariff is not None and rate < len(CLASSES):
        electricity, service = tariff["electricity_price_e5yuan"][rate], tariff["service_price_e5yuan"][rate]
        prices = f"{written.money_e5(electricity)} + {written.money_e5(service)}"
    return [
        html.Span(
            f"{from_minute // 60:02d}:{from_minute % 60:02d} – {to_minute // 60:02d}:{to_minute % 60:02d}",
            className="num-text",
        ),
        html.Span(words.word("class", rate), className=f"badge rate-{rate}"),
        written.energy(bill["slot_energy_e4kwh"][index], 4),
        prices,
        written.money_e5(bill["slot_electricity_e5yuan"][index]),
        written.money_e5(bill["slot_service_e5yuan"][index]),
    ]
