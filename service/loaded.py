"""Up to which moment everything that the gateway took is in ClickHouse."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from ingest.loader import STATUS_FILE, LoaderStatus


def loaded_until(spool: Path) -> Callable[[], int]:
    """A function that gives that moment (UTC epoch ms), 0 while no loader has said anything yet."""
    path = spool / STATUS_FILE

    def read() -> int:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return 0
        status = msgspec.json.decode(content, type=LoaderStatus)
        return status.loaded_until_ms

    return read
