"""What no bill carries: records that wait without a charge, and registers that went on between two charges."""

from datetime import date
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from analytics.bill_lines import kwh_text, local_time
from analytics.questions import Scope, ask

Subject = Literal["orphans", "findings"]
_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(2149, 6, 6)


def beside_bills(
    client: Client,
    scope: Scope,
    subject: Subject,
    from_day: date | None = None,
    to_day: date | None = None,
    *,
    limit: int,
) -> list[dict[str, Any]]:
    """The newest `limit` of the local days `from_day`..`to_day` (both included, None = open), as flat records.

    `orphans`: records under numbers that nothing else knows (anomaly-codes.md, code 1). `findings`: UNBILLED_ENERGY and
    REGISTER_REPLACED between two charges of a connector (code 11b). Energies are kWh with four decimals as text, times
    local to the station.
    """
    days = {"from_day": from_day or _FIRST_DAY, "to_day": to_day or _LAST_DAY}
    question = "orphan_records" if subject == "orphans" else "connector_findings"
    line = _orphan if subject == "orphans" else _finding
    return [line(record) for record in ask(client, question, scope, **days, limit=limit).records()]


def _orphan(record: dict[str, Any]) -> dict[str, Any]:
    zone = ZoneInfo(record["zone"])
    return {
        "trade_no": record["trade_no"],
        "pile": record["pile"],
        "connector": record["connector"],
        "start": local_time(record["start_ms"], zone),
        "end": local_time(record["end_ms"], zone),
        "received": local_time(record["receive_ms"], zone),
        "energy_kwh": kwh_text(record["energy_e4kwh"]),
    }


def _finding(record: dict[str, Any]) -> dict[str, Any]:
    zone = ZoneInfo(record["zone"])
    return {
        "finding": record["finding"],
        "pile": record["pile"],
        "connector": record["connector"],
        "from": local_time(record["from_ms"], zone),
        "to": local_time(record["to_ms"], zone),
        "previous_trade_no": record["previous_trade_no"],
        "trade_no": record["trade_no"],
        "previous_end_kwh": kwh_text(record["previous_end_e4kwh"]),
        "next_start_kwh": kwh_text(record["next_start_e4kwh"]),
        "between_kwh": kwh_text(record["between_e4kwh"]),
        "missing_kwh": kwh_text(record["missing_e4kwh"]),
        "reach_kwh": kwh_text(record["reach_e4kwh"]),
    }
