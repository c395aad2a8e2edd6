"""Chargers over real sockets: what is stored, what is answered, when."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.directory import PileDirectory
from core.ykc.codec import encode_raw, raw_fields, wrap_body
from core.ykc.cp56 import ms_to_cp56
from ingest.disk import Disk
from ingest.events import ClockOffset, CommandOutcome, ConnectionEvent, ConnectorEvent, Presence, TariffAck
from ingest.reactions import Reason
from ingest.record_intake import STORED_COPIES
from tests.ingest.charger_frames import (
    CODE,
    OTHER_CODE,
    ZONE,
    charging,
    heartbeat,
    login,
    make_pile,
    realtime,
    record,
    sample_frames,
    trade_no_of,
)
from tests.ingest.running_gateway import Charger, now_ms, run, running

pytestmark = pytest.mark.server

TRADE_NO = trade_no_of()
# One of each kind that a charger sends in an ordinary day.
TALK = [
    heartbeat(),
    realtime(),
    charging(TRADE_NO, 100, 0),
    heartbeat(order="be"),
    charging(TRADE_NO, 1_000, 1),
    realtime(plugged=1),
    record(TRADE_NO),
]
ANSWERED = 3  # two heartbeats, one record


def test_a_whole_talk_is_stored_in_order_and_answered(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway, seq=b"\x09\x01")
            await charger.send(b"".join(TALK))
            replies = await charger.receive(ANSWERED)
            assert [(reply[5], reply[2:4]) for reply in replies] == [
                (0x04, b"\2\0"),
                (0x04, b"\2\0"),
                (0x40, b"\4\0"),
            ]
            assert raw_fields(0x40, replies[2][6:-2]) == {"trade_no": TRADE_NO, "result": 0}
            content = await here.content()
            # The spool has two lanes, so the order is kept among the telemetry and among the facts.
            telemetry = [frame for frame in content.up if frame[5] != 0x3B]
            assert telemetry == [login(seq=b"\x09\x01"), *TALK[:-1]]
            assert [frame for frame in content.up if frame[5] == 0x3B] == [TALK[-1]]
            assert sorted(frame[5] for frame in content.down) == [0x02, 0x40, 0x56]
            assert content.quarantine == []
            status = here.gateway.status()
            assert (status.frames, status.readings, status.heartbeats) == (8, 4, 2)
            assert (status.bills_received, status.bills_acked) == (1, 1)
            assert status.bytes_in == len(login()) + sum(map(len, TALK))

    run(talk())


def test_the_life_of_a_connector_is_told(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(b"".join(TALK))
            await charger.receive(ANSWERED)
            events = (await here.content()).of(ConnectorEvent)
            assert [(event.event, event.trade_no) for event in events] == [
                ("first_seen", ""),
                ("plugged", TRADE_NO),
                ("charging", TRADE_NO),
                ("stopped", TRADE_NO),
                ("billed", TRADE_NO),
            ]
            assert {(event.pile_id, event.connector) for event in events} == {(11, 1)}

    run(talk())


def test_a_reading_carries_the_live_energy_and_money(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(charging(TRADE_NO, 10_000, 10) + charging(TRADE_NO, 10_000, 10) + realtime())
            await here.until(lambda: here.gateway.status().readings == 3)
            headers = [header for header in (await here.content()).headers if header["frame_type"] == 0x13]
            assert [header["live_accepted_e4kwh"] for header in headers] == [10_000, 10_000, 0]
            # 1 kWh by the dearest and the cheapest class of the tariff: 0.80 to 1.60 yuan.
            assert all(80 <= header["live_amount_fen"] <= 160 for header in headers[:2])
            assert [header["connector"] for header in headers] == [1, 1, 1]

    run(talk())


def test_every_split_of_the_stream_gives_the_same_records(tmp_path: Path) -> None:
    """One connection; each round sends the talk in two parts, cut at another byte."""
    stream = b"".join(TALK)

    async def talk() -> None:
        async with running(tmp_path, evidence_bytes_per_minute=1 << 20) as here:
            charger = await Charger.logged_in(here.gateway)
            for cut in range(1, len(stream)):
                await charger.send(stream[:cut])
                await asyncio.sleep(0)
                await charger.send(stream[cut:])
            rounds = len(stream) - 1
            await here.until(lambda: here.gateway.status().frames == 1 + rounds * len(TALK))
            await charger.receive(rounds * ANSWERED)
            content = await here.content()
            # The one record of the talk is stored eight times; what is left out of it then is evidence.
            assert {reason for reason, _ in content.quarantine} == {Reason.REPEATED_RECORD}
            assert content.up.count(record(TRADE_NO)) == STORED_COPIES
            kept = content.up + [frame for _, frame in content.quarantine]
            for frame in set(TALK):
                assert kept.count(frame) == rounds * TALK.count(frame)

    run(talk())


def test_byte_by_byte(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            for frame in TALK:
                for byte in frame:
                    await charger.send(bytes([byte]))
                    await asyncio.sleep(0)
            await charger.receive(ANSWERED)
            content = await here.content()
            assert sorted(content.up) == sorted([login(), *TALK])

    run(talk())


def test_damage_between_good_frames_costs_only_itself(tmp_path: Path) -> None:
    bad_checksum = bytearray(heartbeat())
    bad_checksum[-1] ^= 0xFF
    bad_length = b"\x68\x03"
    encrypted = wrap_body(0x09, bytes.fromhex(CODE), encryption=1)
    garbage = b"\x00\xff\x11noise"
    good = [charging(TRADE_NO, n, 0, seq=n.to_bytes(2, "little")) for n in range(1, 6)]

    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            parts = [good[0], garbage, good[1], bytes(bad_checksum), good[2], bad_length, good[3], encrypted, good[4]]
            await charger.send(b"".join(parts))
            await here.until(lambda: here.gateway.status().readings == 5)
            content = await here.content()
            assert [frame for frame in content.up if frame[5] == 0x13] == good
            assert sum(len(data) for _, data in content.quarantine) == sum(
                map(len, (garbage, bad_checksum, bad_length, encrypted))
            )
            status = here.gateway.status()
            assert status.quarantined["garbage"] == len(garbage)
            assert status.quarantined["bad_length"] == len(bad_length)
            assert status.quarantined["encrypted"] == len(encrypted)
            assert status.quarantined["bad_checksum"] == len(bad_checksum)
            await charger.send(heartbeat())  # the connection lives on
            assert (await charger.receive())[0][5] == 0x04

    run(talk())


def test_every_good_sample_frame_is_stored_and_every_bad_one_counted(tmp_path: Path) -> None:
    samples = list(sample_frames())
    codes = {str(sample["fields"].get("pile_code", "")) for sample in samples} - {""}
    directory = PileDirectory([make_pile(code, 100 + n) for n, code in enumerate(sorted(codes))])

    async def talk() -> None:
        async with running(tmp_path, directory=directory, garbage_limit_bytes=1 << 20) as here:
            sent = 0
            for code in sorted(codes):
                charger = await Charger.logged_in(here.gateway, code=code)
                own = [s for s in samples if s["fields"].get("pile_code", code) == code]
                data = b"".join(bytes.fromhex(sample["hex"]) for sample in own)
                await charger.send(data + heartbeat(code))
                sent += len(data) + len(heartbeat(code)) + len(login(code))
                await charger.close()
            await here.until(lambda: here.gateway.status().connections == 0)
            content = await here.content()
            good = {bytes.fromhex(s["hex"]) for s in samples if s["checksum_ok"] and s["length_ok"]}
            assert len(good) == 13
            assert good <= set(content.up)
            bad = [bytes.fromhex(s["hex"]) for s in samples if not s["checksum_ok"]]
            assert not set(bad) & set(content.up)
            stored = sum(map(len, content.up)) + sum(len(data) for _, data in content.quarantine)
            assert stored == sent  # nothing received is lost
            assert here.gateway.status().bytes_in == sent

    run(talk())


class HeldDisk(Disk):
    """A disk whose syncs wait while it is held."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.free.set()
        self.synced = 0

    def sync(self, file: int) -> None:
        self.free.wait(10)
        super().sync(file)
        self.synced += 1


