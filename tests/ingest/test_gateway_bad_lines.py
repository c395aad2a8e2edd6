"""Each kind of bad input has its counter, its log line and its end, and harms nobody else."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from core.directory import PileDirectory
from core.ykc.codec import wrap_body
from ingest.gateway import Gateway, Ports
from ingest.gateway_status import GatewayStatus
from tests.ingest.aaf5_frames import aaf5_login, aaf5_pile, up
from tests.ingest.charger_frames import CODE, OTHER_CODE, heartbeat, login, make_directory
from tests.ingest.running_gateway import Charger, now_ms, run, running

pytestmark = pytest.mark.server

BOTH = Ports(ykc=0, aaf5=0)


def both() -> PileDirectory:
    return PileDirectory([*make_directory(), aaf5_pile()])


async def logged_in(gateway: Gateway, protocol: str) -> Charger:
    if protocol == "ykc":
        return await Charger.logged_in(gateway)
    charger = await Charger.connect(gateway, "aaf5", "aaf5")
    await charger.send(aaf5_login(clock_ms=now_ms()))
    await charger.receive()
    return charger


def told(log: pytest.LogCaptureFixture, kind: str) -> list[str]:
    """The log's lines about incidents of that kind."""
    return [record.getMessage() for record in log.records if record.getMessage().startswith(f"{kind}: ")]


def outcome(folder: Path, protocol: str, parts: list[bytes], pause_s: float = 0.0, **settings: Any) -> GatewayStatus:
    """What becomes of a charger that logs in and sends `parts`, while another one goes on being served."""

    async def talk() -> GatewayStatus:
        async with running(folder, directory=both(), ports=BOTH, **settings) as here:
            other = await Charger.logged_in(here.gateway, code=OTHER_CODE)
            bad = await logged_in(here.gateway, protocol)

            async def pour() -> None:
                for part in parts:
                    await bad.send(part)
                    await asyncio.sleep(pause_s)

            pouring = asyncio.create_task(pour())
            await here.until(lambda: here.gateway.status().connections == 1)
            pouring.cancel()
            (end,) = await asyncio.gather(pouring, return_exceptions=True)
            assert not isinstance(end, AssertionError)
            await other.send(heartbeat(OTHER_CODE))
            await other.receive()
            return here.gateway.status()

    return run(talk())


def test_encrypted_frames(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frame = wrap_body(0x03, bytes.fromhex(CODE) + b"\1\0", encryption=1)
    with caplog.at_level(logging.WARNING):
        status = outcome(tmp_path, "ykc", [frame] * 20, 0.02, encrypted_reads=3)
    assert status.closed == {"encrypted": 1}
    assert status.incidents["encrypted"] == 3
    assert status.quarantined["encrypted"] == 3 * len(frame)
    assert len(told(caplog, "encrypted")) == 1
    assert CODE in told(caplog, "encrypted")[0]


@pytest.mark.parametrize(
    ("protocol", "frame", "kind"),
    [
        ("aaf5", b"\xaa\xf5\xff\xff\x10\x00\x66\x00" + bytes(40), "bad_length"),
        ("ykc", b"\x68\x03\x00\x00" + bytes(40), "bad_length"),
        ("ykc", b"\x68\xff" + bytes(300), "bad_checksum"),
        ("ykc", b"\x55" * 60, "garbage"),
        ("aaf5", b"\x55" * 60, "garbage"),
    ],
)
def test_lengths_that_lie_and_plain_noise(
    tmp_path: Path, protocol: str, frame: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        status = outcome(tmp_path, protocol, [frame] * 200, 0.001, garbage_limit_bytes=2_000)
    assert status.closed == {"garbage": 1}
    assert status.incidents[kind] >= 1
    assert len(told(caplog, kind)) == 1


@pytest.mark.parametrize("protocol", ["ykc", "aaf5"])
def test_half_a_frame_and_then_nothing(tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    half = (heartbeat() if protocol == "ykc" else up("heartbeat", counter=1))[:-4]
    with caplog.at_level(logging.WARNING):
        status = outcome(tmp_path, protocol, [half], half_frame_ms=600)
    assert status.closed == {"half_frame": 1}
    assert status.incidents["half_frame"] == 1
    assert len(told(caplog, "half_frame")) == 1
    # What was received is evidence all the same.
    assert status.quarantined_bytes == len(half)


@pytest.mark.parametrize("protocol", ["ykc", "aaf5"])
def test_a_frame_byte_by_byte(tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    start = b"\x68\xff" if protocol == "ykc" else b"\xaa\xf5\x00\x04"
    with caplog.at_level(logging.WARNING):
        parts = [start] + [b"\x00"] * 200
        status = outcome(tmp_path, protocol, parts, 0.05, half_frame_ms=600)
    assert status.closed == {"slow_sender": 1}
    assert len(told(caplog, "slow_sender")) == 1


def test_frames_before_a_login(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> GatewayStatus:
        async with running(tmp_path, directory=both(), ports=BOTH) as here:
            ykc = await Charger.connect(here.gateway, "ykc")
            await ykc.send(heartbeat() * 11)
            assert await ykc.hung_up() == b""
            aaf5 = await Charger.connect(here.gateway, "aaf5", "aaf5")
            await aaf5.send(up("heartbeat", counter=1) * 11)
            assert await aaf5.hung_up() == b""
            await here.until(lambda: here.gateway.status().connections == 0)
            return here.gateway.status()

    with caplog.at_level(logging.WARNING):
        status = run(talk())
    assert status.closed == {"not_logged_in": 2}
    assert status.quarantined["not_logged_in"] == 11 * (len(heartbeat()) + len(up("heartbeat", counter=1)))
    assert [line.rpartition(":")[0] for line in told(caplog, "not_logged_in")] == [
        f"not_logged_in: charger 127.0.0.1: {11 * len(heartbeat())} bytes from 127.0.0.1"
    ]


def test_a_peer_cannot_write_lines_of_its_own_into_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=BOTH) as here:
            for number in range(30):
                liar = await Charger.connect(here.gateway, "aaf5", "aaf5")
                await liar.send(aaf5_login(f"x\nERROR disk {number}"))
                await liar.hung_up()
            assert here.gateway.status().incidents["login_refused"] == 30

    with caplog.at_level(logging.WARNING):
        run(talk())
    lines = told(caplog, "login_refused")
    assert len(lines) == 1
    assert "\n" not in lines[0]


def test_a_charger_with_its_own_heartbeat_is_silent_by_that(tmp_path: Path) -> None:
    """AAF5: three of the period that its login announces (aaf5.md section 5)."""

    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=BOTH, silence_grace_ms=0) as here:
            quick = await Charger.connect(here.gateway, "aaf5", "aaf5")
            await quick.send(aaf5_login(clock_ms=now_ms(), heartbeat_period=1))
            await quick.receive()
            slow = await Charger.logged_in(here.gateway)
            await here.until(lambda: here.gateway.status().connections == 1)
            assert here.gateway.status().closed == {"silent": 1}
            assert here.gateway.status().alarms == {"silent": 1}
            await slow.send(login(CODE))
            await slow.receive()

    run(talk())
