"""`pilestream anomalies`: how many bills carry which set of anomaly codes, raw and after correction, and why."""

import argparse
import calendar
import csv
import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, get_args

import msgspec

from analytics.anomalies import KINDS, AnomalyTable, CodeCounts, Group, Kind, anomaly_table, bills_with, set_order
from analytics.beside_bills import beside_bills
from analytics.questions import PLATFORM_SCOPE
from analytics.safe_text import printable, safe_cell
from service.beside_bills import render_beside_bills
from service.running import running_client
from service.settings import Settings

DONE, WRONG_USE = 0, 2
Format = Literal["table", "csv", "json"]
_FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_LARGEST = 3
_MOST_BILLS = 50
_HIGHEST_CODE = 255
_MOST_ASKED_FOR = 10_000_000
_DAY_OR_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")


def add_anomalies_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add `anomalies` to the subcommands; `run` gets the options and gives the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "anomalies",
        help="code sets and how many bills",
        description="Print how many final bills carry which set of anomaly codes: raw (what a naive platform would "
        "have flagged) and after correction, with the causes. A bill belongs to the local day of its end; without "
        "--from and --to everything stored is counted. Bills of whole-kWh meters are counted, and shown apart as well.",
        epilog="example: pilestream anomalies --from 2019-03 --by vendor,month, or pilestream anomalies --findings",
    )
    parser.add_argument(
        "--from", dest="from_day", type=_first_day, metavar="D", help="first local day, or month YYYY-MM"
    )
    parser.add_argument("--to", dest="to_day", type=_last_day, metavar="D", help="last local day, or month YYYY-MM")
    parser.add_argument(
        "--by", type=_kinds, default=(), metavar="KIND[,KIND…]", help=f"apart for each: {', '.join(KINDS)}"
    )
    parser.add_argument(
        "--only", type=_chosen, action="append", default=[], metavar="KIND=NAME", help="bills of this one alone"
    )
    parser.add_argument("--format", choices=_FORMATS, default="table", help="a table to read (default), CSV, or JSON")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", default="table", help="the same as --format json"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--bills",
        type=_codes,
        metavar="SET",
        help="instead, the numbers of bills with this raw or corrected set, the newest first, for 'pilestream bill'",
    )
    instead.add_argument(
        "--orphans",
        dest="beside",
        action="store_const",
        const="orphans",
        help="instead, the records that wait because nothing knows their number and no charge fits them",
    )
    instead.add_argument(
        "--findings",
        dest="beside",
        action="store_const",
        const="findings",
        help="instead, where a register went on, or was replaced, between two charges",
    )
    parser.add_argument(
        "--limit",
        type=_number_of_bills,
        metavar="N",
        help=f"with --bills, --orphans and --findings: at most N, the newest (default {_MOST_BILLS})",
    )
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    parser.set_defaults(run=run)
    return parser


def print_anomalies(settings: Settings, options: argparse.Namespace) -> int:
    """Print the table, or the numbers of bills, that a parsed command line asks for; gives the exit code."""
    if (options.bills is not None or options.beside) and (options.by or options.only):
        name = f"--{options.beside or 'bills'}"
        print(f"pilestream: {name} takes days only, neither --by nor --only", file=sys.stderr)
        return WRONG_USE
    if options.limit is not None and options.bills is None and not options.beside:
        print(
            "pilestream: --limit goes with --bills, --orphans or --findings; the table is always whole", file=sys.stderr
        )
        return WRONG_USE
    kinds = [kind for kind, _name in options.only]
    twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
    if twice:
        print(f"pilestream: --only takes each kind once, not {', '.join(twice)} twice", file=sys.stderr)
        return WRONG_USE
    if options.from_day and options.to_day and options.from_day > options.to_day:
        print(f"pilestream: the period ends before it begins: {options.from_day} to {options.to_day}", file=sys.stderr)
        return WRONG_USE
    computed_at = datetime.now(UTC).isoformat(timespec="seconds")
    days = options.from_day, options.to_day
    told = {"from": _iso(options.from_day), "to": _iso(options.to_day), "computed_at": computed_at}
    limit = _MOST_BILLS if options.limit is None else options.limit
    with running_client(settings) as client:
        if options.beside:
            lines = beside_bills(client, PLATFORM_SCOPE, options.beside, *days, limit=limit)
            print(render_beside_bills(options.beside, lines, options.format, told))
            return DONE
        if options.bills is not None:
            trade_nos = bills_with(client, PLATFORM_SCOPE, options.bills, *days, limit=limit)
            if not trade_nos:
                print(f"pilestream: no bill of this period has the set {_name_of(options.bills)}", file=sys.stderr)
            _print_trade_nos(trade_nos, options.bills, options.format, told)
            return DONE
        table = anomaly_table(
            client,
            PLATFORM_SCOPE,
            options.from_day,
            options.to_day,
            by=options.by,
            only=dict(options.only),
            computed_at=computed_at,
        )
    if not table.bills:
        chosen = ", ".join(f"{kind}={name}" for kind, name in options.only)
        said = f"no bill of this period is of {chosen}" if chosen else "no charge of this period has a final bill"
        print(f"pilestream: {said}", file=sys.stderr)
    print(render(table, options.format))
    return DONE


