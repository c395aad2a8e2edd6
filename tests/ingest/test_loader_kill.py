"""The loader killed at each of its steps, and ClickHouse killed under it: every row is there once afterwards."""

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import migrate
from ingest.loader import Loader
from tests.ingest.charger_frames import make_directory
from tests.ingest.loader_parts import EXPECTED, counts, fill
from tests.ingest.spool_parts import open_spool

pytestmark = [pytest.mark.server, pytest.mark.fault]

# Kills itself right before or after a step; steps are the loader's notes on disk and its inserts, in their order.
KILLED_LOADER = """
import os, signal, sys
from functools import partial
from pathlib import Path
from analytics.client import ClickHouseAddress, connect
from ingest import loader as loader_module
from ingest.disk import Disk
from ingest.insert import Inserter
from ingest.loader import Loader
from tests.ingest.charger_frames import make_directory

folder, url, kill_at, moment = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
step = 0

def stepping(function):
    def stepped(*arguments, **named):
        global step
        step += 1
        if (step, moment) == (kill_at, "before"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if (step, moment) == (kill_at, "after"):
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return stepped

Disk.replace = stepping(Disk.replace)
Inserter._send = stepping(Inserter._send)
Loader(folder, partial(connect, ClickHouseAddress.from_url(url)), make_directory()).load_available()
print(step)
"""


def run_loader(folder: Path, address: ClickHouseAddress, kill_at: int, moment: str) -> tuple[int, str]:
    arguments = [str(folder), address.url(), str(kill_at), moment]
    done = subprocess.run(
        [sys.executable, "-c", KILLED_LOADER, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_loader_killed_at_any_step_leaves_each_row_once(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    fill(spool)
    kills = 0
    # Each start goes on where the last one was killed, so together they are killed at every step of the whole work.
    for kill_at, moment in ((1, "before"), (1, "after"), (2, "before"), (2, "after"), (3, "after"), (4, "before")):
        code, said = run_loader(tmp_path, database_address, kill_at, moment)
        assert code == -signal.SIGKILL, said
        kills += 1
    for _ in range(30):
        code, said = run_loader(tmp_path, database_address, 2, "after")
        if code == 0:
            break
        assert code == -signal.SIGKILL, said
        kills += 1
    assert code == 0
    assert kills > 6
    assert counts(database) == EXPECTED
    spool.close()


@pytest.mark.parametrize("with_window", [True, False], ids=["token", "keys"])
def test_killed_between_the_last_insert_and_its_note(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client, with_window: bool
) -> None:
    if not with_window:
        for table in EXPECTED:
            database.execute(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
    spool = open_spool(tmp_path)
    fill(spool)
    # The first piece is that of the facts: its intent, an insert for each of 12 tables, then the note at step 14.
    code, said = run_loader(tmp_path, database_address, 14, "before")
    assert code == -signal.SIGKILL, said
    assert counts(database) == EXPECTED | {"readings": 0, "frames": 3}
    Loader(tmp_path, partial(connect, database_address), make_directory()).load_available()
    assert counts(database) == EXPECTED
    spool.close()


def test_clickhouse_killed_in_the_middle_of_inserts(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "clickhouse")
    address = msgspec.structs.replace(server.start(), database="pilestream")
    spool = open_spool(tmp_path / "spool")
    stop = threading.Event()
    loader = Loader(tmp_path / "spool", partial(connect, address), make_directory(), batch_records=40, interval_s=0.01)
    runner = threading.Thread(target=loader.run, args=(stop,))
    try:
        migrate(address)
        runner.start()
        for kill in range(2):
            reached = loader.total.records
            for _ in range(8):
                fill(spool)
            while loader.total.records == reached:
                time.sleep(0.002)
            time.sleep(0.01 * kill)
            killed = server.pid
            assert killed is not None
            assert loader.waiting_bytes()
            os.kill(killed, signal.SIGKILL)
            while not loader.last_error:
                time.sleep(0.005)
            while server.pid == killed:
                assert server.ensure_running().port == address.port
        while loader.waiting_bytes():
            time.sleep(0.02)
        client = connect(address)
        assert counts(client) == {table: 16 * count for table, count in EXPECTED.items()}
        client.disconnect()
    finally:
        stop.set()
        if runner.ident is not None:
            runner.join(20)
        server.stop()
        spool.close()
    assert not runner.is_alive()
