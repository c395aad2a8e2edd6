"""`pilestream command`: an order to a charger over the running gateway's control socket, and what became of it."""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from analytics.safe_text import printable
from ingest.control import ControlClient
from service.errors import ServiceError
from service.settings import Settings, load_settings

DONE, NO, WRONG_USE = 0, 1, 2
FEN_PER_YUAN: Final = 100
SECONDS_PER_MINUTE: Final = 60
# The order itself was wrong, as against a charger that said no or could not be reached.
_WRONG_ORDERS: Final = frozenset({"bad_request", "unknown_order", "unknown_connector", "unsupported"})
_CARD_HELP: Final = "number of the card in hex"


class OptionError(ServiceError):
    """An order's options do not make sense together."""


def send_order(
    settings: Settings, pile: str, name: str, fields: dict[str, Any] | None = None, *, connector: int = 0
) -> dict[str, Any]:
    """Give an order of `ingest.orders` to a charger and wait for its outcome, a `CommandResult` as a dict.

    Raises `IngestError` when no platform runs on the data folder. Not for code that runs in an event loop already:
    that uses `ControlClient`.
    """
    return asyncio.run(_send(settings, pile, name, connector, fields or {}))


async def _send(settings: Settings, pile: str, name: str, connector: int, fields: dict[str, Any]) -> dict[str, Any]:
    async with ControlClient(settings.folder / "run" / "gateway.sock") as client:
        return await client.order(name, pile, connector, **fields)


def run_command(settings: Settings, options: argparse.Namespace) -> int:
    """Give the order of a parsed command line, print its outcome, give the exit code (0 done, 1 no, 2 wrong use)."""
    try:
        name, fields = options.order(options)
    except OptionError as error:
        print(f"pilestream: {error}", file=sys.stderr)
        return WRONG_USE
    result = send_order(settings, options.pile, name, fields, connector=getattr(options, "connector", 0))
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        print(outcome_text(options.pile, name, result), file=sys.stdout if result["ok"] else sys.stderr)
    if result["ok"]:
        return DONE
    return WRONG_USE if result["error"] in _WRONG_ORDERS else NO


def add_command_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Put `command` under the program's subcommands."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "command",
        help="give an order to a charger",
        description="Give an order to a connected charger of the running platform and wait for its answer.",
        epilog="example: pilestream command 32010600019236 start --connector 1 --balance 100.00",
    )
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.add_argument("pile", metavar="PILE", help="the charger's code")
    parser.set_defaults(run=_run)
    orders = parser.add_subparsers(title="orders", required=True, metavar="ORDER")
    _add_charging(orders)
    _add_settings(orders)
    _add_cards(orders)
    _add_upkeep(orders)
    return parser


def _run(options: argparse.Namespace) -> int:
    return run_command(load_settings({"data": options.data}), options)


_Fields = Callable[[argparse.Namespace], tuple[str, dict[str, Any]]]


def _order(orders: Any, name: str, fields: _Fields, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = orders.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example: pilestream command 32010600019236 {name}{' ' * bool(example)}{example}",
    )
    # After the order as well as before it; a default would undo what was given before.
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the outcome as JSON")
    parser.set_defaults(order=fields)
    return parser


def _add_connector(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--connector", type=int, default=0, metavar="N", help="which one; may be left out where there is one"
    )


def _add_charging(orders: Any) -> None:
    start = _order(orders, "start", _start_fields, "start a charge", "--connector 1 --card 1000000573 --balance 100.00")
    _add_connector(start)
    _add_starter(start)
    start.add_argument(
        "--until", choices=["full", "time", "money", "energy"], help="AAF5: what ends the charge, in place of --balance"
    )
    start.add_argument("--limit", metavar="X", help="AAF5: its limit in minutes, yuan or kWh")

    parallel = _order(
        orders,
        "parallel-start",
        _parallel_fields,
        "start one vehicle at several connectors (YKC V1.6)",
        "--connectors 1,2 --balance 100.00",
    )
    parallel.add_argument("--connectors", type=_numbers, required=True, metavar="N,N", help="the vehicle's connectors")
    _add_starter(parallel)

    stop = _order(orders, "stop", _fixed("remote_stop"), "stop a connector's charge", "--connector 1")
    _add_connector(stop)
    cancel = _order(orders, "cancel-booking", _fixed("cancel_booking"), "end a booking (AAF5)", "--connector 1")
    _add_connector(cancel)
    realtime = _order(orders, "realtime", _fixed("read_realtime"), "ask for a reading (YKC)", "--connector 1")
    _add_connector(realtime)

    balance = _order(
        orders, "balance", _balance_fields, "tell a charge under way its new balance (YKC)", "--connector 1 50.00"
    )
    _add_connector(balance)
    balance.add_argument("balance", type=_fen, metavar="YUAN", help="the new balance")
    balance.add_argument("--physical-card", metavar="HEX", help=f"{_CARD_HELP}; left out: whoever charges")


