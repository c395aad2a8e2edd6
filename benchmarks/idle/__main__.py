"""`python -m benchmarks.idle [--json]`: what connected chargers cost the platform with the timings of the protocol."""

import argparse
import sys
from pathlib import Path

from benchmarks.endtoend.report import show
from benchmarks.idle.run import idle


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000, help="idle ones (default 10000)")
    parser.add_argument("--charging", type=int, default=1_000, help="charging ones besides (default 1000)")
    parser.add_argument("--seconds", type=float, default=180, help="how long (default 180; the goal is 3600)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where spool and database are (default: the temporary folder)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = idle(args.connections, args.charging, args.seconds, args.workers, args.seed, args.folder)
    show(found, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
