"""`python -m benchmarks.load [--json]`: segments on disk to queryable rows, contestants side by side.

Each round begins with a database of its own and a copy of the same segments. Rates and processor seconds are per
million readings that can be asked for; the server is the embedded ClickHouse, and the contestants take turns.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import migrate
from benchmarks.load.charges import make_readings
from benchmarks.load.contestants import CONTESTANTS, prebuilt, prebuilt_batches, stored
from benchmarks.load.segments import write_segments

MEMORY_FOLDER = Path("/dev/shm")
PREBUILT = "prebuilt columns"
GOALS = {"client CPU s per million readings": 0.15, "bytes per reading": 8}
UNITS = {"rate": "million readings/s", "client_cpu_s": "s per million", "server_cpu_s": "s per million"}


def main() -> int:
    """Run the rounds and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--readings", type=int, default=1_000_000)
    parser.add_argument("--piles", type=int, default=1_000)
    parser.add_argument("--run", type=int, default=1, help="readings of one charger that come together (backlog)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=300, help="no new round is begun after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=MEMORY_FOLDER, help="where the segments are")
    parser.add_argument("--only", choices=[*CONTESTANTS, PREBUILT], action="append")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as spool, tempfile.TemporaryDirectory() as data:
        report = _run(args, Path(spool), Path(data))
    if args.json:
        print(json.dumps(report))
        return 0
    for name, found in report["contestants"].items():
        print(
            f"{name:24} {found['rate']:6.2f} million/s   client {found['client_cpu_s']:.3f}   "
            f"server {found['server_cpu_s']:.3f} CPU s per million"
        )
    print(
        f"bytes per reading: {report['bytes_per_reading']:.2f} in ClickHouse, {report['spool_bytes']:.1f} in the spool"
    )
    return 0


def _run(args: argparse.Namespace, spool: Path, data: Path) -> dict[str, Any]:
    readings = make_readings(args.readings, args.piles, args.seed)
    spool_bytes = write_segments(spool / "made", readings, run=args.run)
    names = args.only or [*CONTESTANTS, PREBUILT]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    bytes_per_reading = 0.0
    began = time.monotonic()
    server = EmbeddedServer(data / "clickhouse")
    with server as server_address:
        pid = server.pid
        assert pid is not None
        for number in range(args.rounds):
            if time.monotonic() - began > args.seconds:
                break
            for name in names:
                address = msgspec.structs.replace(server_address, database=f"round_{number}")
                migrate(address)
                found[name].append(_one(name, address, spool, args.piles, args.readings, pid))
                if name == "pilestream":
                    bytes_per_reading = _bytes_per_reading(address)
                client = connect(server_address)
                client.execute(f"DROP DATABASE {address.database} SYNC")
                client.disconnect()
    contestants: dict[str, dict[str, Any]] = {
        name: {
            "values": [run["rate"] for run in runs],
            "unit": UNITS["rate"],
            **{kind: statistics.median(run[kind] for run in runs) for kind in UNITS},
        }
        for name, runs in found.items()
        if runs
    }
    own = contestants.get("pilestream")
    ratios = {
        f"rate, pilestream / {name}": own["rate"] / other["rate"]
        for name, other in contestants.items()
        if own is not None and name != "pilestream"
    }
    return {
        "workload": "load",
        "contestants": contestants,
        "ratios": ratios,
        "goal": GOALS,
        "bytes_per_reading": bytes_per_reading,
        "spool_bytes": spool_bytes / args.readings,
        "readings": args.readings,
        "piles": args.piles,
        "run": args.run,
        "machine": {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count()},
        "versions": {name: version(name) for name in ("clickhouse-driver", "numpy", "chdb-core")},
        "seed": args.seed,
    }


def _one(
    name: str, address: ClickHouseAddress, spool: Path, piles: int, readings: int, server_pid: int
) -> dict[str, float]:
    """One contestant's run; raises RuntimeError when not every reading is there afterwards."""
    copy = spool / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(spool / "made", copy)
    work: Callable[[], None] = partial(CONTESTANTS.get(name, CONTESTANTS["pilestream"]), copy, address, piles)
    if name == PREBUILT:
        work = partial(prebuilt, prebuilt_batches(copy), address)

    began, client_s, server_s = time.monotonic(), time.process_time(), _cpu_s(server_pid)
    work()
    took = time.monotonic() - began
    client_s, server_s = time.process_time() - client_s, _cpu_s(server_pid) - server_s
    client = connect(address)
    found = stored(client)
    client.disconnect()
    if found != readings:
        raise RuntimeError(f"{name}: {found} rows of {readings}")
    millions = readings / 1e6
    return {
        "rate": millions / took,
        "client_cpu_s": client_s / millions,
        "server_cpu_s": server_s / millions,
    }


def _cpu_s(pid: int) -> float:
    """Processor seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _bytes_per_reading(address: ClickHouseAddress) -> float:
    """On disk, all columns, marks and indexes, once all parts are merged."""
    client = connect(address)
    client.execute("OPTIMIZE TABLE readings FINAL")
    (size, rows), *_ = client.execute(
        "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts WHERE database = currentDatabase() AND active"
        " AND table = 'readings'"
    )
    client.disconnect()
    return float(size / rows)


if __name__ == "__main__":
    sys.exit(main())
