"""A stranger who knows one id cannot fill the lane that is never shed, nor take room from the bills of others."""

import asyncio
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from core.ykc.codec import encode_raw, wrap_body
from core.ykc.cp56 import ms_to_cp56
from ingest.events import Alarm, ClockOffset, CommandOutcome, ConnectorEvent, SessionStart, TariffAck
from ingest.facts_guard import FactLimits
from ingest.reactions import Reason
from ingest.record_buffer import EVENT, FLAG_SHEDDABLE, LANE_FACTS
from ingest.record_intake import STORED_COPIES
from tests.ingest.charger_frames import CODE, OTHER_CODE, ZONE, charging, heartbeat, record, trade_no_of
from tests.ingest.running_gateway import Charger, Running, now_ms, run, running

SMALL_SPOOL = 8 << 20
HUNDREDTHS = 100


def start_reply(number: int, result: int = 1) -> bytes:
    fields = {"trade_no": trade_no_of(number=number % 10_000), "pile_code": CODE, "gun_no": "01", "result": result}
    return encode_raw("remote_start_reply", {**fields, "fail_reason": 0})


@cache
def tariff_check(model_no: str) -> bytes:
    return encode_raw("tariff_check", {"pile_code": CODE, "model_no": model_no})


def clock(offset_ms: int) -> bytes:
    return encode_raw("time_sync_reply", {"pile_code": CODE, "time": ms_to_cp56(now_ms() + offset_ms, ZONE)})


@cache
def clock_of_a_flood(offset_ms: int) -> bytes:
    """Encoded once: what a flood costs its sender is no part of what is tested."""
    return clock(offset_ms)


def start_request(number: int) -> bytes:
    fields = {"pile_code": CODE, "gun_no": "01", "start_mode": 1, "need_password": 0, "password": "00" * 16, "vin": ""}
    card = f"{number:016d}"
    return encode_raw("start_request", {**fields, "card_or_account": card}, seq=(number & 0xFFFF).to_bytes(2, "little"))


def record_ack_up(number: int) -> bytes:
    return encode_raw("record_ack", {"trade_no": f"{number:032d}", "result": 0})


FLOODS: dict[str, Callable[[int], bytes]] = {
    "start replies": start_reply,
    "tariffs": lambda number: tariff_check("0007" if number % 2 else "0008"),
    "clocks": lambda number: clock_of_a_flood(5_000 * (number % HUNDREDTHS)),
    "start requests": start_request,
    "one record": lambda number: record(trade_no_of()),
    "records": lambda number: record(trade_no_of(number=number % 10_000), energy=number),
    "record acks": record_ack_up,
    "short records": lambda number: wrap_body(0x3B, number.to_bytes(4, "big")),
}


async def pour(charger: Charger, frame_of: Callable[[int], bytes], total_bytes: int) -> None:
    """Send so much and read what comes back, so that nothing waits for the charger."""

    async def listen() -> None:
        while True:
            await charger.silent(1)

    listening = asyncio.create_task(listen())
    try:
        size = number = 0
        while size < total_bytes:
            chunk = b"".join(frame_of(number + i) for i in range(200))
            number += 200
            size += len(chunk)
            await charger.send(chunk)
    finally:
        listening.cancel()


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_leaves_room_for_the_bills_of_others(flood: str, tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, spool_bytes=SMALL_SPOOL, drained=False) as here:
            stranger = await Charger.logged_in(here.gateway)
            honest = await Charger.logged_in(here.gateway, code=OTHER_CODE)
            await pour(stranger, FLOODS[flood], 3 << 20)
            await honest.send(record(trade_no_of(OTHER_CODE), OTHER_CODE))
            (ack,) = await honest.receive(1)
            assert (ack[5], ack[6:22].hex()) == (0x40, trade_no_of(OTHER_CODE))
            await here.until(lambda: here.spool.buffer.pending == 0)
            segment = SMALL_SPOOL // 8
            assert here.spool.bytes_on_disk() <= SMALL_SPOOL + segment
            facts = sum(item.size for item in here.spool.segments() if item.header.lane == LANE_FACTS)
            assert facts <= SMALL_SPOOL // 16

    run(talk())


def test_a_flood_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk() -> None:
        limits = FactLimits(facts_burst_bytes=20_000, facts_per_minute_bytes=0)
        async with running(tmp_path, fact_limits=limits) as here:
            stranger = await Charger.logged_in(here.gateway)
            await pour(stranger, start_reply, 100_000)
            await here.until(lambda: here.gateway.status().facts_shed > 1_000)
            content = await here.content()
            outcomes = [header for header in content.headers if header["kind"] == EVENT]
            kept = [header for header in outcomes if not header["flags"] & FLAG_SHEDDABLE]
            assert 0 < len(kept) < 200
            (alarm,) = content.of(Alarm)
            assert (alarm.kind, alarm.pile_id) == ("facts_flood", 11)
            assert here.gateway.status().alarms == {"facts_flood": 1}
            # a bill of the same charger is none of what is given up
            await stranger.send(record(trade_no_of()))
            await here.until(lambda: here.gateway.status().bills_acked == 1)

    run(talk())
    assert sum("facts_flood" in line.message for line in caplog.records) == 1


