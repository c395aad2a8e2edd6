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
from ingest.stored_frames import frames_hex
from tests.ingest.charger_frames import charging, heartbeat, record
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
REALTIME_BYTES, RECORD_BYTES = 68, 166
WITHIN_S = 15.0


class Charger:
    """A socket that speaks for a charger."""

    def __init__(self, platform: RunningPlatform) -> None:
        self._socket = socket.create_connection(("127.0.0.1", platform.ykc_port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or the kernel joins what a test cuts

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answers(self, frame_type: int, count: int = 1) -> int:
        """Read until `count` frames of that type came; gives how many came."""
        received = b""
        came = 0
        deadline = time.monotonic() + WITHIN_S
        while came < count and time.monotonic() < deadline:
            received += self._socket.recv(65_536)
            came = sum(1 for frame in _frames(received) if frame[5] == frame_type)
        return came

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


def stored_hex(client: Client, trade_no: str = "") -> Counter[str]:
    """The hex of every good frame that chargers sent, from `frames` and remade from `readings` (of one charge only)."""
    found: Counter[str] = Counter()
    good = "verdict IN ('ok', 'variant', 'unknown_type', 'foreign_pile')"
    for (data,) in client.execute(f"SELECT hex(bytes) FROM frames WHERE direction = 'up' AND {good}"):
        found[data] += 1
    readings = "SELECT pile_id, segment_id, segment_offset FROM readings WHERE exact"
    if trade_no:
        readings += f" AND trade_no = '{trade_no}'"
    wanted = [(pile_id, (segment_id, offset)) for pile_id, segment_id, offset in client.execute(readings)]
    remade = frames_hex(client, wanted)
    assert len(remade) == len(wanted)
    found.update(remade.values())
    return found


def stored_rows(client: Client, trade_no: str) -> tuple[int, int]:
    """How many readings and how many other frames from chargers name that charge."""
    ((readings,),) = client.execute(f"SELECT count() FROM readings WHERE trade_no = '{trade_no}'")
    up = f"direction = 'up' AND trade_no = '{trade_no}'"
    ((frames,),) = client.execute(f"SELECT count() FROM frames WHERE {up}")
    return readings, frames


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


def test_a_length_byte_that_is_too_large_swallows_no_good_frame(platform: RunningPlatform) -> None:
    """The lying frame claims the good ones behind it as its own body: they must come out of it whole."""
    trade_no = f"{PILE}01{'7' * 16}"
    good: list[bytes] = []
    stream = b""
    for number in range(0, 30, 3):
        seqs = [(0x4000 + number + i).to_bytes(2, "little") for i in range(3)]
        behind = [
            heartbeat(PILE, seqs[0]),
            record(trade_no, PILE, seqs[1], energy=number),
            charging(trade_no, 100 + number, 1, PILE, seq=seqs[2]),
        ]
        # The largest length there is, one that ends inside a good frame, and one that ends where a good frame ends.
        lie = (0xFF, 0x40, len(HEARTBEAT) - 4 + len(behind[0]))[number // 3 % 3]
        stream += HEARTBEAT[:1] + bytes([lie]) + HEARTBEAT[2:] + b"".join(behind)
        good += behind
    charger = Charger(platform)
    charger.send(LOGIN)
    assert charger.answers(0x02) == 1
    charger.send(stream + HEARTBEAT * 20)  # the beats behind it are what a good charger's line brings soon
    client = platform.client()
    wanted = Counter(frame.hex().upper() for frame in good)
    eventually(lambda: stored_rows(client, trade_no) == (10, 10))
    stored = stored_hex(client, trade_no)
    assert {data: stored[data] for data in wanted} == wanted
    lies = [HEARTBEAT[:1] + bytes([lie]) + HEARTBEAT[2:] for lie in (0xFF, 0x40, 30)]
    kept = "".join(
        data for (data,) in client.execute("SELECT hex(bytes) FROM frames WHERE verdict = 'bad_checksum' ORDER BY 1")
    )
    assert all(lie.hex().upper() in kept for lie in lies)
    charger.close()


def test_a_reading_and_a_bill_cut_at_every_byte_are_found_whole(platform: RunningPlatform) -> None:
    """Each of the two parts comes in a segment of its own; one frame for each place to cut."""
    reading_trade, bill_trade = f"{PILE}01{'8' * 16}", f"{PILE}02{'9' * 16}"
    readings = [
        charging(reading_trade, 1_000 + cut, 1, PILE, seq=cut.to_bytes(2, "little")) for cut in range(1, REALTIME_BYTES)
    ]
    bills = [record(bill_trade, PILE, cut.to_bytes(2, "little"), energy=cut) for cut in range(1, RECORD_BYTES)]
    assert {len(frame) for frame in readings} == {REALTIME_BYTES}
    assert {len(frame) for frame in bills} == {RECORD_BYTES}
    charger = Charger(platform)
    charger.send(LOGIN)
    assert charger.answers(0x02) == 1
    for frames in (readings, bills):
        for cut, frame in enumerate(frames, 1):
            charger.send(frame[:cut])
            time.sleep(0.004)
            charger.send(frame[cut:])
            time.sleep(0.001)
    assert charger.answers(0x40, len(bills)) == len(bills)
    client = platform.client()
    wanted = Counter(frame.hex().upper() for frame in (*readings, *bills))
    eventually(lambda: stored_rows(client, reading_trade) == (len(readings), 0))
    eventually(lambda: stored_rows(client, bill_trade) == (0, len(bills)))
    stored = stored_hex(client, reading_trade)
    assert {data: stored[data] for data in wanted} == wanted
    uploads = f"SELECT count() FROM pile_bill_uploads WHERE trade_no = '{bill_trade}'"
    assert eventually(lambda: client.execute(uploads) == [(len(bills),)])
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
