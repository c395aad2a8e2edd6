"""The embedded server: one owner per folder, gone with its owner, its data there again after a restart."""

import json
import multiprocessing
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from clickhouse_driver.errors import ServerException

from analytics import embedded_config
from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from analytics.embedded import EmbeddedServer, EmbeddedServerError, FolderInUse

pytestmark = [pytest.mark.server, pytest.mark.fault]
ROOT = Path(__file__).parents[2]

OWNER = """
import sys, time
from pathlib import Path
from analytics.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
address = server.start()
print(server.pid, address.port, flush=True)
time.sleep(600)
"""


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """Another process that owns the server of `tmp_path`; with the server's process id and port."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pid, port = process.stdout.readline().split()
    yield process, int(pid), int(port)
    process.kill()
    process.wait()
    process.stdout.close()
    wait_gone(int(pid))


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_gone(pid: int, limit_s: float = 15) -> None:
    deadline = time.monotonic() + limit_s
    while lives(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def test_the_data_is_there_again_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as address:
        client = connect(address)
        client.execute("CREATE TABLE kept (x UInt32) ENGINE = MergeTree ORDER BY x")
        client.execute("INSERT INTO kept VALUES", [(7,)])
        client.disconnect()
    assert not (tmp_path / "data" / "status").exists(), "closed in order"
    with EmbeddedServer(tmp_path) as address:
        assert connect(address).execute("SELECT x FROM kept") == [(7,)]


def test_it_closes_in_order_although_a_client_stays_connected(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    client = connect(server.start())
    client.execute("SELECT 1")
    server.stop()
    assert not (tmp_path / "data" / "status").exists()
    client.disconnect()


def test_a_second_process_is_refused_and_finds_the_running_server(
    owner: tuple[subprocess.Popen[str], int, int], tmp_path: Path
) -> None:
    process, _, port = owner
    with pytest.raises(FolderInUse, match=f"process {process.pid} already runs"):
        EmbeddedServer(tmp_path).start()
    address = EmbeddedServer.find(tmp_path)
    assert address is not None and address.port == port
    connect(address).execute("SELECT 1")


def test_the_server_ends_when_its_owner_is_killed(
    owner: tuple[subprocess.Popen[str], int, int], tmp_path: Path
) -> None:
    process, pid, _ = owner
    process.send_signal(signal.SIGKILL)
    process.wait()
    with EmbeddedServer(tmp_path) as address:  # waits until the folder is free
        assert not lives(pid)
        assert not (tmp_path / "data" / "status").read_text().startswith(f"PID: {pid}\n")
        connect(address).execute("SELECT 1")


def test_the_server_does_not_get_the_owners_ctrl_c(owner: tuple[subprocess.Popen[str], int, int]) -> None:
    process, pid, _ = owner
    assert os.getpgid(pid) != os.getpgid(process.pid)
    assert os.getsid(pid) == pid


def test_nothing_is_found_where_nothing_runs(tmp_path: Path) -> None:
    assert EmbeddedServer.find(tmp_path / "never") is None
    server = EmbeddedServer(tmp_path)
    server.start()
    server.stop()
    assert EmbeddedServer.find(tmp_path) is None


def test_a_fallen_server_comes_back_on_the_same_port(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as address:
        pass
    server = EmbeddedServer(tmp_path, port=address.port)
    address = server.start()
    try:
        client = connect(address)
        client.execute("CREATE TABLE kept (x UInt32) ENGINE = MergeTree ORDER BY x")
        client.execute("INSERT INTO kept VALUES", [(7,)])
        assert server.ensure_running() == address
        assert server.restarts == 0
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        # The kernel lets a killed process of many threads be seen before it lets its parent collect it.
        deadline = time.monotonic() + 15
        while server.restarts == 0 and time.monotonic() < deadline:
            assert server.ensure_running() == address
            time.sleep(0.05)
        assert server.restarts == 1
        assert client.execute("SELECT x FROM kept") == [(7,)]
        client.disconnect()
    finally:
        server.stop()
    assert server.pid is None


def test_a_given_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedServerError, match=f"port {port} .* is taken"):
            EmbeddedServer(tmp_path, port=port).start()
    with EmbeddedServer(tmp_path, port=port) as address:
        assert address.port == port


def test_a_forked_worker_keeps_neither_the_server_nor_the_folder(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    server.start()
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    try:
        pid = server.pid
        assert pid is not None
        server.stop()
        assert not lives(pid)
        with EmbeddedServer(tmp_path):
            pass
    finally:
        worker.kill()
        worker.join()


def test_only_the_applications_user_may_do_anything(clickhouse: ClickHouseAddress, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    stranger = msgspec.structs.replace(clickhouse, user="default", password="")
    client = connect(stranger)
    for statement in (
        f"SELECT * FROM file('{secret}', 'LineAsString')",
        "SELECT * FROM system.users",
        "CREATE DATABASE theirs",
        "SYSTEM SHUTDOWN",
        "KILL QUERY WHERE 1",
    ):
        try:
            rows = client.execute(statement)
        except ServerException as error:
            assert "Not enough privileges" in str(error), statement
        else:
            assert rows == [], statement
    client.disconnect()
    with pytest.raises(DatabaseUnreachable, match="pilestream"):
        connect(msgspec.structs.replace(clickhouse, password="wrong"))


def test_secrets_are_readable_by_this_account_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    server = EmbeddedServer(folder)
    address = server.start()
    try:
        assert len(address.password) >= 32
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        files = [path for path in folder.rglob("*") if path.is_file()]
        holders = [path for path in files if address.password.encode() in path.read_bytes()]
        assert {path.name for path in holders} == {"child.json", "credentials.json"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in holders} == {0o600}
        assert address.password not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert address.password not in Path(f"/proc/{server.pid}/environ").read_text()
    finally:
        server.stop()
    with EmbeddedServer(folder) as again:
        assert again.password == address.password


def test_an_insert_survives_a_power_cut_and_memory_is_bounded(clickhouse: ClickHouseAddress) -> None:
    client = connect(clickhouse)
    settings = dict(client.execute("SELECT name, value FROM system.merge_tree_settings WHERE name LIKE 'fsync%'"))
    assert settings == {"fsync_after_insert": "1", "fsync_part_directory": "1"}
    server = dict(client.execute("SELECT name, value FROM system.server_settings"))
    assert int(server["max_server_memory_usage"]) == embedded_config.MAX_SERVER_MEMORY_BYTES
    client.disconnect()


def test_a_missing_engine_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "sitecustomize.py"
    hidden.write_text("import sys\nsys.modules['_chdb'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EmbeddedServerError, match=r"chdb-core .*make install.*PILESTREAM_CLICKHOUSE") as caught:
        EmbeddedServer(tmp_path / "data").start()
    assert "\n" not in str(caught.value)


def test_the_owner_is_written_into_the_lock(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path) as address:
        assert json.loads((tmp_path / "server.lock").read_text()) == {"pid": os.getpid(), "port": address.port}
