"""When could the platform not hear? A beat file, rewritten while the gateway lives, answers that at the next start."""

from pathlib import Path
from typing import Final

import msgspec

from ingest.errors import IngestError
from ingest.events import PlatformOutage

BEAT_INTERVAL_MS: Final = 2_000


class Beat(msgspec.Struct, frozen=True):
    """The last sign of life of a gateway. `stopped`: it said good-bye in order."""

    node: str
    beat_ms: int
    stopped: bool


class Liveness:
    """The beat file of one node.

    The outage that a start reports reaches from the last beat, so it may be up to one interval too long: it counts
    against nobody, so too long is the harmless side.
    """

    def __init__(self, path: Path, node: str) -> None:
        self._path = path
        self._node = node
        self._last_ms = 0

    def outage_before(self, now_ms: int) -> PlatformOutage | None:
        """The time since the last beat, None at the first start of all or when the clock stands before that beat.

        Raises `IngestError` when the file is there and cannot be read: guessing would blame chargers for our silence.
        """
        try:
            content = self._path.read_bytes()
            written_ms = self._path.stat().st_mtime_ns // 1_000_000
        except FileNotFoundError:
            return None
        except OSError as error:
            raise IngestError(f"cannot read the beat file {self._path}: {error}") from error
        try:
            beat = msgspec.json.decode(content, type=Beat)
        except msgspec.DecodeError:
            # A power failure can leave it empty; the moment of its last writing is still the last sign of life.
            beat = Beat(node=self._node, beat_ms=written_ms, stopped=False)
        if beat.beat_ms >= now_ms:
            return None
        cause = "stopped" if beat.stopped else "crashed"
        return PlatformOutage(node=self._node, from_ms=beat.beat_ms, to_ms=now_ms, cause=cause)

    def beat(self, now_ms: int) -> bool:
        """Write the file when an interval has passed (or the clock was set back). Gives whether it did."""
        if 0 <= now_ms - self._last_ms < BEAT_INTERVAL_MS:
            return False
        self._write(now_ms, stopped=False)
        return True

    def stopped(self, now_ms: int) -> None:
        """The last beat of a stop in order."""
        self._write(now_ms, stopped=True)

    def _write(self, now_ms: int, *, stopped: bool) -> None:
        replace_file(self._path, msgspec.json.encode(Beat(node=self._node, beat_ms=now_ms, stopped=stopped)))
        self._last_ms = now_ms  # a beat that the disk refused is tried again at the next call


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a small status file, so that a reader sees the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
