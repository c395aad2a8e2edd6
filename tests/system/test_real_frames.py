"""Real frames through a live socket of a running platform: each is found in ClickHouse, bad ones by their reason."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from core.ykc.codec import encode_frame
from ingest.stored_frames import frame_hex
from tests.system.conftest import RunningPlatform

pytestmark = [pytest.mark.system, pytest.mark.server]

FRAMES: list[dict[str, Any]] = [
    frame
    for line in (Path(__file__).parents[1] / "data" / "frames.jsonl").read_text("utf-8").splitlines()
    if (frame := json.loads(line))["protocol"] == "ykc"
]
VALID = [bytes.fromhex(frame["hex"]) for frame in FRAMES if frame["checksum_ok"] in ("le", "be")]
BAD = [bytes.fromhex(frame["hex"]) for frame in FRAMES if frame["checksum_ok"] not in ("le", "be")]
PILE = "20231212000010"
PILES = [PILE, "32010600395600"]
LOGIN = next(frame for frame in VALID if frame[5] == 0x01)
HEARTBEAT = encode_frame("heartbeat", {"pile_code": PILE, "gun_no": "01", "gun_fault": 0}, seq=b"\x07\x00")
WITHIN_S = 15.0


class Charger:
    """A socket that speaks for a charger."""

    def __init__(self, platform: RunningPlatform) -> None:
        self._socket = socket.create_connection(("127.0.0.1", platform.ykc_port), timeout=10)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answers(self, frame_type: int, count: int = 1) -> int:
        """Read until `count` frames of that type came; gives how many came."""
        received = b""
        deadline = time.monotonic() + WITHIN_S
        while received.count(bytes([frame_type])) < count and time.monotonic() < deadline:
            received += self._socket.recv(4096)
        return sum(1 for frame in _frames(received) if frame[5] == frame_type)

    def closed_by_platform(self) -> bool:
        self._socket.settimeout(WITHIN_S)
        try:
            while self._socket.recv(4096):
                continue
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


def _frames(data: bytes) -> list[bytes]:
    frames = []
    while len(data) > 1 and len(data) >= data[1] + 4:
        frames.append(data[: data[1] + 4])
        data = data[data[1] + 4 :]
    return frames


def stored_hex(client: Client) -> Counter[str]:
    """The hex of every good frame that chargers sent, from `frames` and remade from `readings`."""
    found: Counter[str] = Counter()
    good = "verdict IN ('ok', 'variant', 'unknown_type', 'foreign_pile')"
    for (data,) in client.execute(f"SELECT hex(bytes) FROM frames WHERE direction = 'up' AND {good}"):
        found[data] += 1
    for place in client.execute("SELECT pile_id, segment_id, segment_offset FROM readings WHERE exact"):
        remade = frame_hex(client, *place[1:], pile_id=place[0])
        assert remade is not None
        found[remade] += 1
    return found


def eventually(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.2)
    return question()


def test_every_valid_real_frame_is_found_in_the_database(platform: RunningPlatform) -> None:
    charger = Charger(platform)
    charger.send(LOGIN)
    assert charger.answers(0x02) == 1
    for frame in VALID:
        charger.send(frame)
    charger.send(HEARTBEAT)
    assert charger.answers(0x04) == 1
    charger.close()
    client = platform.client()
    wanted = Counter(frame.hex().upper() for frame in VALID)
    assert eventually(lambda: not wanted - stored_hex(client)), wanted - stored_hex(client)


def test_good_frames_around_bad_bytes_are_stored_and_the_bad_are_counted_by_reason(platform: RunningPlatform) -> None:
    client = platform.client()
    ((before,),) = client.execute("SELECT count() FROM frames WHERE frame_type = 3 AND verdict = 'ok'")
    charger = Charger(platform)
    charger.send(LOGIN)
    assert charger.answers(0x02) == 1
    wrong_length = b"\x68\x02\x00\x00"
    wrong_checksum = HEARTBEAT[:-1] + bytes([HEARTBEAT[-1] ^ 0xFF])
    faults = [b"noise on the line", wrong_length, wrong_checksum, *BAD]
    for fault in faults:
        charger.send(HEARTBEAT + fault)
    charger.send(HEARTBEAT * 20)
    good = len(faults) + 20
    assert eventually(
        lambda: (
            client.execute("SELECT count() FROM frames WHERE frame_type = 3 AND verdict = 'ok'")[0][0] >= before + good
        )
    )
    reasons = dict(client.execute("SELECT verdict, count() FROM frames WHERE direction = 'up' GROUP BY verdict"))
    assert {"garbage", "bad_length", "bad_checksum"} <= set(reasons)
    charger.close()


def test_frames_arrive_whole_however_the_line_cuts_and_joins_them(platform: RunningPlatform) -> None:
    client = platform.client()
    ((before,),) = client.execute("SELECT count() FROM frames WHERE frame_type = 3 AND verdict = 'ok'")
    charger = Charger(platform)
    charger.send(LOGIN)
    assert charger.answers(0x02) == 1
    for cut in range(1, len(HEARTBEAT)):
        charger.send(HEARTBEAT[:cut])
        time.sleep(0.005)
        charger.send(HEARTBEAT[cut:])
    charger.send(HEARTBEAT * 100)
    sent = len(HEARTBEAT) - 1 + 100
    assert eventually(
        lambda: (
            client.execute("SELECT count() FROM frames WHERE frame_type = 3 AND verdict = 'ok'")[0][0] == before + sent
        )
    )
    charger.close()


def test_a_line_of_nothing_but_garbage_is_closed_and_says_why(platform: RunningPlatform) -> None:
    charger = Charger(platform)
    charger.send(LOGIN)
    assert charger.answers(0x02) == 1
    charger.send(b"\x00" * 20_000)
    assert charger.closed_by_platform()
    client = platform.client()
    assert eventually(
        lambda: (
            ("closed", "garbage")
            in client.execute("SELECT event, detail FROM connection_events WHERE event = 'closed'")
        )
    )


def test_an_unknown_charger_is_refused(platform: RunningPlatform) -> None:
    charger = Charger(platform)
    charger.send(LOGIN[:6] + bytes.fromhex("99999999999999") + LOGIN[13:-2] + b"\x00\x00")
    stranger = encode_frame("login", _login_fields("99999999999999"))
    charger.send(stranger)
    assert charger.closed_by_platform()
    client = platform.client()
    assert eventually(
        lambda: (
            client.execute(
                "SELECT count() FROM connection_events WHERE event = 'login_refused' AND pile = '99999999999999'"
            )
            == [(1,)]
        )
    )


def _login_fields(pile: str) -> dict[str, object]:
    return {
        "pile_code": pile,
        "pile_type": 0,
        "gun_count": 2,
        "protocol_version": "1.6",
        "firmware": "V1.0",
        "network_type": 0,
        "sim": "0" * 20,
        "operator": 0,
    }
