"""Runs a simulated fleet against a platform: `python -m benchmarks.fleet.run --port 8766 --master-file fleet.toml`."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from benchmarks.fleet.clock import Clock
from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.fault_options import FaultOptions, read_faults, with_line_faults
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.master_data import fleet_of, some_of
from benchmarks.fleet.orders import ControlSocketOrders
from benchmarks.fleet.piles import SimPile, simple_aaf5_fleet, simple_fleet
from benchmarks.fleet.plan import demo_plan

DONE, WRONG_USE = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the time is over, SIGTERM, SIGINT or the end of standard input; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        fleet = _fleet(options)
        faults = read_faults(options.fault)
    except FleetError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    uvloop.run(_run(options, fleet, faults))
    return DONE


async def _run(options: argparse.Namespace, fleet: tuple[SimPile, ...], faults: FaultOptions) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if not options.ignore_stdin:
        _watch_stdin(loop, stopped.set)
    clock = Clock()
    start_ms = clock.now_ms() if options.start_ms is None else options.start_ms
    orders = ControlSocketOrders(options.control) if options.control else None
    live = LiveFleet(
        with_line_faults(demo_plan(fleet, options.seed, start_ms, faults=faults.mix), faults.line),
        options.host,
        options.port,
        aaf5_port=options.aaf5_port,
        clock=clock,
        orders=orders,
        with_bms=not options.without_bms,
    )
    live.start()
    begun = time.monotonic()
    print(json.dumps({"ready": True, "chargers": len(live.chargers)}), flush=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), options.seconds)
    online = sum(charger.online for charger in live.chargers)
    await live.stop()
    report = live.report() | {
        "online": online,
        "seconds": round(time.monotonic() - begun, 3),
        "refused_orders": orders.refusals if orders else {},
    }
    if options.report:
        _write(options.report, report)
    else:
        print(json.dumps(report), flush=True)


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
    """Call `stop` when standard input ends: the parent is gone then, however it went."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, name="standard input", daemon=True).start()


def _write(path: Path, report: dict[str, object]) -> None:
    """Replace the report at once: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(report), "utf-8")
    draft.replace(path)


def _fleet(options: argparse.Namespace) -> tuple[SimPile, ...]:
    if options.master_file is None:
        others = simple_aaf5_fleet(options.aaf5_piles) if options.aaf5_piles else ()
        return simple_fleet(options.piles or 220) + others
    fleet = fleet_of(options.master_file)
    return some_of(fleet, options.piles) if options.piles else fleet


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet.run",
        description="A simulated fleet of YKC and AAF5 chargers on real sockets. Ends with --seconds, SIGTERM, SIGINT "
        "or the end of standard input, and then writes a report of what it sent and what was acknowledged.",
        epilog="example: python -m benchmarks.fleet.run --port 8766 --master-file backoffice/demo_fleet.toml "
        "--seconds 60 --report fleet.json --ignore-stdin",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where the platform listens (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True, help="its port for YKC")
    parser.add_argument("--aaf5-port", type=int, help="its port for AAF5; without it those chargers stay off")
    parser.add_argument("--master-file", type=Path, help="TOML with the chargers; without it a made-up fleet")
    parser.add_argument("--piles", type=int, help="how many chargers (default: all of the file, else 220)")
    parser.add_argument("--aaf5-piles", type=int, help="how many AAF5 chargers besides, without a file")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=SHARE]",
        help="let this fault happen at that share of the charges (or chargers, on the line); may be repeated. A fault "
        "of charges that is named takes the place of the usual ones. A wrong name prints all of them",
    )
    parser.add_argument("--seed", type=int, default=1, help="number from which the plan follows (default: %(default)s)")
    parser.add_argument("--start-ms", type=int, help="epoch ms at which the written history ended (default: now)")
    parser.add_argument("--control", type=Path, help="Unix socket of the gateway, for starts and stops by app")
    parser.add_argument("--seconds", type=float, help="end after that time (default: when told)")
    parser.add_argument("--report", type=Path, help="file for the report (default: standard output)")
    parser.add_argument("--without-bms", action="store_true", help="send no 0x23 and 0x25 beside each reading")
    parser.add_argument("--ignore-stdin", action="store_true", help="do not end with standard input")
    return parser


if __name__ == "__main__":
    sys.exit(main())
