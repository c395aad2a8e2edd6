"""Two gateways and their hub: a charger may land on any of them, and everything that holds for one holds for both."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.directory import PileDirectory
from ingest.events import Alarm, ConnectionEvent, TariffAck
from ingest.gateway import Ports
from ingest.gateway_status import GatewayStatus
from ingest.login_rules import LoginLimits
from tests.ingest.aaf5_frames import aaf5_login, aaf5_pile
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
from tests.ingest.running_gateway import Charger, run
from tests.ingest.running_workers import Workers, running_workers

pytestmark = pytest.mark.server

PILE = make_pile()
LETTERED = "4401130004000021"
TRADE_NO = trade_no_of()


def alarms(workers: Workers) -> list[tuple[int, str]]:
    """Number of the worker and kind, of every alarm that was raised."""
    return [
        (number, alarm.kind)
        for number, here in enumerate(workers.here)
        for alarm in SpoolContent(here.spool.folder).of(Alarm)
    ]


async def refusal_of(charger: Charger) -> int:
    """Wait for the end of a connection whose login is refused; gives the result in its 0x02."""
    answer = await charger.hung_up()
    assert answer[5] == 0x02
    return answer[-3]


def test_a_living_holder_on_another_worker_keeps_its_id(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            second = await Charger.connect(workers[1].gateway)
            await second.send(login())
            assert [frame[5] for frame in await first.receive()] == [0x12]
            assert await second.silent(0.1)
            await first.send(heartbeat())
            assert await refusal_of(second) == 1
            assert workers[1].gateway.status().logins_refused == {"id_in_use": 1}
            assert workers[0].gateway.status().probes == 1
            await first.send(heartbeat())
            assert [frame[5] for frame in await first.receive(2)] == [0x04, 0x04]
        assert alarms(workers) == [(1, "duplicate_login")]
        (alarm,) = SpoolContent(workers[1].spool.folder).of(Alarm)
        assert first.peer in alarm.detail

    run(talk())


def test_a_silent_holder_on_another_worker_is_replaced(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path, probe_ms=200) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            second = await Charger.logged_in(workers[1].gateway)
            assert (await first.hung_up())[5] == 0x12
            await workers[0].until(lambda: workers[0].gateway.status().connections == 0)
            assert workers[0].gateway.status().closed == {"replaced": 1}
            assert [here.gateway.status().logged_in for here in workers.here] == [0, 1]
            assert workers[1].gateway.status().takeovers == 1
            await second.send(heartbeat())
            assert (await second.receive())[0][5] == 0x04
        assert alarms(workers) == [(1, "takeover")]
        replaced = [
            event for event in SpoolContent(workers[0].spool.folder).of(ConnectionEvent) if event.event == "replaced"
        ]
        assert [event.detail for event in replaced] == [second.peer]

    run(talk())


def test_a_holder_that_hangs_up_lets_the_newcomer_of_another_worker_in_without_an_alarm(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            second = await Charger.connect(workers[1].gateway)
            await second.send(login())
            await first.receive()
            await first.close()
            assert [frame[5] for frame in await second.receive(2)] == [0x02, 0x56]
        assert alarms(workers) == []

    run(talk())


def test_of_two_newcomers_on_different_workers_the_second_is_refused_at_once(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path, count=3) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            second = await Charger.connect(workers[1].gateway)
            await second.send(login())
            await first.receive()
            third = await Charger.connect(workers[2].gateway)
            await third.send(login())
            assert await refusal_of(third) == 1
            assert workers[2].gateway.status().logins_refused == {"login_pending": 1}

    run(talk())


def test_guns_with_connections_of_their_own_may_be_on_different_workers(tmp_path: Path) -> None:
    directory = PileDirectory([aaf5_pile(LETTERED, gun_letters=True)])

    async def talk() -> None:
        async with running_workers(tmp_path, directory=directory, ports=Ports(aaf5=0), probe_ms=200) as workers:

            async def gun(worker: int, code: str) -> Charger:
                charger = await Charger.connect(workers[worker].gateway, protocol="aaf5")
                await charger.send(aaf5_login(code, clock_ms=workers[worker].gateway.clock()))
                await charger.receive()
                return charger

            guns = [await gun(0, LETTERED + "A"), await gun(1, LETTERED + "B")]
            assert [here.gateway.status().logged_in for here in workers.here] == [1, 1]
            async with workers.control() as client:
                order = asyncio.create_task(client.remote_stop(LETTERED, 2))
                await workers[1].until(lambda: workers[1].gateway.commands.waiting == 1)
                assert workers[0].gateway.commands.waiting == 0
                order.cancel()
            # The same gun again competes with its own place only, wherever that is.
            again = await gun(0, LETTERED + "B")
            await guns[1].hung_up()
            await workers[1].until(lambda: workers[1].gateway.status().closed == {"replaced": 1})
            assert workers[0].gateway.status().logged_in == 2
            # The whole charger under one id wants the place of both.
            whole = await gun(1, LETTERED)
            for charger in (guns[0], again):
                await charger.hung_up()
            assert [here.gateway.status().logged_in for here in workers.here] == [0, 1]
            await whole.close()
        assert [kind for _, kind in alarms(workers)] == ["takeover", "takeover"]

    run(talk())


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        # The first login comes from no known address, which is counted apart.
        (LoginLimits(per_pile=2, per_address=0), "pile_login_limit"),
        (LoginLimits(per_pile=0, per_address=3), "address_login_limit"),
    ],
)
def test_logins_are_limited_over_all_workers(tmp_path: Path, limits: LoginLimits, reason: str) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path, limits=limits) as workers:
            for number in (0, 1, 1):
                charger = await Charger.logged_in(workers[number].gateway)
                await charger.close()
                await workers[number].until(lambda number=number: not workers[number].gateway.connections)
            last = await Charger.connect(workers[0].gateway)
            await last.send(login())
            assert await refusal_of(last) == 1
            assert workers[0].gateway.status().logins_refused == {reason: 1}
        assert alarms(workers) == [(0, "login_flood")]

    run(talk())


def test_logins_of_unknown_ids_count_for_their_address_over_all_workers(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path, limits=LoginLimits(per_address=2)) as workers:
            for number in (0, 1, 0):
                stranger = await Charger.connect(workers[number].gateway)
                await stranger.send(login("99999999999999"))
                await stranger.hung_up()
            await workers[0].until(lambda: workers[0].gateway.status().alarms == {"login_flood": 1})

    run(talk())


def test_connections_without_a_login_are_counted_over_all_workers(tmp_path: Path) -> None:
    async def talk() -> None:
        limits: dict[str, Any] = {"unidentified_per_address": 2, "unidentified_grace_ms": 0}
        async with running_workers(tmp_path, **limits) as workers:
            oldest = await Charger.connect(workers[0].gateway)
            await workers[0].until(lambda: workers[0].gateway.status().connections == 1)
            later = [await Charger.connect(workers[1].gateway)]
            await workers[1].until(lambda: workers[1].gateway.status().connections == 1)
            later.append(await Charger.connect(workers[1].gateway))
            await oldest.hung_up()
            await workers[0].until(lambda: workers[0].gateway.status().closed == {"too_many_unidentified": 1})
            assert workers[1].gateway.status().connections == len(later)

    run(talk())


def test_all_places_are_counted_over_all_workers(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path, max_connections=2) as workers:
            holders = [
                await Charger.logged_in(workers[0].gateway),
                await Charger.logged_in(workers[1].gateway, code=OTHER_CODE),
            ]
            third = await Charger.connect(workers[0].gateway)
            await third.hung_up()
            await workers[0].until(lambda: workers[0].gateway.status().closed == {"too_many_connections": 1})
            assert sum(here.gateway.status().logged_in for here in workers.here) == len(holders)

    run(talk())


def test_an_order_reaches_the_worker_that_holds_the_charger(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers, workers.control() as client:
            charger = await Charger.logged_in(workers[1].gateway)
            order = asyncio.create_task(client.remote_start(CODE, 1, balance_fen=10_000))
            (frame,) = await charger.receive()
            assert frame[5] == 0x34
            await charger.close()
            answer = await order
            assert (answer["ok"], answer["error"]) == (False, "connection_lost")
            assert answer["trade_no"].startswith(CODE)

    run(talk())


def test_what_cannot_be_sent_is_said_at_once_wherever_the_charger_is(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers, workers.control() as client:
            assert (await client.remote_start(CODE, 1, balance_fen=1))["error"] == "offline"
            assert (await client.remote_start("1", 1, balance_fen=1))["error"] == "unknown_pile"
            charger = await Charger.logged_in(workers[1].gateway)
            await charger.send(charging(TRADE_NO, 500, 1))
            await workers[1].until(lambda: workers[1].gateway.status().readings == 1)
            busy = await client.remote_start(CODE, 1, balance_fen=10_000)
            assert (busy["error"], busy["detail"]) == ("busy", "connector 1 is charging")
            assert (await client.order("no_such_order", CODE))["error"] == "unknown_order"
            assert (await client.remote_stop(CODE, 7))["error"] == "unknown_connector"
            old = await Charger.logged_in(workers[0].gateway, code=OTHER_CODE, protocol_version=0x0F)
            refused = await client.order("parallel_start", OTHER_CODE, 1, balance_fen=1, connectors=[1, 2])
            assert refused["error"] in ("unsupported", "bad_request")
            await old.close()

    run(talk())


def test_the_tariff_that_a_charger_showed_is_known_to_its_next_worker(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            state = workers[0].gateway.registry.state_of(PILE)
            state.tariff_acked(5, 7)
            await first.close()
            await workers[0].until(lambda: not workers[0].gateway.connections)
            await Charger.logged_in(workers[1].gateway)
            assert workers[1].gateway.registry.state_of(PILE).held_tariff_id == 7

    run(talk())


def test_a_charge_goes_on_at_another_worker_when_its_register_does(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            await first.send(charging(TRADE_NO, 500, 1))
            await workers[0].until(lambda: workers[0].gateway.status().readings == 1)
            await first.close()
            await workers[0].until(lambda: not workers[0].gateway.connections)
            before = workers[0].gateway.registry.state_of(PILE).cycles[1]
            second = await Charger.logged_in(workers[1].gateway)
            after = workers[1].gateway.registry.state_of(PILE).cycles[1]
            assert before is not None
            assert after is not None
            assert after.memory() == before.memory()
            await second.send(charging(TRADE_NO, 700, 1))
            await workers[1].until(lambda: workers[1].gateway.status().readings == 1)
            assert after.session_start_ms == before.session_start_ms
            assert after.accepted_e4kwh == before.accepted_e4kwh + 200

    run(talk())


def test_a_charge_whose_register_fell_is_measured_anew_at_another_worker(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            await first.send(charging(TRADE_NO, 5_000, 1))
            await workers[0].until(lambda: workers[0].gateway.status().readings == 1)
            await first.close()
            await workers[0].until(lambda: not workers[0].gateway.connections)
            second = await Charger.logged_in(workers[1].gateway)
            await second.send(charging(TRADE_NO, 30, 1))
            await workers[1].until(lambda: workers[1].gateway.status().readings == 1)
        kinds = [alarm.kind for alarm in SpoolContent(workers[1].spool.folder).of(Alarm)]
        assert kinds == ["register_not_continued"]

    run(talk())


def test_the_counters_are_summed_and_shown_for_each_worker(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers, workers.control() as client:
            chargers = []
            for number, code in enumerate((CODE, OTHER_CODE)):
                charger = await Charger.logged_in(workers[number].gateway, code=code)
                await charger.send(heartbeat(code) * (number + 1))
                await charger.receive(number + 1)
                chargers.append(charger)
            status = msgspec.convert(await client.status(), GatewayStatus)
            assert (status.node, status.logged_in, status.heartbeats) == ("n", 2, 3)
            assert [(each.worker, each.heartbeats) for each in status.workers] == [(0, 1), (1, 2)]
            path = tmp_path / "gateway.json"
            await workers[0].until(
                lambda: path.exists() and msgspec.json.decode(path.read_bytes(), type=GatewayStatus).heartbeats == 3
            )

    run(talk())


# The hub goes and comes back


def test_chargers_are_served_while_the_hub_is_away(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            charger = await Charger.logged_in(workers[0].gateway)
            await workers.stop_hub()
            await workers.until_connected(connected=False)
            await charger.send(heartbeat() + record(TRADE_NO))
            assert [frame[5] for frame in await charger.receive(2)] == [0x04, 0x40]
            newcomer = await Charger.logged_in(workers[1].gateway, code=OTHER_CODE)  # waits, then is let in here
            await newcomer.send(heartbeat(OTHER_CODE))
            assert (await newcomer.receive())[0][5] == 0x04

    run(talk())


def test_a_hub_that_comes_back_knows_who_holds_what(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            await workers.stop_hub()
            await workers.until_connected(connected=False)
            await workers.start_hub()
            await workers.until_connected()
            second = await Charger.connect(workers[1].gateway)
            await second.send(login())
            assert [frame[5] for frame in await first.receive()] == [0x12]
            await first.send(heartbeat())
            assert await refusal_of(second) == 1
            async with workers.control() as client:
                order = asyncio.create_task(client.remote_stop(CODE, 1))
                frames = await first.receive(2)
                assert 0x36 in [frame[5] for frame in frames]
                order.cancel()

    run(talk())


def test_a_login_that_waited_for_the_hub_goes_on_when_it_is_back(tmp_path: Path) -> None:
    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            await workers.stop_hub()
            await workers.until_connected(connected=False)
            charger = await Charger.connect(workers[0].gateway)
            await charger.send(login())
            assert await charger.silent(0.2)
            await workers.start_hub()
            assert [frame[5] for frame in await charger.receive(2)] == [0x02, 0x56]

    run(talk())


def test_two_that_were_let_in_without_a_hub_are_compared_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.hub_registry.LOGIN_WAIT_S", 0.05)

    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            await workers.stop_hub()
            await workers.until_connected(connected=False)
            second = await Charger.logged_in(workers[1].gateway)
            await workers.start_hub()
            assert [frame[5] for frame in await first.receive()] == [0x12]
            await first.send(heartbeat())
            await second.hung_up()
            assert workers[1].gateway.status().closed == {"id_in_use": 1}
            await first.send(heartbeat())
            assert (await first.receive())[0][5] == 0x04
        assert alarms(workers) == [(1, "duplicate_login")]

    run(talk())


def test_a_worker_decides_by_what_it_holds_itself_while_there_is_no_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.hub_registry.LOGIN_WAIT_S", 0.05)

    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            await workers.stop_hub()
            await workers.until_connected(connected=False)
            second = await Charger.connect(workers[0].gateway)
            await second.send(login())
            assert [frame[5] for frame in await first.receive()] == [0x12]
            await first.send(heartbeat())
            assert await refusal_of(second) == 1

    run(talk())


def test_what_is_told_of_a_tariff_reaches_the_spool_once(tmp_path: Path) -> None:
    """What another worker remembered is no new fact."""

    async def talk() -> None:
        async with running_workers(tmp_path) as workers:
            first = await Charger.logged_in(workers[0].gateway)
            await first.close()
            await workers[0].until(lambda: not workers[0].gateway.connections)
            await Charger.logged_in(workers[1].gateway)
        for here in workers.here:
            assert SpoolContent(here.spool.folder).of(TariffAck) == []

    run(talk())
