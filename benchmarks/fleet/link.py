"""A charger's TCP connection: whole frames in, frames out, numbered and counted."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final, cast

import msgspec

from benchmarks.fleet.messages import Message

REALTIME: Final = frozenset({"realtime", "status"})
RECORD: Final = "record"


class Counters(msgspec.Struct):
    """What the whole fleet has sent and heard so far. `frames_sent` counts noise as none.

    `starts_refused`: by the platform, asked for at the charger. `orders_answered`: by the name of the answer.
    `wrong_acks`: acknowledgements that a charger took for another record than the one they were meant for (aaf5.md 5).
    `strangers`: connections that logged in with an id that was not theirs, or that nobody has; `strangers_refused`:
    those that the platform turned away. `heard`: frames from the platform by protocol, type and bytes of their body.
    """

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
    starts_refused: int = 0
    reboots: int = 0
    wrong_acks: int = 0
    strangers: int = 0
    strangers_refused: int = 0
    orders_answered: dict[str, int] = msgspec.field(default_factory=dict)
    heard: dict[tuple[str, int, int], int] = msgspec.field(default_factory=dict)

    def answered(self, name: str) -> None:
        """Count an answer to an order."""
        self.orders_answered[name] = self.orders_answered.get(name, 0) + 1

    def received(self, protocol: str, frame: "DownFrame") -> None:
        """Count a frame from the platform."""
        self.frames_received += 1
        key = protocol, frame.frame_type, len(frame.body)
        self.heard[key] = self.heard.get(key, 0) + 1


class DownFrame(msgspec.Struct, frozen=True):
    """A frame from the platform."""

    frame_type: int
    seq: bytes
    body: bytes


class Link(asyncio.Protocol, ABC):
    """One connection. `on_frame` gets each whole frame; frames with a wrong checksum are dropped and counted.

    `closed` is set when the connection ends.
    """

    protocol: ClassVar[str]

    def __init__(self, counters: Counters, on_frame: Callable[[DownFrame], None]) -> None:
        self.closed = asyncio.Event()
        self.received = bytearray()
        self._counters = counters
        self._on_frame = on_frame
        self._transport: asyncio.Transport | None = None

    @abstractmethod
    def encode(self, message: Message, reply_to: bytes | None) -> bytes:
        """The frame of a message; a reply carries the sequence field of its request."""

    @abstractmethod
    def frame_at_start(self) -> DownFrame | int | None:
        """Take the frame at the start of `received`; None = wait for more, a number = so many bytes are no frame."""

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
        self.received += data
        while (frame := self._next_frame()) is not None:
            self._counters.received(self.protocol, frame)
            self._on_frame(frame)

    def send(self, message: Message, *, reply_to: bytes | None = None) -> None:
        """Send a message. Lost when the connection is."""
        self.send_frame(self.encode(message, reply_to), message[0])

    def send_frame(self, frame: bytes, name: str) -> None:
        """Send a frame that is already encoded."""
        if self._transport is None:
            return
        self._counters.frames_sent += 1
        self._counters.realtime_sent += name in REALTIME
        self._counters.records_sent += name == RECORD
        self.send_noise(frame)

    def send_noise(self, data: bytes) -> None:
        """Write bytes that need not be a frame."""
        if self._transport is not None:
            self._counters.bytes_sent += len(data)
            self._transport.write(data)

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
        while self.received:
            found = self.frame_at_start()
            if not isinstance(found, int):
                return found
            self._counters.bad_bytes_received += found
            del self.received[:found]
        return None