def _add_starter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--card", metavar="DIGITS", help="the card number shown on the charger")
    parser.add_argument("--physical-card", metavar="HEX", help=f"{_CARD_HELP} (YKC)")
    parser.add_argument("--balance", type=_fen, metavar="YUAN", help="what the charge may cost")


def _add_settings(orders: Any) -> None:
    tariff = _order(orders, "tariff", _tariff_fields, "send the tariff, YKC: the one valid now", "--model 0008")
    tariff.add_argument("--model", metavar="NNNN", help="YKC: another version, by its model number")
    tariff.add_argument("--hex", metavar="DIGITS", help="AAF5: the 66 bytes of command 12 behind the pile code")
    _order(orders, "clock", _fixed("time_sync"), "set the charger's clock", "")
    params = _order(
        orders, "params", _params_fields, "lock or unlock the charger, limit its power (YKC)", "--max-power 80"
    )
    lock = params.add_mutually_exclusive_group()
    lock.add_argument("--disable", action="store_true", help="take it out of service")
    lock.add_argument("--enable", action="store_true", help="let it work (the default)")
    params.add_argument("--max-power", type=int, default=100, metavar="PERCENT", help="30..100 (default 100)")

    integers = _order(orders, "int-params", _int_fields, "read or set integer parameters (AAF5)", "21 15 3")
    integers.add_argument("addr", type=int, metavar="ADDR", help="the first parameter")
    integers.add_argument("values", type=int, nargs="*", metavar="VALUE", help="what to set; left out: ask")
    integers.add_argument("--count", type=int, default=1, metavar="N", help="how many to ask for (default 1)")
    texts = _order(orders, "str-params", _str_fields, "read or set a text parameter (AAF5)", "3 --text hello")
    texts.add_argument("addr", type=int, metavar="ADDR", help="the parameter")
    texts.add_argument("--text", default="", metavar="TEXT", help="what to set; left out: ask")
    texts.add_argument("--hex", default="", metavar="DIGITS", help="the same as hex digits")
    codes = _order(orders, "qr-codes", _qr_fields, "set the codes on the screen (AAF5)", "https://example.com/1")
    codes.add_argument("qr_codes", nargs="+", metavar="TEXT", help="one to four texts")


def _add_cards(orders: Any) -> None:
    sync = _order(
        orders,
        "cards-sync",
        _sync_fields,
        "store cards that may charge offline (YKC)",
        "cards.txt D14B0A54:1000000573",
    )
    sync.add_argument(
        "cards", nargs="+", metavar="FILE|CARD:LOGICAL", help="a card in hex and the number shown, or a file of them"
    )
    for name, order, summary in (
        ("cards-clear", "card_clear", "remove stored cards (YKC)"),
        ("cards-query", "card_query", "ask which cards are stored (YKC)"),
    ):
        parser = _order(orders, name, _card_list_fields(order), summary, "D14B0A54 cards.txt")
        parser.add_argument("cards", nargs="+", metavar="FILE|CARD", help="cards in hex, or a file of them")


def _add_upkeep(orders: Any) -> None:
    reboot = _order(orders, "reboot", _reboot_fields, "reboot the charger", "--when idle")
    reboot.add_argument("--when", choices=["now", "idle"], help="YKC: at once, or when nothing charges (the default)")
    reboot.add_argument("--force", action="store_true", help="also while something charges")
    update = _order(
        orders, "update", _update_fields, "load new firmware by FTP (YKC)", "--host 10.0.0.9 --path fw/v2.bin"
    )
    update.add_argument("--host", required=True, metavar="ADDR", help="the FTP server, at most 16 characters")
    update.add_argument("--path", required=True, metavar="FILE", help="the file there, at most 32 characters")
    update.add_argument("--port", type=int, default=21, metavar="N", help="its port (default 21)")
    update.add_argument("--user", default="", metavar="NAME")
    update.add_argument("--password-file", type=Path, metavar="FILE", help="a file that holds the password")
    update.add_argument("--when", choices=["now", "idle"], default="idle", help="default: when nothing charges")
    update.add_argument("--force", action="store_true", help="with --when now: also while something charges")
    update.add_argument("--timeout", type=int, default=30, metavar="MINUTES", help="for the download (default 30)")
    lock = _order(orders, "lock", _lock_fields, "move a parking lock (YKC)", "raise --connector 1")
    lock.add_argument("action", choices=["raise", "lower"])
    _add_connector(lock)


