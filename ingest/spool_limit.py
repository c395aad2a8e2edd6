"""What happens at the disk limit: the oldest telemetry goes first, counted; facts stay (DESIGN invariant 3)."""

import logging
import os
from pathlib import Path

import msgspec

from ingest.disk import Disk
from ingest.load_state import read_state
from ingest.record_buffer import LANE_TELEMETRY, count_records
from ingest.segment import SEGMENT_HEADER_BYTES, Segment, list_segments

SHED_FILE = "shed.json"
SHED_FILE_BYTES = 128
"""Padded, so that a full disk has room for the next count."""

_log = logging.getLogger(__name__)


class Shed(msgspec.Struct, frozen=True):
    """Telemetry that never reached the database because the disk limit was reached."""

    segments: int = 0
    records: int = 0
    bytes: int = 0


def read_shed(folder: Path) -> Shed:
    """What was given up in this spool so far; nothing, when the file is torn."""
    try:
        return msgspec.json.decode((folder / SHED_FILE).read_bytes(), type=Shed)
    except (FileNotFoundError, msgspec.DecodeError):
        return Shed()


def reserve_count(folder: Path, disk: Disk) -> None:
    """Give the count its bytes while there is room: the first one may have to be written on a disk that is full."""
    path = folder / SHED_FILE
    try:
        if not path.exists() or path.stat().st_size < SHED_FILE_BYTES:
            disk.replace(path, _encoded(read_shed(folder)))
    except OSError as error:
        _log.warning("%s: no room for the count of what will be given up: %s", folder, error)


def shed_oldest_telemetry(folder: Path, disk: Disk, *, at_least_bytes: int = 0, segments: int = 0) -> int:
    """Delete closed segments of telemetry, oldest first, until `at_least_bytes` and `segments` are reached.

    Gives the number of segments deleted, 0 when there is none to give up. What the loader had loaded of them already
    does not count as shed.
    """
    deleted = freed = records = unloaded = 0
    for segment in list_segments(folder):
        if freed >= at_least_bytes and deleted >= segments:
            break
        if segment.header.lane != LANE_TELEMETRY or not segment.closed:
            continue
        loaded = max(read_state(folder, segment.segment_id).loaded, SEGMENT_HEADER_BYTES)
        records += _records_after(segment, loaded)
        unloaded += max(segment.size - loaded, 0)
        segment.path.unlink(missing_ok=True)
        freed += segment.size
        deleted += 1
    if deleted:
        before = read_shed(folder)
        now = Shed(before.segments + deleted, before.records + records, before.bytes + unloaded)
        _remember(folder, disk, now)
    return deleted


def _records_after(segment: Segment, start: int) -> int:
    try:
        data = segment.path.read_bytes()
    except FileNotFoundError:  # the loader was quicker: all of it is in the database
        return 0
    return count_records(data, start)


def _remember(folder: Path, disk: Disk, shed: Shed) -> None:
    """The counter must not stand in the way of the space that was just made for facts."""
    path = folder / SHED_FILE
    data = _encoded(shed)
    try:
        disk.replace(path, data)
    except OSError:
        # A loader that has the deleted segment open keeps its space. Bytes that are there already can be written over.
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.pwrite(file, data, 0)
            finally:
                os.close(file)
        except OSError:
            _log.exception("%s: that %d records were given up could not be written down", folder, shed.records)


def _encoded(shed: Shed) -> bytes:
    return msgspec.json.encode(shed).ljust(SHED_FILE_BYTES)
