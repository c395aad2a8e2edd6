"""A port for each protocol, one that tells them apart, and one with TLS."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from core.directory import PileDirectory
from ingest.events import ConnectionEvent
from ingest.gateway import Ports
from ingest.tls import TlsFileError, TlsFiles
from tests.ingest.aaf5_frames import AAF5_CODE, aaf5_login, aaf5_pile, aaf5_record, up
from tests.ingest.certificates import Authority
from tests.ingest.charger_frames import charging, heartbeat, login, make_directory, record, trade_no_of
from tests.ingest.running_gateway import Charger, Running, now_ms, run, running

pytestmark = pytest.mark.server

ALL = Ports(ykc=0, aaf5=0, detect=0)
BEAT = up("heartbeat", counter=5)


def both() -> PileDirectory:
    return PileDirectory([*make_directory(), aaf5_pile()])


async def talk_aaf5(here: Running, port: str, tls: ssl.SSLContext | None = None, before: bytes = b"") -> Charger:
    """Log in, send a heartbeat and a record, and check the answers."""
    charger = await Charger.connect(here.gateway, port, "aaf5", tls)
    sent = [aaf5_login(clock_ms=now_ms()), BEAT, aaf5_record()]
    await charger.send(before + b"".join(sent))
    answers = {int.from_bytes(frame[6:8], "little"): frame for frame in await charger.receive(3)}
    assert sorted(answers) == [101, 105, 201]
    assert answers[105][-2] == 0
    assert set(sent) <= set((await here.content()).up)
    return charger


async def talk_ykc(here: Running, port: str, tls: ssl.SSLContext | None = None, before: bytes = b"") -> Charger:
    charger = await Charger.connect(here.gateway, port, tls=tls)
    sent = [login(), charging(trade_no_of(), 500, 1), heartbeat(order="be"), record(trade_no_of())]
    await charger.send(before + b"".join(sent))
    assert sorted(frame[5] for frame in await charger.receive(4)) == [0x02, 0x04, 0x40, 0x56]
    assert set(sent) <= set((await here.content()).up)
    return charger


def test_each_protocol_has_its_port_and_one_port_takes_both(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=ALL) as here:
            assert sorted(here.gateway.ports) == ["aaf5", "detect", "ykc"]
            assert here.gateway.status().ports == here.gateway.ports
            for port in ("ykc", "detect"):
                charger = await talk_ykc(here, port)
                await charger.close()
                await here.until(lambda: here.gateway.status().connections == 0)
            for port in ("aaf5", "detect"):
                charger = await talk_aaf5(here, port)
                await charger.close()
                await here.until(lambda: here.gateway.status().connections == 0)
            status = here.gateway.status()
            assert (status.bills_acked, status.heartbeats, status.readings) == (4, 4, 2)
            assert status.quarantined_bytes == 0

    run(talk())


@pytest.mark.parametrize("port", ["ykc", "aaf5"])
def test_a_port_of_one_protocol_understands_no_other(tmp_path: Path, port: str) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=ALL, garbage_limit_bytes=100) as here:
            charger = await Charger.connect(here.gateway, port)
            await charger.send((aaf5_login() if port == "ykc" else login()) * 5)
            await charger.hung_up()
            assert here.gateway.status().closed == {"garbage": 1}

    run(talk())


def test_what_a_modem_says_first_is_skipped_and_counted(tmp_path: Path) -> None:
    noise = b"\x00\xffAT+CIPSEND hhh\xaa\xaa\xf5\xff\xff\r\n"

    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=ALL) as here:
            chargers = [
                await talk_ykc(here, "detect", before=noise),
                await talk_aaf5(here, "detect", before=noise),
            ]
            status = here.gateway.status()
            assert status.quarantined_bytes == 2 * len(noise)
            assert b"".join(data for _, data in (await here.content()).quarantine) == 2 * noise
            for charger in chargers:
                await charger.close()

    run(talk())


def test_a_first_frame_that_comes_byte_by_byte_is_told_too(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=ALL) as here:
            for protocol, frame in (("ykc", login()), ("aaf5", aaf5_login(clock_ms=now_ms()))):
                charger = await Charger.connect(here.gateway, "detect", protocol)
                for byte in frame:
                    await charger.send(bytes([byte]))
                    await asyncio.sleep(0)
                await charger.receive()
                await charger.close()

    run(talk())


def test_what_cannot_be_told_ends_and_leaves_its_bytes(tmp_path: Path) -> None:
    noise = b"hello platform\r\n" * 300

    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=ALL, login_timeout_ms=200) as here:
            endless = await Charger.connect(here.gateway, "detect")
            await endless.send(noise)
            await endless.hung_up()
            short = await Charger.connect(here.gateway, "detect")
            await short.send(b"hello")
            mute = await Charger.connect(here.gateway, "detect")
            await short.hung_up()
            await mute.hung_up()
            await here.until(lambda: here.gateway.status().connections == 0)
            status = here.gateway.status()
            assert status.closed == {"unknown_protocol": 2, "no_login": 1}
            assert status.bytes_in == status.quarantined_bytes == 4_096 + 5
            content = await here.content()
            assert b"".join(data for _, data in content.quarantine) == noise[:4_096] + b"hello"

    run(talk())


def contexts(folder: Path, *, client: bool = False) -> tuple[TlsFiles, ssl.SSLContext]:
    """Files for a gateway, and what a charger that trusts it uses."""
    authority = Authority(folder / "ca.pem")
    certificate, key = authority.issue(folder, "gateway")
    context = ssl.create_default_context(cafile=authority.certificate)
    if client:
        context.load_cert_chain(*authority.issue(folder, "charger"))
    return TlsFiles(certificate, key, authority.certificate if client else None), context


def test_chargers_of_both_protocols_talk_over_tls(tmp_path: Path) -> None:
    files, context = contexts(tmp_path)

    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=Ports(tls=0), tls=files) as here:
            chargers = [await talk_ykc(here, "tls", context), await talk_aaf5(here, "tls", context)]
            # More than one TLS record, more than one buffer, and cut anywhere.
            many = charging(trade_no_of(), 500, 1) * 5_000
            for at in range(0, len(many), 7_777):
                await chargers[0].send(many[at : at + 7_777])
            await here.until(lambda: here.gateway.status().readings == 5_001)
            status = here.gateway.status()
            assert (status.quarantined_bytes, status.handshakes_failed, status.logged_in) == (0, 0, 2)
            for charger in chargers:
                await charger.close()

    run(talk())


def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    files, context = contexts(tmp_path)
    (tmp_path / "new").mkdir()
    renewed, trusting = contexts(tmp_path / "new")

    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=Ports(tls=0), tls=files) as here:
            before = await talk_ykc(here, "tls", context)
            renewed.certificate.replace(files.certificate)
            renewed.key.replace(files.key)
            await here.until(lambda: here.gateway.status().incidents.get("tls_certificate_renewed", 0) == 1)
            after = await talk_aaf5(here, "tls", trusting)
            with pytest.raises(ssl.SSLCertVerificationError):
                await Charger.connect(here.gateway, "tls", tls=context)
            await before.send(heartbeat())
            await before.receive()
            for charger in (before, after):
                await charger.close()

    run(talk())


def test_the_turn_budget_and_a_pending_login_hold_a_tls_line_too(tmp_path: Path) -> None:
    files, context = contexts(tmp_path)

    async def talk() -> None:
        settings: dict[str, Any] = {"ports": Ports(ykc=0, tls=0), "tls": files, "turn_bytes": 4_096, "probe_ms": 300}
        async with running(tmp_path, directory=both(), **settings) as here:
            _first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway, "tls", tls=context)
            flood = [charging(trade_no_of(), 500, 1)] * 2_000
            await second.send(login())
            await here.until(lambda: here.gateway.status().logins_waiting == 1)
            await second.send(b"".join(flood) + heartbeat())
            assert [frame[5] for frame in await second.receive(3)] == [0x02, 0x56, 0x04]
            content = await here.content()
            assert content.up.count(flood[0]) == len(flood)
            assert content.quarantine == []
            await second.close()

    run(talk())


def test_without_a_certificate_of_the_authority_no_charger_gets_in(tmp_path: Path) -> None:
    files, trusted = contexts(tmp_path, client=True)
    stranger = ssl.create_default_context(cafile=files.client_ca)

    async def talk() -> None:
        settings: dict[str, Any] = {"ports": Ports(tls=0), "tls": files, "handshake_timeout_ms": 200}
        async with running(tmp_path, directory=both(), **settings) as here:
            charger = await talk_ykc(here, "tls", trusted)
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                refused = await Charger.connect(here.gateway, "tls", tls=stranger)
                await refused.send(login())
                await refused.receive()
            plain = await Charger.connect(here.gateway, "tls")
            await plain.send(login())
            await plain.hung_up()
            await here.until(lambda: here.gateway.status().handshakes_failed == 2)
            status = here.gateway.status()
            assert (status.connections, status.logged_in, status.incidents["tls_handshake"]) == (1, 1, 2)
            opened = [event for event in (await here.content()).of(ConnectionEvent) if event.event == "opened"]
            assert len(opened) == 1
            await charger.close()

    run(talk())


def test_lines_without_tls_are_no_handshakes(tmp_path: Path) -> None:
    files, context = contexts(tmp_path)
    clock = [now_ms() // 1_000 * 1_000]  # all within one second

    async def talk() -> None:
        settings: dict[str, Any] = {"ports": Ports(ykc=0, tls=0), "tls": files, "clock": lambda: clock[0]}
        async with running(tmp_path, directory=both(), **settings) as here:
            silent = [await Charger.connect(here.gateway, "tls") for _ in range(2)]
            good = await Charger.connect(here.gateway, "tls", tls=context)
            plain = [await Charger.connect(here.gateway, "ykc") for _ in range(3)]
            await here.until(lambda: here.gateway.status().connections_opened == 4)
            clock[0] += 12_000
            await here.until(lambda: here.gateway.status().handshakes_failed != 0)
            assert here.gateway.status().handshakes_failed == 2
            for charger in (*silent, good, *plain):
                await charger.close()

    run(talk())


def test_a_charger_that_does_not_read_over_tls_is_hung_up_all_the_same(tmp_path: Path) -> None:
    files, context = contexts(tmp_path)

    async def talk() -> None:
        settings: dict[str, Any] = {
            "ports": Ports(tls=0),
            "tls": files,
            "idle_timeout_ms": 300,
            "drain_timeout_ms": 200,
        }
        async with running(tmp_path, **settings) as here:
            number = here.gateway.ports["tls"]
            _, writer = await asyncio.open_connection("127.0.0.1", number, ssl=context, limit=1_024)
            writer.write(login())
            with pytest.raises((TimeoutError, ConnectionError)):
                while True:  # until the line is full in both directions
                    writer.write(heartbeat() * 1_000)
                    await asyncio.wait_for(writer.drain(), 1)
            await here.until(lambda: here.gateway.status().connections == 0)
            assert here.gateway.status().closed == {"silent": 1}
            writer.transport.abort()

    run(talk())


def test_a_port_that_cannot_be_opened_as_asked_opens_none(tmp_path: Path) -> None:
    async def talk() -> None:
        with pytest.raises(TlsFileError, match="needs a certificate"):
            async with running(tmp_path / "a", ports=Ports(ykc=0, tls=0)):
                pass
        with socket.create_server(("127.0.0.1", 0)) as taken:
            number = taken.getsockname()[1]
            with pytest.raises(OSError, match="address already in use"):
                async with running(tmp_path / "b", ports=Ports(ykc=0, aaf5=number)):
                    pass

    run(talk())


def test_an_unknown_aaf5_charger_is_refused(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=both(), ports=ALL) as here:
            charger = await Charger.connect(here.gateway, "aaf5", "aaf5")
            await charger.send(aaf5_login(AAF5_CODE[:-1]))
            answer = await charger.hung_up()
            assert int.from_bytes(answer[6:8], "little") == 105
            assert answer[-2] != 0
            assert here.gateway.status().logins_refused == {"unknown_pile": 1}

    run(talk())
