"""Bad input on every port of a live gateway: each kind has its counter, its log line and its end; others are served."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from core.aaf5 import codec as aaf5_codec
from core.directory import PileDirectory
from core.ykc import codec as ykc_codec
from ingest.gateway import Ports
from ingest.gateway_status import GatewayStatus
from ingest.login_rules import LoginLimits
from tests.fuzz.targets import first_inputs
from tests.ingest.aaf5_frames import aaf5_login, aaf5_pile, up
from tests.ingest.charger_frames import heartbeat, login, make_pile
from tests.ingest.loader_parts import make_loader
from tests.ingest.running_gateway import Charger, Running, now_ms, run, running

pytestmark = [pytest.mark.server, pytest.mark.system]

PORTS = Ports(ykc=0, aaf5=0, detect=0)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
HONEST_YKC = "32010600019230"
HONEST_AAF5 = "44011300040000200060"


class Line(msgspec.Struct, frozen=True):
    """A bad charger: the port that it connects to, what it speaks, and its id."""

    port: str
    protocol: str
    code: str

    def login(self) -> bytes:
        return login(self.code) if self.protocol == "ykc" else aaf5_login(self.code, clock_ms=now_ms())

    def heartbeat(self) -> bytes:
        return heartbeat(self.code) if self.protocol == "ykc" else up("heartbeat", self.code, counter=1)

    async def connect(self, here: Running) -> Charger:
        return await Charger.connect(here.gateway, self.port, self.protocol)

    async def log_in(self, here: Running) -> Charger:
        """Logged in, and past the greeting."""
        charger = await self.connect(here)
        await charger.send(self.login())
        await charger.receive(2 if self.protocol == "ykc" else 1)
        return charger


YKC_LINES = [Line("ykc", "ykc", "32010600019231"), Line("detect", "ykc", "32010600019232")]
AAF5_LINES = [Line("aaf5", "aaf5", "44011300040000200061"), Line("detect", "aaf5", "44011300040000200062")]
LINES = YKC_LINES + AAF5_LINES
DIRECTORY = PileDirectory(
    [
        *(make_pile(code, 11 + n) for n, code in enumerate([HONEST_YKC, *(line.code for line in YKC_LINES)])),
        *(aaf5_pile(code, 21 + n) for n, code in enumerate([HONEST_AAF5, *(line.code for line in AAF5_LINES)])),
    ]
)

Misbehave = Callable[[Running, Line], Awaitable[None]]


@asynccontextmanager
async def others_served(here: Running) -> AsyncIterator[None]:
    """An honest charger of each protocol that keeps talking, and is answered, all the time and at the end."""
    honest = [Line("ykc", "ykc", HONEST_YKC), Line("aaf5", "aaf5", HONEST_AAF5)]
    chargers = [await line.log_in(here) for line in honest]
    answers = 0
    ended = asyncio.Event()

    async def talk(line: Line, charger: Charger) -> None:
        nonlocal answers
        while not ended.is_set():
            await charger.send(line.heartbeat())
            await charger.receive(1)
            answers += 1
            await asyncio.sleep(0.05)

    talks = [asyncio.create_task(talk(line, charger)) for line, charger in zip(honest, chargers, strict=True)]
    yield
    before = answers
    await asyncio.sleep(0.2)
    ended.set()
    await asyncio.gather(*talks)
    assert answers > before
    for charger in chargers:
        await charger.close()


def counters_of(folder: Path, misbehave: Misbehave, lines: list[Line], **settings: Any) -> GatewayStatus:
    """A gateway with bad chargers on these lines at once beside honest ones; its counters after the bad ones' end."""

    async def talk() -> GatewayStatus:
        async with running(folder, directory=DIRECTORY, ports=PORTS, **settings) as here, others_served(here):
            await asyncio.gather(*(misbehave(here, line) for line in lines))
            await here.until(lambda: here.gateway.status().connections == 2)
            return here.gateway.status()

    status = run(talk())
    assert status.housekeeping_errors == 0
    return status


def chargers_logged(caplog: pytest.LogCaptureFixture, kind: str) -> list[str]:
    """The chargers, or addresses, of the log lines of one kind of incident."""
    head = f"{kind}: charger "
    messages = [record.getMessage() for record in caplog.records]
    return sorted(message.removeprefix(head).partition(":")[0] for message in messages if message.startswith(head))


def codes(lines: list[Line]) -> list[str]:
    return sorted(line.code for line in lines)


