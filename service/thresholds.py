"""`pilestream thresholds`: by what limits bills are judged, and what other limits would make of the last bills."""

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from analytics.client import connect
from analytics.threshold_book import ThresholdBook
from analytics.threshold_preview import DAYS, Preview, preview
from analytics.thresholds import Thresholds
from backoffice.database import open_database
from backoffice.directory import read_directory
from core.directory import PileDirectory
from service.errors import SettingsError
from service.progress import Progress
from service.role import now_ms
from service.running import running_database
from service.settings import FILE_NAME, Settings

DONE: Final = 0
TABLE: Final = "thresholds"


def add_thresholds_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add `thresholds` to the subcommands; `run` gets the options and gives the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "thresholds",
        help="by what limits bills are judged, and what others would make of the last ones",
        description="Print the thresholds in force, those that were set marked, and what differs by operator, station "
        f"and model. They stand in the table [{TABLE}] of {FILE_NAME}. With --preview, how many of the last bills "
        "would gain or lose which codes by those of another file; nothing is changed.",
        epilog="example: pilestream thresholds --preview stricter.toml",
    )
    parser.add_argument("--preview", type=Path, metavar="FILE.toml", help=f"a file with a table [{TABLE}]")
    parser.add_argument("--days", type=int, default=DAYS, metavar="N", help=f"bills of so many days (default {DAYS})")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    parser.set_defaults(run=run)
    return parser


def print_thresholds(settings: Settings, file: Path | None = None, *, days: int = DAYS, as_json: bool = False) -> int:
    """Print those in force, or what those of `file` would change. Raises `SettingsError` for a file that is wrong."""
    if file is None:
        print(_in_force_json(settings.thresholds) if as_json else _in_force(settings.thresholds))
        return DONE
    if days < 1:
        raise SettingsError(f"--days {days}: at least 1")
    found = _try(settings, ThresholdBook(read_thresholds(file)), days)
    print(msgspec.json.encode(found).decode() if as_json else preview_text(found))
    return DONE


def read_thresholds(file: Path) -> dict[str, Any]:
    """The table of a settings file, or the whole of a file that has only thresholds."""
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"there is no file {file}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from error
    table = values.get(TABLE, {} if values.keys() & _SETTINGS else values)
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: {TABLE} must be a table")
    return table


_SETTINGS = frozenset(Settings.__struct_fields__)


def preview_text(found: Preview) -> str:
    """The answer in words and a table."""
    lines = [
        f"{found.bills:,} final bills from {found.from_day} to {found.to_day}; {found.changed:,} would change",
        f"waiting for a person: +{found.held:,} / -{found.freed:,}",
    ]
    if found.failed:
        lines.append(f"{found.failed:,} could not be decided; the log says why")
    codes = sorted({*found.gained, *found.lost}, key=int)
    if codes:
        lines += ["", f"{'code':<6}{'more':>10}{'fewer':>10}"]
        lines += [f"{code:<6}{found.gained.get(code, 0):>10,}{found.lost.get(code, 0):>10,}" for code in codes]
    return "\n".join(lines)


def _try(settings: Settings, book: ThresholdBook, days: int) -> Preview:
    directory = PileDirectory(read_directory(open_database(settings.database_url)))
    for place in book.unknown_places(directory):
        print(f"pilestream: no charger belongs to {TABLE}.{place}", file=sys.stderr)
    with running_database(settings) as address, Progress("deciding anew", 0, "bills") as progress:
        client = connect(address)
        try:
            return preview(client, directory, book, now_ms=now_ms(), days=days, on_day=progress.step)
        finally:
            client.disconnect()


def _in_force(table: Mapping[str, Any]) -> str:
    platform = ThresholdBook(table).platform
    default = Thresholds()
    lines = []
    for name in Thresholds.__struct_fields__:
        value = getattr(platform, name)
        lines.append(f"{name} = {value}{'' if value == getattr(default, name) else '  # set'}")
    for level in ("operator", "station", "model"):
        for key, values in table.get(level, {}).items():
            lines += ["", f"[{TABLE}.{level}.{json.dumps(key, ensure_ascii=False)}]"]
            lines += [f"{name} = {value}" for name, value in values.items()]
    return "\n".join(lines)


def _in_force_json(table: Mapping[str, Any]) -> str:
    special = {level: table[level] for level in ("operator", "station", "model") if level in table}
    return json.dumps({**msgspec.to_builtins(ThresholdBook(table).platform), **special}, ensure_ascii=False)
