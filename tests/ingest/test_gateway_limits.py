"""What a hostile, broken or silent charger cannot do to the gateway (DESIGN invariant 4)."""

import asyncio
import random
import socket
from pathlib import Path

import msgspec
import pytest

from core.directory import PileDirectory
from core.ykc.codec import encode_raw
from ingest.events import Alarm, ConnectionEvent, PlatformOutage
from ingest.record_buffer import LANE_FACTS, LANE_TELEMETRY, scan_records
from ingest.segment import SEGMENT_HEADER_BYTES
from ingest.spool import Spool
from tests.ingest.charger_frames import (
    CODE,
    OTHER_CODE,
    SpoolContent,
    charging,
    heartbeat,
    login,
    make_pile,
    record,
    trade_no_of,
)
from tests.ingest.running_gateway import Charger, now_ms, run, running

pytestmark = pytest.mark.server

AAF5_CODE = "32010600019299"


def reasons(content: SpoolContent) -> list[str]:
    return [event.detail for event in content.of(ConnectionEvent) if event.event == "closed"]


def tariff_check() -> bytes:
    return encode_raw("tariff_check", {"pile_code": CODE, "model_no": "0000"}, seq=b"\7\0", checksum_order="le")


def test_a_silent_connection_is_closed(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, idle_timeout_ms=100) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.hung_up()
            await here.until(lambda: here.gateway.status().connections == 0)
            content = await here.content()
            assert reasons(content) == ["silent"]
            (alarm,) = content.of(Alarm)
            assert (alarm.kind, alarm.pile_id, alarm.connection_id) == (
                "silent",
                11,
                content.of(ConnectionEvent)[0].connection_id,
            )

    run(talk())


def test_a_connection_that_never_logs_in_is_closed_even_when_it_talks(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, login_timeout_ms=100, frames_before_login=1_000) as here:
            charger = await Charger.connect(here.gateway)
            for _ in range(30):
                await charger.send(heartbeat())
                await asyncio.sleep(0.05)
                if here.gateway.status().connections == 0:
                    break
            assert here.gateway.status().closed == {"no_login": 1}

    run(talk())


