"""The compiled part of an AAF5 connection: status frames and heartbeats from bytes to spool records."""

from collections.abc import Callable

from core.aaf5.splitter import Aaf5Splitter
from ingest.charger_stream import ChargerStream
from ingest.record_buffer import RecordBuffer

def whole_frame_kind(data: bytes) -> int:
    """Span kind of bytes that claim to be one whole frame (`core.wire.splitter`)."""

class Aaf5Stream(ChargerStream):
    """Status frames (104, answered by 103) and heartbeats (102, by 101) never reach Python (aaf5.md section 5).

    A status of another size than a variant's is read by the part common to all (section 6). A reading's `event_ms` is
    the charger's word while it charges, start time plus duration (DESIGN invariant 6), if that lies within 31 days
    before and 3 minutes behind its receipt; more than 2 minutes before it, the reading counts as stored. The
    connector's live cycle is kept by the platform's clock instead, so that a charger whose clock is slow is still
    followed: there only readings that come back to back, out of their pace, count as kept.
    """

    def __init__(
        self,
        records: RecordBuffer,
        connection_id: int,
        on_event: Callable[[int, int, int, int, int, str], None],
        evidence_limit: int = 65_536,
        splitter: Aaf5Splitter | None = None,
    ) -> None:
        """`on_event(connector, event_ms, events, state, plugged, trade_no)` is told when a connector changes.

        `events` is the bit mask of `core.connector`, `state` in the numbers of YKC: 1 fault, 2 idle, 3 charging.
        `evidence_limit`: quarantined bytes kept per minute.
        """
