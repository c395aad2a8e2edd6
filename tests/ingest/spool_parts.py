"""What the tests of spool and loader need: a spool on a folder, a disk that fails on demand, records in it."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ingest.disk import Disk
from ingest.events import Event
from ingest.record_buffer import EVENT, FRAME_UP
from ingest.spool import Spool

NOW_MS = 1_795_300_000_000


def open_spool(folder: Path, **settings: Any) -> Spool:
    return Spool(folder, clock=lambda: NOW_MS, **settings)


def add_frame(spool: Spool, frame: bytes, receive_ms: int = NOW_MS, pile_id: int = 11, **fields: Any) -> None:
    fields = {"connector": 1, "connection_id": 5} | fields
    assert spool.buffer.append(FRAME_UP, pile_id=pile_id, receive_ms=receive_ms, payload=frame, **fields)


def add_event(spool: Spool, event: Event) -> None:
    assert spool.buffer.append(EVENT, payload=msgspec.msgpack.encode(event), receive_ms=NOW_MS)


class FailingDisk(Disk):
    """Asks a function before each write and sync; it raises, or for a write gives the bytes to take (None = all)."""

    def __init__(self) -> None:
        self.on_write: Callable[[int], int | None] = lambda size: None
        self.on_sync: Callable[[], None] = lambda: None
        self.syncs = 0

    def write(self, file: int, data: bytes | memoryview) -> int:
        allowed = self.on_write(len(data))
        return super().write(file, data if allowed is None else data[:allowed])

    def sync(self, file: int) -> None:
        self.on_sync()
        self.syncs += 1
        super().sync(file)


def no_space(size: int) -> int | None:
    raise OSError(errno.ENOSPC, "no space left")
