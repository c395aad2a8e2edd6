"""The scratch files below a data folder that a process left behind, told from those that one is just writing."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

ENDINGS: Final = (".part", ".new", ".tmp")
LASTS_S: Final = 10.0
"""How long a file may be a process at work before it is one that was left behind."""


class Scratch(NamedTuple):
    """One file; written anew it is another one, under the same name and perhaps with the same number."""

    path: Path
    number: int
    modified_ns: int


def left_behind(folder: Path, lasts_s: float = LASTS_S) -> set[Scratch]:
    """The scratch files that stay unchanged for `lasts_s`; returns at once when there is none."""
    left = scratch_files(folder)
    deadline = time.monotonic() + lasts_s
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= scratch_files(folder)
    return left


def scratch_files(folder: Path) -> set[Scratch]:
    """Those of this moment, but ClickHouse's. Folders that are removed meanwhile have none."""
    found = set()
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "clickhouse"]
        for path in (Path(parent, name) for name in names if name.endswith(ENDINGS)):
            with suppress(FileNotFoundError):
                state = path.stat()
                found.add(Scratch(path, state.st_ino, state.st_mtime_ns))
    return found
