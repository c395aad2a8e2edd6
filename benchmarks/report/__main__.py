"""`python -m benchmarks.report`: run the benchmarks, keep what they found, and write `benchmarks/RESULTS.md`."""

import argparse
import sys
from pathlib import Path
from typing import Final

from benchmarks.report.errors import ReportError, UnknownWorkloadError
from benchmarks.report.machine import this_machine
from benchmarks.report.rendering import rendered
from benchmarks.report.results import Result, keep, kept
from benchmarks.report.running import run
from benchmarks.report.workloads import WORKLOADS, Workload

PAGE: Final = Path(__file__).parents[1] / "RESULTS.md"
DONE, NOT_ALL, WRONG_USE = 0, 1, 2


def main() -> int:
    """Run what was asked for; exit code 1 when a benchmark failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.report",
        description=__doc__,
        epilog="example: python -m benchmarks.report --only frames bulk",
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="WORKLOAD", help="a name, or how names begin")
    parser.add_argument("--full", action="store_true", help="ten minutes of live traffic, an hour of a quiet day")
    parser.add_argument("--render", action="store_true", help="run nothing: write the page from what is kept")
    args = parser.parse_args()
    try:
        failed = [] if args.render else _measured(_chosen(args.only), args.full)
        PAGE.write_text(rendered(kept()), "utf-8")
    except ReportError as error:
        print(f"benchmarks.report: {error}", file=sys.stderr)
        return WRONG_USE
    print(f"wrote {PAGE}", file=sys.stderr)
    return NOT_ALL if failed else DONE


def _chosen(names: list[str]) -> list[Workload]:
    for name in names:
        if not any(workload.name.startswith(name) for workload in WORKLOADS):
            raise UnknownWorkloadError(f"no workload {name!r}: there are {', '.join(each.name for each in WORKLOADS)}")
    return [each for each in WORKLOADS if not names or any(each.name.startswith(name) for name in names)]


def _measured(workloads: list[Workload], full: bool) -> list[Result]:
    """Run one after the other and keep each at once; gives those that failed."""
    machine = this_machine()
    failed = []
    for number, workload in enumerate(workloads, 1):
        print(f"{number}/{len(workloads)} {workload.name} …", file=sys.stderr, flush=True)
        result = run(workload, machine, full=full)
        keep(result)
        print(f"    {result.error or 'done'}, {result.seconds:.0f} s", file=sys.stderr, flush=True)
        if result.error:
            failed.append(result)
    return failed


if __name__ == "__main__":
    sys.exit(main())
