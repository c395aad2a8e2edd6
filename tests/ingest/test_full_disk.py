"""A disk that is full stays one that the loader can empty."""

import errno
import threading
from pathlib import Path

import pytest

from analytics.client import ClickHouseAddress
from ingest.disk import Disk
from ingest.loader_status import STATUS_FILE
from ingest.spool import KEPT_FREE_BYTES
from tests.ingest.charger_frames import SpoolContent, record, trade_no_of
from tests.ingest.loader_parts import make_loader
from tests.ingest.spool_parts import add_frame, open_spool


class SmallDisk(Disk):
    """One that others fill, too."""

    def __init__(self, free: int) -> None:
        self.free = free

    def free_bytes(self, folder: Path) -> int:
        return self.free


def test_the_spool_leaves_room_for_what_the_loader_notes(tmp_path: Path) -> None:
    frame = record(trade_no_of())
    disk = SmallDisk(KEPT_FREE_BYTES)
    spool = open_spool(tmp_path / "spool", disk=disk)
    add_frame(spool, frame)
    with pytest.raises(OSError, match="No space left") as refused:
        spool.commit()
    assert refused.value.errno == errno.ENOSPC
    assert SpoolContent(spool.folder).up == []
    disk.free = KEPT_FREE_BYTES + 1024
    spool.commit()
    assert SpoolContent(spool.folder).up == [frame]
    spool.close()


def test_a_loader_that_cannot_write_its_status_goes_on(tmp_path: Path) -> None:
    (tmp_path / STATUS_FILE).mkdir()
    loader = make_loader(tmp_path, ClickHouseAddress("127.0.0.1", 1))
    stop = threading.Event()
    stop.set()
    loader.run(stop)
    assert loader.last_error
