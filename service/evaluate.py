"""`pilestream evaluate`: its arguments. The simulation is imported when it runs, since nothing else needs it."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from service.lifeline import interrupt_on_signal
from service.settings import Settings

MOST_SESSIONS: Final = 10_000_000
FORMATS: Final = ("table", "json", "md")
MIXES: Final = ("historic", "each")
DEFAULT_SESSIONS: Final = 10_000
DEFAULT_SEED: Final = 1


def add_evaluate_parser(commands: Any, run: Callable[[argparse.Namespace], int]) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="how right the bills are, against a known truth",
        description="Simulate charges whose true energy is known, take their frames in as a replay does, and hold the "
        "bills against the truth, beside the naive register difference. Exits 1 when a bill is wrong and not held. "
        "With --historic: the table of abnormal bills of the platform before this one; exits 1 when it differs.",
        epilog="example: pilestream evaluate --sessions 100000 --seed 7 --json",
    )
    parser.add_argument("--data", metavar="FOLDER", help="the folder of all data (default ./data); evaluate is in it")
    parser.add_argument(
        "--format", choices=FORMATS, default="table", help="tables to read (default), JSON, or Markdown as in the docs"
    )
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", default="table", help="the same as --format json"
    )
    truth = parser.add_argument_group("against the truth")
    truth.add_argument(
        "--sessions", type=_number(1, MOST_SESSIONS), metavar="N", help=f"charges (default {DEFAULT_SESSIONS:,})"
    )
    truth.add_argument(
        "--seed",
        type=_number(0, 2**63 - 1),
        metavar="N",
        help=f"equal seeds give equal charges (default {DEFAULT_SEED})",
    )
    truth.add_argument("--mix", choices=MIXES, help="faults as often as in the log (default), or all equally often")
    truth.add_argument("--processes", type=_number(1, 8), metavar="N", help="at once (default: one a core)")
    historic = parser.add_argument_group("the historic table")
    historic.add_argument("--historic", action="store_true", help="make that table instead")
    historic.add_argument("--capture", type=Path, metavar="FILE", help="write its frames and stop")
    historic.add_argument(
        "--scale",
        type=_scale,
        metavar="N",
        help="N >= 1: one N-th of all bills, 0 < N < 1: that share of them; every set of codes keeps at least one bill "
        "(default 1)",
    )
    parser.set_defaults(run=run, refuse=parser.error)


def print_evaluation(settings: Settings, options: argparse.Namespace) -> int:
    """Do what the arguments say and give the exit code; arguments that do not go together are wrong use."""
    interrupt_on_signal()
    if options.historic:
        _refuse(options, ("sessions", "seed", "mix", "processes"), "without --historic")
        from service.historic import evaluate_historic

        return evaluate_historic(
            settings,
            output=options.format,
            capture=options.capture,
            scale=1 if options.scale is None else options.scale,
        )
    _refuse(options, ("capture", "scale"), "with --historic")
    from service.evaluation import evaluate

    return evaluate(
        settings,
        sessions=options.sessions or DEFAULT_SESSIONS,
        seed=DEFAULT_SEED if options.seed is None else options.seed,
        mix=options.mix or MIXES[0],
        processes=options.processes,
        output=options.format,
    )


def _refuse(options: argparse.Namespace, names: Sequence[str], where: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            options.refuse(f"--{name} is used only {where}")


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0
    if not (math.isfinite(scale) and scale > 0):
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 is needed, such as 1, 10 or 0.001")
    return scale


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    """Reads an argument that is a whole number in these bounds."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() else -1
        if not lowest <= number <= highest:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {lowest:,} to {highest:,} is needed")
        return number

    return read
