"""When a connection is looked after: not before something can be due, and never too late."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest.charger_connection import ChargerConnection
from ingest.connection_watch import FEW_LOOKS, LOOK_AT_LEAST_EVERY_MS
from tests.ingest.charger_frames import heartbeat
from tests.ingest.running_gateway import Charger, Running, now_ms, run, running

pytestmark = pytest.mark.server

HOUR_MS = 3_600_000


@asynccontextmanager
async def with_a_charger(folder: Path) -> AsyncIterator[tuple[Running, Charger, ChargerConnection]]:
    """A gateway, a charger that has logged in, and its connection."""
    async with running(folder) as here:
        charger = await Charger.logged_in(here.gateway)
        await here.until(lambda: here.gateway.registry.connected == 1)
        (connection,) = here.gateway.connections.values()
        yield here, charger, connection
        await charger.close()


def test_nobody_asks_for_a_connection_before_something_can_be_due(tmp_path: Path) -> None:
    async def talk() -> None:
        async with with_a_charger(tmp_path) as (here, _charger, connection):
            watch = here.gateway.watch
            assert watch.due(now_ms()) == []
            assert watch.due(connection.look_ms - 1) == []
            assert connection.look_ms <= now_ms() + LOOK_AT_LEAST_EVERY_MS
            due_ms = connection.look_ms
            assert watch.due(due_ms) == [connection]
            assert watch.due(due_ms + HOUR_MS) == [], "it is due again only when it was looked after"
            watch.look_after(connection, now_ms())
            assert due_ms <= connection.look_ms

    run(talk())


def test_the_rest_of_a_frame_is_waited_for_from_the_next_second_on(tmp_path: Path) -> None:
    async def talk() -> None:
        async with with_a_charger(tmp_path) as (here, charger, connection):
            await charger.send(heartbeat()[:9])
            await here.until(lambda: connection.watched_for_rest)
            assert here.gateway.watch.due(now_ms()) == [connection]
            await charger.send(heartbeat()[9:])
            await here.until(lambda: here.gateway.watch.due(now_ms()) == [])
            assert not connection.watched_for_rest

    run(talk())


def test_a_clock_that_was_set_back_leaves_everybody_due(tmp_path: Path) -> None:
    async def talk() -> None:
        async with with_a_charger(tmp_path) as (here, _charger, connection):
            assert here.gateway.watch.due(now_ms()) == []
            assert here.gateway.watch.due(now_ms() - HOUR_MS) == [connection]

    run(talk())


def test_connections_that_come_and_go_leave_no_heap_of_looks(tmp_path: Path) -> None:
    async def talk() -> None:
        async with with_a_charger(tmp_path) as (here, _charger, connection):
            watch = here.gateway.watch
            for _ in range(2 * FEW_LOOKS):
                connection.look_ms += HOUR_MS  # as if all that stands there were of connections that are over
                watch.begin(connection, now_ms())
            watch.due(now_ms())
            assert watch.looks_planned <= FEW_LOOKS
            connection.look_ms = now_ms()

    run(talk())
