"""Bytes of a spool that are no record: kept beside their segment, with the reason (promise P11)."""

import logging
from pathlib import Path

import msgspec

from ingest.disk import Disk

LIST_FILE = "set-aside.jsonl"

_log = logging.getLogger(__name__)


class SetAside(msgspec.Struct, frozen=True):
    """One stretch of bytes. `segment` is the name of its file without the ending, `file` where the bytes are now.

    `reason`: incomplete (the file ends inside a record: torn), checksum (a flipped bit), length, kind (no header of a
    record), header (the segment's own), or what the decoder of an event said.
    """

    segment: str
    offset: int
    length: int
    reason: str
    file: str
    at_ms: int


def set_aside(segment: Path, offset: int, data: bytes, reason: str, at_ms: int, disk: Disk) -> SetAside:
    """Keep a copy of bytes of `segment` beside it, on the disk when this returns, and put them on the list."""
    path = segment.with_suffix(f".damaged-{offset}")
    disk.replace(path, data)
    return note_set_aside(SetAside(segment.stem, offset, len(data), reason, path.name, at_ms), segment.parent)


def note_set_aside(entry: SetAside, folder: Path) -> SetAside:
    """Put it on the list of its folder, and in the log."""
    with (folder / LIST_FILE).open("ab") as file:
        file.write(msgspec.json.encode(entry) + b"\n")
    _log.error(
        "%s/%s.seg: %d bytes from offset %d are no record (%s); kept in %s",
        folder, entry.segment, entry.length, entry.offset, entry.reason, entry.file,
    )  # fmt: skip
    return entry


def read_set_aside(folder: Path) -> list[SetAside]:
    """The list of a folder, each stretch once (a crash may have noted one twice); lines cut by a crash are left out."""
    try:
        lines = (folder / LIST_FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    entries: dict[tuple[str, int], SetAside] = {}
    for line in lines:
        try:
            entry = msgspec.json.decode(line, type=SetAside)
        except msgspec.DecodeError:
            continue  # the bytes themselves lie beside the segment all the same
        entries[entry.segment, entry.offset] = entry
    return list(entries.values())
