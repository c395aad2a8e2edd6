"""What a crash may leave in the newest segments: how it is found, put aside, and told (promise P11)."""

import logging
import mmap
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ingest.disk import Disk
from ingest.record_buffer import find_record, scan_records
from ingest.segment import LANES, SEGMENT_HEADER_BYTES, Segment, SegmentHeader, list_segments
from ingest.set_aside import SetAside, note_set_aside, set_aside

SCAN_RECORDS = 100_000
RECOVERY_FILE = "recovery.json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TornTail:
    """Bytes behind the last intact record of a segment, kept in `set_aside`."""

    segment_id: int
    offset: int
    length: int
    reason: str
    set_aside: Path


class Recovery(msgspec.Struct, frozen=True):
    """What one recovery found: the file `recovery.json` in the spool's folder.

    `bytes` and `records` of the newest segments were read and are intact. `cut_bytes` were behind their last intact
    record and are set aside, with `files` that never got a sound header. `damaged_bytes` lie between intact records:
    the loader sets them aside when it comes there.
    """

    at_ms: int
    took_ms: int
    bytes: int
    records: int
    cut_bytes: int
    damaged_bytes: int
    files: int
    set_aside: tuple[SetAside, ...] = ()


@dataclass
class _Findings:
    records: int = 0
    scanned: int = 0
    damaged: int = 0
    files: int = 0
    tails: list[TornTail] = field(default_factory=list)
    entries: list[SetAside] = field(default_factory=list)


def recover_segments(folder: Path, disk: Disk, now_ms: int = 0) -> list[TornTail]:
    """Bring the newest segment of each lane to a state in which every byte of it may be read, and say what was done.

    Torn bytes behind its last intact record are moved to `<segment>.damaged-<offset>`. Damage with intact records
    behind it stays where it is: the loader steps over it and keeps it as evidence. Files that never got a sound header
    are renamed to `.damaged`. Older segments were synced as a whole before the next one began. The caller has the
    folder for itself.
    """
    began = time.monotonic()
    found = _Findings()
    for path in folder.glob("*.part"):
        path.unlink()  # never had a record
    for path in folder.glob("*.seg"):
        _require_header(path, found, now_ms)
    segments = list_segments(folder)
    for lane in LANES:
        for segment in [segment for segment in segments if segment.header.lane == lane][-1:]:
            _recover(segment, disk, found, now_ms)
    if segments or found.files:
        _tell(folder, disk, found, now_ms, round((time.monotonic() - began) * 1000))
    return found.tails


def read_recovery(folder: Path) -> Recovery | None:
    """What the last recovery of a folder found, None when there was none.

    None for a torn note, too, as a power failure may leave it: what was set aside stands in its own files.
    """
    try:
        return msgspec.json.decode((folder / RECOVERY_FILE).read_bytes(), type=Recovery)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _require_header(path: Path, found: _Findings, now_ms: int) -> None:
    with path.open("rb") as file:
        if SegmentHeader.unpack(file.read(SEGMENT_HEADER_BYTES)) is not None:
            return
        size = os.fstat(file.fileno()).st_size
    kept = path.with_suffix(".damaged")
    path.rename(kept)
    found.files += 1
    found.entries.append(note_set_aside(SetAside(path.stem, 0, size, "header", kept.name, now_ms), path.parent))


def _recover(segment: Segment, disk: Disk, found: _Findings, now_ms: int) -> None:
    file = os.open(segment.path, os.O_RDWR)
    try:
        with mmap.mmap(file, 0, prot=mmap.PROT_READ) as data:
            intact, reason = _last_intact(data, found)
            tail = data[intact:]
        if tail:
            entry = set_aside(segment.path, intact, tail, reason, now_ms, disk)
            found.entries.append(entry)
            found.tails.append(
                TornTail(segment.segment_id, intact, len(tail), reason, segment.path.with_name(entry.file))
            )
            os.ftruncate(file, intact)
        os.fsync(file)
    finally:
        os.close(file)


def _last_intact(data: mmap.mmap, found: _Findings) -> tuple[int, str]:
    """Where the last intact record ends, and what is wrong with what follows ("end" when nothing does)."""
    end = SEGMENT_HEADER_BYTES
    while True:
        records = scan_records(data, end, SCAN_RECORDS)
        found.records += records.count
        found.scanned += records.end - end
        end = records.end
        if records.stop == "limit":
            continue
        following = -1 if records.stop == "end" else find_record(data, end + 1)
        if following < 0:
            return end, records.stop
        found.damaged += following - end
        end = following


def _tell(folder: Path, disk: Disk, found: _Findings, now_ms: int, took_ms: int) -> None:
    cut = sum(tail.length for tail in found.tails)
    recovery = Recovery(
        now_ms, took_ms, found.scanned, found.records, cut, found.damaged, found.files, tuple(found.entries)
    )
    if found.entries or found.damaged:
        _log.warning(
            "%s: recovery read %d records; set aside %d torn bytes, %d files without a header; found %d damaged bytes",
            folder, found.records, cut, found.files, found.damaged,
        )  # fmt: skip
    try:
        disk.replace(folder / RECOVERY_FILE, msgspec.json.encode(recovery))
    except OSError:
        _log.exception("%s: what the recovery did could not be written down", folder)