def _print_trade_nos(trade_nos: Sequence[str], codes: Sequence[int], output: Format, told: dict[str, Any]) -> None:
    """One a line; CSV has a head, JSON is one object."""
    if output == "json":
        print(json.dumps({"set": _name_of(codes), "bills": list(trade_nos), **told}))
        return
    for line in ("trade_no", *map(safe_cell, trade_nos)) if output == "csv" else map(printable, trade_nos):
        print(line)


def render(table: AnomalyTable, output: Format) -> str:
    """The table as text to read, as CSV with one row per set and cause, or as one line of JSON."""
    if output == "json":
        return json.dumps(_json(table), ensure_ascii=False)
    return _csv(table) if output == "csv" else _text(table)


# JSON


def _json(table: AnomalyTable) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.to_builtins(table)
    content["from"], content["to"] = content.pop("from_day"), content.pop("to_day")
    return content


# CSV


def _csv(table: AnomalyTable) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    if table.groups:
        kinds = list(table.groups[0].group)
        writer.writerow((*kinds, "kind", "name", "raw", "corrected"))
        for group in table.groups:
            named = [safe_cell(name) for name in group.group.values()]
            writer.writerows((*named, *row) for row in _rows(group, group.whole_kwh))
        return target.getvalue().rstrip("\n")
    writer.writerow(("kind", "name", "raw", "corrected"))
    writer.writerows(_rows(table, table.whole_kwh))
    for one in table.remaining:
        writer.writerow(("remaining", " ".join(filter(None, (str(one.code), one.reason, one.cause))), "", one.bills))
    writer.writerow(("period", _period(table), "", ""))
    writer.writerow(("computed_at", table.computed_at, "", ""))
    return target.getvalue().rstrip("\n")


def _rows(counts: CodeCounts, whole_kwh: CodeCounts) -> Iterable[tuple[str, str, object, object]]:
    yield "bills", "", counts.bills, counts.bills
    for name in _sets(counts):
        yield "set", name, counts.raw.get(name, 0), counts.corrected.get(name, 0)
    for name, count in counts.causes.items():
        yield "cause", name, count, ""
    if whole_kwh.bills:
        yield "whole_kwh_bills", "", whole_kwh.bills, whole_kwh.bills
        for name in _sets(whole_kwh):
            yield "whole_kwh_set", name, whole_kwh.raw.get(name, 0), whole_kwh.corrected.get(name, 0)


# Text


def _text(table: AnomalyTable) -> str:
    lines = [f"final bills: {table.bills:,} ({_period(table)}; computed at {table.computed_at or 'not said'})", ""]
    if table.groups:
        return "\n".join(lines + _group_lines(table.groups))
    lines += _set_lines(table, table.raw_causes)
    if table.causes:
        lines += ["", f"{'cause':<18}{'bills':>10}"]
        lines += [f"{name:<18}{count:>10,}" for name, count in table.causes.items()]
    if table.remaining:
        lines += ["", f"{'stays':<6}{'because':<22}{'cause':<18}{'bills':>10}"]
        lines += [
            f"{one.code:<6}{one.reason:<22}{one.cause or 'not known':<18}{one.bills:>10,}" for one in table.remaining
        ]
    if table.whole_kwh.bills:
        lines += ["", f"of these, measured by meters of whole kWh: {table.whole_kwh.bills:,}"]
        lines += _set_lines(table.whole_kwh, {})
    return "\n".join(lines)


