"""`python -m tests.faults [--rounds N] [--seed N] [--only NAME,…] [--json FILE] [--folder DIR]`: the whole fault suite.

Prints the seed first and the tally last, of what was done when it is interrupted (exit code 130); writes it as JSON.
Exit code 1 when a promise was broken.
"""

import argparse
import os
import platform
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.faults.damaged_segments import damaged_segments
from tests.faults.database_faults import away_beyond_the_spool, database_away, disk_full, lost_answers
from tests.faults.kills import TARGETS_OF_WORKERS, kill_rounds
from tests.faults.line_faults import bad_line, clock_steps, ended_under_load
from tests.faults.overload import full_speed, gone_without_a_word, never_read, storm
from tests.faults.power_cuts import gateway_without_power, power_cuts
from tests.faults.tally import Row, as_table, write

DEFAULT_ROUNDS: Final = 200
ROUNDS_OF_A_PLATFORM: Final = 40
WORKERS_OF_A_STORM: Final = 2
"""A process that may open 20,000 files cannot hold 20,000 chargers and its own."""


def fault_functions(rounds: int, seed: int, workers: int) -> dict[str, Callable[[Path], Iterable[Row]]]:
    """The faults by name. One that comes in pieces gives a row for each of them."""
    few = max(rounds // 20, 2)
    return {
        "kill": lambda folder: _kills(folder, rounds, seed, workers),
        "workers": lambda folder: _kills(folder, max(rounds * 2 // 5, len(TARGETS_OF_WORKERS)), seed, 2),
        "power": lambda folder: [power_cuts(folder, few, seed, workers=workers)],
        "mutation": lambda folder: [_early_ack_is_found(folder, seed)],
        "answers": lambda folder: [lost_answers(folder, rounds // 4, seed)],
        "away": lambda folder: [database_away(folder, float(rounds) / 3, seed)],
        "beyond": lambda folder: [away_beyond_the_spool(folder, float(rounds) / 4, seed)],
        "full": lambda folder: [disk_full(folder, seed)],
        "line": lambda folder: [bad_line(folder, float(rounds) / 4, seed, workers=workers)],
        "clock": lambda folder: [clock_steps(folder, seed)],
        "segments": lambda folder: [damaged_segments(folder, few // 2, seed)],
        "sigterm": lambda folder: [ended_under_load(folder, few // 2, seed)],
        "storm": lambda folder: [storm(folder, 100 * rounds, seed, workers=max(workers, WORKERS_OF_A_STORM))],
        "deaf": lambda folder: [never_read(folder, 10 + few, seed)],
        "gone": lambda folder: [gone_without_a_word(folder, 4 * rounds, seed, workers=workers)],
        "flood": lambda folder: [full_speed(folder, 20_000 * rounds, seed)],
    }


def main() -> int:
    """Run what was asked for."""
    options = _options()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}, {options.rounds} rounds, {options.workers} worker(s)", flush=True)
    functions = fault_functions(options.rounds, seed, options.workers)
    unknown = set(options.only) - set(functions)
    if unknown:
        print(f"no fault is called {', '.join(sorted(unknown))}; there are {', '.join(functions)}", file=sys.stderr)
        return 2
    rows: dict[str, Row] = {}
    folder = Path(tempfile.mkdtemp(prefix="pilestream-faults-", dir=options.folder))
    is_whole = True
    try:
        for name in options.only or functions:
            for row in functions[name](folder / name):
                rows.setdefault(row.fault, Row(row.fault)).add(row)
                print(f"{row.fault}: {'; '.join(row.wrong[:5]) or 'as promised'}  {row.notes or ''}", flush=True)
            about = {"seed": seed, "rounds": options.rounds, "workers": options.workers, "machine": platform.platform()}
            write(list(rows.values()), options.json, **about, cores=os.cpu_count(), only=options.only)
    except KeyboardInterrupt:
        is_whole = False
    print("\n" + as_table(list(rows.values())))
    if not is_whole:
        print(f"interrupted; what it left is in {folder}", file=sys.stderr)
        return 130
    if any(row.wrong for row in rows.values()):
        print(f"what it left is in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


def _kills(folder: Path, rounds: int, seed: int, workers: int) -> Iterator[Row]:
    """In pieces, each on a platform of its own, so that no piece compares more than a few ten thousand frames."""
    for first in range(0, rounds, ROUNDS_OF_A_PLATFORM):
        yield from kill_rounds(
            folder / str(first), min(ROUNDS_OF_A_PLATFORM, rounds - first), seed + first, workers=workers
        )


def _early_ack_is_found(folder: Path, seed: int) -> Row:
    """The suite has teeth: a gateway that tells chargers before the sync is found out."""
    row = gateway_without_power(folder / "honest", seed)
    early = gateway_without_power(folder / "early", seed, early_ack=True)
    row.fault = "mutation: acknowledged before the sync"
    row.notes = {"acknowledged early": early.acknowledged, "found missing of these": early.missing}
    row.require(early.missing > 0, "an acknowledgement before the sync was not found out")
    return row


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=DEFAULT_ROUNDS, help="kills; the other faults take shares of it")
    parser.add_argument("--seed", type=int, help="default: a random one, printed")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="names of faults, with commas")
    parser.add_argument("--json", type=Path, default=Path("build/faults.json"))
    parser.add_argument("--folder", type=Path, help="where data folders are made; default: the usual temporary one")
    options = parser.parse_args()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
