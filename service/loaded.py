"""Up to which moment everything that the gateway took is in ClickHouse."""

from collections.abc import Callable
from pathlib import Path

from ingest.loader_status import read_loader_status


def loaded_until(spool: Path) -> Callable[[], int]:
    """A function that gives that moment (UTC epoch ms), 0 while no loader has said anything yet."""

    def read() -> int:
        status = read_loader_status(spool)
        return status.loaded_until_ms if status is not None else 0

    return read
