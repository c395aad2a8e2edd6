"""`pilestream timeline`: a session's evidence trail, printed for a person at a desk or as JSON."""

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from analytics.bill_lines import kwh_text
from analytics.plausibility import growth, observed_times
from analytics.questions import PLATFORM_SCOPE
from analytics.safe_text import printable
from analytics.timeline import Trail, trails
from analytics.timeline_entries import Entry
from analytics.timeline_record import meter_record, trail_head, trail_record
from dashboard.catalogue import LANGUAGES, Catalogue
from service.errors import UsageError
from service.evidence_file import ENDINGS, EXPLAINED_ENDINGS, no_session
from service.running import running_client
from service.settings import Settings

DONE, NO = 0, 1
NARROWEST, WIDEST, PIPE_WIDTH = 80, 160, 120
MIN_TEXT_WIDTH = 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_WIDTH = len("00:00:00.000")

_MARKS: Final = {
    "start": "▶", "order": "·", "connector": "·", "connection": "·", "identity": "·", "clock": "·", "tariff": "·",
    "alarm": "!", "outage": "!", "deviation": "✗", "rule": "~", "bill": "=",
}  # fmt: skip
_SAY_THEIR_NAME: Final = ("bill", "start", "clock", "tariff", "identity", "rule")
_LABEL_WIDTH: Final = 28
_FROM_CHARGER, _FROM_PLATFORM = "→", "←"
_RED, _YELLOW, _GREEN, _CYAN, _FAINT, _BOLD = "31", "33", "32", "36", "2", "1"
_COLOURS: Final = {
    "deviation": _RED,
    "rule": _YELLOW,
    "alarm": _YELLOW,
    "outage": _YELLOW,
    "bill": _GREEN,
    "start": _CYAN,
}
_LIVES: Final = {
    "open": "under way",
    "ended": "ended",
    "ended_offline": "ended while offline",
    "failed_start": "failed to start",
}

Paint = Callable[[str, str], str]


def add_timeline_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add `timeline` to the subcommands; `run` gets the options and gives the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "timeline",
        help="all that is known of a session, in the order of time",
        description="Print a session's evidence trail: who started it, every frame with its meaning, what happened, "
        "where the order of steps was left, and what was billed. Times are those of the station.",
        epilog="example: pilestream timeline 32010600019236012611221430010007 --export evidence.zip",
    )
    parser.add_argument("trade_no", metavar="TRADE_NO", help="number of the session")
    parser.add_argument("--all", action="store_true", help="each reading and each frame in a line of its own")
    parser.add_argument("--hex", action="store_true", help="the bytes below each frame")
    parser.add_argument("--json", action="store_true", help="one JSON object per session")
    parser.add_argument(
        "--export",
        type=Path,
        metavar="FILE",
        help="write it to a file instead: .html is one page to read and print, .zip has the page, frames.csv, "
        "readings.csv, evidence.json and their checksums; cards and accounts are hidden",
    )
    parser.add_argument("--lang", choices=LANGUAGES, help="with --export: language of that page (default en)")
    parser.add_argument("--pile", metavar="CODE", help="whose session, where several chargers used the number")
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    parser.set_defaults(run=run)
    return parser


def check_options(options: argparse.Namespace) -> None:
    """Raises `UsageError` for options of `timeline` that do not go together, before anything is read."""
    if not options.trade_no.strip():
        raise UsageError("the number of a charge is needed, and is empty")
    chosen = [f"--{name}" for name in ("all", "hex", "json") if getattr(options, name)]
    if options.export is None:
        if options.lang:
            raise UsageError("--lang is the language of the page that --export writes; what is printed is English")
        if options.json and options.hex:
            raise UsageError("--hex is for the text; --json --all has the bytes of each frame")
        return
    if chosen:
        raise UsageError(
            f"--export writes all there is, with the bytes of each frame; leave out {' and '.join(chosen)}"
        )
    if options.export.suffix.lower() not in ENDINGS:
        raise UsageError(f"{options.export}: --export takes a name that ends with {EXPLAINED_ENDINGS}")


def print_timeline(
    settings: Settings,
    trade_no: str,
    *,
    pile: str | None = None,
    every: bool = False,
    with_hex: bool = False,
    as_json: bool = False,
) -> int:
    """Print the trail of each session under this number; exit code 1 when there is none.

    `pile`: only of the charger with this code, where several used the number.
    """
    with running_client(settings) as client:
        found = trails(client, PLATFORM_SCOPE, trade_no, pile=pile, every=every)
    if not found:
        print(no_session(trade_no, pile), file=sys.stderr)
        return NO
    for number, trail in enumerate(found):
        if as_json:
            print(trail_json(trail))
            continue
        if number:
            print()
        coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        width = shutil.get_terminal_size((PIPE_WIDTH, 0)).columns if sys.stdout.isatty() else PIPE_WIDTH
        print(trail_text(trail, width=width, coloured=coloured, with_hex=with_hex))
    return DONE