def test_endless_garbage_is_closed_and_its_evidence_bounded(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(60_000)

    async def talk() -> None:
        async with running(tmp_path, garbage_limit_bytes=4_096, evidence_bytes_per_minute=2_000) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(noise)
            await charger.hung_up()
            await here.until(lambda: here.gateway.status().connections == 0)
            content = await here.content()
            assert reasons(content) == ["garbage"]
            kept = sum(len(data) for _, data in content.quarantine)
            status = here.gateway.status()
            assert kept <= 2_000
            assert status.quarantined_bytes == kept + status.evidence_dropped_bytes
            assert status.bytes_in == status.quarantined_bytes + len(login())
            assert sum(status.quarantined.values()) == status.quarantined_bytes

    run(talk())


def test_garbage_with_good_frames_in_between_is_borne(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, garbage_limit_bytes=100) as here:
            charger = await Charger.logged_in(here.gateway)
            for _ in range(10):
                await charger.send(b"\x00" * 60 + heartbeat())
                await charger.receive()
            assert here.gateway.status().connections == 1

    run(talk())


@pytest.mark.parametrize("seed", range(3))
def test_every_byte_of_a_garbled_stream_is_accounted_for(tmp_path: Path, seed: int) -> None:
    """P2: bytes in = bytes in records + bytes in quarantine, for any damage."""
    chance = random.Random(seed)
    trade_no = trade_no_of()
    frames = [heartbeat(), charging(trade_no, 500, 1), record(trade_no), heartbeat(order="be")]
    stream = bytearray(b"".join(chance.choices(frames, k=200)))
    for _ in range(60):
        at = chance.randrange(len(stream))
        match chance.randrange(3):
            case 0:
                stream[at] ^= 1 << chance.randrange(8)
            case 1:
                del stream[at : at + chance.randrange(1, 9)]
            case _:
                stream[at:at] = chance.randbytes(chance.randrange(1, 9))

    async def talk() -> None:
        async with running(tmp_path, garbage_limit_bytes=1 << 30, evidence_bytes_per_minute=1 << 30) as here:
            charger = await Charger.logged_in(here.gateway)
            at = 0
            while at < len(stream):
                step = chance.randrange(1, 400)
                await charger.send(bytes(stream[at : at + step]))
                at += step
            await charger.close()
            await here.until(lambda: here.gateway.status().connections == 0)
            content = await here.content()
            stored = sum(map(len, content.up)) + sum(len(data) for _, data in content.quarantine)
            assert stored == len(login()) + len(stream) == here.gateway.status().bytes_in
            assert here.gateway.status().evidence_dropped_bytes == 0

    run(talk())


def test_many_chargers_flooding_neither_starve_nor_lose(tmp_path: Path) -> None:
    """A turn budget far below the flood: connections take turns, timers and new connections still get theirs."""
    count, frames = 20, 3_000
    flood = b"".join(charging(trade_no_of(), 500, 1) for _ in range(frames))

    async def talk() -> None:
        async with running(tmp_path, turn_bytes=16_384, frames_before_login=1 << 30) as here:
            chargers = [await Charger.connect(here.gateway) for _ in range(count)]
            code = CODE

            async def pour(charger: Charger) -> None:
                await charger.send(flood + login(code))

            pouring = [asyncio.create_task(pour(charger)) for charger in chargers]
            late = await Charger.connect(here.gateway)
            await late.send(login("32010600019237"))
            assert [frame[5] for frame in await late.receive(2)] == [0x02, 0x56]
            await asyncio.gather(*pouring)
            expected = count * (len(flood) + len(login())) + len(login())
            await here.until(lambda: here.gateway.status().bytes_in == expected)

    run(talk())


MANY_QUESTIONS = 3_000  # of 27 bytes: more than one read takes, and far more than are handled at once


def test_a_read_full_of_questions_leaves_the_others_their_turn(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            asks = await Charger.logged_in(here.gateway)
            other = await Charger.logged_in(here.gateway, code=OTHER_CODE)
            await asks.send(tariff_check() * MANY_QUESTIONS)
            await here.until(lambda: here.gateway.status().frames > 100)
            await other.send(heartbeat(OTHER_CODE))
            await other.receive()
            # Whoever handles a read as a whole has answered a multiple of what a read holds by now.
            assert here.gateway.status().frames < MANY_QUESTIONS
            answers = await asks.receive(MANY_QUESTIONS)
            assert {frame[5] for frame in answers} == {0x06}

    run(talk())


def test_what_was_read_is_handled_although_the_charger_has_hung_up(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(tariff_check() * 1_000)
            charger.cut()
            await here.until(lambda: here.gateway.status().connections == 0)
            status = here.gateway.status()
            assert status.frames * len(tariff_check()) + len(login()) - len(tariff_check()) == status.bytes_in

    run(talk())


def test_a_charger_that_does_not_read_is_not_read_from(tmp_path: Path) -> None:
    """Its answers would pile up in memory; so the line is left full until it reads."""
    beats = 600_000

    async def talk() -> None:
        async with running(tmp_path) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", here.gateway.port, limit=1_024)
            writer.write(login())
            await reader.readexactly(12 + 4 + 18 + 4)  # 0x02 and 0x56
            sending = asyncio.create_task(send_all(writer, heartbeat(), beats))
            handled = -1
            while handled != here.gateway.status().heartbeats:
                handled = here.gateway.status().heartbeats
                await asyncio.sleep(0.3)
            assert 0 < handled < beats
            answers = await reader.readexactly(beats * len(heartbeat()))
            await sending
            assert answers == answers[:17] * beats
            assert here.gateway.status().heartbeats == beats
            writer.close()

    run(talk())


def test_a_charger_that_never_reads_is_hung_up_all_the_same(tmp_path: Path) -> None:
    """Its unread answers keep the transport from closing by itself, so the gateway cuts it off."""

    async def talk() -> None:
        async with running(tmp_path, idle_timeout_ms=300, drain_timeout_ms=200) as here:
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            deaf.connect(("127.0.0.1", here.gateway.port))
            deaf.setblocking(False)
            deaf.send(login())
            # Until the line is full in both directions: the gateway has stopped reading.
            refused = 0
            while refused < 5:
                try:
                    deaf.send(heartbeat() * 200)
                    refused = 0
                    await asyncio.sleep(0)
                except BlockingIOError:
                    refused += 1
                    await asyncio.sleep(0.05)
            await here.until(lambda: here.gateway.status().connections == 0)
            assert here.gateway.status().closed == {"silent": 1}
            assert here.gateway.status().logged_in == 0
            deaf.close()

    run(talk())


def test_a_disk_that_does_not_keep_up_makes_no_charger_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not read from meanwhile, so what they do not say is no fault of theirs."""

    async def talk() -> None:
        async with running(tmp_path, idle_timeout_ms=300, half_frame_ms=300) as here:
            charger = await Charger.logged_in(here.gateway)
            full = True
            monkeypatch.setattr(here.gateway.budget, "is_overloaded", lambda: full)
            await charger.send(heartbeat() + heartbeat()[:5])
            await charger.receive()
            await asyncio.sleep(2.5)  # two rounds of housekeeping
            await charger.send(heartbeat()[5:])
            full = False
            await charger.receive()
            assert here.gateway.status().closed == {}

    run(talk())


def test_a_line_that_is_being_closed_keeps_no_newcomer_waiting(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, drain_timeout_ms=20_000, probe_ms=60_000) as here:
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            deaf.connect(("127.0.0.1", here.gateway.port))
            deaf.setblocking(False)
            deaf.send(login())
            await here.until(lambda: here.gateway.status().logged_in == 1)
            (old,) = here.gateway.connections.values()
            old.write(bytes(8 << 20))  # more than the line takes: closing waits for it
            old.close("silent")
            newcomer = await Charger.logged_in(here.gateway)
            assert (here.gateway.status().probes, here.gateway.status().connections) == (0, 2)
            old.abort()
            await newcomer.send(heartbeat())
            await newcomer.receive()
            deaf.close()

    run(talk())


def lanes(spool: Spool) -> dict[int, list[bytes]]:
    """Payloads of the spool's records by lane."""
    found: dict[int, list[bytes]] = {LANE_FACTS: [], LANE_TELEMETRY: []}
    for segment in spool.segments():
        data = segment.path.read_bytes()
        records = scan_records(data, SEGMENT_HEADER_BYTES)
        for start, length in zip(records.payload_offset.tolist(), records.payload_length.tolist(), strict=True):
            found[segment.header.lane].append(data[start : start + length])
    return found


def test_strangers_write_nothing_into_the_lane_that_is_never_shed(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=directory) as here:
            for _ in range(3):
                stranger = await Charger.connect(here.gateway)
                await stranger.send(login("9" * 14))
                await stranger.hung_up()
            # One that names a charger of another protocol is no better known than one that names none.
            other = await Charger.connect(here.gateway)
            await other.send(login(AAF5_CODE))
            await other.hung_up()
            silent = await Charger.connect(here.gateway)
            await silent.send(record(trade_no_of()))
            await silent.close()
            await here.until(lambda: here.gateway.status().connections == 0)
            await here.group_commit.drain()
            stored = lanes(here.spool)
            assert stored[LANE_FACTS] == []
            events = [event.event for event in SpoolContent(here.spool.folder).of(ConnectionEvent)]
            assert sorted(events) == ["closed"] * 5 + ["login_refused"] * 4 + ["opened"] * 5
            charger = await Charger.logged_in(here.gateway)
            await charger.close()
            await here.until(lambda: here.gateway.status().connections == 0)
            await here.group_commit.drain()
            facts = [msgspec.msgpack.decode(data) for data in lanes(here.spool)[LANE_FACTS]]
            events = [fact["event"] for fact in facts if fact["type"] == "connection_events"]
            assert events == ["login", "closed"]

    directory = PileDirectory([make_pile(), make_pile(AAF5_CODE, 13, protocol="aaf5")])

    run(talk())


def test_a_login_repeated_on_its_connection_is_answered_and_writes_no_more_facts(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await here.group_commit.drain()
            facts = len(lanes(here.spool)[LANE_FACTS])
            await charger.send(login() * 50)
            assert [frame[5] for frame in await charger.receive(50)] == [0x02] * 50
            assert await charger.silent(0.05)
            await here.group_commit.drain()
            stored = lanes(here.spool)
            assert len(stored[LANE_FACTS]) == facts
            assert stored[LANE_TELEMETRY].count(login()) == 51
            assert here.gateway.commands.waiting == 1  # the clock was set once

    run(talk())


async def send_all(writer: asyncio.StreamWriter, frame: bytes, count: int) -> None:
    for _ in range(count // 1_000):
        writer.write(frame * 1_000)
        await writer.drain()


def test_too_many_connections_are_turned_away(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, max_connections=1) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            assert await second.hung_up() == b""
            await first.send(heartbeat())
            await first.receive()
            assert here.gateway.status().closed == {"too_many_connections": 1}

    run(talk())


def test_when_all_places_are_taken_the_oldest_without_a_login_makes_room(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, max_connections=4) as here:
            first = await Charger.logged_in(here.gateway)
            idle = [await Charger.connect(here.gateway) for _ in range(3)]
            await here.until(lambda: here.gateway.status().connections == 4)
            second = await Charger.logged_in(here.gateway, code=OTHER_CODE)
            assert await idle[0].hung_up() == b""
            for charger in (first, second):
                await charger.send(heartbeat(CODE if charger is first else OTHER_CODE))
                await charger.receive()
            assert await idle[1].silent(0.05)
            status = here.gateway.status()
            assert (status.closed, status.connections) == ({"too_many_connections": 1}, 4)
            assert status.alarms == status.incidents == {"too_many_connections": 1}
            (alarm,) = (await here.content()).of(Alarm)
            assert (alarm.kind, alarm.pile_id) == ("too_many_connections", 0)
            assert idle[0].peer in alarm.detail

    run(talk())


def test_one_address_has_so_many_places_without_a_login(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, unidentified_per_address=2, unidentified_grace_ms=0) as here:
            first = await Charger.logged_in(here.gateway)
            idle = [await Charger.connect(here.gateway) for _ in range(4)]
            assert [await charger.hung_up() for charger in idle[:2]] == [b"", b""]
            # A login that waits for a probe has said who it is, and waits in no place of theirs.
            newcomer = await Charger.connect(here.gateway)
            await newcomer.send(login())
            await first.receive()  # the probe
            assert await idle[2].hung_up() == b""
            more = [await Charger.connect(here.gateway) for _ in range(3)]
            await here.until(lambda: here.gateway.status().closed == {"too_many_unidentified": 5})
            assert await newcomer.silent(0.05)
            await first.send(heartbeat())
            assert (await first.receive())[0][5] == 0x04
            status = here.gateway.status()
            assert (status.incidents["too_many_unidentified"], status.alarms["too_many_unidentified"]) == (5, 1)
            assert len(here.gateway.slots) == 2
            for charger in (*idle, *more):
                await charger.close()
            await here.until(lambda: len(here.gateway.slots) == 0)

    run(talk())


def test_chargers_that_come_back_all_at_once_have_time_to_log_in(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, unidentified_per_address=2) as here:
            chargers = [await Charger.connect(here.gateway) for _ in range(10)]
            await here.until(lambda: here.gateway.status().connections == 10)
            await chargers[0].send(login())
            await chargers[0].receive(2)
            assert here.gateway.status().closed == {}

    run(talk())


def test_only_the_chargers_networks_get_in(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path / "a", charger_networks=("10.0.0.0/8", "::1")) as here:
            for _ in range(2):
                stranger = await Charger.connect(here.gateway)
                await stranger.send(login())
                assert await stranger.hung_up() == b""
            await here.until(lambda: here.gateway.status().connections == 0)
            status = here.gateway.status()
            assert status.closed == {"address_not_allowed": 2}
            assert (status.incidents, status.bytes_in) == ({"address_not_allowed": 2}, 0)
        async with running(tmp_path / "b", charger_networks=("10.0.0.0/8", "127.0.0.0/8")) as here:
            await (await Charger.logged_in(here.gateway)).close()

    run(talk())


def test_a_cut_line_leaves_its_half_frame_as_evidence(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(heartbeat() + record(trade_no_of())[:50])
            await charger.receive()
            await here.until(lambda: here.gateway.status().bytes_in == len(login()) + len(heartbeat()) + 50)
            charger.cut()
            await here.until(lambda: here.gateway.status().connections == 0)
            content = await here.content()
            assert [data for _, data in content.quarantine] == [record(trade_no_of())[:50]]
            assert reasons(content)[0] in ("lost", "peer")

    run(talk())


def test_stopping_tells_every_connection_s_end(tmp_path: Path) -> None:
    async def talk() -> SpoolContent:
        async with running(tmp_path) as here:
            chargers = [await Charger.logged_in(here.gateway), await Charger.connect(here.gateway)]
            await chargers[0].send(record(trade_no_of()))
            await here.until(lambda: here.gateway.status().bills_received == 1)
        # Stopped: the record's acknowledgement was still earned and sent.
        assert [frame[5] for frame in await chargers[0].receive()] == [0x40]
        return SpoolContent(here.spool.folder)

    content = run(talk())
    assert reasons(content) == ["shutdown", "shutdown"]


def test_the_time_without_a_gateway_is_an_outage(tmp_path: Path) -> None:
    beat = tmp_path / "beat.json"

    async def one_run() -> None:
        async with running(tmp_path, beat_path=beat):
            pass

    before = now_ms()
    run(one_run())
    between = now_ms()
    run(one_run())
    (outage,) = SpoolContent(tmp_path / "spool").of(PlatformOutage)
    assert before <= outage.from_ms <= between <= outage.to_ms <= now_ms()
    assert outage.cause == "stopped"
