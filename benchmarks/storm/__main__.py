"""`python -m benchmarks.storm [--json]`: chargers reconnect at once and send what they kept, beside steady ones."""

import argparse
import sys
from pathlib import Path

from benchmarks.endtoend.report import show
from benchmarks.storm.run import storm


def main() -> int:
    """Run the workload and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--connections", type=int, default=20_000, help="chargers that reconnect (default 20000)")
    parser.add_argument("--readings", type=int, default=10, help="stored readings of each, before its record")
    parser.add_argument("--steady", type=int, default=1_000, help="connected chargers besides (default 1000)")
    parser.add_argument("--senders", type=int, default=4, help="processes of those that reconnect (default 4)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=120, help="no new round is begun after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where spool and database are (default: the temporary folder)")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = storm(
        connections=args.connections,
        readings=args.readings,
        steady=args.steady,
        senders=args.senders,
        workers=args.workers,
        rounds=args.rounds,
        seconds=args.seconds,
        seed=args.seed,
        folder=args.folder,
    )
    show(found, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
