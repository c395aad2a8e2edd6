"""How far a segment has reached the database: one small file per segment, replaced as a whole."""

from pathlib import Path

import msgspec

from ingest.disk import Disk

STATE_FOLDER = "loaded"


class LoadState(msgspec.Struct, frozen=True):
    """Of one segment: bytes before `loaded` are in the database.

    `intent_end`, when it is not 0: the bytes from `loaded` up to there are being inserted, and may be in the database
    already, wholly or in part. What the database has of the bytes before `checked` was compared with the segment;
    `different`: it was not the same, so that the segment is kept.
    """

    loaded: int = 0
    intent_end: int = 0
    checked: int = 0
    different: bool = False


def state_path(folder: Path, segment_id: int) -> Path:
    """Where the state of that segment lies, in the spool's folder."""
    return folder / STATE_FOLDER / f"{segment_id:016x}.json"


def read_state(folder: Path, segment_id: int) -> LoadState:
    """The state of that segment; one of which nothing was loaded yet has none on disk."""
    try:
        return msgspec.json.decode(state_path(folder, segment_id).read_bytes(), type=LoadState)
    except FileNotFoundError:
        return LoadState()


def write_state(folder: Path, segment_id: int, state: LoadState, disk: Disk) -> None:
    """Put the state on the disk; after a power cut it is the old or the new one."""
    disk.replace(state_path(folder, segment_id), msgspec.json.encode(state))


def drop_states_without_segment(folder: Path) -> None:
    """Forget states of segments that are gone: fully loaded and deleted, or shed."""
    for path in (folder / STATE_FOLDER).glob("*.json"):
        if not (folder / f"{path.stem}.seg").exists():
            path.unlink(missing_ok=True)