def test_a_record_is_acknowledged_only_after_the_sync(tmp_path: Path) -> None:
    disk = HeldDisk()

    async def talk() -> None:
        async with running(tmp_path, disk=disk) as here:
            charger = await Charger.logged_in(here.gateway)
            await here.content()
            disk.free.clear()
            await charger.send(record(TRADE_NO))
            assert await charger.silent(0.3)
            await charger.send(heartbeat())  # everything else goes on
            assert (await charger.receive())[0][5] == 0x04
            assert await charger.silent(0.1)
            assert here.gateway.status().bills_acked == 0
            disk.free.set()
            assert (await charger.receive())[0][5] == 0x40
            assert here.gateway.status().bills_acked == 1

    try:
        run(talk())
    finally:
        disk.free.set()


class BrokenDisk(Disk):
    """A disk whose sync fails once it is told to."""

    broken = False

    def sync(self, file: int) -> None:
        if self.broken:
            raise OSError("I/O error")
        super().sync(file)


def test_no_record_is_acknowledged_when_the_sync_fails(tmp_path: Path) -> None:
    disk = BrokenDisk()

    async def talk() -> None:
        async with running(tmp_path, disk=disk, drained=False, drain_timeout_ms=200) as here:
            charger = await Charger.logged_in(here.gateway)
            await here.content()
            disk.broken = True
            await charger.send(record(TRADE_NO) + heartbeat())
            assert [frame[5] for frame in await charger.receive()] == [0x04]
            assert await charger.silent(0.4)
            assert here.group_commit.failures > 0
            assert here.gateway.status().commit_failures > 0
            assert here.gateway.status().commit_error
            assert here.gateway.status().bills_acked == 0

    run(talk())


