"""Logins over real sockets: who gets in, and who keeps an id that is wanted twice."""

import asyncio
import time
from pathlib import Path

import pytest

from core.directory import PileDirectory
from ingest.events import Alarm, ConnectionEvent
from ingest.gateway import Ports
from ingest.login_rules import LoginLimits
from ingest.reactions import Reason
from tests.ingest.aaf5_frames import aaf5_login, aaf5_pile, up
from tests.ingest.charger_frames import (
    CODE,
    OTHER_CODE,
    SpoolContent,
    charging,
    heartbeat,
    login,
    make_directory,
    realtime,
    record,
    trade_no_of,
)
from tests.ingest.running_gateway import Charger, run, running

pytestmark = pytest.mark.server

LETTERED = "4401130004000021"


def kinds(content: SpoolContent) -> list[tuple[str, str]]:
    return [(alarm.kind, alarm.peer) for alarm in content.of(Alarm)]


def test_a_living_charger_keeps_its_id_and_the_newcomer_is_refused(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            await second.send(login() + heartbeat())
            assert [frame[5] for frame in await first.receive()] == [0x12]  # are you there?
            assert await second.silent(0.1)
            await first.send(realtime())
            answer = await second.hung_up()
            assert (answer[5], answer[-3]) == (0x02, 1)
            await first.send(heartbeat())
            assert (await first.receive())[0][5] == 0x04
            status = here.gateway.status()
            assert (status.logged_in, status.closed, status.logins_refused) == (
                1,
                {"id_in_use": 1},
                {"id_in_use": 1},
            )
            content = await here.content()
            assert kinds(content) == [("duplicate_login", second.peer)]
            assert first.peer in content.of(Alarm)[0].detail
            assert (Reason.REFUSED, login()) in content.quarantine
            assert (Reason.REFUSED, heartbeat()) in content.quarantine

    run(talk())


def test_a_heartbeat_is_a_sign_of_life_too(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            await second.send(login())
            await first.receive()
            await first.send(heartbeat())
            assert (await second.hung_up())[5] == 0x02
            assert here.gateway.status().probes == 1

    run(talk())


def test_garbage_is_no_sign_of_life(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, probe_ms=300) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            await second.send(login())
            await first.receive()
            await first.send(b"\x00" * 50 + heartbeat()[:-1] + b"\xff")
            assert [frame[5] for frame in await second.receive(2)] == [0x02, 0x56]
            await first.hung_up()
            assert here.gateway.status().closed == {"replaced": 1}

    run(talk())


def test_a_charger_that_does_not_answer_gives_way_and_nothing_of_the_newcomer_is_lost(tmp_path: Path) -> None:
    trade_no = trade_no_of()
    behind = [charging(trade_no, 500, 1), record(trade_no), heartbeat()]

    async def talk() -> None:
        async with running(tmp_path, probe_ms=400) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            began = time.monotonic()
            await second.send(login() + behind[0])
            await asyncio.sleep(0.1)
            await second.send(behind[1] + behind[2])  # while it waits nothing is read
            assert here.gateway.status().logins_waiting == 1
            frames = await second.receive(4)
            assert time.monotonic() - began >= 0.4
            assert sorted(frame[5] for frame in frames) == [0x02, 0x04, 0x40, 0x56]
            await first.hung_up()
            content = await here.content()
            assert set(behind) <= set(content.up)
            assert content.quarantine == []
            assert kinds(content) == [("takeover", second.peer)]
            assert first.peer in content.of(Alarm)[0].detail
            status = here.gateway.status()
            assert (status.logged_in, status.takeovers, status.closed) == (1, 1, {"replaced": 1})
            replaced = [event for event in content.of(ConnectionEvent) if event.event == "replaced"]
            assert [event.detail for event in replaced] == [second.peer]

    run(talk())


def test_the_probe_has_its_three_seconds(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            _first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            began = time.monotonic()
            await second.send(login())
            await second.receive()
            assert time.monotonic() - began >= 2.9

    run(talk())


def test_a_charger_that_is_not_read_from_keeps_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk stalls: the answer to the probe waits in the socket, and the probe waits for it."""

    async def talk() -> None:
        async with running(tmp_path, probe_ms=300) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            full = True
            monkeypatch.setattr(here.gateway.budget, "is_overloaded", lambda: full)
            await first.send(heartbeat())
            await first.receive()
            await second.send(login())
            await first.receive()  # the probe
            await first.send(realtime())
            assert await second.silent(0.9)
            full = False
            answer = await second.hung_up()
            assert (answer[5], answer[-3]) == (0x02, 1)
            status = here.gateway.status()
            assert (status.logged_in, status.takeovers, status.closed) == (1, 0, {"id_in_use": 1})

    run(talk())


def test_a_newcomer_is_sent_away_when_the_stall_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        async with running(tmp_path, probe_ms=100) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            full = True
            monkeypatch.setattr(here.gateway.budget, "is_overloaded", lambda: full)
            await first.send(heartbeat())
            await first.receive()
            await second.send(login())
            assert (await second.hung_up())[-3] == 1
            assert here.gateway.status().closed == {"login_pending": 1}
            full = False
            await first.receive()  # the probe
            await first.send(heartbeat())
            await first.receive()
            assert here.gateway.status().alarms == {}

    run(talk())


@pytest.mark.parametrize("how", ["close", "cut"])
def test_the_end_of_the_old_line_lets_the_newcomer_in_at_once(tmp_path: Path, how: str) -> None:
    async def talk() -> None:
        async with running(tmp_path, probe_ms=60_000) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            await second.send(login())
            await first.receive()  # the probe
            if how == "close":
                await first.close()
            else:
                first.cut()
            assert [frame[5] for frame in await second.receive(2)] == [0x02, 0x56]
            status = here.gateway.status()
            assert (status.logged_in, status.takeovers, status.alarms) == (1, 0, {})

    run(talk())


def test_after_a_proper_end_there_is_nothing_to_probe(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            first = await Charger.logged_in(here.gateway)
            await first.close()
            await here.until(lambda: here.gateway.status().connections == 0)
            _second = await Charger.logged_in(here.gateway)
            assert here.gateway.status().probes == 0

    run(talk())


def test_of_two_newcomers_the_later_one_is_refused_at_once(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, probe_ms=500) as here:
            _first = await Charger.logged_in(here.gateway)
            second, third = await Charger.connect(here.gateway), await Charger.connect(here.gateway)
            await second.send(login())
            await here.until(lambda: here.gateway.status().logins_waiting == 1)
            await third.send(login())
            assert (await third.hung_up())[-3] == 1
            assert here.gateway.status().logins_refused == {"login_pending": 1}
            assert (await second.receive())[0][-3] == 0

    run(talk())


def test_a_newcomer_that_hangs_up_while_it_waits_leaves_its_frames_as_evidence(tmp_path: Path) -> None:
    """Its end shows when it is read from again: at its decision."""

    async def talk() -> None:
        async with running(tmp_path) as here:
            first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            await second.send(login() + heartbeat())
            await first.receive()
            second.cut()
            await first.send(heartbeat())
            assert (await first.receive())[0][5] == 0x04
            await here.until(lambda: here.gateway.status().connections == 1)
            assert here.gateway.status().logged_in == 1
            content = await here.content()
            assert sorted(data for _, data in content.quarantine) == sorted([login(), heartbeat()])

    run(talk())


def test_a_stop_while_a_login_waits_ends_all_connections(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            _first = await Charger.logged_in(here.gateway)
            second = await Charger.connect(here.gateway)
            await second.send(login())
            await here.until(lambda: here.gateway.status().logins_waiting == 1)
        assert here.gateway.status().closed == {"shutdown": 2}

    run(talk())


def test_too_many_logins_of_one_charger_are_refused_and_told(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, login_limits=LoginLimits(per_pile=3)) as here:
            for _ in range(3):
                charger = await Charger.logged_in(here.gateway)
                await charger.close()
                await here.until(lambda: here.gateway.status().connections == 0)
            # The first one came from an address that was not yet the charger's own.
            await (await Charger.logged_in(here.gateway)).close()
            await here.until(lambda: here.gateway.status().connections == 0)
            for _ in range(4):
                flooding = await Charger.connect(here.gateway)
                await flooding.send(login())
                assert (await flooding.hung_up())[-3] == 1
            other = await Charger.logged_in(here.gateway, code=OTHER_CODE)
            status = here.gateway.status()
            assert status.logins_refused == {"pile_login_limit": 4}
            assert (status.incidents["login_flood"], status.alarms) == (4, {"login_flood": 1})
            alarms = (await here.content()).of(Alarm)
            assert [(alarm.kind, alarm.pile_id, alarm.detail) for alarm in alarms] == [
                ("login_flood", 11, "pile_login_limit")
            ]
            await other.close()

    run(talk())


def test_a_charger_gets_in_again_though_somebody_at_its_address_used_up_its_logins(tmp_path: Path) -> None:
    async def talk() -> None:
        limits = LoginLimits(per_pile=10, window_ms=3_000)
        async with running(tmp_path, login_limits=limits) as here:
            for _ in range(12):
                stranger = await Charger.connect(here.gateway)
                await stranger.send(login())
                await stranger.receive()
                await stranger.close()
                await here.until(lambda: here.gateway.status().connections == 0)
            assert here.gateway.status().logins_refused["pile_login_limit"] > 0
            await asyncio.sleep(0.31)
            await (await Charger.logged_in(here.gateway)).close()

    run(talk())


def test_a_flood_of_unknown_ids_from_one_address_is_told_once_and_others_are_served(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path, login_limits=LoginLimits(per_address=20)) as here:
            served = await Charger.logged_in(here.gateway)
            for number in range(40):
                stranger = await Charger.connect(here.gateway)
                await stranger.send(login(f"{number:014d}"))
                assert (await stranger.hung_up())[-3] == 1
            late = await Charger.connect(here.gateway)
            await late.send(login(OTHER_CODE))
            assert (await late.hung_up())[-3] == 1  # known, but its address is over the limit
            await served.send(heartbeat())
            assert (await served.receive())[0][5] == 0x04
            status = here.gateway.status()
            assert status.logins_refused == {"unknown_pile": 40, "address_login_limit": 1}
            assert status.alarms == {"login_flood": 1}
            (alarm,) = (await here.content()).of(Alarm)
            assert (alarm.pile_id, alarm.detail) == (0, "address_login_limit")

    run(talk())


def test_a_charger_of_the_other_protocol_is_refused(tmp_path: Path) -> None:
    directory = PileDirectory([*make_directory(), aaf5_pile("32010600019299")])

    async def talk() -> None:
        async with running(tmp_path, directory=directory) as here:
            charger = await Charger.connect(here.gateway)
            await charger.send(login("32010600019299"))
            assert (await charger.hung_up())[-3] == 1
            assert here.gateway.status().closed == {"wrong_protocol": 1}

    run(talk())


def test_each_gun_of_a_lettered_charger_has_a_connection_and_a_place_of_its_own(tmp_path: Path) -> None:
    directory = PileDirectory([aaf5_pile(LETTERED, gun_letters=True)])

    async def talk() -> None:
        async with running(tmp_path, directory=directory, ports=Ports(aaf5=0), probe_ms=300) as here:
            guns = [await Charger.connect(here.gateway, protocol="aaf5") for _ in range(3)]
            for gun, letter in zip(guns, "ABA", strict=True):
                await gun.send(aaf5_login(LETTERED + letter, clock_ms=here.gateway.clock()))
                if letter == "A" and gun is guns[2]:
                    break
                await gun.receive()
            # Gun A again: only its own older connection is probed, and it answers with a heartbeat.
            await guns[0].send(up("heartbeat", LETTERED + "A", counter=1))
            assert (await guns[2].hung_up()) != b""
            status = here.gateway.status()
            assert (status.logged_in, status.probes, status.logins_refused) == (2, 1, {"id_in_use": 1})
            pile = directory.by_code(LETTERED)
            assert pile is not None
            links = here.gateway.registry.links_of(pile)
            assert [link.dialogue.connector for link in links] == [1, 2]
            assert here.gateway.registry.link_of(pile, 2) is links[1]
            assert here.gateway.registry.link_of(pile) is links[0]
            # The whole charger under one id wants the place of both.
            whole = await Charger.connect(here.gateway, protocol="aaf5")
            await whole.send(aaf5_login(LETTERED, clock_ms=here.gateway.clock()))
            await whole.receive()
            assert here.gateway.registry.links_of(pile) == [here.gateway.registry.link_of(pile, 2)]
            assert here.gateway.status().closed == {"id_in_use": 1, "replaced": 2}

    run(talk())


def test_a_letter_beyond_the_guns_of_a_charger_is_refused_and_disturbs_nobody(tmp_path: Path) -> None:
    directory = PileDirectory([aaf5_pile(LETTERED, gun_letters=True)])

    async def talk() -> None:
        async with running(tmp_path, directory=directory, ports=Ports(aaf5=0)) as here:
            whole = await Charger.connect(here.gateway, protocol="aaf5")
            await whole.send(aaf5_login(LETTERED, clock_ms=here.gateway.clock()))
            await whole.receive()
            for letter in "CZ":
                stranger = await Charger.connect(here.gateway, protocol="aaf5")
                await stranger.send(aaf5_login(LETTERED + letter, clock_ms=here.gateway.clock()))
                assert (await stranger.hung_up())[-2] == 1
            assert await whole.silent(0.05)
            status = here.gateway.status()
            assert status.logins_refused == status.closed == {"unknown_connector": 2}
            assert (status.logged_in, status.probes) == (1, 0)

    run(talk())


def test_a_login_repeated_over_its_own_line_is_no_second_login(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(login(CODE))
            assert (await charger.receive())[0][-3] == 0
            assert here.gateway.status().probes == 0

    run(talk())
