"""The compiled part of a YKC connection: realtime frames and heartbeats from bytes to spool records."""

from collections.abc import Callable

from core.ykc.splitter import FrameSplitter
from ingest.charger_stream import ChargerStream
from ingest.record_buffer import RecordBuffer

def whole_frame_kind(data: bytes) -> int:
    """Span kind of bytes that claim to be one whole frame (`core.ykc.splitter`)."""

class YkcStream(ChargerStream):
    """Realtime frames (0x13) and heartbeats (0x03, answered by 0x04) never reach Python (ykc.md section 4)."""

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
