"""Bills as other programs read them: one flat record per session (`pilestream bill`)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from analytics.anomalies import causes_with_protocol
from analytics.questions import Scope, ask

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bill_lines(client: Client, scope: Scope, trade_nos: Sequence[str]) -> list[dict[str, Any]]:
    """One record per session under these numbers, in the order in which they are asked.

    A number without a session that `scope` may see gives none, one with several sessions gives several. One that
    belongs to a charge under another number (its record came under it, or its order bore it) gives the line of that
    charge, once also where both are asked; `other_numbers` tells which of the numbers asked are such. Energies have
    four decimals, amounts two, both as text; times are local to the station. What is not known is None, never zero;
    a charge under way has its start and nothing else yet.
    """
    if not trade_nos:
        return []
    wanted = list(dict.fromkeys(trade_nos))
    answer = ask(client, "bill_lines", scope, trade_nos=tuple(wanted))
    place = {trade_no: number for number, trade_no in enumerate(wanted)}

    def first_place(record: dict[str, Any]) -> int:
        return min(place[number] for number in (record["trade_no"], *record["other_numbers"]) if number in place)

    return [_line(record) for record in sorted(answer.records(), key=first_place)]


def _line(record: dict[str, Any]) -> dict[str, Any]:
    zone = ZoneInfo(record["zone"])
    under_way = record["life"] == "open"
    measured = not under_way and (record["bill_quality"] != "MISSING" or record["high_e4kwh"] > 0)
    return {
        "trade_no": record["trade_no"],
        "pile": record["pile"],
        "connector": record["connector"],
        "start": local_time(record["start_ms"], zone),
        "end": None if under_way else local_time(record["end_ms"], zone),
        "pile_energy_kwh": kwh_text(record["pile_energy_e4kwh"]),
        "platform_energy_kwh": kwh_text(record["platform_energy_e4kwh"] if measured else None),
        "low_kwh": kwh_text(record["low_e4kwh"] if measured else None),
        "high_kwh": kwh_text(record["high_e4kwh"] if measured else None),
        "quality": "MISSING" if under_way else record["bill_quality"],
        "final_energy_kwh": kwh_text(record["final_energy_e4kwh"]),
        "final_amount_yuan": yuan_text(record["amount_fen"]),
        "held": bool(record["held"]),
        "codes_raw": list(record["codes_raw"]),
        "codes": list(record["codes"]),
        "record_no": record["bill_number"] or None,
        "other_numbers": list(record["other_numbers"]),
        "causes": causes_with_protocol(record["causes"], record["remaining_hits"], record["step_faults"]),
    }


def local_time(at_ms: int, zone: ZoneInfo) -> str | None:
    """ISO 8601 in that zone, to the second; None for 0."""
    if at_ms == 0:
        return None
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).isoformat(timespec="seconds")


def kwh_text(energy_e4kwh: int | None) -> str | None:
    """1e-4 kWh as kWh with four decimals."""
    return None if energy_e4kwh is None else _decimal(energy_e4kwh, 4)


def yuan_text(amount_fen: int | None) -> str | None:
    """Fen as yuan with two decimals."""
    return None if amount_fen is None else _decimal(amount_fen, 2)


def _decimal(number: int, decimals: int) -> str:
    whole, part = divmod(abs(number), 10**decimals)
    return f"{'-' if number < 0 else ''}{whole}.{part:0{decimals}d}"
