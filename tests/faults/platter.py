"""What is on the disk for certain, noted at every sync by the processes that write there, and what a power cut leaves.

`kill -9` takes nothing from the page cache. So the noted bytes and names take the place of the folder afterwards: of
each file only synced bytes remain, of each folder only synced names. That is the harshest disk that POSIX allows.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROWING = (".seg", ".part")


class Platter:
    """Notes in a folder on the same file system as the data: inodes are held by links, so none is ever used again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._make_folders()

    def _make_folders(self) -> None:
        for name in ("held", "bytes", "names"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def take_in(self, folder: Path) -> None:
        """All of `folder`, as it is now, is on the disk."""
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                self.note_folder(path)
            else:
                with path.open("rb") as file:
                    self.note_file(file.fileno())

    def note_file(self, file: int) -> None:
        """The file's bytes are on the disk now. A segment only grows, so of it only what is new is copied."""
        status = os.fstat(file)
        with self._alone():
            copy = self._folder / "bytes" / str(status.st_ino)
            source = Path(f"/proc/self/fd/{file}")
            self._hold(source.readlink())
            grows = source.readlink().suffix in GROWING
            with source.open("rb") as data, copy.open("ab") as kept:
                if not grows:
                    kept.truncate(0)
                data.seek(kept.tell() if grows else 0)
                shutil.copyfileobj(data, kept)

    def note_folder(self, folder: Path) -> None:
        """The folder's names are on the disk now."""
        with self._alone():
            names = {entry.name: entry.inode() for entry in os.scandir(folder)}
            folders = [entry.inode() for entry in os.scandir(folder) if entry.is_dir()]
            for path in folder.iterdir():
                if path.is_file():
                    self._hold(path)
            path = self._folder / "names" / str(folder.stat().st_ino)
            path.with_suffix(".new").write_text(json.dumps([names, folders]))
            path.with_suffix(".new").replace(path)

    def cut(self, folder: Path) -> None:
        """Put what a power cut leaves of `folder` in its place. Nothing may run on it; its own name is safe."""
        left = folder.with_name(folder.name + ".left")
        self._leave(folder.stat().st_ino, left)
        shutil.rmtree(folder)
        left.rename(folder)
        shutil.rmtree(self._folder)
        self._make_folders()
        self.take_in(folder)

    def _leave(self, inode: int, into: Path) -> None:
        into.mkdir()
        noted = self._folder / "names" / str(inode)
        names, folders = json.loads(noted.read_text()) if noted.exists() else ({}, [])
        for name, number in names.items():
            kept = self._folder / "bytes" / str(number)
            if number in folders:
                self._leave(number, into / name)
            elif kept.exists():
                shutil.copy(kept, into / name)
            else:
                (into / name).touch()

    def _hold(self, path: Path) -> None:
        try:
            held = self._folder / "held" / str(path.stat().st_ino)
            if not held.exists():
                os.link(path, held)
        except FileNotFoundError:
            return  # renamed or deleted since the listing: its inode is not needed any more

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
