"""`python -m benchmarks.live [--json]`: live traffic to queryable rows, then acknowledgements at half of its rate."""

import argparse
import sys
from pathlib import Path

from benchmarks.endtoend.report import show
from benchmarks.live.run import live


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--rate", type=float, default=151_000, help="realtime frames a second (default 151000)")
    parser.add_argument("--seconds", type=float, default=60, help="at the full rate; then half as long, 60 s at most")
    parser.add_argument("--records", type=float, default=50, help="records of charges a second (default 50)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where spool and database are (default: the temporary folder)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = live(args.connections, args.rate, args.seconds, args.records, args.workers, args.seed, args.folder)
    show(found, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
