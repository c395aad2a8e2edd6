"""Whose answer settles which order, over real sockets: late answers, and guns with connections of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.aaf5.codec import raw_fields as aaf5_fields
from core.directory import PileDirectory
from ingest.control import ControlClient
from ingest.events import CommandOutcome, TariffAck
from ingest.gateway import Ports
from tests.ingest.aaf5_frames import AAF5_CODE, aaf5_login, aaf5_pile
from tests.ingest.charger_frames import CODE, NOW_MS
from tests.ingest.order_talk import PILES, said_yes
from tests.ingest.running_gateway import Charger, Running, run, running
from tests.ingest.test_order_sockets import Clock, connected

pytestmark = pytest.mark.server

STILL: dict[str, Any] = {"idle_timeout_ms": 10**9, "time_sync_interval_ms": 10**15}
NO_ECHO = b"\x00\x7c"
PILE = aaf5_pile(gun_letters=True)


async def tariff_ordered(charger: Charger, client: ControlClient, model_no: str) -> tuple[asyncio.Task[Any], bytes]:
    order = asyncio.create_task(client.order("tariff_set", CODE, model_no=model_no))
    (request,) = await charger.receive()
    assert request[5] == 0x58
    return order, request


async def unanswered(charger: Charger, client: ControlClient, clock: Clock, model_no: str) -> bytes:
    """Order a tariff that the charger does not answer; gives the last frame."""
    order, _ = await tariff_ordered(charger, client, model_no)
    clock.now += 10_000
    (again,) = await charger.receive()
    clock.now += 10_000
    assert (await order)["error"] == "timeout"
    return again


@pytest.mark.parametrize("turn", [1, -1], ids=["as sent", "swapped"])
def test_a_late_yes_to_an_older_tariff_makes_no_newer_one_held(tmp_path: Path, turn: int) -> None:
    clock = Clock()

    def seq(request: bytes) -> bytes:
        return request[2:4][::turn]

    async def talk() -> None:
        async with connected(tmp_path, clock=clock, idle_timeout_ms=10**9) as (here, charger, client):
            late = await unanswered(charger, client, clock, "0007")
            order, request = await tariff_ordered(charger, client, "0008")
            pile = PILES["ykc"]
            await charger.send(said_yes(late, pile, seq=seq(late)))
            await charger.send(said_yes(request, pile, seq=seq(request), result=0))
            result = await order
            assert (result["ok"], result["error"], result["detail"]) == (False, "refused", "failed")
            content = await here.content()
            assert [ack.model_no for ack in content.of(TariffAck) if ack.source == "tariff_set_reply"] == ["0007"]
            said = [item.outcome for item in content.of(CommandOutcome) if item.command == "tariff_set"]
            assert said == ["timeout", "ok", "refused"]
            assert here.gateway.registry.state_of(pile).held_tariff_id == 7

    run(talk())


def test_an_answer_that_may_be_about_two_tariffs_makes_none_held(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with connected(tmp_path, clock=clock, idle_timeout_ms=10**9) as (here, charger, client):
            late = await unanswered(charger, client, clock, "0007")
            order, _ = await tariff_ordered(charger, client, "0008")
            await charger.send(said_yes(late, PILES["ykc"], seq=NO_ECHO))
            result = await order
            assert (result["ok"], result["error"]) == (False, "ambiguous")
            content = await here.content()
            assert content.of(TariffAck) == []
            assert content.of(CommandOutcome)[-1].outcome == "ambiguous"

    run(talk())


def test_a_charger_that_does_not_echo_is_understood(tmp_path: Path) -> None:
    async def talk() -> None:
        async with connected(tmp_path) as (_, charger, client):
            order, request = await tariff_ordered(charger, client, "0008")
            await charger.send(said_yes(request, PILES["ykc"], seq=NO_ECHO))
            assert (await order) == {"ok": True}

    run(talk())


# Guns with connections of their own


@asynccontextmanager
async def two_guns(
    tmp_path: Path, clock_off_ms: int = 0, **settings: Any
) -> AsyncIterator[tuple[Running, list[Charger], ControlClient]]:
    path = tmp_path / "gateway.sock"
    options: dict[str, Any] = {"directory": PileDirectory([PILE]), "control_path": path, "ports": Ports(aaf5=0)}
    async with running(tmp_path, **options, **settings) as here:
        guns = [await gun(here, letter, clock_off_ms) for letter in "AB"]
        async with ControlClient(path) as client:
            yield here, guns, client


async def gun(here: Running, letter: str, clock_off_ms: int = 0) -> Charger:
    charger = await Charger.connect(here.gateway, "aaf5", "aaf5")
    await charger.send(aaf5_login(AAF5_CODE + letter, clock_ms=here.gateway.clock() - clock_off_ms))
    (ack,) = await charger.receive()
    assert ack[6] == 105
    return charger


def yes(request: bytes, letter: str, seq: bytes | None = None, **changes: Any) -> bytes:
    return said_yes(request, PILE, seq=request[5:6] if seq is None else seq, pile_code=AAF5_CODE + letter, **changes)


@pytest.mark.parametrize(("name", "fields"), [("int_params", {"addr": 21, "values": [15]}), ("reboot", {})])
@pytest.mark.parametrize("echo", [True, False])
def test_one_gun_answers_no_order_that_went_to_the_other(
    tmp_path: Path, name: str, fields: dict[str, Any], echo: bool
) -> None:
    async def talk() -> None:
        async with two_guns(tmp_path) as (here, (first, second), client):
            order = asyncio.create_task(client.order(name, AAF5_CODE, **fields))
            (request,) = await first.receive()
            await second.send(yes(request, "B", None if echo else b"\x41"))
            await here.until(lambda: here.gateway.status().frames == 3)
            assert not order.done()
            await first.send(yes(request, "A", None if echo else b"\x41"))
            assert (await order)["ok"]
            said = [(bool(item.request), item.detail) for item in (await here.content()).of(CommandOutcome)]
            assert said == [(False, "order went over another connection"), (True, "")]

    run(talk())


def test_a_gun_that_has_come_back_may_answer_what_it_was_asked_before(tmp_path: Path) -> None:
    async def talk() -> None:
        async with two_guns(tmp_path) as (here, (first, _), client):
            order = asyncio.create_task(client.order("reboot", AAF5_CODE))
            (request,) = await first.receive()
            first.cut()
            assert (await order)["error"] == "connection_lost"
            again = await gun(here, "A")
            await again.send(yes(request, "A"))
            await here.until(lambda: here.gateway.status().frames == 4)
            said = [item.outcome for item in (await here.content()).of(CommandOutcome)]
            assert said == ["connection_lost", "ok"]

    run(talk())


def test_the_second_attempt_goes_to_the_gun_that_was_asked_first(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with two_guns(tmp_path, clock=clock, **STILL) as (here, (first, second), client):
            first.cut()
            await here.until(lambda: here.gateway.status().connections == 1)
            order = asyncio.create_task(client.order("int_params", AAF5_CODE, addr=21, values=[15]))
            (request,) = await second.receive()
            back = await gun(here, "A")
            clock.now += 10_000
            (repeated,) = await second.receive()
            assert repeated[8:-1] == request[8:-1]
            await second.send(yes(repeated, "B"))
            assert (await order)["ok"]
            assert await back.silent(0.05)

    run(talk())


def test_the_clocks_of_both_guns_are_set_and_set_again(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with two_guns(tmp_path, 3_600_000, clock=clock, **STILL) as (here, guns, _):
            first = [(await each.receive())[0] for each in guns]
            clock.now += 10_000
            second = [(await each.receive())[0] for each in guns]
            for request in (*first, *second):
                assert aaf5_fields(3, request[8:-1])["addr"] == 2
            for each, request, letter in zip(guns, second, "AB", strict=True):
                await each.send(yes(request, letter))
            await here.until(lambda: here.gateway.commands.waiting == 0)
            content = await here.content()
            said = [(item.connector, item.outcome, item.attempts) for item in content.of(CommandOutcome)]
            assert said == [(1, "ok", 2), (2, "ok", 2)]
            here.gateway.commands.start_time_sync(PILE)
            for each in guns:
                (request,) = await each.receive()
                assert aaf5_fields(3, request[8:-1])["addr"] == 2
        assert clock.now == NOW_MS + 10_000

    run(talk())
