"""What a connection's bytes say about the line and the peer: when to give it up, and why. No sockets, no clock."""

from typing import Final

import msgspec

from ingest.charger_stream import ChargerStream
from ingest.reactions import Reason

BAD_INPUT: Final = {
    Reason.ENCRYPTED: "encrypted",
    Reason.GARBAGE: "garbage",
    Reason.BAD_LENGTH: "bad_length",
    Reason.BAD_CHECKSUM: "bad_checksum",
    Reason.NOT_LOGGED_IN: "not_logged_in",
    Reason.FOREIGN_PILE: "foreign_pile",
}
HALF_FRAME: Final = "half_frame"
SLOW_SENDER: Final = "slow_sender"
SILENT: Final = "silent"
NO_LOGIN: Final = "no_login"
NOT_LOGGED_IN: Final = "not_logged_in"


class LineLimits(msgspec.Struct, frozen=True):
    """When a line is given up.

    `garbage_bytes`: consecutive bytes without one good frame. `encrypted_reads`: reads with encrypted frames and no
    good one in between (ykc.md section 1: no key exchange is defined). `half_frame_ms`: age of a frame whose rest does
    not come. `frames_before_login`: good frames of somebody who does not say who it is.
    """

    garbage_bytes: int = 4_096
    encrypted_reads: int = 5
    half_frame_ms: int = 20_000
    frames_before_login: int = 10
    login_ms: int = 30_000


class LineHealth:
    """Watches one connection. `last_frame_ms` is when the last good frame came: noise is no sign of life."""

    __slots__ = (
        "_encrypted_reads",
        "_frames",
        "_heard_ms",
        "_limits",
        "_opened_ms",
        "_partial_since_ms",
        "_quarantined",
        "_quarantined_bytes",
        "last_frame_ms",
    )

    def __init__(self, limits: LineLimits, opened_ms: int) -> None:
        self.last_frame_ms = opened_ms
        self._limits = limits
        self._opened_ms = opened_ms
        self._heard_ms = opened_ms
        self._partial_since_ms = 0
        self._frames = 0
        self._encrypted_reads = 0
        self._quarantined_bytes = 0
        self._quarantined: dict[int, int] = {}

    def after_read(self, stream: ChargerStream, now_ms: int) -> dict[str, int]:
        """Bytes have come and were handled; gives the bad input among them as kind → bytes, mostly none."""
        progressed = stream.frames != self._frames
        self._heard_ms = now_ms
        if progressed:
            self._frames = stream.frames
            self.last_frame_ms = now_ms
            self._encrypted_reads = 0
        incidents: dict[str, int] = {}
        if stream.quarantined_bytes != self._quarantined_bytes:
            progressed = True
            incidents = self._new_quarantine(stream)
        if not stream.splitter.pending:
            self._partial_since_ms = 0
        elif progressed or not self._partial_since_ms:
            self._partial_since_ms = now_ms
        return incidents

    def end_after_read(self, stream: ChargerStream, logged_in: bool) -> str:
        """Why the connection is to be closed because of what was just read, empty when it may live."""
        if stream.garbage_run > self._limits.garbage_bytes:
            return "garbage"
        if self._encrypted_reads >= self._limits.encrypted_reads:
            return "encrypted"
        if not logged_in and stream.frames > self._limits.frames_before_login:
            return NOT_LOGGED_IN
        return ""

    def end_by_time(self, now_ms: int, logged_in: bool, silence_ms: int) -> str:
        """Why the connection is to be closed because of what did not come, empty when it may live."""
        if not logged_in and now_ms - self._opened_ms > self._limits.login_ms:
            return NO_LOGIN
        if self._partial_since_ms and now_ms - self._partial_since_ms > self._limits.half_frame_ms:
            return HALF_FRAME if now_ms - self._heard_ms > self._limits.half_frame_ms // 2 else SLOW_SENDER
        if logged_in and now_ms - self.last_frame_ms > silence_ms:
            return SILENT
        return ""

    def start_anew(self, now_ms: int) -> None:
        """Nothing is read for a reason of ours, a slow disk or a decision: what does not come now does not count."""
        self.last_frame_ms = self._heard_ms = self._opened_ms = now_ms
        if self._partial_since_ms:
            self._partial_since_ms = now_ms

    def _new_quarantine(self, stream: ChargerStream) -> dict[str, int]:
        quarantined = stream.quarantined
        incidents = {
            name: quarantined[reason] - self._quarantined.get(reason, 0)
            for reason, name in BAD_INPUT.items()
            if quarantined.get(reason, 0) != self._quarantined.get(reason, 0)
        }
        self._quarantined = quarantined
        self._quarantined_bytes = stream.quarantined_bytes
        if "encrypted" in incidents:
            self._encrypted_reads += 1
        return incidents
