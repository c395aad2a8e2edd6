"""A YKC charger's connection."""

from collections.abc import Callable
from typing import ClassVar, Final

from benchmarks.fleet import messages, readings
from benchmarks.fleet.link import Counters, DownFrame, Link
from benchmarks.fleet.messages import Message
from benchmarks.fleet.piles import YKC
from benchmarks.fleet.readings import Columns
from benchmarks.fleet.traits import Traits
from core.checksum import crc16_modbus
from core.ykc.codec import HEADER_BYTES, START_BYTE

MIN_LENGTH: Final = 4
OVERHEAD: Final = 4


class YkcLink(Link):
    """One connection. The firmware accepts low-byte-first checksums only (ykc.md section 6)."""

    protocol: ClassVar[str] = YKC

    def __init__(self, traits: Traits, counters: Counters, on_frame: Callable[[DownFrame], None]) -> None:
        super().__init__(counters, on_frame)
        self._traits = traits
        self._seq = 0

    def encode(self, message: Message, reply_to: bytes | None) -> bytes:
        """As in `Link`."""
        seq = self.next_seq() if reply_to is None else reply_to
        frame = messages.encode(message, seq, self._traits.checksum_order)
        return readings.extended(frame, self._traits) if message[0] == "heartbeat" else frame

    def send_reading(self, columns: Columns, *, copies: int = 1, reply_to: bytes | None = None) -> None:
        """Send the realtime frame of a single row."""
        frame = readings.frame_of(columns, self.next_seq() if reply_to is None else reply_to)
        for _ in range(copies):
            self.send_frame(readings.extended(frame, self._traits), "realtime")

    def next_seq(self) -> bytes:
        """The sequence bytes of the next frame that is no reply: they count from 0 on each connection."""
        seq = self._seq
        self._seq = (seq + 1) & 0xFFFF
        return seq.to_bytes(2, "little")

    def frame_at_start(self) -> DownFrame | int | None:
        """As in `Link`."""
        received = self.received
        if received[0] != START_BYTE:
            return 1
        if len(received) < 2:
            return None
        length = received[1]
        if length < MIN_LENGTH:
            return 1
        if len(received) < length + OVERHEAD:
            return None
        frame = bytes(received[: length + OVERHEAD])
        if crc16_modbus(frame[2:-2]).to_bytes(2, "little") != frame[-2:]:
            return 1
        del received[: len(frame)]
        return DownFrame(frame[5], frame[2:4], frame[HEADER_BYTES:-2])
