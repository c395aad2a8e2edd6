"""Orders to chargers over the control socket, and what becomes of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from core.ykc.codec import encode_raw, raw_fields
from ingest.control import ControlClient
from ingest.errors import IngestError
from ingest.events import CommandOutcome, ConnectorEvent
from tests.ingest.charger_frames import CODE, OTHER_CODE, charging, trade_no_of
from tests.ingest.order_talk import PILES, said_yes
from tests.ingest.running_gateway import Charger, run, running

pytestmark = pytest.mark.server


def start_reply(trade_no: str, result: int = 1, reason: int = 0) -> bytes:
    fields = {"trade_no": trade_no, "pile_code": CODE, "gun_no": "01", "result": result, "fail_reason": reason}
    return encode_raw("remote_start_reply", fields)


def stop_reply(result: int = 1, reason: int = 0) -> bytes:
    return encode_raw("remote_stop_reply", {"pile_code": CODE, "gun_no": "01", "result": result, "fail_reason": reason})


async def start(client: ControlClient, charger: Charger, *replies: tuple[int, int]) -> tuple[dict[str, Any], str]:
    """Order a start; the charger gives `replies` (result, reason). Gives the answer and the trade number."""
    order = asyncio.create_task(client.remote_start(CODE, 1, card="0000001000000573", balance_fen=12_345))
    (request,) = await charger.receive()
    assert request[5] == 0x34
    trade_no = raw_fields(0x34, request[6:-2])["trade_no"]
    for result, reason in replies:
        await charger.send(start_reply(trade_no, result, reason))
    return await order, trade_no


def test_a_start_is_ordered_answered_and_recorded(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)
            async with ControlClient(path) as client:
                answer, trade_no = await start(client, charger, (1, 0))
            assert answer == {"ok": True, "trade_no": trade_no}
            assert trade_no.startswith(CODE + "01") and len(trade_no) == 32
            content = await here.content()
            (request,) = [frame for frame in content.down if frame[5] == 0x34]
            fields = raw_fields(0x34, request[6:-2])
            assert (fields["logical_card"], fields["balance"], fields["gun_no"]) == ("0000001000000573", 12_345, "01")
            (outcome,) = [item for item in content.of(CommandOutcome) if item.command == "remote_start"]
            assert (outcome.outcome, outcome.trade_no, outcome.request) == ("ok", trade_no, request)
            assert outcome.reply == start_reply(trade_no)
            assert outcome.sent_ms <= outcome.answered_ms
            assert ("started", trade_no) in [(event.event, event.trade_no) for event in content.of(ConnectorEvent)]

    run(talk())


def test_a_refusal_names_the_charger_s_reason_and_a_late_plug_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)
            async with ControlClient(path) as client:
                answer, trade_no = await start(client, charger, (0, 5))
                assert answer == {"ok": False, "trade_no": trade_no, "error": "refused", "detail": "not_plugged"}
                await charger.send(start_reply(trade_no))  # the plug came within 60 s
                await here.until(lambda: here.gateway.status().frames == 3)
            outcomes = [item for item in (await here.content()).of(CommandOutcome) if item.command == "remote_start"]
            assert [(item.outcome, item.detail, item.trade_no) for item in outcomes] == [
                ("refused", "not_plugged", trade_no),
                ("ok", "", trade_no),
            ]

    run(talk())


def test_a_stop_names_the_session_that_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(charging(trade_no_of(), 100, 1))
            await here.until(lambda: here.gateway.status().readings == 1)
            async with ControlClient(path) as client:
                order = asyncio.create_task(client.remote_stop(CODE, 1))
                assert (await charger.receive())[0][5] == 0x36
                await charger.send(stop_reply())
                assert await order == {"ok": True, "trade_no": trade_no_of()}
                busy = await client.remote_start(CODE, 1, balance_fen=5_000)
                assert (busy["ok"], busy["error"]) == (False, "busy")

    run(talk())


def test_orders_that_cannot_be_sent_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)  # kept: a charger that is forgotten hangs up
            async with ControlClient(path) as client:
                assert (await client.remote_start(OTHER_CODE, 1, balance_fen=5_000))["error"] == "offline"
                assert (await client.remote_start("1" * 14, 1, balance_fen=5_000))["error"] == "unknown_pile"
                assert (await client.remote_stop(CODE, 3))["error"] == "unknown_connector"
                assert (await client.remote_start(CODE, 1, card="abc", balance_fen=5_000))["error"] == "bad_request"
                assert (await client.remote_start(CODE, 1, balance_fen=-1))["error"] == "bad_request"
                free = await client.remote_start(CODE, 1, balance_fen=0)
                assert free["error"] == "bad_request" and "what the charge may cost" in free["detail"]
                assert (await client.order("remote_start", CODE, 1))["error"] == "bad_request"
                assert (await client.request(command="explode"))["error"] == "bad_request"
                assert (await client.request(command="explode", pile=CODE))["error"] == "unknown_order"
                assert (await client.request(command="remote_stop", pile=CODE))["error"] == "unknown_connector"
                assert (await client.request(command="remote_stop", pile=7))["error"] == "bad_request"
                strange = await client.request(command="remote_stop", pile=CODE, connector=1, name=1, pile_code=2)
                assert strange["error"] == "bad_request"
                wrong = await client.order("remote_strat", CODE, 1)
                assert "did you mean 'remote_start'" in wrong["detail"]
                status = await client.status()
                assert (status["connections"], status["logged_in"]) == (1, 1)
            assert await charger.silent(0.05)  # nothing of all that was sent

    run(talk())


def test_a_second_order_on_the_same_connector_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)
            async with ControlClient(path) as one, ControlClient(path) as two:
                order = asyncio.create_task(one.remote_start(CODE, 1, balance_fen=5_000))
                (request,) = await charger.receive()
                assert (await two.remote_start(CODE, 1, balance_fen=5_000))["error"] == "busy"
                await charger.send(start_reply(raw_fields(0x34, request[6:-2])["trade_no"]))
                assert (await order)["ok"]

    run(talk())


def test_a_lost_connection_answers_the_order(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)
            async with ControlClient(path) as client:
                order = asyncio.create_task(client.remote_start(CODE, 1, balance_fen=5_000))
                await charger.receive()
                charger.cut()
                assert (await order)["error"] == "connection_lost"

    run(talk())


def test_an_order_without_an_answer_times_out(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    class Clock:
        now = 1_795_300_000_000

        def __call__(self) -> int:
            return self.now

    clock = Clock()

    async def talk() -> None:
        async with running(tmp_path, control_path=path, clock=clock, idle_timeout_ms=10**9) as here:
            charger = await Charger.logged_in(here.gateway)
            async with ControlClient(path) as client:
                order = asyncio.create_task(client.time_sync(CODE))
                (first,) = await charger.receive()
                clock.now += 10_000
                (second,) = await charger.receive()  # the time is sent once more, and it is the new time
                assert raw_fields(0x56, first[6:-2])["time"] != raw_fields(0x56, second[6:-2])["time"]
                clock.now += 10_000
                answer = await order
                assert (answer["ok"], answer["error"]) == (False, "timeout")
            outcome = (await here.content()).of(CommandOutcome)[-1]
            assert (outcome.attempts, outcome.request) == (2, second)

    run(talk())


def test_an_order_whose_place_a_newer_one_takes_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path) as here:
            charger = await Charger.logged_in(here.gateway)  # its first order, 0x56, stays without an answer
            async with ControlClient(path) as one, ControlClient(path) as two:
                older = asyncio.create_task(one.time_sync(CODE))
                await charger.receive()
                newer = asyncio.create_task(two.time_sync(CODE))
                (second,) = await charger.receive()
                async with asyncio.timeout(5):
                    assert await older == {"ok": False, "error": "replaced"}
                await charger.send(said_yes(second, PILES["ykc"]))
                assert await newer == {"ok": True}
            assert here.gateway.commands.waiting == 0
            outcomes = [item.outcome for item in (await here.content()).of(CommandOutcome)]
            assert outcomes == ["replaced", "replaced", "ok"]

    run(talk())


def test_the_control_socket_is_its_owner_s_only_and_works_at_the_end_of_a_long_path(tmp_path: Path) -> None:
    path = tmp_path / ("long" * 30) / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path, control_path=path):
            assert path.stat().st_mode & 0o777 == 0o600
            async with ControlClient(path) as client:
                assert (await client.status())["connections"] == 0
        with pytest.raises(IngestError, match="no gateway serves"):
            await ControlClient(path).connect()

    run(talk())


def test_a_socket_left_by_a_dead_gateway_is_replaced_but_not_a_served_one(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"

    async def talk() -> None:
        async with running(tmp_path / "one", control_path=path):
            path.rename(tmp_path / "left")
        (tmp_path / "left").rename(path)
        async with running(tmp_path / "two", control_path=path):
            with pytest.raises(IngestError, match="another gateway serves"):
                async with running(tmp_path / "three", control_path=path):
                    pass
            async with ControlClient(path) as client:
                assert (await client.status())["connections"] == 0

    run(talk())
