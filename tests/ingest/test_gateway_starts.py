"""Starts at the charger over real sockets: the function that decides may be slow, broken or a table."""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from core.directory import PileDirectory
from core.ykc.codec import encode_raw, raw_fields
from ingest import start_desk
from ingest.dialogue import PENDING_STARTS
from ingest.events import SessionStart
from ingest.gateway import Ports
from ingest.reactions import StartDecision, StartRequest
from ingest.start_decision import YKC_FAIL_REASONS, StartAccount, StartTable, refuse
from tests.ingest.aaf5_frames import AAF5_CODE, aaf5_login, aaf5_pile, account_query
from tests.ingest.charger_frames import CODE, heartbeat
from tests.ingest.running_gateway import Charger, now_ms, run, running

pytestmark = pytest.mark.server

CARD = "00000000D14B0A54"
GRANTED = StartDecision(granted=True, method="card", account="7", balance_fen=5_000)


def ask(card: str = CARD, mode: int = 1, seq: bytes = b"\7\0", **changes: Any) -> bytes:
    fields = {
        "pile_code": CODE,
        "gun_no": "01",
        "start_mode": mode,
        "need_password": 0,
        "card_or_account": card,
        "password": "00" * 16,
        "vin": "",
    }
    return encode_raw("start_request", fields | changes, seq=seq)


async def answer_to(charger: Charger) -> dict[str, Any]:
    (frame,) = await charger.receive()
    assert (frame[5], frame[2:4]) == (0x32, b"\7\0")
    return raw_fields(0x32, frame[6:-2])


def test_nobody_may_start_where_nobody_decides(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask())
            assert (await answer_to(charger))["auth"] == 0
            assert here.gateway.status().starts_refused == {"unknown_account": 1}

    run(talk())


def test_a_table_grants_and_the_evidence_holds_the_frames(tmp_path: Path) -> None:
    table = StartTable([StartAccount(card=CARD.lstrip("0"), name="member 7", balance_fen=5_000)])

    async def talk() -> None:
        async with running(tmp_path, decide_start=table) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask())
            answer = await answer_to(charger)
            assert (answer["auth"], answer["balance"]) == (1, 5_000)
            (start,) = (await here.content()).of(SessionStart)
            assert (start.method, start.account, start.granted, start.trade_no) == (
                "card",
                "member 7",
                1,
                answer["trade_no"],
            )
            assert start.frame == ask()
            assert start.reply[5] == 0x32
            assert here.gateway.status().starts_granted == 1

    run(talk())


def test_a_slow_decision_keeps_nobody_waiting_but_its_charger(tmp_path: Path) -> None:
    decided = asyncio.Event()

    async def decide(request: StartRequest) -> StartDecision:
        await decided.wait()
        return GRANTED

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask() + heartbeat())
            assert (await charger.receive())[0][5] == 0x04
            assert await charger.silent(0.1)
            decided.set()
            assert (await answer_to(charger))["auth"] == 1

    run(talk())


def test_a_decision_that_does_not_come_is_a_refusal(tmp_path: Path) -> None:
    async def decide(request: StartRequest) -> StartDecision:
        await asyncio.sleep(60)
        return GRANTED

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide, start_timeout_ms=100) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask())
            answer = await answer_to(charger)
            assert (answer["auth"], answer["fail_reason"]) == (0, YKC_FAIL_REASONS["no_decision"])
            (start,) = (await here.content()).of(SessionStart)
            assert (start.granted, start.reason) == (0, "no_decision")
            assert here.gateway.status().incidents["start_timeout"] == 1

    run(talk())


def test_a_decision_that_does_not_obey_keeps_no_driver_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_desk, "LEAVE_S", 0.05)
    monkeypatch.setattr(start_desk, "MAX_WAITING", 2)
    asked: list[str] = []
    enough = asyncio.Event()

    async def decide(request: StartRequest) -> StartDecision:
        asked.append(request.account)
        while not enough.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await enough.wait()
        raise ConnectionError("too late for anybody")

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide, start_timeout_ms=50) as here:
            charger = await Charger.logged_in(here.gateway)
            for card in ("1", "2", "3"):
                await charger.send(ask(card.rjust(16, "0")))
                assert (await answer_to(charger))["auth"] == 0
            assert [card.lstrip("0") for card in asked] == ["1", "2"]  # no third one beside two that do not end
            await here.until(lambda: here.gateway.status().incidents.get("start_decision_stuck") == 2)
            assert here.gateway.starts.given_up == 2
            enough.set()
            await here.until(lambda: here.gateway.starts.given_up == 0)

    run(talk())


