"""What machine this is: read from the kernel, and how fast its file systems take bytes."""

import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.report.results import Machine

MEMORY_FOLDER: Final = Path("/dev/shm")
WRITTEN_BYTES: Final = 512 << 20
PIECE_BYTES: Final = 1 << 20
GIB: Final = 1 << 30


def this_machine(written_bytes: int = WRITTEN_BYTES) -> Machine:
    """Takes a second or two: it writes so many bytes to the disk and to memory."""
    disk = Path(tempfile.gettempdir())
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        kernel=f"{platform.system()} {platform.release()}",
        disk=_filesystem(disk),
        disk_mb_per_s=_write_rate(disk, written_bytes),
        memory_disk=_filesystem(MEMORY_FOLDER),
        memory_disk_mb_per_s=_write_rate(MEMORY_FOLDER, written_bytes),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(folder: Path) -> str:
    """The type of what is mounted where the folder lies: the longest mount point that it begins with."""
    best, kind = "", "unknown"
    resolved = f"{folder.resolve()}/"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, found, *_ = line.split()
        if resolved.startswith(f"{point.rstrip('/')}/") and len(point) > len(best):
            best, kind = point, found
    return kind


def _write_rate(folder: Path, written_bytes: int) -> int:
    """Megabytes a second of one writer, the sync at its end included."""
    piece = os.urandom(PIECE_BYTES)
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        began = time.monotonic()
        for _ in range(written_bytes // PIECE_BYTES):
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        took = time.monotonic() - began
    return round(written_bytes / took / 1e6)
