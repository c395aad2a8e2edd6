"""What a crash may leave at the end of the newest segments, and how it is put aside."""

import mmap
import os
from dataclasses import dataclass
from pathlib import Path

from ingest.disk import Disk
from ingest.record_buffer import find_record, scan_records
from ingest.segment import LANES, SEGMENT_HEADER_BYTES, SegmentHeader, list_segments

SCAN_RECORDS = 100_000


@dataclass(frozen=True)
class TornTail:
    """Bytes behind the last intact record of a segment, kept in `set_aside`."""

    segment_id: int
    offset: int
    length: int
    reason: str
    set_aside: Path


def recover_segments(folder: Path, disk: Disk) -> list[TornTail]:
    """Bring the newest segment of each lane to a state in which every byte of it may be read.

    Torn bytes behind its last intact record are moved to `<segment>.damaged-<offset>`. Damage with intact records
    behind it stays where it is: the loader steps over it and keeps it as evidence. Files that never got a sound header
    are renamed to `.damaged`. Older segments were synced as a whole before the next one began.
    """
    for path in folder.glob("*.part"):
        path.unlink()  # never had a record
    for path in folder.glob("*.seg"):
        with path.open("rb") as file:
            if SegmentHeader.unpack(file.read(SEGMENT_HEADER_BYTES)) is None:
                path.rename(path.with_suffix(".damaged"))
    segments = list_segments(folder)
    torn = []
    for lane in LANES:
        newest = [segment for segment in segments if segment.header.lane == lane][-1:]
        for segment in newest:
            tail = _cut_torn_tail(segment.path, segment.segment_id, disk)
            if tail is not None:
                torn.append(tail)
    return torn


def _cut_torn_tail(path: Path, segment_id: int, disk: Disk) -> TornTail | None:
    file = os.open(path, os.O_RDWR)
    try:
        with mmap.mmap(file, 0, prot=mmap.PROT_READ) as data:
            intact, reason = _last_intact(data)
            tail = data[intact:]
        set_aside = path.with_suffix(f".damaged-{intact}")
        if tail:
            disk.replace(set_aside, tail)
            os.ftruncate(file, intact)
        os.fsync(file)
        return TornTail(segment_id, intact, len(tail), reason, set_aside) if tail else None
    finally:
        os.close(file)


def _last_intact(data: mmap.mmap) -> tuple[int, str]:
    """Where the last intact record ends, and what is wrong with what follows ("end" when nothing does)."""
    end = SEGMENT_HEADER_BYTES
    while True:
        records = scan_records(data, end, SCAN_RECORDS)
        end = records.end
        if records.stop == "limit":
            continue
        following = -1 if records.stop == "end" else find_record(data, end + 1)
        if following < 0:
            return end, records.stop
        end = following
