"""Group commit: nobody is told before the disk has it, and everybody is told once."""

import asyncio
import threading
from pathlib import Path

import pytest

from ingest.group_commit import GroupCommit
from tests.ingest.charger_frames import heartbeat, record, trade_no_of
from tests.ingest.spool_parts import FailingDisk, add_frame, open_spool


def test_a_callback_runs_after_the_sync_and_never_before(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    allow = threading.Event()
    told: list[int] = []

    async def scenario() -> None:
        commit = GroupCommit(spool, bill_interval_ms=1)
        add_frame(spool, record(trade_no_of()))
        commit.when_durable(lambda: told.append(spool.durable))
        await asyncio.sleep(0.05)
        assert told == []  # the sync is being waited for, in its thread: the loop is alive
        allow.set()
        await commit.drain()
        assert told == [spool.written]
        await commit.close()

    def wait_for_leave() -> None:
        assert allow.wait(5)

    disk.on_sync = wait_for_leave
    asyncio.run(scenario())
    assert len(told) == 1
    spool.close()


def test_many_waiters_share_a_sync(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    told: list[int] = []

    async def scenario() -> None:
        commit = GroupCommit(spool)
        for number in range(100):
            add_frame(spool, record(trade_no_of(number=number)))
            commit.when_durable(lambda number=number: told.append(number))  # type: ignore[misc]
        await commit.drain()
        assert commit.commits == 1
        await commit.close()

    asyncio.run(scenario())
    assert told == list(range(100))
    spool.close()


def test_what_nobody_waits_for_is_committed_by_itself(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)

    async def scenario() -> None:
        commit = GroupCommit(spool, interval_ms=5)
        commit.start()
        add_frame(spool, heartbeat())
        for _ in range(200):
            if spool.durable:
                break
            await asyncio.sleep(0.01)
        assert spool.durable == spool.written > 0
        await commit.close()

    asyncio.run(scenario())
    spool.close()


def test_while_the_disk_refuses_nobody_is_told_and_afterwards_everybody_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.group_commit.RETRY_S", 0.01)
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    told: list[str] = []
    full = True

    def on_write(size: int) -> int | None:
        if full:
            raise OSError(28, "no space left")
        return None

    async def scenario() -> None:
        nonlocal full
        commit = GroupCommit(spool)
        disk.on_write = on_write
        add_frame(spool, record(trade_no_of()))
        commit.when_durable(lambda: told.append("first"))
        while commit.failures < 2:
            await asyncio.sleep(0.005)
        commit.when_durable(lambda: told.append("second"))
        assert told == []
        assert commit.waiting == 2
        assert "no space" in commit.last_error
        full = False
        await commit.drain()
        assert told == ["first", "second"]
        await commit.close()

    asyncio.run(scenario())
    spool.close()


def test_a_broken_callback_does_not_keep_the_others_from_hearing(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    told: list[str] = []
    complaints: list[object] = []

    def broken() -> None:
        raise RuntimeError("broken")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["exception"]))
        commit = GroupCommit(spool)
        commit.when_durable(broken)
        commit.when_durable(lambda: told.append("heard"))
        await commit.drain()
        await commit.close()

    asyncio.run(scenario())
    assert told == ["heard"]
    assert [str(error) for error in complaints] == ["broken"]
    spool.close()


def test_closing_commits_what_is_left(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    told: list[str] = []

    async def scenario() -> None:
        commit = GroupCommit(spool, interval_ms=60_000, bill_interval_ms=60_000)
        add_frame(spool, record(trade_no_of()))
        commit.when_durable(lambda: told.append("heard"))
        await commit.close()

    asyncio.run(scenario())
    assert told == ["heard"]
    assert spool.durable == spool.written > 0
    spool.close()
