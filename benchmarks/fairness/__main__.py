"""`python -m benchmarks.fairness [--json]`: what steady chargers wait while another sends as fast as it can."""

import argparse
import sys
from pathlib import Path

from benchmarks.endtoend.report import show
from benchmarks.fairness.run import fairness


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness", description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000, help="steady chargers (default 1000)")
    parser.add_argument("--flooding", type=int, default=1, help="chargers that send at full speed (default 1)")
    parser.add_argument("--seconds", type=float, default=15, help="how long each round floods (default 15)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where spool and database are (default: the temporary folder)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = fairness(
        connections=args.connections,
        flooding=args.flooding,
        seconds=args.seconds,
        rounds=args.rounds,
        workers=args.workers,
        seed=args.seed,
        folder=args.folder,
    )
    show(found, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
