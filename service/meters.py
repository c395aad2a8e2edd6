"""`pilestream meters`: by what values chargers are measured, where these come from, and what they were learned from."""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from clickhouse_driver import Client

from analytics.meter_profiles import meter_of
from analytics.questions import PLATFORM_SCOPE, Scope, ask
from analytics.safe_text import printable
from analytics.session_facts import NOTHING_LEARNED, LearnedMeter
from backoffice.database import open_database
from backoffice.directory import read_directory
from core.directory import Pile
from service.errors import ServiceError
from service.running import running_client
from service.settings import Settings

DONE: Final = 0
W_PER_KW: Final = 1_000
E4_PER_KWH: Final = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def add_meters_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add `meters` to the subcommands; `run` gets the options and gives the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "meters",
        help="by what values chargers are measured, and what was learned of their meters",
        description="Print kind and digits of the register, its smallest step and the most power of each connector, "
        "with the source of each value: configured, learned or default. Without PILE: of all chargers that learn "
        "something.",
        epilog="example: pilestream meters 32010600019236 --history",
    )
    parser.add_argument("pile", nargs="?", default="", metavar="PILE", help="the charger's code")
    parser.add_argument("--history", action="store_true", help="everything that was ever learned, the newest first")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    parser.set_defaults(run=run)
    return parser


def print_meters(settings: Settings, pile: str = "", *, history: bool = False, as_json: bool = False) -> int:
    """Print them; raises `ServiceError` for a charger that the master data do not know."""
    with running_client(settings) as client:
        piles = _chosen(read_directory(open_database(settings.database_url)), pile)
        lines = meter_lines(client, PLATFORM_SCOPE, piles, history=history)
    for line in lines:
        print(json.dumps(line, ensure_ascii=False) if as_json else meter_text(line))
    if not lines and not as_json:
        print("every charger's meter is configured")
    return DONE


def meter_lines(client: Client, scope: Scope, piles: list[Pile], *, history: bool = False) -> list[dict[str, Any]]:
    """One line per connector: the values in force, their sources, and what they were learned from.

    With `history` one more for each earlier row, the newest first. `profile_id` is the row that bills name, in digits.
    """
    if not piles:
        return []
    rows: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    answer = ask(client, "meter_profiles", scope, pile_ids=tuple(pile.pile_id for pile in piles))
    for row in answer.records():
        rows[row["pile_id"], row["connector"]].append(row)
    lines = []
    for pile in piles:
        for connector in range(1, pile.connectors + 1):
            known = rows[pile.pile_id, connector] if pile.learns else []
            shown: list[dict[str, Any] | None] = [*(known if history else known[:1])]
            lines += [_line(pile, connector, row) for row in shown or [None]]
    return lines


def _chosen(piles: list[Pile], code: str) -> list[Pile]:
    if not code:
        return [pile for pile in piles if pile.learns]
    found = [pile for pile in piles if pile.code == code]
    if not found:
        raise ServiceError(f"there is no charger {code!r} in the master data")
    return found


def _line(pile: Pile, connector: int, row: dict[str, Any] | None) -> dict[str, Any]:
    learned = NOTHING_LEARNED
    if row is not None:
        names = ("profile_id", "register_kind", "quantum_e4kwh", "pmax_w", "register_digits")
        learned = LearnedMeter(*(row[name] for name in names))
    meter = meter_of(pile, learned)
    return {
        "pile": pile.code,
        "connector": connector,
        "register": meter.profile.register_kind,
        "digits": meter.profile.digits or None,
        "register_source": meter.register_source,
        "quantum_kwh": f"{Decimal(meter.profile.quantum_e4kwh) / E4_PER_KWH:.4f}",
        "quantum_source": meter.quantum_source,
        "pmax_kw": f"{Decimal(meter.profile.pmax_w) / W_PER_KW:.1f}",
        "pmax_source": meter.pmax_source,
        "valid_from": _moment(row["valid_from_ms"], pile.zone) if row else None,
        "learned_from": row["learned_from_day"].isoformat() if row else None,
        "learned_to": row["learned_to_day"].isoformat() if row else None,
        "sessions": row["sessions"] if row else 0,
        "differences": row["differences"] if row else 0,
        "profile_id": str(row["profile_id"]) if row else None,
        "reasons": list(row["reasons"]) if row else [],
    }


def _moment(at_ms: int, zone: str) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def meter_text(line: dict[str, Any]) -> str:
    """A line of `meter_lines` to read, without anything that could steer a terminal."""
    digits = f", {line['digits']} digits" if line["digits"] else ""
    lines = [
        f"{line['pile']}/{line['connector']}: register {line['register']}{digits} ({line['register_source']}), "
        f"step {line['quantum_kwh']} kWh ({line['quantum_source']}), Pmax {line['pmax_kw']} kW ({line['pmax_source']})"
    ]
    if line["profile_id"]:
        lines.append(
            f"  since {line['valid_from']}, learned of {line['sessions']} sessions from {line['learned_from']} to "
            f"{line['learned_to']}, row {line['profile_id']}"
        )
    return "\n".join(map(printable, [*lines, *(f"  {reason}" for reason in line["reasons"])]))
