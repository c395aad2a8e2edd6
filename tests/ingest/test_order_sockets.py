"""Orders to chargers over real sockets: batches, repeats, several connectors, busy and lost chargers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from core.aaf5.codec import raw_fields as aaf5_fields
from core.directory import PileDirectory
from core.ykc.codec import encode_raw, raw_fields
from ingest.control import ControlClient
from ingest.events import CommandOutcome, SessionStart, TariffAck
from ingest.gateway import Ports
from ingest.ykc_protocol import YKC
from tests.ingest.aaf5_frames import AAF5_CODE, aaf5_login, aaf5_pile, up
from tests.ingest.charger_frames import CODE, NOW_MS, charging, make_pile, realtime, trade_no_of
from tests.ingest.order_talk import PILES, said_yes
from tests.ingest.running_gateway import Charger, Running, run, running

pytestmark = pytest.mark.server


class Clock:
    """Stands still until it is moved, so that timeouts come when the test wants them."""

    now = NOW_MS

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def connected(tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[Running, Charger, ControlClient]]:
    path = tmp_path / "gateway.sock"
    async with running(tmp_path, control_path=path, **settings) as here:
        charger = await Charger.logged_in(here.gateway)
        await charger.send(encode_raw("time_sync_reply", {"pile_code": CODE, "time": bytes(7)}))
        await here.until(lambda: here.gateway.commands.waiting == 0)
        async with ControlClient(path) as client:
            yield here, charger, client


async def answered(charger: Charger, **changes: Any) -> bytes:
    """Take the next order, say yes; gives the order."""
    (request,) = await charger.receive()
    await charger.send(said_yes(request, PILES["ykc"], **changes))
    return request


async def outcomes(here: Running, command: str) -> list[CommandOutcome]:
    return [item for item in (await here.content()).of(CommandOutcome) if item.command == command]


def test_cards_are_asked_about_batch_by_batch(tmp_path: Path) -> None:
    cards = [f"{number:016X}" for number in range(1, 31)]

    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            order = asyncio.create_task(client.order("card_query", CODE, cards=cards))
            first = await answered(charger)
            second = await answered(charger)
            result = await order
            assert result["ok"]
            assert [card["physical_card"] for card in result["values"]["cards"]] == cards
            assert (result["values"]["frames"], result["values"]["frames_done"]) == (2, 2)
            assert [item.request for item in await outcomes(here, "card_query")] == [first, second]

    run(talk())


def test_a_batch_that_is_refused_ends_the_order_and_says_how_far_it_came(tmp_path: Path) -> None:
    cards = [{"physical_card": f"{number:X}", "logical_card": str(number)} for number in range(1, 31)]

    async def talk() -> None:
        async with connected(tmp_path) as (_, charger, client):
            order = asyncio.create_task(client.order("card_sync", CODE, cards=cards))
            await answered(charger)
            await answered(charger, result=0, fail_reason=2)
            result = await order
            assert (result["ok"], result["error"], result["detail"]) == (False, "refused", "storage_full")
            assert result["values"] == {"frames": 3, "frames_done": 1}
            assert await charger.silent(0.05)

    run(talk())


def test_an_order_without_an_answer_is_sent_once_more_with_the_same_content(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with connected(tmp_path, clock=clock, idle_timeout_ms=10**9) as (here, charger, client):
            order = asyncio.create_task(client.order("work_params", CODE, max_power_pct=80))
            (first,) = await charger.receive()
            clock.now += 10_000
            second = await answered(charger)
            assert second[6:-2] == first[6:-2] and second[2:4] != first[2:4]
            assert await order == {"ok": True}
            (outcome,) = await outcomes(here, "work_params")
            assert (outcome.attempts, outcome.request, outcome.sent_ms) == (2, second, NOW_MS)

    run(talk())


def test_a_start_is_never_sent_twice(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with connected(tmp_path, clock=clock, idle_timeout_ms=10**9) as (here, charger, client):
            order = asyncio.create_task(client.remote_start(CODE, 1, card="573", balance_fen=5_000))
            await charger.receive()
            clock.now += 10_000
            assert (await order)["error"] == "timeout"
            assert await charger.silent(0.05)
            starts = (await here.content()).of(SessionStart)
            assert [(start.granted, start.reason, start.account) for start in starts] == [(0, "timeout", "573")]

    run(talk())


def test_a_stop_is_repeated_only_while_the_same_charge_runs(tmp_path: Path) -> None:
    clock = Clock()
    session, other = trade_no_of(number=1), trade_no_of(number=2)

    async def talk() -> None:
        async with connected(tmp_path, clock=clock, idle_timeout_ms=10**9) as (here, charger, client):
            await charger.send(charging(session, 1_000, 1))
            await here.until(lambda: here.gateway.status().readings == 1)
            order = asyncio.create_task(client.remote_stop(CODE, 1))
            await charger.receive()
            clock.now += 10_000
            await charger.receive()  # the charge goes on: once more
            clock.now += 10_000
            assert (await order)["error"] == "timeout"
            order = asyncio.create_task(client.remote_stop(CODE, 1))
            await charger.receive()
            await charger.send(charging(other, 100, 1))
            await here.until(lambda: here.gateway.status().readings == 2)
            clock.now += 10_000
            assert (await order)["error"] == "timeout"
            assert await charger.silent(0.05)  # it is another one's charge now
            assert [item.attempts for item in await outcomes(here, "remote_stop")] == [2, 1]

    run(talk())


def test_what_needs_an_idle_charger_is_busy_while_it_charges(tmp_path: Path) -> None:
    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            await charger.send(charging(trade_no_of(), 1_000, 1))
            await here.until(lambda: here.gateway.status().readings == 1)
            for name, fields in (
                ("tariff_set", {}),
                ("reboot", {"when": "now"}),
                ("update", {"when": "now", "host": "h", "path": "p"}),
                ("parallel_start", {"connectors": [2, 1], "balance_fen": 5_000}),
            ):
                result = await client.order(name, CODE, **fields)
                assert (result["error"], result["detail"]) == ("busy", "connector 1 is charging"), name
            assert (await client.remote_start(CODE, 1, balance_fen=5_000))["error"] == "busy"
            assert await charger.silent(0.05)
            order = asyncio.create_task(client.order("reboot", CODE, when="now", force=True))
            await answered(charger)
            assert (await order)["ok"]

    run(talk())


def test_two_guns_are_started_together_and_the_one_that_refuses_is_named(tmp_path: Path) -> None:
    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            order = asyncio.create_task(client.order("parallel_start", CODE, connectors=[1, 2], balance_fen=5_000))
            first, second = await charger.receive(2)  # both before any answer
            await charger.send(said_yes(second, PILES["ykc"], result=0, fail_reason=5))
            await charger.send(said_yes(first, PILES["ykc"]))
            result = await order
            assert (result["ok"], result["error"], result["detail"]) == (False, "refused", "connector 2: not_plugged")
            each = result["values"]["connectors"]
            assert each["1"] == {"trade_no": raw_fields(0xA4, first[6:-2])["trade_no"], "outcome": "ok"}
            assert each["2"]["detail"] == "not_plugged"
            starts = (await here.content()).of(SessionStart)
            assert {(start.connector, start.granted) for start in starts} == {(1, 1), (2, 0)}

    run(talk())


@pytest.mark.parametrize(("version", "error"), [(15, "unsupported"), (16, ""), (0, "")])
def test_an_order_that_the_charger_s_version_does_not_have_is_not_sent(
    tmp_path: Path, version: int, error: str
) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here, ControlClient(path) as client:
            charger = await Charger.logged_in(here.gateway, protocol_version=version)
            order = asyncio.create_task(client.order("parallel_start", CODE, connectors=[1, 2], balance_fen=5_000))
            if not error:
                for request in await charger.receive(2):
                    await charger.send(said_yes(request, PILES["ykc"]))
            result = await order
            assert result.get("error", "") == error
            if error:
                assert result["detail"] == f"charger {CODE} speaks version 1.5; parallel_start came with 1.6"
                assert await charger.silent(0.05)

    run(talk())


def test_an_accepted_tariff_counts_as_held(tmp_path: Path) -> None:
    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            order = asyncio.create_task(client.order("tariff_set", CODE))
            await answered(charger)
            assert (await order)["ok"]
            acks = (await here.content()).of(TariffAck)
            assert [(ack.model_no, ack.source) for ack in acks] == [("0008", "tariff_set_reply")]
            assert here.gateway.registry.state_of(make_pile()).held_tariff_id == 8

    run(talk())


def test_the_password_of_the_firmware_s_server_goes_to_the_charger_only(tmp_path: Path) -> None:
    secret = "s3cr3t-of-ftp"

    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            fields: dict[str, Any] = {"host": "10.0.0.9", "path": "fw.bin", "user": "pile", "password": secret}
            order = asyncio.create_task(client.order("update", CODE, **fields))
            (request,) = await charger.receive()
            assert raw_fields(0x94, request[6:-2])["password"] == secret
            await charger.send(said_yes(request, PILES["ykc"]))
            assert await order == {"ok": True}
            content = await here.content()
            (kept,) = [frame for frame in content.down if frame[5] == 0x94]
            assert raw_fields(0x94, kept[6:-2]) == raw_fields(0x94, request[6:-2]) | {"password": ""}
            assert YKC.whole_frame_kind(kept) == YKC.whole_frame_kind(request)
            (outcome,) = await outcomes(here, "update")
            assert (outcome.outcome, outcome.detail, outcome.request) == ("ok", "password not kept", kept)
        spooled = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*") if path.is_file())
        assert b"10.0.0.9" in spooled and secret.encode() not in spooled

    run(talk())


def test_a_reading_answers_the_question_for_one(tmp_path: Path) -> None:
    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            order = asyncio.create_task(client.order("read_realtime", CODE, 1))
            (request,) = await charger.receive()
            assert (request[5], raw_fields(0x12, request[6:-2])["gun_no"]) == (0x12, "01")
            await charger.send(realtime(gun_no="02"))  # another connector's is no answer
            assert not order.done()
            await charger.send(charging(trade_no_of(), 12_345, 3))
            result = await order
            assert result["ok"]
            assert (result["values"]["state"], result["values"]["trade_no"]) == (3, trade_no_of())
            (outcome,) = await outcomes(here, "read_realtime")
            assert (outcome.outcome, outcome.connector) == ("ok", 1)

    run(talk())


def test_orders_end_with_the_connection(tmp_path: Path) -> None:
    async def talk() -> None:
        async with connected(tmp_path) as (here, charger, client):
            order = asyncio.create_task(client.order("balance_update", CODE, 1, balance_fen=100))
            await charger.receive()
            charger.cut()
            assert (await order)["error"] == "connection_lost"
            assert (await client.order("balance_update", CODE, 1, balance_fen=100))["error"] == "offline"
            assert here.gateway.commands.waiting == 0

    run(talk())


# AAF5


@asynccontextmanager
async def aaf5_connected(
    tmp_path: Path, pile: Any = None, code: str = AAF5_CODE, **settings: Any
) -> AsyncIterator[tuple[Running, Charger, ControlClient]]:
    path = tmp_path / "gateway.sock"
    directory = PileDirectory([pile or aaf5_pile()])
    ports = Ports(aaf5=0)
    async with running(tmp_path, directory=directory, control_path=path, ports=ports, **settings) as here:
        charger = await aaf5_charger(here, code)
        async with ControlClient(path) as client:
            yield here, charger, client


async def aaf5_charger(here: Running, code: str) -> Charger:
    charger = await Charger.connect(here.gateway, "aaf5", "aaf5")
    await charger.send(aaf5_login(code, clock_ms=here.gateway.clock()))
    (ack,) = await charger.receive()
    assert ack[6] == 105
    return charger


def test_an_aaf5_start_may_be_answered_late(tmp_path: Path) -> None:
    clock = Clock()

    async def talk() -> None:
        async with aaf5_connected(tmp_path, clock=clock, idle_timeout_ms=10**9) as (here, charger, client):
            order = asyncio.create_task(client.order("start", AAF5_CODE, 2, card="0012345678", balance_fen=5_000))
            (request,) = await charger.receive()
            fields = aaf5_fields(7, request[8:-1])
            assert (fields["gun_no"], fields["strategy"], fields["strategy_param"]) == (2, 2, 5_000)
            clock.now += 119_000
            await asyncio.sleep(1.1)  # a round of the gateway's housekeeping passes
            await charger.send(up("start_reply", gun_no=2, result=0))  # the short form, without a serial
            assert await order == {"ok": True, "trade_no": fields["serial"]}
            (start,) = (await here.content()).of(SessionStart)
            assert (start.method, start.account, start.granted) == ("app", "12345678", 1)

    run(talk())


def test_an_aaf5_refusal_has_its_word(tmp_path: Path) -> None:
    async def talk() -> None:
        async with aaf5_connected(tmp_path) as (_, charger, client):
            order = asyncio.create_task(client.order("start", AAF5_CODE, 1, balance_fen=5_000))
            (request,) = await charger.receive()
            serial = aaf5_fields(7, request[8:-1])["serial"]
            await charger.send(up("start_reply", gun_no=1, result=100_002, serial=serial))
            assert (await order)["detail"] == "no_start_within_120_s"

    run(talk())


def test_aaf5_parameters_controls_and_codes(tmp_path: Path) -> None:
    async def talk() -> None:
        async with aaf5_connected(tmp_path) as (here, charger, client):
            order = asyncio.create_task(client.order("int_params", AAF5_CODE, addr=21, count=3))
            (request,) = await charger.receive()
            await charger.send(said_yes(request, PILES["aaf5"]))
            assert (await order)["values"] == {"op": 0, "addr": 21, "values": [0, 1, 2]}
            order = asyncio.create_task(client.order("str_params", AAF5_CODE, addr=9))
            (request,) = await charger.receive()
            await charger.send(up("str_params_reply", op=0, addr=8, result=0, data="41"))  # of another parameter
            await charger.send(said_yes(request, PILES["aaf5"]))
            assert (await order)["values"]["data"] == b"hello".hex().upper()
            order = asyncio.create_task(client.order("stop", AAF5_CODE, 1))
            (request,) = await charger.receive()
            assert aaf5_fields(5, request[8:-1])["param"] == 0x55
            await charger.send(said_yes(request, PILES["aaf5"]))
            assert (await order)["ok"]
            result = await client.order("qr_codes", AAF5_CODE, qr_codes=["https://a/1"])
            assert (result["ok"], result["detail"]) == (True, "sent; the protocol has no answer to it")
            (request,) = await charger.receive()
            assert aaf5_fields(13, request[8:-1])["qr_code_1"] == "https://a/1"
            assert [item.outcome for item in await outcomes(here, "qr_codes")] == ["sent"]
            assert (await client.order("tariff_set", AAF5_CODE))["error"] == "unknown_order"

    run(talk())


def test_an_order_goes_over_the_connection_of_its_gun(tmp_path: Path) -> None:
    async def talk() -> None:
        pile = aaf5_pile(gun_letters=True)
        async with aaf5_connected(tmp_path, pile, AAF5_CODE + "A") as (here, first, client):
            second = await aaf5_charger(here, AAF5_CODE + "B")
            order = asyncio.create_task(client.order("start", AAF5_CODE, 2, balance_fen=5_000))
            (request,) = await second.receive()
            assert aaf5_fields(7, request[8:-1])["gun_no"] == 2
            other = asyncio.create_task(client_of_own(tmp_path, 1))
            await first.receive()
            second.cut()
            assert (await order)["error"] == "connection_lost"
            assert not other.done()  # the other gun is still there
            first.cut()
            assert (await other)["error"] == "connection_lost"

    run(talk())


async def client_of_own(tmp_path: Path, connector: int) -> dict[str, Any]:
    async with ControlClient(tmp_path / "gateway.sock") as client:
        return await client.order("start", AAF5_CODE, connector, balance_fen=5_000)
