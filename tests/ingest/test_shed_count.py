"""The count of what was given up, on a disk that takes nothing any more."""

import errno
import os
from pathlib import Path

import pytest

from ingest.disk import Disk
from ingest.spool import Spool
from ingest.spool_limit import SHED_FILE, Shed, read_shed, shed_oldest_telemetry
from tests.ingest.charger_frames import heartbeat
from tests.ingest.spool_parts import add_frame, open_spool


class FullDisk(Disk):
    """No file can be made on it."""

    def replace(self, path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space left")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """With several closed segments of telemetry."""
    made = open_spool(tmp_path / "spool", segment_bytes=400)
    for _ in range(40):
        add_frame(made, heartbeat())
        made.commit()
    return made


def test_the_first_count_has_its_bytes_before_the_disk_is_full(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite

    def only_over_bytes_that_are_there(file: int, data: bytes, at: int) -> int:
        if at + len(data) > os.fstat(file).st_size:
            raise OSError(errno.ENOSPC, "no space left")
        return write(file, data, at)

    monkeypatch.setattr(os, "pwrite", only_over_bytes_that_are_there)
    assert spool.shed == Shed()
    assert shed_oldest_telemetry(spool.folder, FullDisk(), segments=1) == 1
    assert spool.shed.segments == 1
    spool.close()


def test_a_full_disk_counts_on_in_the_bytes_that_are_there(spool: Spool) -> None:
    assert shed_oldest_telemetry(spool.folder, Disk(), segments=1) == 1
    first = read_shed(spool.folder)
    size = (spool.folder / SHED_FILE).stat().st_size
    assert shed_oldest_telemetry(spool.folder, FullDisk(), segments=1) == 1
    second = read_shed(spool.folder)
    assert (second.segments, second.records) == (2, 2 * first.records)
    assert (spool.folder / SHED_FILE).stat().st_size == size
    spool.close()


def test_a_torn_count_stops_nothing(spool: Spool) -> None:
    (spool.folder / SHED_FILE).write_bytes(b"")
    assert shed_oldest_telemetry(spool.folder, Disk(), segments=1) == 1
    assert spool.shed.segments == 1
    spool.close()


def test_a_count_that_cannot_be_written_keeps_no_fact_from_its_place(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "pwrite", refuse)
    assert shed_oldest_telemetry(spool.folder, FullDisk(), segments=1) == 1
    spool.close()
