"""The compiled part of a connection that all protocols share.

No Python object is made for a reading, and Python code runs for a heartbeat only once per read of the socket.
"""

from typing import Protocol

from typing_extensions import Buffer

from core.connector import ConnectorCycle
from core.directory import Pile
from core.wire.splitter import StreamSplitter
from ingest.record_buffer import RecordBuffer
from ingest.stream_totals import StreamTotals

class ConnectorStates(Protocol):
    """What a stream must know of a charger's connectors (`ingest.connection_registry.PileState`)."""

    cycles: list[ConnectorCycle | None]
    """By connector number, as long as the highest that was spoken of needs."""

    def cycle(self, connector: int, now_ms: int) -> ConnectorCycle:
        """The life cycle of a connector, put into `cycles` when it is first spoken of."""

    def note_session(self, trade_hi: int, trade_lo: int, trade_no: str) -> None:
        """The number of a session whose two halves are not the number itself."""

class ChargerStream:
    """One connection's frames, in the order of the wire. `YkcStream` and `Aaf5Stream` know the frames.

    Invariants:

    1. Every byte given to `feed` or `take_frame` ends in a record (frame or quarantine), in
       `evidence_dropped_bytes`, or waits in the splitter.
    2. Records of one connection stand in the spool in the order of its frames, provided that the caller keeps each
       frame that `next_frame` gives before it asks for the next.
    3. A reading of another charger than the one bound, or before `bind`, is never observed: it goes to Python.
    """

    splitter: StreamSplitter
    records: RecordBuffer
    connection_id: int
    pile_id: int
    protocol: int
    connector: int
    bytes_in: int
    frames: int
    readings: int
    heartbeats: int
    fast_frames: int
    quarantined_bytes: int
    evidence_dropped_bytes: int
    garbage_run: int
    event_frame: bytes
    """The frame for which `on_event` is being called, else empty."""

    @property
    def quarantined(self) -> dict[int, int]:
        """Quarantined bytes by reason number."""

    def count_into(self, totals: StreamTotals) -> None:
        """Add to these totals what is counted here from now on; without them it counts for itself only."""

    def bind(self, pile: Pile, state: ConnectorStates, connector: int = 0) -> None:
        """The charger has logged in; `connector` is the one that this connection speaks for, 0 = all.

        Raises `ValueError` when no frame can carry the pile's code, or there is no such connector.
        """

    def feed(self, nbytes: int, receive_ms: int) -> None:
        """Take `nbytes` that were written into `splitter.get_buffer()`; then call `next_frame` until it gives None.

        Frames not asked for are lost with the next `get_buffer`: whoever stops in the middle must not read on.
        """

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
        """The answers that the compiled path made since the last call, in order; empty when there are none."""

    @property
    def has_presences(self) -> bool:
        """Whether `take_presences` has any to give."""

    def take_presences(self) -> list[tuple[int, int, int, int, int]]:
        """Minutes that are over in which the bound charger was heard, since the last call: first_ms, last_ms, frames,
        heartbeats, bytes."""

    def end_minute(self, now_ms: int) -> None:
        """Let the minute under way be taken if it is over at `now_ms`."""

    def close(self) -> None:
        """Quarantine what waits in the splitter: the connection is over."""
