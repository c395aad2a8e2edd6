"""The spool: append-only segment files between the sockets and the database, the ledger of what was heard."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from ingest.disk import Disk
from ingest.errors import IngestError
from ingest.left_over import LeftOver
from ingest.record_buffer import LANE_FACTS, LANE_TELEMETRY, RecordBuffer
from ingest.segment import (
    DURABLE_FILE,
    LANES,
    SEGMENT_HEADER_BYTES,
    Segment,
    SegmentHeader,
    boot_of_machine,
    durable_position,
    list_segments,
    new_segment_id,
    pack_durable,
    segment_path,
)
from ingest.spool_folders import SpoolInUseError, lock_for_writing
from ingest.spool_limit import Shed, read_shed, reserve_count, shed_oldest_telemetry
from ingest.spool_recovery import TornTail, recover_segments

DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
DEFAULT_MAX_BYTES = 20 * 1024**3
SMALLEST_SEGMENTS_OF_LIMIT = 8
KEPT_FREE_BYTES = 1024 * 1024
"""Of a disk that fills: what the loader needs to note how far it is. Without that it could never empty the disk."""


class SpoolBrokenError(IngestError):
    """The disk refused a sync: what it holds is not known any more, so nothing is acknowledged until a restart."""


class Spool:
    """Writes records of `buffer` to segment files and says when they are on the disk.

    Invariants:
    1. A byte is handed to the operating system once, in the order of its coming within its lane.
    2. A segment is synced as a whole before the next one of its lane begins: only the newest can be torn.
    3. A segment of an earlier run is never continued, so a position in a segment never means two different things.
    4. Bytes that the disk does not take stay in memory and are tried again; bytes of the lane of facts are never shed.

    `append` on `buffer` belongs to one thread; `write`, `sync` and `commit` may be called from any.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], int],
        node: str = "local",
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        max_bytes: int = DEFAULT_MAX_BYTES,
        disk: Disk | None = None,
        left_over: LeftOver | None = None,
    ) -> None:
        """Open the spool in `folder`, alone, after cutting off what a crash left torn.

        `clock` gives epoch milliseconds. `max_bytes` bounds the folder: beyond it the oldest telemetry is deleted.
        What lies in folders of earlier writers counts as well, and goes first (`left_over`).
        Raises SpoolInUseError when another process holds the folder.
        """
        self.folder = folder
        self.node = node
        self.buffer = RecordBuffer()
        self.torn_tails: list[TornTail] = []
        self._clock = clock
        self._segment_bytes = min(segment_bytes, max(max_bytes // SMALLEST_SEGMENTS_OF_LIMIT, 1))
        self._max_bytes = max_bytes
        self._disk = disk or Disk()
        self._lock = threading.Lock()
        self._lanes = [_LaneFile(lane) for lane in LANES]
        self._written = 0
        self._durable = 0
        self._broken: OSError | None = None
        self._left_over = left_over
        self._lock_file = _make_and_lock(folder, self._disk)
        self._durable_file = os.open(folder / DURABLE_FILE, os.O_WRONLY | os.O_CREAT, 0o644)
        self.torn_tails = recover_segments(folder, self._disk, clock())
        reserve_count(folder, self._disk)
        recovered = list_segments(folder)
        for segment in recovered:
            if not segment.closed:
                self._publish(segment.header.lane, segment.segment_id, segment.size)
        self._last_created_ms = max((segment.header.created_ms for segment in recovered), default=0)

    @property
    def written(self) -> int:
        """Bytes handed to the operating system since the spool was opened."""
        return self._written

    @property
    def durable(self) -> int:
        """Bytes known to be on the disk since the spool was opened."""
        return self._durable

    @property
    def broken(self) -> bool:
        """Whether the disk refused a sync: only a new spool, after a restart, tells what the folder holds."""
        return self._broken is not None

    @property
    def shed(self) -> Shed:
        """What was given up so far because the disk limit was reached."""
        return read_shed(self.folder)

    @property
    def max_bytes(self) -> int:
        """The limit of the folder."""
        return self._max_bytes

    def facts_bytes(self) -> int:
        """What waits in the lane that is never shed, on disk and in memory."""
        on_disk = sum(segment.size for segment in self.segments() if segment.header.lane == LANE_FACTS)
        return on_disk + self.buffer.pending_facts

    def segments(self) -> list[Segment]:
        """All segments, oldest first."""
        return list_segments(self.folder)

    def bytes_on_disk(self) -> int:
        """Size of all segments together."""
        return sum(segment.size for segment in self.segments())

    def write(self) -> int:
        """Hand everything buffered to the operating system; gives the position reached, as `durable` counts.

        Raises OSError when the disk does not take it: what is left stays in memory for the next call.
        """
        with self._lock:
            return self._write()

    def sync(self) -> int:
        """Return when everything written so far is on the disk; gives the position that is durable now.

        Raises SpoolBrokenError when the disk refuses, now and at every later call: after a failed sync the kernel may
        have dropped the very pages it failed to write.
        """
        with self._lock:
            return self._sync()

    def commit(self) -> int:
        """`write` and `sync` in one step."""
        with self._lock:
            self._write()
            return self._sync()

    def adopt(self, folder: Path) -> int:
        """Take over all segments of another spool's folder, closed and on the same disk; gives how many.

        They become readable as a whole, one by one. Called again after a crash in between, it takes over the rest.
        """
        with self._lock:
            self._write()
            for lane in self._lanes:
                if lane.file >= 0:
                    self._finish(lane)
            adopted = list_segments(folder)
            for segment in adopted:
                segment.path.rename(segment_path(self.folder, segment.segment_id))
                self._last_created_ms = max(self._last_created_ms, segment.header.created_ms)
            self._disk.sync_folder(self.folder)
            for segment in list_segments(self.folder):
                if not segment.closed:
                    self._publish(segment.header.lane, segment.segment_id, segment.size)
            return len(adopted)

    def close(self) -> None:
        """Commit what is buffered and let go of the folder."""
        with self._lock:
            try:
                if self._broken is None and self._lock_file >= 0:
                    self._write()
                    self._sync()
            finally:
                self._let_go()

    def _write(self) -> int:
        if self._broken is not None:
            raise SpoolBrokenError(f"the spool in {self.folder} failed to sync: {self._broken}") from self._broken
        for lane in self._lanes:
            while lane.unwritten:  # what the disk refused before comes first
                self._write_some(lane)
            lane.unwritten = memoryview(self.buffer.take(lane.number))
            while lane.unwritten:
                self._write_some(lane)
        return self._written

    def _write_some(self, lane: "_LaneFile") -> None:
        if lane.file >= 0 and not lane.middle_of_chunk and lane.size + len(lane.unwritten) > self._segment_bytes:
            self._finish(lane)
        try:
            self._leave_room_for_the_loader(len(lane.unwritten))
            if lane.file < 0:
                self._begin(lane)
            count = self._disk.write(lane.file, lane.unwritten)
        except OSError:
            if not shed_oldest_telemetry(self.folder, self._disk, segments=1):
                raise
            return
        lane.size += count
        lane.synced = False
        lane.unwritten = lane.unwritten[count:]
        lane.middle_of_chunk = bool(lane.unwritten)
        if not lane.middle_of_chunk:
            lane.whole_records = lane.size
        self._written += count

    def _leave_room_for_the_loader(self, needed: int) -> None:
        if self._disk.free_bytes(self.folder) < needed + KEPT_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _begin(self, lane: "_LaneFile") -> None:
        self._keep_limit(max(self._segment_bytes, len(lane.unwritten)))
        created_ms = max(self._clock(), self._last_created_ms + 1)
        # Before the disk is asked: a segment that fails after its renaming stays in the folder, with this age.
        self._last_created_ms = created_ms
        header = SegmentHeader(new_segment_id(self.node, boot_of_machine()), created_ms, lane.number)
        path = segment_path(self.folder, header.segment_id)
        part = path.with_suffix(".part")
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            if self._disk.write(file, header.pack()) != SEGMENT_HEADER_BYTES:
                raise OSError(f"the disk took only a part of the header of {part}")
            self._disk.sync(file)
            part.rename(path)
            self._disk.sync_folder(self.folder)
        except OSError:
            os.close(file)
            raise
        lane.file, lane.segment_id, lane.synced = file, header.segment_id, True
        lane.size = lane.whole_records = SEGMENT_HEADER_BYTES

    def _finish(self, lane: "_LaneFile") -> None:
        self._sync_lane(lane)
        os.close(lane.file)
        lane.file = -1

    def _sync(self) -> int:
        if self._broken is not None:
            raise SpoolBrokenError(f"the spool in {self.folder} failed to sync: {self._broken}") from self._broken
        for lane in self._lanes:
            if not lane.synced:
                self._sync_lane(lane)
        self._durable = self._written
        return self._durable

    def _sync_lane(self, lane: "_LaneFile") -> None:
        try:
            self._disk.sync(lane.file)
        except OSError as error:
            self._broken = error
            raise SpoolBrokenError(f"the spool in {self.folder} failed to sync: {error}") from error
        lane.synced = True
        self._publish(lane.number, lane.segment_id, lane.whole_records)

    def _publish(self, lane: int, segment_id: int, size: int) -> None:
        # Not synced itself: it tells readers of the running machine. After a power cut the recovery writes it anew.
        os.pwrite(self._durable_file, pack_durable(segment_id, size, lane), durable_position(lane))

    def _keep_limit(self, needed: int) -> None:
        excess = self.bytes_on_disk() + needed - self._max_bytes
        if self._left_over is not None:
            excess += self._left_over.bytes_of_share()
            if excess > 0:
                excess -= self._left_over.shed(excess)
        if excess > 0:
            shed_oldest_telemetry(self.folder, self._disk, at_least_bytes=excess)

    def _let_go(self) -> None:
        for lane in self._lanes:
            if lane.file >= 0:
                os.close(lane.file)
                lane.file = -1
        if self._lock_file >= 0:
            os.close(self._durable_file)
            os.close(self._lock_file)
            self._lock_file = -1


class _LaneFile:
    """The segment of one lane that is being written; `file` is -1 while there is none."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.file = -1
        self.segment_id = 0
        self.size = 0
        self.whole_records = 0  # bytes up to the last whole record: a full disk may take a part of one
        self.synced = True
        self.unwritten: memoryview = memoryview(b"")
        self.middle_of_chunk = False


def _make_and_lock(folder: Path, disk: Disk) -> int:
    """Make the folder and hold it; the loader may remove an empty one that nobody holds at any moment."""
    while True:
        _make_folder(folder, disk)
        try:
            return lock_for_writing(folder)
        except FileNotFoundError:
            continue


def _make_folder(folder: Path, disk: Disk) -> None:
    """Make the folder and those above it, each with its name on the disk: segments in a lost folder are lost.

    The name of a folder that is there already is synced as well: a crash may have come between making and syncing.
    """
    if not folder.exists():
        _make_folder(folder.parent, disk)
        folder.mkdir(exist_ok=True)
    disk.sync_folder(folder.parent)


__all__ = ["LANE_FACTS", "LANE_TELEMETRY", "Spool", "SpoolBrokenError", "SpoolInUseError"]
