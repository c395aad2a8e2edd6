"""Unix sockets of the platform: paths of any length, open to the user who runs it alone."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingest.errors import IngestError

# sun_path of a Unix address has 108 bytes, the last one a zero.
_ADDRESS_LIMIT_BYTES: Final = 107


def listen_privately(path: Path) -> socket.socket:
    """A socket bound to `path`; takes the place of one that a dead process left.

    Raises `IngestError` when somebody serves it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_address(path) as address:
            if _is_served(address):
                raise IngestError(f"another gateway serves {path}; stop it first")
            path.unlink(missing_ok=True)
            old_mask = os.umask(0o177)
            try:
                listening.bind(address)
            finally:
                os.umask(old_mask)
    except BaseException:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for `path` that fits into a Unix address, by way of an open directory when the path is long."""
    if len(os.fsencode(path)) <= _ADDRESS_LIMIT_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _is_served(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except OSError:
            return False
    return True
