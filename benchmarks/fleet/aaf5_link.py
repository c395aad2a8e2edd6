"""An AAF5 charger's connection."""

from collections.abc import Callable
from typing import ClassVar, Final

from benchmarks.fleet.link import Counters, DownFrame, Link
from benchmarks.fleet.messages import Message
from benchmarks.fleet.piles import AAF5
from benchmarks.fleet.traits import Aaf5Traits
from core.aaf5.codec import ENVELOPE_BYTES, HEADER_BYTES, MAX_FRAME_BYTES, START_BYTES, encode_raw, sum_checksum

SEQ_AT: Final = 5
COMMAND_AT: Final = 6
# The firmware F does not count: one number in its reports, another in its replies (aaf5.md section 1).
REPORT_SEQ: Final = b"\x41"
REPLY_SEQ: Final = b"\0"


def frame_of(message: Message, seq: bytes = REPORT_SEQ) -> bytes:
    """The frame of a message."""
    name, fields = message
    return encode_raw(name, fields, seq=seq)


def with_seq(frame: bytes, seq: bytes) -> bytes:
    """The same frame under another number, which the checksum does not cover."""
    return frame[:SEQ_AT] + seq + frame[SEQ_AT + 1 :]


class Aaf5Link(Link):
    """One connection, of a gun or of a charger."""

    protocol: ClassVar[str] = AAF5

    def __init__(self, traits: Aaf5Traits, counters: Counters, on_frame: Callable[[DownFrame], None]) -> None:
        super().__init__(counters, on_frame)
        self._counts = traits.serial
        self._seq = 0

    def encode(self, message: Message, reply_to: bytes | None) -> bytes:
        """As in `Link`."""
        return frame_of(message, self._seq_of(reply_to))

    def send_status(self, frame: bytes, *, copies: int = 1) -> None:
        """Send a status frame that is already encoded."""
        numbered = with_seq(frame, self._seq_of(None))
        for _ in range(copies):
            self.send_frame(numbered, "status")

    def frame_at_start(self) -> DownFrame | int | None:
        """As in `Link`."""
        received = self.received
        if received[0] != START_BYTES[0] or (len(received) > 1 and received[1] != START_BYTES[1]):
            return 1
        if len(received) < ENVELOPE_BYTES:
            return None
        length = int.from_bytes(received[2:4], "little")
        if not ENVELOPE_BYTES <= length <= MAX_FRAME_BYTES:
            return 1
        if len(received) < length:
            return None
        frame = bytes(received[:length])
        if sum_checksum(frame[COMMAND_AT:-1]) != frame[-1]:
            return 1
        del received[:length]
        command = int.from_bytes(frame[COMMAND_AT:HEADER_BYTES], "little")
        return DownFrame(command, frame[SEQ_AT:COMMAND_AT], frame[HEADER_BYTES:-1])

    def _seq_of(self, reply_to: bytes | None) -> bytes:
        if not self._counts:
            return REPORT_SEQ if reply_to is None else REPLY_SEQ
        if reply_to is not None:
            return reply_to
        seq = self._seq
        self._seq = (seq + 1) & 0xFF
        return bytes((seq,))