# What the options say, as the name of an order and its arguments


def _fixed(order: str) -> _Fields:
    return lambda options: (order, {})


def _start_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    fields = _starter(options)
    if options.balance is None and not options.until:
        raise OptionError("a start needs --balance, what the charge may cost, or --until (AAF5)")
    if options.until:
        fields |= {"until": options.until, "limit": _limit(options.until, options.limit)}
    elif options.limit is not None:
        raise OptionError("--limit needs --until time, money or energy")
    return "remote_start", fields


def _parallel_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if options.balance is None:
        raise OptionError("a start needs --balance, what the charge may cost")
    return "parallel_start", {"connectors": options.connectors, **_starter(options)}


def _starter(options: argparse.Namespace) -> dict[str, Any]:
    named = {"card": options.card, "physical_card": options.physical_card, "balance_fen": options.balance}
    return {name: value for name, value in named.items() if value is not None}


def _balance_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    card = {"physical_card": options.physical_card} if options.physical_card else {}
    return "balance_update", {"balance_fen": options.balance, **card}


def _tariff_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    if options.hex:
        return "tariff", {"tariff": options.hex}
    return "tariff_set", {"model_no": options.model} if options.model else {}


def _params_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return "work_params", {"disabled": options.disable, "max_power_pct": options.max_power}


def _int_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return "int_params", {"addr": options.addr, "values": options.values, "count": options.count}


def _str_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return "str_params", {"addr": options.addr, "text": options.text, "data": options.hex}


def _qr_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return "qr_codes", {"qr_codes": options.qr_codes}


def _sync_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    cards = []
    for entry in _entries(options.cards):
        card, separator, logical = entry.partition(":")
        if not separator:
            raise OptionError(f"{entry!r} is no card; write CARD:LOGICAL, its own number in hex and the one shown")
        cards.append({"physical_card": card, "logical_card": logical})
    return "card_sync", {"cards": cards}


def _card_list_fields(order: str) -> _Fields:
    return lambda options: (order, {"cards": _entries(options.cards)})


def _entries(arguments: list[str]) -> list[str]:
    """The cards named directly, and those in files, one a line; empty lines and lines after # are left out."""
    entries = []
    for argument in arguments:
        path = Path(argument)
        lines = path.read_text("utf-8").splitlines() if path.is_file() else [argument]
        entries += [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return entries


def _reboot_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return "reboot", {"force": options.force, **({"when": options.when} if options.when else {})}


def _update_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    password = options.password_file.read_text("utf-8").strip() if options.password_file else ""
    names = ("host", "path", "port", "user", "when", "force")
    fields = {name: getattr(options, name) for name in names}
    return "update", {**fields, "password": password, "timeout_minutes": options.timeout}


def _lock_fields(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    return "lock_control", {"action": options.action}


# Values


def _fen(text: str) -> int:
    """Yuan with at most two decimals, in fen."""
    return _hundredths(text, "an amount in yuan")


def _hundredths(text: str, what: str) -> int:
    try:
        value = Decimal(text) * FEN_PER_YUAN
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value != value.to_integral_value() or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} with at most two decimals")
    return int(value)


def _limit(until: str, text: str | None) -> int:
    """The limit in the protocol's unit: seconds, fen, 0.01 kWh."""
    if until == "full":
        if text is not None:
            raise OptionError("--until full takes no --limit")
        return 0
    if text is None:
        raise OptionError(f"--until {until} needs a --limit")
    try:
        if until == "time":
            return int(text) * SECONDS_PER_MINUTE
        return _hundredths(text, "a number of yuan" if until == "money" else "a number of kWh")
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise OptionError(f"--limit: {error}") from error


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 1,2") from None


def outcome_text(pile: str, name: str, result: dict[str, Any]) -> str:
    """The outcome of an order to read, without anything that could steer a terminal."""
    about = f"{name} at {pile}"
    charge = f", charge {result['trade_no']}" if result.get("trade_no") else ""
    detail = f": {result['detail']}" if result.get("detail") else ""
    values = result.get("values")
    more = f"\n{printable(json.dumps(values, ensure_ascii=False))}" if values else ""
    if result["ok"]:
        return printable(f"{about}: done{charge}{detail}") + more
    return printable(f"pilestream: {about}: {result['error'].replace('_', ' ')}{detail}{charge}") + more
