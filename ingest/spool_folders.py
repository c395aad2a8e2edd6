"""The folders of a spool: one for each gateway that writes, and those that nobody writes to any more.

A spool's root holds a folder for each worker (`spool/0`, `spool/1`, ...). The root itself is one of the folders: there
lie the segments of a version with one gateway, and the spools of `replay` and `evaluate`.
"""

import fcntl
import os
import time
from pathlib import Path

from ingest.disk import Disk
from ingest.errors import IngestError
from ingest.segment import list_segments
from ingest.spool_recovery import recover_segments

WRITER_LOCK_FILE = "writer.lock"
LOADER_LOCK_FILE = "loader.lock"
WAIT_FOR_RECOVERY_S = 10.0
_POLL_S = 0.01


class SpoolInUseError(IngestError):
    """Another process writes to this spool, or loads it."""


def spool_folders(root: Path) -> list[Path]:
    """The folders below `root` that hold a spool, or what was restored of one, and `root` itself, by name."""
    below = sorted(
        (path for path in root.iterdir() if path.is_dir() and _is_spool(path)),
        key=lambda path: (not path.name.isdecimal(), len(path.name), path.name),
    )
    return [root, *below]


def lock_for_writing(folder: Path) -> int:
    """The descriptor that holds the folder for a writer until it is closed.

    Raises SpoolInUseError when another writer has it, FileNotFoundError when the folder was removed meanwhile. A loader
    that recovers the folder has it for a moment only.
    """
    path = folder / WRITER_LOCK_FILE
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + WAIT_FOR_RECOVERY_S
    try:
        while not _lock(file, fcntl.LOCK_EX):
            # Who only recovers shares the lock: if it can be shared, no writer has it.
            if not _lock(file, fcntl.LOCK_SH) or time.monotonic() > deadline:
                raise SpoolInUseError(f"another process writes to the spool {folder}; stop it, or use another folder")
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(_POLL_S)
        if os.fstat(file).st_ino != path.stat().st_ino:
            raise FileNotFoundError(f"{path} was removed and made anew")
    except (SpoolInUseError, FileNotFoundError):
        os.close(file)
        raise
    return file


def lock_for_loading(root: Path, wait_s: float) -> int:
    """The descriptor that holds the spool for one loader; raises SpoolInUseError when another has it for so long."""
    file = os.open(root / LOADER_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + wait_s
    while not _lock(file, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(file)
            raise SpoolInUseError(f"another process loads the spool {root}; there is one loader for a spool")
        time.sleep(_POLL_S)
    return file


def close_unattended(folder: Path, disk: Disk, now_ms: int) -> frozenset[int]:
    """Recover a folder that no writer has open; the numbers of its segments, none of which will ever be continued.

    Empty while a writer has it: that one has recovered it. A spool that is opened later begins new segments.
    """
    if not _is_spool(folder):
        return frozenset()
    file = os.open(folder / WRITER_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _lock(file, fcntl.LOCK_SH):
            return frozenset()
        recover_segments(folder, disk, now_ms)
        return frozenset(segment.segment_id for segment in list_segments(folder))
    finally:
        os.close(file)


def _is_spool(folder: Path) -> bool:
    return (folder / WRITER_LOCK_FILE).exists() or next(folder.glob("*.seg"), None) is not None


def _lock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