async def told(here: Running, charger: Charger, kind: type, frames: list[bytes]) -> list[Any]:
    await charger.send(b"".join(frames) + heartbeat())
    await here.until(lambda: here.gateway.status().heartbeats > 0)
    return (await here.content()).of(kind)


def test_what_is_known_is_told_once(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            frames = [tariff_check("0007")] * 5 + [tariff_check("0008")] * 3 + [tariff_check("0007")]
            acks = await told(here, charger, TariffAck, frames)
            assert [ack.model_no for ack in acks] == ["0007", "0008", "0007"]

    run(talk())


def test_a_clock_that_stays_is_told_once(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            offsets = await told(here, charger, ClockOffset, [clock(0)] * 20 + [clock(10_000)] * 20)
            assert len(offsets) == 2
            assert offsets[1].offset_ms - offsets[0].offset_ms > 9_000

    run(talk())


def test_an_answer_that_nobody_asked_for_proves_no_start(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            outcomes = await told(here, charger, CommandOutcome, [start_reply(1)] * 50 + [start_reply(2)])
            assert [(one.trade_no[-1], one.outcome, one.detail) for one in outcomes] == [
                ("1", "unasked", "order not seen"),
                ("2", "unasked", "order not seen"),
            ]
            content = await here.content()
            assert [(start.granted, start.reason) for start in content.of(SessionStart)] == [(0, "order not seen")] * 2
            assert [event.event for event in content.of(ConnectorEvent)] == []

    run(talk())


def test_a_record_that_is_repeated_without_end_is_answered_and_not_stored(tmp_path: Path) -> None:
    repeats = 50

    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            # The sequence number is not what is repeated.
            await charger.send(b"".join(record(trade_no_of(), seq=bytes([n, 0])) for n in range(repeats)))
            acks = await charger.receive(repeats)
            assert [(ack[5], ack[2]) for ack in acks] == [(0x40, n) for n in range(repeats)]
            await charger.send(record(trade_no_of(), energy=20_000))
            await charger.receive(1)
            content = await here.content()
            assert [frame[5] for frame in content.up].count(0x3B) == STORED_COPIES + 1
            assert [frame[5] for frame in content.down].count(0x40) == STORED_COPIES + 1
            assert [reason for reason, _ in content.quarantine] == [Reason.REPEATED_RECORD] * (repeats - STORED_COPIES)
            status = here.gateway.status()
            assert (status.bills_received, status.bills_acked) == (repeats + 1, repeats + 1)
            assert status.records_repeated == repeats - STORED_COPIES

    run(talk())


def test_records_beyond_all_measure_are_put_off_without_an_answer(tmp_path: Path) -> None:
    async def talk() -> None:
        limits = FactLimits(records_burst_bytes=10_000, records_per_minute_bytes=0)
        async with running(tmp_path, fact_limits=limits) as here:
            charger = await Charger.logged_in(here.gateway)
            first = record(trade_no_of(number=0))
            await charger.send(b"".join(record(trade_no_of(number=number)) for number in range(100)) + first)
            await here.until(lambda: here.gateway.status().frames == 102)
            content = await here.content()
            stored = [frame for frame in content.up if frame[5] == 0x3B]
            assert 20 < len(stored) < 50
            acked = [ack[6:22] for ack in await charger.receive(len(stored) + 1)]
            assert acked == [frame[6:22] for frame in stored] + [first[6:22]]
            assert await charger.silent(0.3)
            assert here.gateway.status().records_put_off == 100 - len(stored)
            assert len(content.of(Alarm)) == 1

    run(talk())


def test_a_hundred_records_after_a_login_are_facts_all(tmp_path: Path) -> None:
    def backlog() -> Iterator[bytes]:
        for number in range(100):
            yield record(trade_no_of(number=number))
            yield record(trade_no_of(number=number), seq=b"\x09\0")

    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(b"".join([*backlog(), charging(trade_no_of(), 1_000, 1)]))
            await charger.receive(200)
            content = await here.content()
            assert [frame[5] for frame in content.up].count(0x3B) == 200
            assert not any(header["flags"] & FLAG_SHEDDABLE for header in content.headers if header["pile_id"] == 11)
            status = here.gateway.status()
            assert (status.facts_shed, status.records_put_off, content.of(Alarm)) == (0, 0, [])

    run(talk())
