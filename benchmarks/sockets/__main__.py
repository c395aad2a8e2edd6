"""`python -m benchmarks.sockets bulk|segments [--json]`: the gateway's sockets beside a C program's."""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.sockets.contest import MEMORY_FOLDER, bulk, segments


def main() -> int:
    """Run one workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sockets", description=__doc__)
    parser.add_argument("workload", choices=("bulk", "segments"))
    parser.add_argument("--connections", type=int, default=1_000)
    parser.add_argument("--readings", type=int, default=4_000, help="bulk: stored readings of each charger")
    parser.add_argument("--seconds", type=float, default=3, help="segments: how long each run lasts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=MEMORY_FOLDER, help="bulk: where spool and file are")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.workload == "bulk":
        report = bulk(args.connections, args.readings, args.rounds, args.seed, args.folder)
    else:
        report = segments(args.connections, args.seconds, args.rounds)
    if args.json:
        print(json.dumps(report))
        return 0
    for name, found in report["contestants"].items():
        print(f"{name:24} {found['median']:>12,} {found['unit']}   busy {found['busy']:.2f}   {found['wait_ms']}")
    for name, ratio in report["ratios"].items():
        print(f"{name:40} {ratio:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
