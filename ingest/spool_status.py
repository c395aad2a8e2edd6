"""What lies in a spool, what was given up, and what was no record: for `pilestream status`."""

from pathlib import Path
from typing import Any

from ingest.segment import list_segments
from ingest.set_aside import read_set_aside
from ingest.spool_folders import spool_folders
from ingest.spool_limit import read_shed
from ingest.spool_recovery import read_recovery


def read_spool_status(root: Path) -> dict[str, Any]:
    """Segments and their bytes, in all folders together and by folder.

    Of a folder: `shed` (segments, records and bytes of telemetry that the disk limit cost), `set_aside` (stretches and
    bytes by reason) and `recovery` (what the last start after a crash found), each only where there is something.
    """
    folders = {}
    for folder in spool_folders(root) if root.exists() else []:
        shown = _read_folder(folder)
        if shown["segments"] or len(shown) > 2 or folder != root:
            folders["." if folder == root else folder.name] = shown
    return {
        "segments": sum(folder["segments"] for folder in folders.values()),
        "bytes": sum(folder["bytes"] for folder in folders.values()),
        "folders": folders,
    }


def _read_folder(folder: Path) -> dict[str, Any]:
    segments = list_segments(folder)
    shown: dict[str, Any] = {"segments": len(segments), "bytes": sum(segment.size for segment in segments)}
    shed = read_shed(folder)
    if shed.segments:
        shown["shed"] = {"segments": shed.segments, "records": shed.records, "bytes": shed.bytes}
    reasons: dict[str, list[int]] = {}
    for entry in read_set_aside(folder):
        found = reasons.setdefault(entry.reason, [0, 0])
        found[0] += 1
        found[1] += entry.length
    if reasons:
        shown["set_aside"] = {reason: {"stretches": n, "bytes": size} for reason, (n, size) in sorted(reasons.items())}
    recovery = read_recovery(folder)
    if recovery is not None and (recovery.cut_bytes or recovery.damaged_bytes or recovery.files):
        shown["recovery"] = {
            name: getattr(recovery, name)
            for name in ("at_ms", "took_ms", "records", "cut_bytes", "damaged_bytes", "files")
        }
    return shown