def _set_lines(counts: CodeCounts, causes: dict[str, dict[str, int]]) -> list[str]:
    lines = [f"{'codes':<12}{'raw':>12}{'corrected':>12}{'  mostly' if causes else ''}"]
    for name in _sets(counts):
        line = f"{name:<12}{counts.raw.get(name, 0):>12,}{counts.corrected.get(name, 0):>12,}"
        lines.append(f"{line}  {_largest(causes.get(name, {}))}".rstrip())
    lines.append(f"{'with a code':<12}{sum(counts.raw.values()):>12,}{sum(counts.corrected.values()):>12,}")
    return lines


def _group_lines(groups: Sequence[Group]) -> list[str]:
    kinds = list(groups[0].group)
    widths = [max(len(kind), *(_columns(printable(group.group[kind])) for group in groups)) + 2 for kind in kinds]
    head = "".join(f"{kind:<{width}}" for kind, width in zip(kinds, widths, strict=True))
    lines = [f"{head}{'bills':>10}{'raw':>10}{'corrected':>11}{'whole kWh':>11}  raw sets; causes"]
    for group in groups:
        named = zip((printable(group.group[kind]) or "-" for kind in kinds), widths, strict=True)
        name = "".join(text + " " * (width - _columns(text)) for text, width in named)
        told = "; ".join(filter(None, (_largest(group.raw, " "), _largest(group.causes))))
        lines.append(
            f"{name}{group.bills:>10,}{sum(group.raw.values()):>10,}{sum(group.corrected.values()):>11,}"
            f"{group.whole_kwh.bills:>11,}  {told}".rstrip()
        )
    return lines


def _columns(text: str) -> int:
    """How many columns of a terminal the text takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text or "-")


def _largest(counts: dict[str, int], between: str = " ") -> str:
    named = [f"{name}{between}×{count:,}" for name, count in list(counts.items())[:_LARGEST]]
    return ", ".join(named) + (" …" if len(counts) > _LARGEST else "")


def _sets(counts: CodeCounts) -> list[str]:
    return sorted({*counts.raw, *counts.corrected}, key=set_order)


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _period(table: AnomalyTable) -> str:
    return f"{table.from_day or 'the begin'} to {table.to_day or 'now'}"


# Options


def _first_day(text: str) -> date:
    """The day, or the first one of the month."""
    try:
        if not _DAY_OR_MONTH.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text if len(text) == len("2019-03-01") else f"{text}-01")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write 2019-03-01, or 2019-03 for the month") from None


def _last_day(text: str) -> date:
    """The day, or the last one of the month."""
    day = _first_day(text)
    return day if day.isoformat() == text else day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _name_of(codes: Sequence[int]) -> str:
    return ",".join(map(str, codes))


def _codes(text: str) -> list[int]:
    try:
        codes = [int(code) for code in text.split(",")]
        if not all(0 < code <= _HIGHEST_CODE for code in codes) or len(set(codes)) < len(codes):
            raise ValueError(text)
        return codes
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no set of codes, each once; write for example 8,9,6") from None


def _number_of_bills(text: str) -> int:
    # the length first: int() refuses thousands of digits with words of its own
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= _MOST_ASKED_FOR):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bills; write 1 to {_MOST_ASKED_FOR:,}")
    return int(text)


def _kinds(text: str) -> tuple[Kind, ...]:
    return tuple(_kind(name) for name in text.split(","))


def _chosen(text: str) -> tuple[Kind, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is no choice; write KIND=NAME, for example vendor=R")
    return _kind(name), value


def _kind(text: str) -> Kind:
    for kind in KINDS:
        if kind == text:
            return kind
    raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(KINDS)}")