def trail_json(trail: Trail) -> str:
    """One line of JSON: the session's head, and its entries with ISO times in the zone of the station."""
    return json.dumps(trail_record(trail), ensure_ascii=False)


def trail_text(trail: Trail, *, width: int = PIPE_WIDTH, coloured: bool = False, with_hex: bool = False) -> str:
    """The trail as text to read: a head, then one line per entry, with a heading for each local day."""
    width = min(max(width, NARROWEST), WIDEST)

    def paint(text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if coloured and text else text

    zone = ZoneInfo(trail.zone)
    lines = [*_head_lines(trail, zone, paint)]
    day = ""
    for entry in trail.entries:
        moment = _local(entry.at_ms, zone)
        if moment.strftime("%Y-%m-%d") != day:
            day = moment.strftime("%Y-%m-%d")
            lines += ["", paint(f"{day} {moment.strftime('%A')}, {trail.zone}", _BOLD)]
        lines += _entry_lines(entry, zone, width, paint)
        if with_hex and entry.frame_hex:
            lines += [paint(line, _FAINT) for line in _hex_lines(entry.frame_hex, width)]
    return "\n".join(lines)


def _entry_lines(entry: Entry, zone: ZoneInfo, width: int, paint: Paint) -> list[str]:
    """One entry: its time, who spoke to whom, what it was, and what it says, wrapped below itself."""
    time = _local(entry.at_ms, zone).strftime("%H:%M:%S.%f")[:_TIME_WIDTH]
    if entry.kind in ("frame", "reading"):
        mark = _FROM_CHARGER if entry.party == "charger" else _FROM_PLATFORM
        label = f"{entry.type:<4} {entry.name}"
    else:
        mark = _MARKS[entry.kind]
        label = (
            entry.kind
            if entry.kind in _SAY_THEIR_NAME
            else f"{entry.kind} {entry.name}".replace("_", " ")
            if entry.kind == "connector"
            else f"{entry.kind} {entry.name}"
        )
    if entry.kind == "deviation" and entry.party == "platform":
        label = f"{label} (platform)"
    says = _rules_text(entry) if entry.kind == "rule" else printable(entry.text)
    text = ", ".join(filter(None, [_run_text(entry, zone), says, _late_text(entry, zone)]))
    lead = f"{time} {mark} "
    column = min(len(lead) + _LABEL_WIDTH, width - MIN_TEXT_WIDTH)
    colour = _COLOURS.get(entry.kind, _RED if entry.bad else "")
    label_shown = label if len(label) < _LABEL_WIDTH else f"{label} "
    first_width = max(width - max(column, len(lead) + len(label_shown)), MIN_TEXT_WIDTH)
    wrapped = textwrap.wrap(text, width=first_width) or [""]
    rest = textwrap.wrap(text[len(wrapped[0]) :].strip(), width=width - column) if len(wrapped) > 1 else []
    gap = " " * max(column - len(lead) - len(label_shown), 0)
    shown = paint(label_shown, colour) if colour else label_shown
    first = f"{paint(time, _FAINT)} {paint(mark, colour) if colour else mark} {shown}{gap}{wrapped[0]}".rstrip()
    return [first, *(" " * column + line for line in rest)]


def _run_text(entry: Entry, zone: ZoneInfo) -> str:
    if entry.kind == "rule":
        times = f"{entry.times} times " if entry.times > 1 else ""
        return f"{times}until {_local(entry.until_ms, zone).strftime('%H:%M:%S')}"
    if entry.kind not in ("frame", "reading") or entry.times == 1:
        return ""
    return f"{entry.times} times until {_local(entry.until_ms, zone).strftime('%H:%M:%S')}"


def _rules_text(entry: Entry) -> str:
    """Each rule by its name and in words, and what it made of the readings."""
    return ". ".join(filter(None, [_rule_words(entry.fields["rules"]), entry.text]))


def _rule_words(names: Sequence[str]) -> str:
    words = Catalogue("en")
    return "; ".join(f"{name}: {words.word('rule', name)}" for name in names)


def _late_text(entry: Entry, zone: ZoneInfo) -> str:
    if not entry.came_ms:
        return ""
    came = _local(entry.came_ms, zone)
    same_day = came.date() == _local(entry.at_ms, zone).date()
    when = came.strftime("%H:%M:%S" if same_day else "%m-%d %H:%M:%S")
    return f"(came {when}{', kept by the charger' if entry.kept else ''})"


def _head_lines(trail: Trail, zone: ZoneInfo, paint: Paint) -> Iterator[str]:
    head = trail_head(trail)
    make = " ".join(filter(None, [head["vendor"], head["model"], head["firmware"] and f"firmware {head['firmware']}"]))
    yield paint(printable(f"session {head['trade_no']}"), _BOLD)
    yield printable(f"  charger   {head['pile']} connector {head['connector']}{f', {make}' if make else ''}")
    place = ", ".join(filter(None, [head["station"], head["operator"]]))
    if place:
        yield printable(f"  station   {place}")
    yield f"  charge    {_span_text(trail, zone)}"
    yield f"  energy    {_energy_text(head)}"
    if trail.bill is not None:
        held = paint(" (held: waits for a person)", _YELLOW) if head["held"] else ""
        codes = _codes_text(head)
        billed = f"{head['final_energy_kwh']} kWh = {head['final_amount_yuan']} yuan"
        yield f"  billed    {billed if head['final_energy_kwh'] else 'nothing is known'}{held}{codes}"
    yield f"  meter     {_meter_text(trail)}"
    whole = [name for one in trail.rules if not one.to_ms for name in one.rules]
    if whole:
        yield f"  rules     {_rule_words(whole)}"
    times = observed_times(trail.session, trail.curve)
    if times is not None:
        yield (
            f"  time      {times.observed_ms // 1000} s observed, {times.unobserved_ms // 1000} s not, "
            f"{times.total_ms // 1000} s in all"
        )
    line = growth(trail.session, trail.curve)
    if line is not None:
        yield f"  growth    R² {line.r_squared:.4f}, at most {kwh_text(abs(line.residual_e4kwh))} kWh off the line"
    check = head["conformance"]
    if check is not None:
        whole = check["kept"] == check["due"]
        words = f"{check['kept']} of {check['due']} steps kept, in the order {check['order'] or 'none'}"
        pattern = f", {check['pattern']}" if check["pattern"] else ""
        yield f"  protocol  {check['flow'].replace('_', ' ')}: {paint(words + pattern, _GREEN if whole else _RED)}"


def _span_text(trail: Trail, zone: ZoneInfo) -> str:
    session = trail.session
    start, end_ms = _local(session["start_ms"], zone), session["end_ms"]
    life = _LIVES.get(session["life"], session["life"])
    if session["life"] == "open":
        return f"{start:%Y-%m-%d %H:%M:%S}, {life}"
    end = _local(end_ms, zone)
    until = f"{end:%H:%M:%S}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f"{start:%Y-%m-%d %H:%M:%S} to {until}, {_length(end_ms - session['start_ms'])}, {life}"


def _energy_text(head: dict[str, Any]) -> str:
    measured = f"measured {head['platform_energy_kwh']} kWh [{head['low_kwh']}, {head['high_kwh']}] {head['quality']}"
    said = head["pile_energy_kwh"]
    record = f"charger says {said} kWh" if said else f"no record ({head['record'].replace('_', ' ')})"
    return f"{record}, {measured}"


def _meter_text(trail: Trail) -> str:
    """The meter by which it was measured, and where its values come from."""
    meter = meter_record(trail.session)
    digits = f" of {meter['register_digits']} digits" if meter["register_digits"] else ""
    values = [
        (f"{meter['register_kind']} register{digits}", meter["register_source"]),
        (f"steps of {meter['quantum_kwh']} kWh", meter["quantum_source"]),
        (f"at most {meter['pmax_w'] // 1000} kW", meter["pmax_source"]),
    ]
    sources = {source or "assumed" for _value, source in values}
    told = [value if len(sources) == 1 else f"{value} ({source or 'assumed'})" for value, source in values]
    if len(sources) == 1:
        told.append(*sources)
    return ", ".join([*told, *([f"profile {meter['profile_id']}"] if meter["profile_id"] else [])])


def _codes_text(head: dict[str, Any]) -> str:
    raw, codes = (",".join(map(str, head[name])) for name in ("codes_raw", "codes"))
    if not raw and not codes:
        return ", no codes"
    causes = f" ({', '.join(head['causes'])})" if head["causes"] else ""
    return f", codes {raw or 'none'}, after correction {codes or 'none'}{causes}"


def _hex_lines(frame_hex: str, width: int) -> list[str]:
    pairs = " ".join(frame_hex[place : place + 2] for place in range(0, len(frame_hex), 2))
    indent = " " * (_TIME_WIDTH + 3)
    return textwrap.wrap(pairs, width=width, initial_indent=indent, subsequent_indent=indent)


def _length(length_ms: int) -> str:
    minutes, seconds = divmod(abs(length_ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
