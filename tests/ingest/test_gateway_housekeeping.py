"""The gateway's regular work goes on whatever the disk or one connection does, and a stop drains in any case."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ingest.charger_connection import ChargerConnection
from ingest.control import ControlClient
from ingest.events import Alarm, ConnectionEvent
from ingest.gateway_status import GatewayStatus
from ingest.liveness import Beat
from ingest.status_files import StatusFiles
from tests.ingest.charger_frames import OTHER_CODE, SpoolContent, charging, heartbeat, record, trade_no_of
from tests.ingest.running_gateway import Charger, run, running

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.housekeeping.HOUSEKEEPING_S", 0.02)
    monkeypatch.setattr("ingest.liveness.BEAT_INTERVAL_MS", 20)


def refuse_writes(folder: Path) -> None:
    """Put a file where the folder of the status files was: each write of them fails, as on a full disk."""
    shutil.rmtree(folder)
    folder.write_text("")


def test_a_disk_that_refuses_the_status_files_stops_nothing_else(tmp_path: Path) -> None:
    folder, control = tmp_path / "run", tmp_path / "gateway.sock"
    status, beat = folder / "gateway.json", folder / "beat.json"

    async def talk() -> None:
        files: dict[str, Any] = {"status_path": status, "beat_path": beat, "control_path": control}
        async with running(tmp_path, idle_timeout_ms=600, **files) as here:
            await here.until(status.exists)
            refuse_writes(folder)
            charger = await Charger.logged_in(here.gateway)
            await here.until(lambda: here.gateway.status().file_errors >= 3)
            await charger.hung_up()
            assert here.gateway.status().closed == {"silent": 1}
            async with ControlClient(control) as client:
                answer = await client.status()
                assert answer["file_errors"] >= 3
                assert str(folder) in answer["file_error"]
            folder.unlink()  # the disk has room again
            await here.until(lambda: status.exists() and beat.exists())
            shown = msgspec.json.decode(status.read_bytes(), type=GatewayStatus)
            assert shown.file_errors >= 3

    run(talk())


def test_a_refused_status_file_does_not_keep_the_beat_from_being_written(tmp_path: Path) -> None:
    folder, beat = tmp_path / "run", tmp_path / "beat.json"

    async def talk() -> None:
        async with running(tmp_path, status_path=folder / "gateway.json", beat_path=beat) as here:
            await here.until((folder / "gateway.json").exists)
            refuse_writes(folder)
            beat.unlink()
            await here.until(beat.exists)

    run(talk())
    assert msgspec.json.decode(beat.read_bytes(), type=Beat).stopped


def test_a_start_does_not_need_the_beat_file(tmp_path: Path) -> None:
    """A full disk must not keep the chargers from being heard; the outage reported later is only longer."""
    (tmp_path / "run").symlink_to(tmp_path / "gone" / "run")  # a path that nothing can be written to

    async def talk() -> None:
        async with running(tmp_path, beat_path=tmp_path / "run" / "beat.json") as here:
            await Charger.logged_in(here.gateway)
            assert here.gateway.status().file_errors >= 1

    run(talk())


def test_one_broken_connection_does_not_keep_the_others_from_being_looked_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[dict[str, Any]] = []

    async def talk() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        async with running(tmp_path, idle_timeout_ms=300) as here:
            broken = await Charger.logged_in(here.gateway)
            (connection,) = here.gateway.connections.values()
            look_after = here.gateway.watch.look_after

            def breaks(looked_at: ChargerConnection, now_ms: int) -> None:
                if looked_at is connection:
                    raise TypeError("this one is broken")
                look_after(looked_at, now_ms)

            monkeypatch.setattr(here.gateway.watch, "look_after", breaks)
            silent = await Charger.logged_in(here.gateway, code=OTHER_CODE)
            await silent.hung_up()
            await broken.hung_up()
            await here.until(lambda: here.gateway.status().connections == 0)
            assert here.gateway.status().closed == {"silent": 1, "internal_error": 1}
            later = await Charger.logged_in(here.gateway)
            await later.hung_up()

    run(talk())
    assert [type(context["exception"]) for context in complaints] == [TypeError]


def test_a_stop_drains_also_when_no_status_file_can_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    async def talk() -> None:
        status, beat = folder / "gateway.json", folder / "beat.json"
        async with running(tmp_path, status_path=status, beat_path=beat) as here:
            charger = await Charger.logged_in(here.gateway)
            refuse_writes(folder)
            await here.until(lambda: here.gateway.status().file_errors > 0)
            await charger.send(heartbeat() + record(trade_no_of()))
            await here.until(lambda: here.gateway.status().bills_received == 1)
        assert [frame[5] for frame in await charger.receive(2)] == [0x04, 0x40]

    run(talk())
    closed = [event.detail for event in SpoolContent(tmp_path / "spool").of(ConnectionEvent) if event.event == "closed"]
    assert closed == ["shutdown"]


def test_a_stop_drains_also_when_the_housekeeping_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)

            async def broken() -> None:
                raise RuntimeError("broken")

            assert here.gateway.housekeeping.task is not None
            here.gateway.housekeeping.task.cancel()
            here.gateway.housekeeping.task = asyncio.create_task(broken())
            await charger.send(record(trade_no_of()))
            await here.until(lambda: here.gateway.status().bills_received == 1)
        assert [frame[5] for frame in await charger.receive()] == [0x40]

    run(talk())


def test_a_beat_that_comes_late_does_not_undo_the_good_bye(tmp_path: Path) -> None:
    """A round that the stop interrupts may still have its write in a thread."""
    beat = tmp_path / "beat.json"
    files = StatusFiles(None, beat, "n")
    files.beat(1_000)
    files.stopped(10_000)
    files.beat(20_000)
    assert msgspec.json.decode(beat.read_bytes(), type=Beat) == Beat(node="n", beat_ms=10_000, stopped=True)


def test_a_connector_that_the_charger_does_not_have_is_billed_and_told_once(tmp_path: Path) -> None:
    trade_nos = [trade_no_of(number=number) for number in (1, 2)]
    reading = charging(trade_nos[0], 500, 1, gun_no="57")

    async def talk() -> None:
        async with running(tmp_path) as here:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(charging(trade_no_of(number=3), 500, 1, gun_no="02"))
            await charger.send(reading + record(trade_nos[0], gun_no="57"))
            assert (await charger.receive())[0][5] == 0x40
            await here.until(lambda: here.gateway.status().alarms == {"unknown_connector": 1})
            await charger.send(record(trade_nos[1], gun_no="58") + reading)
            assert (await charger.receive())[0][5] == 0x40
            await charger.close()
            await here.until(lambda: here.gateway.status().connections == 0)
            status = here.gateway.status()
            assert (status.alarms, status.incidents["unknown_connector"]) == ({"unknown_connector": 1}, 2)
            content = await here.content()
            assert content.up.count(reading) == 2
            (alarm,) = content.of(Alarm)
            assert (alarm.kind, alarm.pile_id, alarm.connector) == ("unknown_connector", 11, 0)
            assert "57; the master data have 2" in alarm.detail

    run(talk())
