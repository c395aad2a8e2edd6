"""A power cut loses nothing that was called durable, or that a charger was told is stored (promise P1)."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.group_commit import Callback, GroupCommit
from ingest.spool import Spool
from tests.ingest.charger_frames import SpoolContent, heartbeat, record, trade_no_of
from tests.ingest.power_cut import PowerCutDisk, WithoutFileSync, WithoutFolderSync
from tests.ingest.running_gateway import Charger, run, running
from tests.ingest.spool_parts import NOW_MS, add_frame, open_spool

BEAT = heartbeat()
RECORDS = [record(trade_no_of(number=number)) for number in range(12)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is safely there; its contents are what is tested."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def recovered(disk: PowerCutDisk, into: Path) -> list[bytes]:
    """The frames that a start after the power cut finds in the spool."""
    folder = disk.cut(into) / "spool"
    spool = open_spool(folder)
    assert all(segment.readable == segment.size for segment in spool.segments())
    spool.close()
    return SpoolContent(folder).up


def missing_after_a_cut(disk: PowerCutDisk, root: Path, tmp_path: Path) -> list[int]:
    """After each commit the power fails: for each cut, how many of the frames called durable are gone."""
    spool = open_spool(root / "spool", disk=disk, segment_bytes=700)
    missing = []
    for number, upload in enumerate(RECORDS):
        add_frame(spool, upload)
        add_frame(spool, BEAT)
        spool.commit()
        add_frame(spool, BEAT)
        spool.write()  # handed over and not synced: may be gone, must not hurt
        found = recovered(disk, tmp_path / f"cut-{number}")
        durable = [*RECORDS[: number + 1], *[BEAT] * (number + 1)]
        missing.append(sum(frame not in found for frame in durable))
        if not missing[-1]:
            assert [frame for frame in found if frame != BEAT] == RECORDS[: number + 1]
            assert found.count(BEAT) >= number + 1
    assert len(spool.segments()) > 4
    spool.close()
    disk.forget()
    return missing


def test_what_is_durable_survives_a_power_cut_after_every_commit(root: Path, tmp_path: Path) -> None:
    assert missing_after_a_cut(PowerCutDisk(root), root, tmp_path) == [0] * len(RECORDS)


@pytest.mark.parametrize("forgetful", [WithoutFileSync, WithoutFolderSync])
def test_the_disk_shows_a_sync_that_is_left_out(forgetful: type[PowerCutDisk], root: Path, tmp_path: Path) -> None:
    """The test above has teeth: without one of the two syncs the durable frames are gone."""
    assert all(missing_after_a_cut(forgetful(root), root, tmp_path))


def test_a_spool_s_own_folder_survives_a_power_cut(root: Path, tmp_path: Path) -> None:
    disk = PowerCutDisk(root)
    spool = open_spool(root / "data" / "gateway" / "spool", disk=disk)
    add_frame(spool, RECORDS[0])
    spool.commit()
    left = disk.cut(tmp_path / "cut") / "data" / "gateway" / "spool"
    open_spool(left).close()
    assert SpoolContent(left).up == RECORDS[:1]
    spool.close()
    disk.forget()


def test_adopted_segments_survive_a_power_cut(root: Path, tmp_path: Path) -> None:
    disk = PowerCutDisk(root)
    aside = open_spool(root / "aside", disk=disk)
    add_frame(aside, RECORDS[0])
    aside.close()
    spool = open_spool(root / "spool", disk=disk)
    assert spool.adopt(root / "aside") == 1
    assert recovered(disk, tmp_path / "cut") == RECORDS[:1]
    spool.close()
    disk.forget()


class GatedDisk(PowerCutDisk):
    """Its syncs wait for leave."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.leave = threading.Event()

    def sync(self, file: int) -> None:
        assert self.leave.wait(20)
        super().sync(file)


class HastyCommit(GroupCommit):
    """Tells whoever waits for the disk at once, which is the fault that the test must see."""

    def when_durable(self, callback: Callback) -> None:
        callback()

    async def drain(self) -> None:
        """Wait for the disk all the same, so that the gateway can end."""
        done = asyncio.Event()
        super().when_durable(done.set)
        await done.wait()


@pytest.fixture
def gated(root: Path) -> Iterator[GatedDisk]:
    disk = GatedDisk(root)
    yield disk
    disk.forget()


async def records_after_a_cut_at_the_acknowledgement(
    disk: GatedDisk, root: Path, tmp_path: Path, group_commit: type[GroupCommit]
) -> list[bytes]:
    """A charger sends its record and hears 0x40; at that moment the power fails."""
    async with running(root, disk=disk, group_commit=group_commit) as here:
        try:
            charger = await Charger.logged_in(here.gateway)
            await charger.send(RECORDS[0])
            await here.until(lambda: here.gateway.status().bills_received == 1)
            if await charger.silent(0.15):
                disk.leave.set()
            assert [frame[5] for frame in await charger.receive()] == [0x40]
            return await asyncio.to_thread(recovered, disk, tmp_path / "cut")
        finally:
            disk.leave.set()


@pytest.mark.server
def test_an_acknowledged_bill_survives_a_power_cut_at_that_moment(gated: GatedDisk, root: Path, tmp_path: Path) -> None:
    found = run(records_after_a_cut_at_the_acknowledgement(gated, root, tmp_path, GroupCommit))
    assert RECORDS[0] in found


@pytest.mark.server
def test_an_acknowledgement_before_the_sync_would_be_seen(gated: GatedDisk, root: Path, tmp_path: Path) -> None:
    """The test above has teeth: a gateway that tells chargers too early loses the bill."""
    found = run(records_after_a_cut_at_the_acknowledgement(gated, root, tmp_path, HastyCommit))
    assert RECORDS[0] not in found


class RefusesFolderSync(PowerCutDisk):
    """Fails to sync the folder as often as `refusals` says."""

    refusals = 0

    def sync_folder(self, folder: Path) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError(5, "input/output error")
        super().sync_folder(folder)


def test_a_segment_whose_name_could_not_be_synced_never_shares_its_age(root: Path, tmp_path: Path) -> None:
    """A tie would be broken by the random number: the abandoned segment might count as the newest."""
    disk = RefusesFolderSync(root)
    spool = Spool(root / "spool", clock=lambda: NOW_MS, disk=disk)
    for number in range(4):
        add_frame(spool, RECORDS[number])
        disk.refusals = 1
        with pytest.raises(OSError, match="input/output"):
            spool.commit()
        spool.commit()
        spool.close()
        spool = Spool(root / "spool", clock=lambda: NOW_MS, disk=disk)
    created = [segment.header.created_ms for segment in spool.segments()]
    assert len(created) == 8
    assert created == sorted(set(created))
    assert recovered(disk, tmp_path / "cut") == RECORDS[:4]
    spool.close()
    disk.forget()
