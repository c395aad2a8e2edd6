"""`python -m benchmarks.memory [--json]`: private memory for each idle connection, beside servers that do less."""

import argparse
import json
import sys

from benchmarks.memory.contest import GATEWAY, SETTLE_S, compare


def main() -> int:
    """Run it and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--few", type=int, default=1_000, help="connections of the smaller run")
    parser.add_argument("--many", type=int, default=5_000, help="connections of the larger run")
    parser.add_argument(
        "--settle-seconds", type=float, default=SETTLE_S, help="how long the connections are idle before the measuring"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    report = compare(args.few, args.many, args.settle_seconds)
    if args.json:
        print(json.dumps(report))
        return 0
    for name, found in report["contestants"].items():
        print(f"{name:24} {found['median']:>8,} {found['unit']}")
    print(f"{GATEWAY} is {report['limit']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
