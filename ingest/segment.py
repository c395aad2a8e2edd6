"""Segment files of the spool: their header, their order, and how far a reader may read.

A segment is `<segment_id:016x>.seg`: 32 bytes of header, then records (`ingest.record_buffer`). Each lane (facts,
telemetry) has its own segments, and only the newest of a lane is written to. How far that one is on the disk stands in
the file `durable`, which the writer updates after each sync: a reader in another process never sees what a power cut
could take back, and what reached the database is always a part of what the spool holds.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

from ingest.record_buffer import LANE_FACTS, LANE_TELEMETRY

LANES = (LANE_FACTS, LANE_TELEMETRY)
SEGMENT_VERSION = 2  # with runs of frames; 1 had none, and is read as well
READABLE_VERSIONS = (1, 2)

_MAGIC = b"PILESEG1"
_HEADER = struct.Struct("<8sQqHBxI")  # magic, segment_id, created_ms, version, lane, crc32 of what precedes
SEGMENT_HEADER_BYTES = _HEADER.size

_DURABLE = struct.Struct("<QQII")  # segment_id, bytes on the disk, lane, crc32 of what precedes
DURABLE_FILE = "durable"


BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def new_segment_id(node: str, boot: str) -> int:
    """A number that no other segment has: 64 bits of a digest of node, boot of the machine and a random UUID.

    Chance alone keeps the segments of one boot apart. Node and boot keep machines apart that began as copies of one
    image or snapshot, whose chance may be the same.
    """
    whole = b"\0".join((node.encode(), boot.encode(), uuid4().bytes))
    return int.from_bytes(blake2b(whole, digest_size=8, person=b"segment").digest(), "little")


@cache
def boot_of_machine() -> str:
    """Which start of the machine this is, empty where the system does not say."""
    try:
        return BOOT_ID_FILE.read_text("ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class SegmentHeader:
    """What the first 32 bytes say."""

    segment_id: int
    created_ms: int
    lane: int

    def pack(self) -> bytes:
        """The 32 bytes."""
        head = _HEADER.pack(_MAGIC, self.segment_id, self.created_ms, SEGMENT_VERSION, self.lane, 0)[:-4]
        return head + zlib.crc32(head).to_bytes(4, "little")

    @classmethod
    def unpack(cls, data: bytes) -> "SegmentHeader | None":
        """The header, None when the bytes are not one (torn at creation, or not a segment)."""
        if len(data) < _HEADER.size:
            return None
        magic, segment_id, created_ms, version, lane, crc = _HEADER.unpack_from(data)
        if magic != _MAGIC or version not in READABLE_VERSIONS or lane not in LANES:
            return None
        if zlib.crc32(data[: _HEADER.size - 4]) != crc:
            return None
        return cls(segment_id, created_ms, lane)


@dataclass(frozen=True)
class Segment:
    """One segment file as a reader may use it.

    `readable`: bytes of the file that are on the disk for certain. `closed`: nothing more will be written to it.
    """

    path: Path
    header: SegmentHeader
    size: int
    readable: int
    closed: bool

    @property
    def segment_id(self) -> int:
        """The number that rows in ClickHouse carry."""
        return self.header.segment_id


def segment_path(folder: Path, segment_id: int) -> Path:
    """Where a segment with that number lies."""
    return folder / f"{segment_id:016x}.seg"


def pack_durable(segment_id: int, size: int, lane: int) -> bytes:
    """The entry of one lane in the file `durable`."""
    head = _DURABLE.pack(segment_id, size, lane, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "little")


def durable_position(lane: int) -> int:
    """Where the entry of a lane stands in the file `durable`."""
    return lane * _DURABLE.size


def read_durable(folder: Path) -> dict[int, int]:
    """Segment number to bytes on the disk, for the segments being written; empty before the first sync.

    An entry that is just being overwritten fails its checksum and is left out: the reader sees it at its next look.
    """
    try:
        data = (folder / DURABLE_FILE).read_bytes()
    except FileNotFoundError:
        return {}
    sizes = {}
    for lane in LANES:
        entry = data[durable_position(lane) : durable_position(lane) + _DURABLE.size]
        if len(entry) < _DURABLE.size or zlib.crc32(entry[:-4]).to_bytes(4, "little") != entry[-4:]:
            continue
        segment_id, size, _, _ = _DURABLE.unpack(entry)
        sizes[segment_id] = size
    return sizes


def list_segments(folder: Path) -> list[Segment]:
    """All segments of a spool, oldest first. Files without a sound header are left out (see `Spool`'s recovery)."""
    durable = read_durable(folder)  # before the listing: a segment that is closed in between is then seen as closed
    found = []
    for path in folder.glob("*.seg"):
        try:
            with path.open("rb") as file:
                header = SegmentHeader.unpack(file.read(SEGMENT_HEADER_BYTES))
                size = os.fstat(file.fileno()).st_size
        except FileNotFoundError:  # loaded and deleted, or shed, since the listing
            continue
        if header is not None:
            found.append((path, header, size))
    newest = {header.lane: (header.created_ms, header.segment_id) for _, header, _ in sorted(found, key=_age)}
    segments = []
    for path, header, size in sorted(found, key=_age):
        closed = newest[header.lane] != (header.created_ms, header.segment_id)
        readable = size if closed else min(size, durable.get(header.segment_id, 0))
        segments.append(Segment(path, header, size, readable, closed))
    return segments


def _age(entry: tuple[Path, SegmentHeader, int]) -> tuple[int, int]:
    return (entry[1].created_ms, entry[1].segment_id)
