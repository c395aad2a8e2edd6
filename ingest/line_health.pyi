"""What a connection's bytes say about the line and the peer: when to give it up, and why. No sockets, no clock."""

from ingest.charger_stream import ChargerStream
from ingest.line_limits import LineLimits

class LineHealth:
    """Watches one connection. `last_frame_ms` is when the last good frame came: noise is no sign of life."""

    last_frame_ms: int

    def __init__(self, limits: LineLimits, opened_ms: int) -> None: ...
    def after_read(self, stream: ChargerStream, now_ms: int) -> dict[str, int]:
        """Bytes have come and were handled; gives the bad input among them as kind → bytes, mostly none."""

    def end_after_read(self, stream: ChargerStream, logged_in: bool) -> str:
        """Why the connection is to be closed because of what was just read, empty when it may live."""

    def end_by_time(self, now_ms: int, logged_in: bool, silence_ms: int) -> str:
        """Why the connection is to be closed because of what did not come, empty when it may live."""

    @property
    def login_due_ms(self) -> int:
        """When a connection without a login has waited too long for it."""

    def start_anew(self, now_ms: int) -> None:
        """Nothing is read for a reason of ours, a slow disk or a decision: what does not come now does not count."""
