"""A charger's TCP connection: whole frames in, frames out, numbered and counted."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import msgspec

from benchmarks.fleet.messages import Message, encode
from core.checksum import crc16_modbus
from core.ykc.codec import HEADER_BYTES, START_BYTE, ChecksumOrder

REALTIME: Final = "realtime"
RECORD: Final = "record"
MIN_LENGTH: Final = 4
OVERHEAD: Final = 4


class Counters(msgspec.Struct):
    """What the whole fleet has sent and heard so far. `frames_sent` counts noise as none."""

    frames_sent: int = 0
    realtime_sent: int = 0
    records_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bad_bytes_received: int = 0
    connections: int = 0
    connections_lost: int = 0
    logins_refused: int = 0
    sessions: int = 0
    starts_abandoned: int = 0


class DownFrame(msgspec.Struct, frozen=True):
    """A frame from the platform."""

    frame_type: int
    seq: bytes
    body: bytes


class ChargerLink(asyncio.Protocol):
    """One connection. `on_frame` gets each whole frame; frames with a wrong checksum are dropped and counted.

    The firmware accepts low-byte-first checksums only (ykc.md section 6). `closed` is set when the connection ends.
    """

    def __init__(self, order: ChecksumOrder, counters: Counters, on_frame: Callable[[DownFrame], None]) -> None:
        self.closed = asyncio.Event()
        self._order = order
        self._counters = counters
        self._on_frame = on_frame
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        # uvloop's transports do not derive from asyncio's classes
        self._transport = cast(asyncio.Transport, transport)
        self._counters.connections += 1

    def connection_lost(self, exception: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        self._transport = None
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        self._received += data
        while (frame := self._next_frame()) is not None:
            self._counters.frames_received += 1
            self._on_frame(frame)

    def send(self, message: Message, *, reply_to: bytes | None = None) -> None:
        """Send a message; a reply carries the two sequence bytes of its request. Lost when the connection is."""
        self.send_frame(encode(message, self.next_seq() if reply_to is None else reply_to, self._order), message[0])

    def send_frame(self, frame: bytes, name: str) -> None:
        """Send a frame that is already encoded."""
        if self._transport is None:
            return
        self._counters.frames_sent += 1
        self._counters.realtime_sent += name == REALTIME
        self._counters.records_sent += name == RECORD
        self.send_noise(frame)

    def send_noise(self, data: bytes) -> None:
        """Write bytes that need not be a frame."""
        if self._transport is not None:
            self._counters.bytes_sent += len(data)
            self._transport.write(data)

    def next_seq(self) -> bytes:
        """The sequence bytes of the next frame that is no reply: they count from 0 on each connection."""
        seq = self._seq
        self._seq = (seq + 1) & 0xFFFF
        return seq.to_bytes(2, "little")

    def go_silent(self) -> None:
        """As when the radio is gone: nothing is read any more, and the caller sends nothing; the socket stays."""
        if self._transport is not None:
            self._transport.pause_reading()

    def close(self) -> None:
        """Finish what is being written, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _next_frame(self) -> DownFrame | None:
        received = self._received
        while len(received) >= 2:
            length = received[1]
            if received[0] == START_BYTE and length >= MIN_LENGTH:
                if len(received) < length + OVERHEAD:
                    return None
                frame = bytes(received[: length + OVERHEAD])
                if crc16_modbus(frame[2:-2]).to_bytes(2, "little") == frame[-2:]:
                    del received[: len(frame)]
                    return DownFrame(frame[5], frame[2:4], frame[HEADER_BYTES:-2])
            self._counters.bad_bytes_received += 1
            del received[0]
        return None