def test_two_cards_with_one_sequence_number_are_two_starts(tmp_path: Path) -> None:
    decided = asyncio.Event()

    async def decide(request: StartRequest) -> StartDecision:
        await decided.wait()
        return GRANTED

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask() + ask("0" * 15 + "9") + ask())
            await here.until(lambda: here.gateway.status().frames == 4)
            decided.set()
            assert [frame[5] for frame in await charger.receive(2)] == [0x32, 0x32]
            assert await charger.silent(0.05)

    run(talk())


def test_more_starts_than_a_charger_can_have_are_refused_at_once(tmp_path: Path) -> None:
    decided = asyncio.Event()

    async def decide(request: StartRequest) -> StartDecision:
        await decided.wait()
        return GRANTED

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(b"".join(ask(f"{card:016d}") for card in range(1, PENDING_STARTS + 2)))
            answer = await answer_to(charger)
            assert (answer["auth"], answer["fail_reason"]) == (0, YKC_FAIL_REASONS["no_decision"])
            status = here.gateway.status()
            assert (status.incidents["too_many_starts"], status.starts_refused) == (1, {"no_decision": 1})
            decided.set()
            assert len(await charger.receive(PENDING_STARTS)) == PENDING_STARTS

    run(talk())


async def _broken_later(request: StartRequest) -> StartDecision:
    raise ConnectionError("the back office is away")


def _broken(request: StartRequest) -> StartDecision:
    raise KeyError(request.account)


def _unheard_of(request: StartRequest) -> StartDecision:
    return StartDecision(granted=False, reason="the moon is full")


@pytest.mark.parametrize("decide", [_broken, _broken_later, _unheard_of])
def test_a_decision_that_breaks_is_a_refusal(tmp_path: Path, decide: Any) -> None:
    async def talk() -> None:
        async with running(tmp_path, decide_start=decide) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask())
            assert (await answer_to(charger))["auth"] == 0
            assert here.gateway.status().incidents["start_decision_failed"] == 1
            await charger.send(heartbeat())
            assert (await charger.receive())[0][5] == 0x04

    run(talk())


@pytest.mark.parametrize(("decision", "reason"), [(refuse("frozen"), "frozen"), (GRANTED, "connection_lost")])
def test_a_decision_for_a_charger_that_left_grants_nothing(
    tmp_path: Path, decision: StartDecision, reason: str
) -> None:
    decided = asyncio.Event()

    async def decide(request: StartRequest) -> StartDecision:
        await decided.wait()
        return decision

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask())
            await here.until(lambda: here.gateway.status().frames == 2)
            charger.cut()
            await here.until(lambda: here.gateway.status().connections == 0)
            decided.set()
            await here.until(lambda: here.gateway.status().starts_refused == {reason: 1})
            assert here.gateway.status().starts_granted == 0
            content = await here.content()
            (start,) = content.of(SessionStart)
            assert (start.granted, start.reason, start.frame, start.reply) == (0, reason, ask(), b"")
            assert 0x32 not in {frame[5] for frame in content.down}

    run(talk())


def test_a_stop_waits_for_no_decision(tmp_path: Path) -> None:
    def decide(request: StartRequest) -> Awaitable[StartDecision]:
        return asyncio.get_running_loop().create_future()

    async def talk() -> None:
        async with running(tmp_path, decide_start=decide, start_timeout_ms=600_000) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask())
            await here.until(lambda: here.gateway.status().frames == 2)

    run(talk())


def test_an_aaf5_card_is_decided_too(tmp_path: Path) -> None:
    table = StartTable([StartAccount(card="12345678", balance_fen=5_000, name="member 8")])

    async def talk() -> None:
        directory = PileDirectory([aaf5_pile()])
        async with running(tmp_path, directory=directory, ports=Ports(aaf5=0), decide_start=table) as here:
            charger = await Charger.connect(here.gateway, "aaf5", "aaf5")
            await charger.send(aaf5_login(AAF5_CODE, clock_ms=now_ms()) + account_query())
            answers = {int.from_bytes(frame[6:8], "little"): frame for frame in await charger.receive(2)}
            assert answers[203][8 + 4] == 0
            (start,) = (await here.content()).of(SessionStart)
            assert (start.account, start.granted) == ("member 8", 1)

    run(talk())


def test_a_station_password_starts_where_it_is_valid(tmp_path: Path) -> None:
    table = StartTable([StartAccount(password="2468", station_id=3, name="bus depot", balance_fen=5_000)])
    digest = hashlib.md5(b"2468", usedforsecurity=False).hexdigest().upper()

    async def talk() -> None:
        async with running(tmp_path, decide_start=table) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(ask("0" * 16, mode=2, need_password=1, password=digest))
            assert (await answer_to(charger))["auth"] == 1
            (start,) = (await here.content()).of(SessionStart)
            assert (start.method, start.account) == ("password", "bus depot")

    run(talk())
