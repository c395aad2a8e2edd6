"""A disk that can lose its power: of each file only synced bytes remain, and of each folder only synced names."""

import os
from pathlib import Path

from ingest.disk import Disk


class PowerCutDisk(Disk):
    """Works on real files below `root` and remembers what was synced; `cut` writes what a power cut would leave.

    The harshest disk that POSIX allows: what nobody synced is gone, names as well as bytes. `root` itself is safe.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._bytes: dict[int, bytes] = {}  # by inode
        self._names: dict[int, dict[str, int]] = {}  # by the folder's inode: name -> inode
        self._kept_open: list[int] = []  # an inode whose file is open is never given to another file
        self._note_names(root)

    def sync(self, file: int) -> None:
        super().sync(file)
        self._note_bytes(file)

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self._note_names(folder)

    def replace(self, path: Path, data: bytes) -> None:
        super().replace(path, data)
        file = os.open(path, os.O_RDONLY)
        self._note_bytes(file)
        os.close(file)

    def cut(self, into: Path) -> Path:
        """The folder as the next start finds it; the running one is left alone."""
        self._leave(self._root.stat().st_ino, into)
        return into

    def forget(self) -> None:
        """Close the files held for their inodes."""
        for file in self._kept_open:
            os.close(file)
        self._kept_open.clear()

    def _leave(self, folder: int, into: Path) -> None:
        into.mkdir()
        for name, inode in self._names[folder].items():
            if inode in self._names:
                self._leave(inode, into / name)
            else:
                (into / name).write_bytes(self._bytes.get(inode, b""))

    def _note_bytes(self, file: int) -> None:
        inode = os.fstat(file).st_ino
        if inode not in self._bytes:
            self._kept_open.append(os.dup(file))
        self._bytes[inode] = Path(f"/proc/self/fd/{file}").read_bytes()

    def _note_names(self, folder: Path) -> None:
        names = {entry.name: entry.inode() for entry in os.scandir(folder)}
        self._names[folder.stat().st_ino] = names
        for entry in os.scandir(folder):
            if entry.is_dir():
                self._names.setdefault(entry.inode(), {})


class WithoutFileSync(PowerCutDisk):
    """What a spool that forgets to sync its files would leave."""

    def sync(self, file: int) -> None:
        pass


class WithoutFolderSync(PowerCutDisk):
    """What a spool that forgets to sync its folder would leave."""

    def sync_folder(self, folder: Path) -> None:
        if folder == self._root:
            super().sync_folder(folder)