def test_an_unknown_charger_is_refused(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.connect(here.gateway)
            code = "11112222333344"
            await charger.send(login(code) + heartbeat(code))
            answer = await charger.hung_up()
            assert (answer[5], answer[-3]) == (0x02, 1)
            await here.until(lambda: here.gateway.status().connections == 0)
            content = await here.content()
            assert content.quarantine == [(Reason.REFUSED, login(code)), (Reason.REFUSED, heartbeat(code))]
            events = [(event.event, event.detail) for event in content.of(ConnectionEvent)]
            assert events == [("opened", ""), ("login_refused", "unknown_pile"), ("closed", "unknown_pile")]

    run(talk())


def test_frames_before_a_login_are_quarantined_and_not_answered(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.connect(here.gateway)
            await charger.send(heartbeat() + record(TRADE_NO) + realtime())
            assert await charger.silent(0.2)
            await charger.send(login())
            assert (await charger.receive())[0][5] == 0x02
            content = await here.content()
            assert sorted(content.quarantine) == sorted(
                (Reason.NOT_LOGGED_IN, frame) for frame in (heartbeat(), record(TRADE_NO), realtime())
            )

    run(talk())


def test_another_charger_s_frames_are_quarantined(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            foreign = [realtime(OTHER_CODE), heartbeat(OTHER_CODE), record(TRADE_NO, OTHER_CODE)]
            await charger.send(b"".join(foreign) + heartbeat())
            assert [frame[5] for frame in await charger.receive()] == [0x04]
            content = await here.content()
            assert sorted(content.quarantine) == sorted((Reason.FOREIGN_PILE, frame) for frame in foreign)

    run(talk())


def test_a_new_connection_of_a_charger_takes_over(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.logged_in(here.gateway)
            await first.hung_up()
            await second.send(heartbeat())
            assert (await second.receive())[0][5] == 0x04
            status = here.gateway.status()
            assert (status.logged_in, status.closed) == (1, {"replaced": 1})
            events = [(event.event, event.detail) for event in (await here.content()).of(ConnectionEvent)]
            assert ("closed", "replaced") in events
            assert "replaced" in [event for event, _ in events]

    run(talk())


def test_the_tariff_that_a_charger_takes_is_recorded(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(encode_raw("tariff_request", {"pile_code": CODE}))
            assert (await charger.receive())[0][5] == 0x0A
            assert (await here.content()).of(TariffAck) == []
            await charger.send(heartbeat())  # a frame of the compiled path
            await charger.receive()
            acks = (await here.content()).of(TariffAck)
            assert [(ack.model_no, ack.tariff_version_id, ack.source) for ack in acks] == [("0008", 8, "tariff_reply")]

    run(talk())


def test_the_clock_is_set_after_the_login_and_its_answer_kept(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            late = {"pile_code": CODE, "time": ms_to_cp56(now_ms() - 60_000, ZONE)}
            await charger.send(encode_raw("time_sync_reply", late))
            await here.until(lambda: here.gateway.status().frames == 2)
            content = await here.content()
            (offset,) = content.of(ClockOffset)
            assert -65_000 < offset.offset_ms < -55_000
            (outcome,) = content.of(CommandOutcome)
            assert (outcome.command, outcome.outcome) == ("time_sync", "ok")
            assert outcome.request[5] == 0x56 and outcome.reply[5] == 0x55

    run(talk())


def test_a_fresh_record_tells_of_the_clock(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            times: dict[str, Any] = {"trade_time": ms_to_cp56(now_ms() + 600_000, ZONE)}
            await charger.send(record(trade_no_of(number=2), **times))  # never seen to charge: backlog
            await charger.send(charging(TRADE_NO, 100, 0) + record(TRADE_NO, **times))
            await charger.receive(2)
            (offset,) = (await here.content()).of(ClockOffset)
            assert offset.source == "record" and 595_000 < offset.offset_ms < 605_000

    run(talk())


def test_presence_is_told_for_each_minute(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with running(tmp_path, clock=clock) as here:
            charger = await Charger.logged_in(here.gateway)
            start = clock.now
            await charger.send(heartbeat())
            await charger.receive()
            clock.now += 60_000
            await charger.send(heartbeat() + realtime())
            await charger.receive()
            await here.until(lambda: here.gateway.status().readings == 1)
            (first,) = (await here.content()).of(Presence)
            assert (first.first_ms, first.frames, first.heartbeats, first.pile_id) == (start, 2, 1, 11)
            assert first.bytes == len(login()) + len(heartbeat())
            clock.now += 60_000
            await here.until(lambda: here.group_commit.commits and here.spool.written)
            await asyncio.sleep(1.2)  # the minute ends without a frame
            second = (await here.content()).of(Presence)[1]
            assert (second.first_ms, second.frames, second.heartbeats) == (start + 60_000, 2, 1)

    run(talk())


class Clock:
    """Time that only the test moves."""

    def __init__(self) -> None:
        self.now = now_ms() // 60_000 * 60_000

    def __call__(self) -> int:
        return self.now


def test_the_status_file_shows_the_counters(tmp_path: Path) -> None:
    path = tmp_path / "gateway.json"

    async def talk() -> None:
        async with running(tmp_path, status_path=path, node="north") as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(record(TRADE_NO) + b"xx")
            await charger.receive()
            await here.until(lambda: path.exists() and status(path)["quarantined_bytes"] == 2)
            seen = status(path)
            assert (seen["node"], seen["connections"], seen["logged_in"]) == ("north", 1, 1)
            assert (seen["bills_acked"], seen["quarantined"]) == (1, {"garbage": 2})
            assert seen["port"] == here.gateway.port and seen["spool_bytes"] > 0

    run(talk())
    assert status(path)["connections"] == 0


def status(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return content
