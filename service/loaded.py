"""What a loader told of itself, for those who go by it, and up to which moment everything is in ClickHouse."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from ingest.loader_status import LoaderStatus, read_loader_status


def told_by_loader(spool: Path) -> LoaderStatus | None:
    """What the loader said last, None when none ever ran.

    None for a torn file, too: a power failure may leave it empty, and a loader that runs replaces it within a second.
    """
    try:
        return read_loader_status(spool)
    except msgspec.DecodeError:
        return None


def loaded_until(spool: Path) -> Callable[[], int]:
    """A function that gives that moment (UTC epoch ms), 0 while no loader has said anything yet."""

    def read() -> int:
        status = told_by_loader(spool)
        return status.loaded_until_ms if status is not None else 0

    return read
