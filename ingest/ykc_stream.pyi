"""The compiled part of a YKC connection: realtime frames and heartbeats from bytes to spool records.

No Python object is made for a reading, and Python code runs for a heartbeat only once per read of the socket.
"""

from collections.abc import Callable

from typing_extensions import Buffer

from core.connector import ConnectorCycle
from core.ykc.splitter import FrameSplitter
from ingest.record_buffer import RecordBuffer

def whole_frame_kind(data: bytes) -> int:
    """Span kind of bytes that claim to be one whole frame (`core.ykc.splitter`)."""

class YkcStream:
    """One connection's frames, in the order of the wire.

    Invariants:

    1. Every byte given to `feed` or `take_frame` ends in a record (frame or quarantine), in
       `evidence_dropped_bytes`, or waits in the splitter.
    2. Records of one connection stand in the spool in the order of its frames, provided that the caller keeps each
       frame that `next_frame` gives before it asks for the next.
    3. A realtime frame of another charger than the one bound, or before `bind`, is never observed: it goes to Python.
    """

    def __init__(
        self,
        records: RecordBuffer,
        connection_id: int,
        on_event: Callable[[int, int, int, int, int, str], None],
        evidence_limit: int = 65_536,
        splitter: FrameSplitter | None = None,
    ) -> None:
        """`on_event(connector, event_ms, events, state, plugged, trade_no)` is told when a connector changes.

        `events` is the bit mask of `core.connector`. `evidence_limit`: quarantined bytes kept per minute.
        """

    splitter: FrameSplitter
    records: RecordBuffer
    connection_id: int
    pile_id: int
    bytes_in: int
    frames: int
    readings: int
    heartbeats: int
    fast_frames: int
    quarantined_bytes: int
    evidence_dropped_bytes: int
    garbage_run: int

    @property
    def quarantined(self) -> dict[int, int]:
        """Quarantined bytes by reason number."""

    def bind(
        self,
        pile_id: int,
        pile_code: str,
        cycles: list[ConnectorCycle | None],
        new_cycle: Callable[[int, int], ConnectorCycle],
    ) -> None:
        """The charger has logged in. `cycles[n]` is connector n's life cycle; `new_cycle(n, now_ms)` puts it there.

        Raises `ValueError` when `pile_code` is not 14 hex digits or `cycles` has not 100 places.
        """

    def feed(self, nbytes: int, receive_ms: int) -> None:
        """Take `nbytes` that were written into `splitter.get_buffer()`; then call `next_frame` until it gives None."""

    def feed_bytes(self, data: Buffer, receive_ms: int) -> None:
        """As `feed`, with a copy of at most the splitter's free room."""

    def next_frame(self) -> tuple[int, int, bytes] | None:
        """The next frame that Python must handle, as (span kind, type, whole frame); None at the end of the feed."""

    def take_frame(self, frame: bytes, receive_ms: int) -> tuple[int, int, bytes] | None:
        """Handle one whole frame of a capture, which may be damaged; gives it back when Python must handle it.

        Nothing is searched for inside: a damaged frame is quarantined as a whole.
        """

    def take_fast(self, frame: bytes, receive_ms: int) -> bool:
        """As `take_frame`, for an undamaged reading or heartbeat of the bound charger; False: nothing was done."""

    def keep(self, frame: bytes, connector: int, event_ms: int) -> bool:
        """Store a frame that the charger sent; False when the spool refused it."""

    def keep_sent(self, frame: bytes, connector: int, sent_ms: int) -> None:
        """Store a frame that the platform sent."""

    def quarantine(self, data: bytes, reason: int) -> None:
        """Keep bytes as evidence, within the limit."""

    def take_acks(self) -> bytes:
        """The heartbeat answers made since the last call, in order; empty when there are none."""

    presences: list[tuple[int, int, int, int, int]]
    """Minutes that are over in which the bound charger was heard: first_ms, last_ms, frames, heartbeats, bytes. The
    caller takes them out."""

    def end_minute(self, now_ms: int) -> None:
        """Move the minute under way to `presences` if it is over at `now_ms`."""

    def close(self) -> None:
        """Quarantine what waits in the splitter: the connection is over."""
