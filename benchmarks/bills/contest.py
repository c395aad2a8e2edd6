"""The contestants of the workload, one after the other on the same stored charges."""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import migrate
from benchmarks.bills.charges import TARIFF, directory, make_charges
from ingest.native_insert import insert_columns

GOAL_S: Final = 60
MILLION: Final = 1_000_000
NAIVE: Final = "register difference in one query"
RESULTS: Final = ("session_revisions", "session_codes", "bill_revisions", "threshold_sets", "biller_waiting")
_CPU: Final = (
    "SELECT sum(value) / 1e6 FROM system.events WHERE event IN ('UserTimeMicroseconds', 'SystemTimeMicroseconds')"
)


def contest(sessions: int, rounds: int, seed: int, processes: tuple[int, ...], folder: Path | None) -> dict[str, Any]:
    """Sessions a second, for each contestant; `processes`: with how many processes the charges are settled."""
    with tempfile.TemporaryDirectory(dir=folder) as name, EmbeddedServer(Path(name)) as server:
        address = msgspec.structs.replace(server, database="bills")
        migrate(address)
        client = connect(address)
        readings = store_charges(client, address, sessions, seed)
        values: dict[str, list[float]] = {NAIVE: []}
        naive_cpu_ms: list[float] = []
        values |= {_name(number): [] for number in processes}
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in values}
        for _round in range(rounds):
            before = _server_cpu_s(client)
            values[NAIVE].append(sessions / _naive(client))
            naive_cpu_ms.append((_server_cpu_s(client) - before) * 1_000 / sessions)
            for number in processes:
                run = _settle(client, address, sessions, number)
                values[_name(number)].append(sessions / run["seconds"])
                runs[_name(number)].append(run)
        client.disconnect()
    medians = {name: statistics.median(found) for name, found in values.items()}
    most = _name(processes[-1])
    own_ms = {name: [run["client_ms"] + run["clickhouse_ms"] for run in found] for name, found in runs.items() if found}
    cpu_ms = statistics.median(own_ms[most])
    client_ms = statistics.median(run["client_ms"] for run in runs[most])
    return {
        "workload": "bills",
        "contestants": {
            name: {
                "values": [round(one, 1) for one in found],
                "median": round(medians[name], 1),
                "unit": "sessions/s",
                "runs": runs[name],
            }
            for name, found in values.items()
        },
        "ratios": {f"{name} / {NAIVE}": medians[name] / medians[NAIVE] for name in medians if name != NAIVE},
        "measures": {
            "seconds_per_million": _measure("s", [MILLION / one for one in values[most]]),
            "sessions_per_s": _measure("sessions/s", values[most]),
            "cpu_ms_per_session": _measure("ms", own_ms[most]),
            "client_cpu_ms_per_session": _measure("ms", [run["client_ms"] for run in runs[most]]),
            "clickhouse_cpu_ms_per_session": _measure("ms", [run["clickhouse_ms"] for run in runs[most]]),
            "naive_cpu_ms_per_session": _measure("ms", naive_cpu_ms),
            "cpu_to_naive": _measure(
                "times", [own / naive for own, naive in zip(own_ms[most], naive_cpu_ms, strict=True)]
            ),
        },
        "processes": {
            "settle": {"cpu_s": round(client_ms * sessions / 1_000, 2), "memory_mb": max(runs[most][-1]["peak_mb"])},
            "clickhouse": {"cpu_s": round((cpu_ms - client_ms) * sessions / 1_000, 2)},
        },
        "limit": (
            f"Processor time: {cpu_ms:.3f} ms a session, {client_ms:.3f} of it in the processes that settle and"
            f" {cpu_ms - client_ms:.3f} in ClickHouse; two cores cannot do a million in less than"
            f" {cpu_ms * MILLION / 2_000:.0f} s."
        ),
        "goal": {"seconds for a million sessions": GOAL_S, "measured": round(MILLION / medians[most], 1)},
        "sessions": sessions,
        "readings": readings,
        "machine": f"{platform.machine()}, {platform.processor() or platform.system()}",
        "versions": {name: version(name) for name in ("numpy", "clickhouse-driver", "chdb-core", "msgspec")},
        "seed": seed,
    }


def _measure(unit: str, values: list[float]) -> dict[str, Any]:
    return {"unit": unit, "values": [round(one, 4) for one in values], "median": round(statistics.median(values), 4)}


def _name(processes: int) -> str:
    return f"settle, {processes} process{'es' if processes > 1 else ''}"


def store_charges(client: Client, address: ClickHouseAddress, sessions: int, seed: int) -> int:
    """Store the charges, merged as what lies there for a day; gives the number of their readings."""
    tariff = [TARIFF.tariff_version_id, TARIFF.tariff_id, "t", TARIFF.model_no, TARIFF.from_ms]
    prices = [TARIFF.slot_classes, TARIFF.electricity_price_e5yuan, TARIFF.service_price_e5yuan]
    client.execute("INSERT INTO dim_tariff_versions VALUES", [[*tariff, *prices]])
    readings = 0
    arrays = connect(address, use_numpy=True)
    for made in make_charges(sessions, seed):
        readings += made.readings
        for table, columns in made.tables.items():
            if all(isinstance(values, np.ndarray) for values in columns.values()):
                insert_columns(arrays, table, columns, {})
            else:
                names = ", ".join(columns)
                client.execute(f"INSERT INTO {table} ({names}) VALUES", list(columns.values()), columnar=True)
    arrays.disconnect()
    for table in ("readings", "pile_bill_uploads", "commands"):
        client.execute(f"OPTIMIZE TABLE {table} FINAL")
    return readings


def _naive(client: Client) -> float:
    query = Path(__file__).with_name("naive.sql").read_text()
    began = time.perf_counter()
    client.execute(query)
    return time.perf_counter() - began


def _settle(client: Client, address: ClickHouseAddress, sessions: int, processes: int) -> dict[str, Any]:
    for table in RESULTS:
        client.execute(f"TRUNCATE TABLE IF EXISTS {table}")
    before = _server_cpu_s(client)
    piles = len(directory(sessions))
    each = -(-piles // processes)
    commands = [
        [
            sys.executable,
            "-m",
            "benchmarks.bills.settling",
            address.url(),
            str(sessions),
            str(first),
            str(first + each - 1),
        ]
        for first in range(1, piles + 1, each)
    ]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    for one in running:
        assert one.stdout is not None
        one.stdout.readline()
    began = time.perf_counter()
    for one in running:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    found = []
    for one in running:
        said, _ = one.communicate()
        found.append(json.loads(said))
    seconds = time.perf_counter() - began
    ((digest,),) = client.execute(
        "SELECT sum(cityHash64(pile_id, connector, trade_no, revision, inputs_digest, codes, codes_raw, causes,"
        " amount_fen, held)) FROM bill_revisions"
    )
    return {
        "seconds": round(seconds, 2),
        "client_ms": round(sum(one["cpu_s"] for one in found) * 1_000 / sessions, 4),
        "clickhouse_ms": round((_server_cpu_s(client) - before) * 1_000 / sessions, 4),
        "peak_mb": [one["peak_mb"] for one in found],
        "bills": sum(one["bills"] for one in found),
        "failed": sum(one["failed"] for one in found),
        "digest_of_bills": f"{digest:016x}",
    }


def _server_cpu_s(client: Client) -> float:
    ((used,),) = client.execute(_CPU)
    return float(used)
