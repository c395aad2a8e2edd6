"""Folders of a spool that nobody writes to any more: they count towards the limit, are loaded, and then removed.

They stem from a run with more workers, or from a version that had one gateway (the root itself).
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ingest.disk import Disk
from ingest.load_state import STATE_FOLDER
from ingest.segment import DURABLE_FILE, list_segments
from ingest.spool_folders import WRITER_LOCK_FILE, spool_folders
from ingest.spool_limit import SHED_FILE, read_shed, shed_oldest_telemetry
from ingest.spool_recovery import RECOVERY_FILE, read_recovery

SHED_LOCK_FILE = "shed.lock"
_OF_A_WRITER = frozenset({WRITER_LOCK_FILE, DURABLE_FILE, SHED_FILE, RECOVERY_FILE, STATE_FOLDER})


class LeftOver:
    """What lies in the folders below `root` that no writer has, shared among so many writers."""

    def __init__(self, root: Path, writers: int, disk: Disk) -> None:
        self._root = root
        self._writers = writers
        self._disk = disk

    def bytes_of_share(self) -> int:
        """The part of it that counts towards the limit of one writer."""
        total = sum(segment.size for folder in self._folders() for segment in list_segments(folder))
        return -(-total // self._writers)

    def shed(self, at_least_bytes: int) -> int:
        """Give up telemetry of these folders, the oldest of each first, so that each writer gets so many bytes.

        Gives how many bytes one writer got; 0 as well while another writer is doing it.
        """
        wanted = at_least_bytes * self._writers
        before = self.bytes_of_share()
        file = os.open(self._root / SHED_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for folder in self._folders():
                freed = (before - self.bytes_of_share()) * self._writers
                if freed >= wanted:
                    break
                shed_oldest_telemetry(folder, self._disk, at_least_bytes=wanted - freed)
        except BlockingIOError:
            return 0
        finally:
            os.close(file)
        return max(before - self.bytes_of_share(), 0)

    def _folders(self) -> list[Path]:
        folders = []
        for folder in spool_folders(self._root) if self._root.exists() else []:
            with _unattended(folder) as free:
                if free:
                    folders.append(folder)
        return folders


def remove_if_done(folder: Path) -> bool:
    """Remove a folder below the root that no writer has, when all of it is loaded and nothing is to be told of it.

    What was set aside or shed stays, with its folder. A writer that comes at the same moment makes the folder anew.
    """
    if not (folder / WRITER_LOCK_FILE).exists():  # it could not be kept from a writer
        return False
    with _unattended(folder) as free:
        if not free or not _is_done(folder):
            return False
        try:
            (folder / STATE_FOLDER).rmdir()
            for name in (DURABLE_FILE, SHED_FILE, RECOVERY_FILE, WRITER_LOCK_FILE):  # the lock last: it is held
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
        except OSError:  # somebody put something there: then it is no folder to remove
            return False
    return True


def _is_done(folder: Path) -> bool:
    if {path.name for path in folder.iterdir()} - _OF_A_WRITER or read_shed(folder).segments:
        return False
    recovery = read_recovery(folder)
    return recovery is None or not (recovery.cut_bytes or recovery.damaged_bytes or recovery.files)


@contextlib.contextmanager
def _unattended(folder: Path) -> Iterator[bool]:
    """Whether no writer has the folder, who must wait until the end of the block if one comes."""
    try:
        file = os.open(folder / WRITER_LOCK_FILE, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(file)
