"""The history as a capture: lines of JSON in the order of time."""

import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Final

from benchmarks.historic.errors import HistoricError
from benchmarks.historic.history import Frame
from benchmarks.historic.names import AAF5_PREFIX

LINES_AT_ONCE: Final = 10_000


def check_target(path: Path) -> None:
    """Raises `HistoricError` where no capture can be put: a folder, a device, a folder that does not exist."""
    if path.is_dir():
        raise HistoricError(f"{path} is a folder; name the file in it that is to hold the frames")
    if path.exists() and not path.is_file():
        raise HistoricError(f"{path} is no regular file; the frames are written beside it first and put there whole")
    if not path.parent.is_dir():
        raise HistoricError(f"{path}: there is no folder {path.parent}; make it first")


def write_capture(path: Path, frames: Iterable[Frame]) -> Generator[int, None, None]:
    """Write one line a frame; gives, again and again, how many lines were written since the last time.

    The file appears whole and on the disk, or not at all: until the end it is `<path>.part`, which goes when writing
    fails, is interrupted, or this generator is closed. A capture that was there before stays until then. The names of
    connections are those of this package, which hold nothing that JSON would have to escape.
    """
    whole = path.resolve()
    part = whole.with_name(whole.name + ".part")
    try:
        with part.open("w", encoding="ascii") as file:
            lines: list[str] = []
            for time_ms, connection, frame in frames:
                protocol = "aaf5" if connection.startswith(AAF5_PREFIX) else "ykc"
                lines.append(
                    f'{{"ts":{time_ms},"conn":"{connection}","protocol":"{protocol}","hex":"{frame.hex().upper()}"}}\n'
                )
                if len(lines) == LINES_AT_ONCE:
                    file.write("".join(lines))
                    yield len(lines)
                    lines.clear()
            file.write("".join(lines))
            yield len(lines)
            file.flush()
            os.fsync(file.fileno())
        part.replace(whole)
        _sync_folder(whole.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Return when the new name is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
