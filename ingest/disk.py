"""What the spool asks of a disk: one small seam, so that tests can lose, tear and refuse writes."""

import os
from pathlib import Path


class Disk:
    """The real disk. A test hands over a subclass that fails where it wants."""

    def write(self, file: int, data: bytes | memoryview) -> int:
        """Hand bytes to the operating system; the number that it took, perhaps fewer than given."""
        return os.write(file, data)

    def sync(self, file: int) -> None:
        """Return when the file's data and length are on the disk."""
        os.fdatasync(file)

    def sync_folder(self, folder: Path) -> None:
        """Return when the folder's entries are on the disk."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, folder: Path) -> int:
        """What the disk below the folder still takes."""
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    def replace(self, path: Path, data: bytes) -> None:
        """Put a small file in place of `path`, whole or not at all, on the disk when this returns."""
        part = path.with_name(path.name + ".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        part.replace(path)
        self.sync_folder(path.parent)
