"""`python -m benchmarks.backlog [--json]`: what offline chargers kept, from the socket to queryable rows."""

import argparse
import sys
from pathlib import Path

from benchmarks.backlog.run import backlog
from benchmarks.endtoend.report import show


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description=__doc__)
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--readings", type=int, default=10_000, help="stored readings of each charger (default 10000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=150, help="no new round is begun after so long")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where spool and database are (default: the temporary folder)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = backlog(args.connections, args.readings, args.rounds, args.seconds, args.workers, args.seed, args.folder)
    show(found, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
