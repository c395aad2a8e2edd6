"""A database filled with the synthetic fleet, and the pages served from it by a process of their own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.migrate import migrate
from tests.dashboard.synthetic_fleet import SyntheticFleet, fill

NOW_MS = int(datetime(2026, 11, 22, 8, 31, 7, tzinfo=UTC).timestamp() * 1000)
DAY = "2026-11-22"
ROOT = Path(__file__).parents[2]


class FleetDatabase(msgspec.Struct):
    """Where the filled database is, a client of it, and what was written."""

    address: ClickHouseAddress
    client: Client
    fleet: SyntheticFleet


@contextmanager
def fleet_database(server: ClickHouseAddress) -> Iterator[FleetDatabase]:
    """A filled database of its own on that server, dropped at the end."""
    address = msgspec.structs.replace(server, database=f"fleet_{uuid4().hex[:12]}")
    migrate(address)
    client = connect(address)
    try:
        fleet = fill(client, NOW_MS)
        _check_one_session(client, fleet)
        yield FleetDatabase(address, client, fleet)
    finally:
        client.execute(f"DROP DATABASE {address.database} SYNC")
        client.disconnect()


def _check_one_session(client: Client, fleet: SyntheticFleet) -> None:
    """One session was held against its protocol and had skipped a step."""
    story = fleet.of("bill_x1000")
    session = {"trade_no": story.trade_no}
    client.execute(
        "INSERT INTO conformance_checks (operator_id, pile_id, pile, connector, trade_no, check_id, local_day,"
        " flow, steps_expected, steps_kept, deviations)"
        " SELECT operator_id, pile_id, pile, connector, trade_no, 1, local_day, 'remote_start', 12, 11, 1"
        " FROM sessions WHERE trade_no = %(trade_no)s",
        session,
    )
    client.execute(
        "INSERT INTO session_starts"
        " (operator_id, pile_id, connector, trade_no, event_ms, method, account, source, granted)"
        " SELECT operator_id, pile_id, connector, trade_no, start_ms, starts.1, starts.2, starts.3, 1 FROM sessions"
        " ARRAY JOIN"
        " [('unknown', '', 'record'), ('vin', 'LSVAU2A37N2183294', 'request'), ('app', '77', 'order')] AS starts"
        " WHERE trade_no = %(trade_no)s",
        session,
    )
    client.execute(
        "INSERT INTO session_deviations (operator_id, pile_id, pile, connector, trade_no, check_id, event_ms,"
        " flow, step, kind, party)"
        " SELECT operator_id, pile_id, pile, connector, trade_no, 1, end_ms, 'remote_start', 'charge_end', 'missing',"
        " 'charger' FROM sessions WHERE trade_no = %(trade_no)s",
        session,
    )


@contextmanager
def served_pages(address: ClickHouseAddress) -> Iterator[str]:
    """The address of the pages over that database, served by gunicorn in a child process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.dashboard.pages_process", address.url(), str(port), str(NOW_MS)]
    child = subprocess.Popen(command, cwd=ROOT)
    try:
        _wait_for(port, child)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(timeout=10)


def _wait_for(port: int, child: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        assert child.poll() is None, "the pages' process ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the pages did not answer within 30 s")
