"""`python -m benchmarks.bills [--sessions N] [--json]`: final bills and codes for stored charges, sessions a second."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.bills.contest import contest


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bills", description=__doc__)
    parser.add_argument("--sessions", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the database is; default: the temporary folder"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    report = contest(args.sessions, args.rounds, args.seed, tuple(args.processes), args.folder)
    if args.json:
        print(json.dumps(report))
        return 0
    for name, found in report["contestants"].items():
        print(f"{name:36} {found['median']:>12,} {found['unit']}")
        for run in found["runs"]:
            print(f"    {run}")
    for name, measure in report["measures"].items():
        print(f"{name:36} {measure['median']:>12,} {measure['unit']}")
    print(report["limit"])
    print(
        f"a million sessions: {report['goal']['measured']} s"
        f" (goal {report['goal']['seconds for a million sessions']} s)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
