"""What the platform does when its own parts fall, and when master data changes under it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics.embedded import EmbeddedServer
from core.ykc.codec import encode_frame
from tests.system.conftest import ROOT, RunningPlatform

pytestmark = [pytest.mark.system, pytest.mark.server, pytest.mark.timeout(180)]

PILE = "32010600990001"
NEW_PILE = "32010600990002"
PILES = [PILE]
WITHIN_S = 30.0

NEW_SITE = f"""
[[operators]]
key = "late"
name = "迟到的运营商"

[[tariffs]]
key = "late-tariff"
name = "新站电价"

[[tariffs.versions]]
model_no = "0901"
from = 2026-01-01T00:00:00+08:00
slots = "{"f" * 48}"
electricity = {{ sharp = "1", peak = "1", flat = "1", valley = "1" }}
service = {{ sharp = "0.5", peak = "0.5", flat = "0.5", valley = "0.5" }}

[[models]]
key = "M-60"
vendor = "M"
current = "dc"
connectors = 1
rated_power_kw = 60

[[stations]]
key = "late-site"
name = "新站"
operator = "late"
latitude = 23.0
longitude = 113.3
tariffs = [{{ tariff = "late-tariff", from = 2026-01-01T00:00:00+08:00 }}]

[[piles]]
first_code = "{NEW_PILE}"
station = "late-site"
model = "M-60"
commissioned = 2026-01-01T00:00:00+08:00
"""


def login(pile: str) -> bytes:
    fields = {
        "pile_code": pile,
        "pile_type": 0,
        "gun_count": 1,
        "protocol_version": "1.6",
        "firmware": "V1.0",
        "network_type": 0,
        "sim": "0" * 20,
        "operator": 0,
    }
    return encode_frame("login", fields)


def heartbeat(pile: str, number: int) -> bytes:
    fields = {"pile_code": pile, "gun_no": "01", "gun_fault": 0}
    return encode_frame("heartbeat", fields, seq=number.to_bytes(2, "little"))


def result_of_login(platform: RunningPlatform, pile: str) -> int:
    """0 = taken, 1 = refused."""
    with socket.create_connection(("127.0.0.1", platform.ykc_port), timeout=10) as charger:
        charger.sendall(login(pile))
        answer = charger.recv(16)
    assert answer[5] == 0x02
    return answer[13]


def heartbeat_is_answered(charger: socket.socket, number: int) -> bool:
    charger.sendall(heartbeat(PILE, number))
    answer = charger.recv(17)
    return answer[5] == 0x04


def eventually(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.3)
    return question()


def test_chargers_notice_nothing_when_clickhouse_is_killed_and_cannot_come_back(platform: RunningPlatform) -> None:
    found = EmbeddedServer.find(platform.settings.folder / "clickhouse")
    assert found is not None
    with socket.create_connection(("127.0.0.1", platform.ykc_port), timeout=10) as charger:
        charger.sendall(login(PILE))
        charger.recv(4096)
        with squat(platform.settings.folder, found.port):
            time.sleep(6)
            drain(charger)
            charger.settimeout(10)
            assert heartbeat_is_answered(charger, 4711)
            assert platform.process.poll() is None
    stored = "SELECT count() FROM frames WHERE frame_type = 3 AND seq = 4711"
    assert eventually(lambda: answered(platform, stored) == [(1,)])


def test_a_killed_gateway_comes_back_on_its_port(platform: RunningPlatform) -> None:
    pid = pid_of(platform.settings.folder, "service.gateway_role")
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: logs_in(platform, PILE))


def test_a_charger_loaded_while_the_platform_runs_may_log_in_and_is_shown_to_clickhouse(
    platform: RunningPlatform, tmp_path: Path
) -> None:
    assert result_of_login(platform, NEW_PILE) == 1
    path = tmp_path / "new.toml"
    path.write_text(NEW_SITE, "utf-8")
    command = [sys.executable, str(ROOT / "pilestream.py"), "load", str(path), "--data", str(platform.settings.folder)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert loaded.returncode == 0, loaded.stderr
    assert eventually(lambda: result_of_login(platform, NEW_PILE) == 0)
    assert eventually(lambda: answered(platform, f"SELECT count() FROM dim_piles WHERE pile = '{NEW_PILE}'") == [(1,)])


def squat(folder: Path, port: int) -> socket.socket:
    """Kill ClickHouse and hold its port, however fast the platform starts it again."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        kill_clickhouse(folder)
        squatter = socket.socket()
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            squatter.bind(("127.0.0.1", port))
        except OSError:
            squatter.close()
            time.sleep(0.02)
        else:
            squatter.listen()
            return squatter
    raise AssertionError(f"port {port} never came free")


def logs_in(platform: RunningPlatform, pile: str) -> bool:
    try:
        return result_of_login(platform, pile) == 0
    except OSError:
        return False


def answered(platform: RunningPlatform, question: str) -> object:
    """The rows of an answer, None while the database is away."""
    try:
        client = platform.client()
        rows = client.execute(question)
        client.disconnect()
    except Exception:  # noqa: BLE001 - away is away, whatever the driver calls it
        return None
    return rows


def drain(charger: socket.socket) -> None:
    charger.setblocking(False)
    try:
        while charger.recv(4096):
            continue
    except BlockingIOError:
        charger.setblocking(True)


def pid_of(folder: Path, words: str) -> int:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words in line and str(folder) in line:
            return int(path.name)
    raise AssertionError(f"no process of {folder} runs {words}")


def kill_clickhouse(folder: Path) -> None:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            working = str((path / "cwd").readlink())
            line = (path / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if "embedded_child" in line and (working.startswith(str(folder)) or str(folder) in line):
            os.kill(int(path.name), signal.SIGKILL)
