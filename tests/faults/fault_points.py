"""Fault points behind the seams of a real `pilestream serve`: a disk that forgets, a clock that steps.

`FaultPoints.environment` gives the variables under which `pilestream serve` and its children start with them
(`seams/sitecustomize.py`). They change what the operating system does, never what pilestream does; the one exception is
`early_ack`, the fault in pilestream itself that the suite must find.
"""

import mmap
import os
import struct
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from ingest.disk import Disk
from ingest.group_commit import Callback, GroupCommit
from tests.faults.platter import Platter

ROOT: Final = Path(__file__).parents[2]
VARIABLE: Final = "FAULT_POINTS"
OF_THE_DATA: Final = ("service.gateway_role", "service.loader_role", "tests.ingest.gateway_process")
CLOCK: Final = struct.Struct("<q")


class FaultPoints(msgspec.Struct, frozen=True):
    """`platter`: where synced bytes and names are noted; `sync_pause_s`: how much longer a sync takes.

    `clock`: a file of 8 bytes with what is added to the clock, in ns. `early_ack`: tell chargers before the sync.
    `no_sync`: a sync does nothing.
    """

    platter: str = ""
    sync_pause_s: float = 0.0
    clock: str = ""
    early_ack: bool = False
    no_sync: bool = False

    def environment(self) -> dict[str, str]:
        """What the processes must find in their environment."""
        return {
            VARIABLE: msgspec.json.encode(self).decode(),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "seams"), str(ROOT)]),
        }


def install() -> None:
    """Put the fault points of the environment in place, in this process."""
    points = msgspec.json.decode(os.environ[VARIABLE], type=FaultPoints)
    if points.clock:
        _step_clock(Path(points.clock))
    if not any(name in sys.orig_argv for name in OF_THE_DATA):
        return
    if points.platter:
        _note_syncs(Platter(Path(points.platter)), points)
    if points.early_ack:
        GroupCommit.when_durable = _told_at_once  # type: ignore[method-assign]


def _told_at_once(self: GroupCommit, callback: Callback) -> None:
    callback()


def _note_syncs(platter: Platter, points: FaultPoints) -> None:
    real_sync, real_folder = Disk.sync, Disk.sync_folder

    def sync(self: Disk, file: int) -> None:
        time.sleep(points.sync_pause_s)
        real_sync(self, file)
        if not points.no_sync:
            platter.note_file(file)

    def sync_folder(self: Disk, folder: Path) -> None:
        real_folder(self, folder)
        platter.note_folder(folder)

    def replace(self: Disk, path: Path, data: bytes) -> None:
        part = path.with_name(path.name + ".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(descriptor, data)
            self.sync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
        self.sync_folder(path.parent)

    Disk.sync, Disk.sync_folder, Disk.replace = sync, sync_folder, replace  # type: ignore[method-assign]


def _step_clock(path: Path) -> None:
    """Let the clock of this process run ahead by what the file says, from now on, whatever that becomes."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), CLOCK.size, prot=mmap.PROT_READ)
    real_ns = time.time_ns

    def time_ns() -> int:
        return real_ns() + int(CLOCK.unpack_from(offset)[0])

    time.time_ns = time_ns
    time.time = lambda: time_ns() / 1e9


def write_clock(path: Path, ahead_s: float) -> None:
    """Step the clock of the processes that watch `path`; the first call makes the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(descriptor, CLOCK.pack(round(ahead_s * 1e9)), 0)
    os.close(descriptor)
