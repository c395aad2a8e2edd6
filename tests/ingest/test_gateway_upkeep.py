"""Clocks and tariffs over real sockets: what is sent to a charger, and what becomes of its answer."""

from pathlib import Path
from typing import Any

import pytest

from core.directory import PileDirectory
from core.ykc.codec import encode_raw, raw_fields
from core.ykc.cp56 import ms_to_cp56
from ingest.events import Alarm, CommandOutcome, TariffAck
from ingest.gateway import Ports
from tests.ingest.aaf5_frames import aaf5_login, aaf5_pile
from tests.ingest.charger_frames import CODE, ZONE, charging, heartbeat, record, trade_no_of
from tests.ingest.running_gateway import Charger, now_ms, run, running

pytestmark = pytest.mark.server

TRADE_NO = trade_no_of()


def set_reply(result: int = 1) -> bytes:
    return encode_raw("tariff_set_reply", {"pile_code": CODE, "result": result})


async def next_of(charger: Charger, frame_type: int) -> bytes:
    while True:
        (frame,) = await charger.receive()
        if frame[5] == frame_type:
            return frame


def test_a_wrong_tariff_is_an_alarm_and_is_pushed_until_acknowledged(tmp_path: Path) -> None:
    async def talk() -> None:
        settings: dict[str, Any] = {"tariff_grace_ms": 100, "tariff_push_ms": 100}
        async with running(tmp_path, **settings) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(encode_raw("tariff_check", {"pile_code": CODE, "model_no": "0007"}))
            pushed = await next_of(charger, 0x58)
            assert raw_fields(0x58, pushed[6:-2])["model_no"] == "0008"
            assert here.gateway.status().tariff_differences == 1
            await charger.send(set_reply())
            await here.until(lambda: here.gateway.status().tariff_differences == 0)
            content = await here.content()
            assert [alarm.kind for alarm in content.of(Alarm)] == ["tariff_mismatch"]
            assert "model 0007" in content.of(Alarm)[0].detail
            acks = [(ack.tariff_version_id, ack.source) for ack in content.of(TariffAck)]
            assert acks == [(7, "tariff_check"), (8, "tariff_set_reply")]
            outcomes = [(outcome.command, outcome.outcome) for outcome in content.of(CommandOutcome)]
            assert ("tariff_set", "ok") in outcomes

    run(talk())


def test_a_charger_that_fetches_its_tariff_is_in_order(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, tariff_grace_ms=2_000) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(encode_raw("tariff_check", {"pile_code": CODE, "model_no": "0000"}))
            assert (await next_of(charger, 0x06))[-3] == 1
            await charger.send(encode_raw("tariff_request", {"pile_code": CODE}))
            await next_of(charger, 0x0A)
            await charger.send(heartbeat())
            await next_of(charger, 0x04)
            assert await charger.silent(3.5)
            assert here.gateway.status().alarms == {}

    run(talk())


def test_a_record_with_a_wrong_clock_is_an_alarm_and_sets_the_time(tmp_path: Path) -> None:
    passed_ms = 0

    def clock() -> int:
        return now_ms() + passed_ms

    async def talk() -> None:
        nonlocal passed_ms
        async with running(tmp_path, clock=clock, idle_timeout_ms=10**9, tariff_grace_ms=10**9) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(encode_raw("time_sync_reply", {"pile_code": CODE, "time": ms_to_cp56(now_ms(), ZONE)}))
            await here.until(lambda: here.gateway.status().frames == 2)
            passed_ms = 400_000  # the time was last set longer ago than it is tried again
            late = ms_to_cp56(now_ms() - 3_600_000, ZONE)
            await charger.send(charging(TRADE_NO, 100, 1) + record(TRADE_NO, trade_time=late))
            await next_of(charger, 0x56)
            content = await here.content()
            (alarm,) = content.of(Alarm)
            assert (alarm.kind, alarm.pile_id) == ("clock_off", 11)
            assert alarm.detail[:4] == "-400"
            assert alarm.detail.endswith(" s, by its record")

    run(talk())


def test_an_aaf5_charger_s_clock_is_looked_at_in_its_login(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, directory=PileDirectory([aaf5_pile()]), ports=Ports(aaf5=0)) as here:
            charger = await Charger.connect(here.gateway, "aaf5", "aaf5")
            await charger.send(aaf5_login(clock_ms=now_ms() + 600_000))
            commands = {int.from_bytes(frame[6:8], "little") for frame in await charger.receive(2)}
            assert commands == {105, 3}
            (alarm,) = (await here.content()).of(Alarm)
            assert alarm.kind == "clock_off"
            assert 590 < int(alarm.detail.partition(" ")[0]) <= 600

    run(talk())
