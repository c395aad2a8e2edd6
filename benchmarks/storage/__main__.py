"""`python -m benchmarks.storage [--json]`: bytes per reading in ClickHouse, with the noise of real meters."""

import argparse
import json
import sys

from benchmarks.storage.contest import contest


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--piles", type=int, default=1_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run for each")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    report = contest(args.readings, args.piles, args.seeds)
    if args.json:
        print(json.dumps(report))
        return 0
    for name, found in report["contestants"].items():
        columns = ", ".join(f"{column} {size:.2f}" for column, size in found["columns"].items())
        print(f"{name:44} {found['median']:6.2f} bytes   {columns}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
