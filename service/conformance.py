"""`pilestream conformance`: how well chargers keep to their protocol, and the frames that show where they do not."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from analytics.conformance import GroupBy, Score, scores, violations
from analytics.questions import PLATFORM_SCOPE
from analytics.safe_text import printable
from ingest.stored_frames import NOT_KNOWN_PILE, FrameKey, frames_hex
from service.running import running_client
from service.settings import Settings

DONE, NO = 0, 1
PERFECT: Final = "100.0"
MOST_VIOLATIONS: Final = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORST_SHOWN = 3


def add_conformance_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add `conformance` to the subcommands; `run` gets the options and gives the exit code."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "conformance",
        help="how well chargers keep to the order of steps of their protocol",
        description="Print the share of the steps owed that were kept, the worst group first. With --violations, where "
        "the order was left, with the frames that show it. Exit code 1 when a group is below --at-least.",
        epilog="example: pilestream conformance --by firmware --from 2026-11-01",
    )
    parser.add_argument("--by", choices=["pile", "firmware", "vendor", "model", "flow"], default="vendor")
    parser.add_argument("--from", dest="from_day", type=date.fromisoformat, metavar="D", help="first local day")
    parser.add_argument("--to", dest="to_day", type=date.fromisoformat, metavar="D", help="last local day")
    parser.add_argument("--at-least", type=float, metavar="PERCENT", help="the score that every group must reach")
    parser.add_argument("--violations", action="store_true", help="each violation with its frames, the newest first")
    parser.add_argument("--pile", default="", metavar="CODE", help="only this charger's violations")
    parser.add_argument("--limit", type=int, default=MOST_VIOLATIONS, metavar="N", help="at most N violations")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data)")
    parser.set_defaults(run=run)
    return parser


def print_conformance(
    settings: Settings,
    *,
    by: GroupBy = "vendor",
    from_day: date | None = None,
    to_day: date | None = None,
    at_least: float | None = None,
    as_json: bool = False,
) -> int:
    """Print the scores; exit code 1 when a group is below `at_least` percent."""
    with running_client(settings) as client:
        found = scores(client, PLATFORM_SCOPE, by, from_day, to_day)
    print("\n".join(map(_score_json, found)) if as_json else render_scores(found, by))
    return NO if at_least is not None and any(float(score.percent) < at_least for score in found) else DONE


def print_violations(
    settings: Settings,
    *,
    pile: str = "",
    from_day: date | None = None,
    to_day: date | None = None,
    limit: int = MOST_VIOLATIONS,
    as_json: bool = False,
) -> int:
    """Print the deviations, the newest first, with the bytes of the frames that show them (requirement B12)."""
    with running_client(settings) as client:
        rows = violations(client, PLATFORM_SCOPE, pile=pile, from_day=from_day, to_day=to_day, limit=limit)
        frames = frames_hex(client, _evidence(rows))
    for row in rows:
        # A reading that was taken out of the database since is left out.
        row["frames"] = [frames[key] for key in row["evidence"] if key in frames]
        print(json.dumps(row, ensure_ascii=False) if as_json else _violation_text(row))
    return DONE


def render_scores(found: list[Score], by: GroupBy) -> str:
    """The scores as a table to read, the worst group first."""
    if not found:
        return "no session has been checked yet"
    names = [printable(score.name) or "not known" for score in found]
    width = max(len(by), *map(len, names))
    lines = [f"{by:<{width}}  {'score':>6}  {'checked':>8}  {'flawless':>8}  steps at fault most often"]
    for name, score in zip(names, found, strict=True):
        worst = ", ".join(
            f"{step} {kind.replace('_', ' ')} ({times})" for step, kind, times in score.worst[:_WORST_SHOWN]
        )
        lines.append(f"{name:<{width}}  {score.percent:>6}  {score.sessions:>8,}  {score.clean:>8,}  {worst}".rstrip())
    return "\n".join(lines)


def _score_json(score: Score) -> str:
    return json.dumps(
        {
            "name": score.name,
            "score": score.percent,
            "checked": score.sessions,
            "flawless": score.clean,
            "due": score.due,
            "kept": score.kept,
            "worst": [{"step": step, "kind": kind, "times": times} for step, kind, times in score.worst],
        },
        ensure_ascii=False,
    )


def _evidence(rows: list[dict[str, Any]]) -> set[tuple[int, FrameKey]]:
    """Under which charger each frame of the evidence may stand; one before a login stands under none."""
    found = {(row["pile_id"], key) for row in rows for key in row["evidence"]}
    return found | {(NOT_KNOWN_PILE, key) for row in rows if row["connection_id"] for key in row["evidence"]}


def _violation_text(row: dict[str, Any]) -> str:
    moment = (_EPOCH + timedelta(milliseconds=row["event_ms"])).astimezone(ZoneInfo(row["zone"]))
    subject = f"session {row['trade_no']}" if row["trade_no"] else f"login over connection {row['connection_id']}"
    make = " ".join(dict.fromkeys(filter(None, [row["vendor"], row["model"], row["firmware"]])))
    who = "" if row["party"] == "charger" else " (the platform)"
    connector = f"{row['pile']}/{row['connector']}" if row["connector"] else row["pile"]
    lines = [
        f"{moment:%Y-%m-%d %H:%M:%S} {connector} {make}, {row['flow'].replace('_', ' ')}, {subject}",
        f"  {row['step']}{who} {row['kind'].replace('_', ' ')}: {row['detail']}",
    ]
    if row["step_order"] and row["pattern"]:
        lines.append(f"  steps as they came: {row['step_order']}, {row['pattern']}")
    return "\n".join(map(printable, [*lines, *(f"  {frame}" for frame in row["frames"])]))