def test_encrypted_frames(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No key exchange is defined: they are evidence, and who sends nothing else is hung up on."""
    frame = ykc_codec.wrap_body(0x13, bytes(range(64)), encryption=1)

    async def misbehave(here: Running, line: Line) -> None:
        charger = await line.log_in(here)
        heard = asyncio.create_task(charger.hung_up())
        while not heard.done():
            await charger.send(frame)
            await asyncio.sleep(0.05)

    status = counters_of(tmp_path, misbehave, YKC_LINES)
    assert status.closed["encrypted"] == status.incidents["closed_encrypted"] == 2
    assert status.incidents["encrypted"] == 2 * 5
    assert status.quarantined["encrypted"] >= 2 * 5 * len(frame)
    assert chargers_logged(caplog, "encrypted") == codes(YKC_LINES)


@pytest.mark.parametrize("length", [0, 8, 1025, 0xFFFF])
def test_lengths_that_no_frame_has(tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int) -> None:
    """A length outside 9..1024 is a bad header at once: nothing waits for 65535 bytes."""
    header = b"\xaa\xf5" + length.to_bytes(2, "little") + b"\0\0"

    async def misbehave(here: Running, line: Line) -> None:
        charger = await line.log_in(here)
        await charger.send(header + line.heartbeat())
        await charger.receive(1)
        await charger.send(header * 800)
        await charger.hung_up()

    status = counters_of(tmp_path, misbehave, AAF5_LINES)
    assert status.closed["garbage"] == status.incidents["closed_garbage"] == 2
    assert status.incidents["bad_length"] >= 2 * 2
    assert status.quarantined["bad_length"] >= 2 * 4_096
    assert chargers_logged(caplog, "bad_length") == codes(AAF5_LINES)


def test_the_longest_length_that_is_a_lie(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Length byte 255 may be true, so 259 bytes are waited for; what stands in them is found all the same."""

    async def misbehave(here: Running, line: Line) -> None:
        charger = await line.log_in(here)
        await charger.send(b"\x68\xff" + line.heartbeat() * 16)
        await charger.receive(16)
        await charger.send(b"\x68\xff\x01" * 2_000)
        await charger.hung_up()

    status = counters_of(tmp_path, misbehave, YKC_LINES)
    assert status.closed["garbage"] == status.incidents["closed_garbage"] == 2
    assert status.incidents["bad_checksum"] >= 2 * 2
    assert chargers_logged(caplog, "bad_checksum") == codes(YKC_LINES)


@pytest.mark.parametrize(("end", "pause_s"), [("half_frame", 0.0), ("slow_sender", 0.05)])
def test_half_frames_and_slow_senders(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, end: str, pause_s: float
) -> None:
    """A frame whose rest does not come, or comes byte by byte, is given up after its time."""
    frames = {"ykc": ykc_codec.wrap_body(0x44, bytes(240)), "aaf5": aaf5_codec.wrap_body(108, bytes(900))}

    async def misbehave(here: Running, line: Line) -> None:
        frame = frames[line.protocol]
        charger = await line.log_in(here)
        heard = asyncio.create_task(charger.hung_up())
        await charger.send(frame[:40])
        for position in range(40, len(frame) - 1):
            if not pause_s or heard.done():
                break
            await charger.send(frame[position : position + 1])
            await asyncio.sleep(pause_s)
        await heard

    status = counters_of(tmp_path, misbehave, LINES, half_frame_ms=1_000)
    assert status.closed[end] == status.incidents[end] == 4
    assert status.quarantined["bad_checksum"] >= 4 * 40
    assert chargers_logged(caplog, end) == codes(LINES)


def test_half_a_frame_of_no_known_protocol(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On the port for both, a connection whose bytes never tell its protocol ends with the time for a login."""

    async def misbehave(here: Running, line: Line) -> None:
        charger = await line.connect(here)
        await charger.send(line.login()[:20])
        await charger.hung_up()

    status = counters_of(tmp_path, misbehave, [LINES[1], LINES[3]], login_timeout_ms=500)
    assert status.closed["unknown_protocol"] == status.incidents["unknown_protocol"] == 2
    assert chargers_logged(caplog, "unknown_protocol") == ["127.0.0.1"]


def test_frames_before_a_login(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are evidence, they are not answered, and after ten of them the line is closed."""

    async def misbehave(here: Running, line: Line) -> None:
        charger = await line.connect(here)
        await charger.send(line.heartbeat() * 12)
        assert await charger.hung_up() == b""

    status = counters_of(tmp_path, misbehave, LINES)
    assert status.closed["not_logged_in"] == status.incidents["closed_not_logged_in"] == 4
    assert status.incidents["not_logged_in"] >= 4
    assert status.quarantined["not_logged_in"] >= sum(11 * len(line.heartbeat()) for line in LINES)
    assert chargers_logged(caplog, "not_logged_in") == ["127.0.0.1"]


@pytest.mark.parametrize("port", ["ykc", "aaf5", "detect"])
@pytest.mark.parametrize("kind", ["noise", "http", "zeros"])
def test_garbage(tmp_path: Path, caplog: pytest.LogCaptureFixture, port: str, kind: str) -> None:
    """What is no charger at all: a broken modem, a scanner, a line of zeros."""
    content = {
        "noise": random.Random(5).randbytes(20_000),
        "http": b"GET / HTTP/1.1\r\nHost: pilestream\r\n\r\n" * 500,
        "zeros": bytes(20_000),
    }[kind]

    async def misbehave(here: Running, line: Line) -> None:
        charger = await line.connect(here)
        await charger.send(content)
        await charger.hung_up()

    status = counters_of(tmp_path, misbehave, [Line(port, "ykc", "")])
    end = "unknown_protocol" if port == "detect" else "garbage"
    assert status.closed[end] == status.incidents[f"closed_{end}"] == 1
    assert chargers_logged(caplog, f"closed_{end}") == ["127.0.0.1"]
    assert sum(status.quarantined.values()) >= 4_096


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_flood_of_logins(tmp_path: Path, caplog: pytest.LogCaptureFixture, known: bool) -> None:
    """Of one id, or of ids that nobody has: refused beyond the limit, an alarm of each id, and no log full of it."""

    async def misbehave(here: Running, line: Line) -> None:
        stranger = Line(line.port, line.protocol, "9" * len(line.code))
        for _ in range(40):
            charger = await line.connect(here)
            await charger.send((line if known else stranger).login())
            await charger.receive(1)
            await charger.close()
            await asyncio.sleep(0.01)

    status = counters_of(tmp_path, misbehave, LINES, login_limits=LoginLimits(per_pile=10))
    refused = "pile_login_limit" if known else "unknown_pile"
    expected = 4 * (25 if known else 40)
    assert status.logins_refused[refused] >= expected
    assert status.closed[refused] >= expected
    assert status.incidents["login_refused"] >= expected
    assert status.alarms.get("login_flood", 0) == (4 if known else 0)
    assert 1 <= len(chargers_logged(caplog, "login_refused")) <= 4


def test_a_flood_of_logins_from_one_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody tries one id after the other: the address is stopped, and told of once."""

    async def misbehave(here: Running, line: Line) -> None:
        for _ in range(30):
            charger = await line.connect(here)
            await charger.send(line.login())
            await charger.receive(1)
            await charger.close()
            await asyncio.sleep(0.01)

    limits = LoginLimits(per_pile=0, per_address=20)
    status = counters_of(tmp_path, misbehave, LINES, login_limits=limits)
    assert status.logins_accepted <= 20
    assert status.logins_refused["address_login_limit"] >= 4 * 30 - 20
    assert status.alarms["login_flood"] == 1
    assert chargers_logged(caplog, "login_flood") == ["127.0.0.1"]


def test_memory_and_disk_stay_bounded_under_bad_input(tmp_path: Path) -> None:
    """30 MB of everything that is wrong, with enough good frames in between to be borne."""
    rng = random.Random(9)
    line = YKC_LINES[0]
    wrong = [
        rng.randbytes(3_000) + b"\x68\xff" + line.heartbeat() * 16,
        b"\x68\x00" * 1_500 + line.heartbeat(),
        ykc_codec.wrap_body(0x13, bytes(64), encryption=1) + line.heartbeat(),
    ]

    async def drain(charger: Charger) -> None:
        while True:
            await charger.receive(1)

    async def talk() -> None:
        async with running(tmp_path, directory=DIRECTORY, ports=PORTS) as here, others_served(here):
            charger = await line.log_in(here)
            reading = asyncio.create_task(drain(charger))
            await charger.send(b"".join(rng.choices(wrong, k=200)))
            before = resident_bytes()
            for _ in range(80):
                await charger.send(b"".join(rng.choices(wrong, k=200)))
            status = here.gateway.status()
            assert status.bytes_in > 20_000_000
            assert status.evidence_dropped_bytes > 10_000_000
            assert status.logged_in == 3
            assert resident_bytes() - before < 32_000_000
            reading.cancel()

    run(talk())
    assert sum(file.stat().st_size for file in (tmp_path / "spool").rglob("*") if file.is_file()) < 30_000_000


def resident_bytes() -> int:
    """Memory of this process, which the gateway is part of."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_BYTES


def test_what_fuzzing_found_reaches_the_database(
    tmp_path: Path, database_address: ClickHouseAddress, database: Client
) -> None:
    """Every kept input on a connection of its own, then the loader: nothing it stumbles over, nothing lost."""

    async def misbehave(here: Running, line: Line) -> None:
        pile = DIRECTORY.by_code(line.code)
        assert pile is not None
        for data in first_inputs(f"{line.protocol}_link"):
            charger = await line.log_in(here)
            await charger.send(data)
            await charger.close()
            await here.until(lambda: here.gateway.registry.link_of(pile) is None)

    limits = LoginLimits(per_pile=0, per_address=0)
    status = counters_of(tmp_path, misbehave, LINES, login_limits=limits, evidence_bytes_per_minute=1 << 20)
    loader = make_loader(tmp_path / "spool", database_address, directory=DIRECTORY)
    loader.load_available()
    assert loader.waiting_bytes() == 0
    loader.close()
    closed = database.execute("SELECT count() FROM connection_events WHERE event = 'closed'")[0][0]
    assert closed == status.connections_opened
