"""What workers and their hub tell each other: batches of MessagePack, one for each turn of the event loop.

A batch is four bytes of length, big-endian, and an array of messages. What one side tells arrives in order.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from ingest.gateway_status import GatewayStatus
from ingest.pile_memory import PileMemory
from ingest.registry import Challenge, Claim, Holding, Outcome, Verdict

LENGTH_BYTES: Final = 4
LARGEST_BATCH_BYTES: Final = 256 << 20
# A side that is not read from for so long that this piles up is given up; it announces everything when it is back.
UNSENT_LIMIT_BYTES: Final = 64 << 20


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A message that is no part of the seam itself."""


class Hello(Message, frozen=True):
    """The first word of a worker: its name among all workers of all machines."""

    worker: str


class Opened(Message, frozen=True):
    """A connection was opened."""

    connection_id: int
    peer: str
    opened_ms: int


class Gone(Message, frozen=True):
    """A connection holds and claims nothing any more; `closed`: it is over."""

    connection_id: int
    closed: bool


class Answer(Message, frozen=True):
    """What became of a challenge."""

    number: int
    outcome: Outcome


class Displaced(Message, frozen=True):
    """See `Worker.displaced`."""

    connection_id: int
    reason: str
    peer: str


class MakeRoom(Message, frozen=True):
    """See `Worker.make_room`."""

    connection_id: int
    reason: str


class Ring(Message, frozen=True):
    """See `Worker.ring`."""

    kind: str
    who: str
    detail: str


class Withdrawn(Message, frozen=True):
    """See `Worker.withdrawn`."""

    number: int


class OrderWanted(Message, frozen=True):
    """An order for a charger that this worker holds; `OrderDone` with the same number follows."""

    number: int
    name: str
    pile: str
    connector: int
    arguments: dict[str, Any]


class OrderDone(Message, frozen=True):
    """The JSON of a `CommandResult`."""

    number: int
    result: bytes


class Counters(Message, frozen=True):
    """A worker's counters, as told once a second and when asked."""

    status: GatewayStatus


class CountersWanted(Message, frozen=True):
    """Tell the counters now."""


class Ping(Message, frozen=True):
    """A worker asks whether the hub lives."""


class Pong(Message, frozen=True):
    """It does."""


ToHub = Hello | Opened | Gone | Claim | Answer | Holding | PileMemory | OrderDone | Counters | Ping
ToWorker = (
    Verdict | Challenge | Withdrawn | Displaced | MakeRoom | Ring | PileMemory | OrderWanted | CountersWanted | Pong
)

In = TypeVar("In")


class HubLine(asyncio.Protocol, Generic[In]):
    """One end of the socket between a worker and its hub.

    `heard(line, message)` is called for each message that comes, `lost(line)` once at the end. What `post` is given in
    one turn of the loop leaves as one batch. Nothing waits: a peer that does not read is hung up on.
    """

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[list[In]],
        heard: Callable[["HubLine[In]", In], None],
        lost: Callable[["HubLine[In]"], None],
    ) -> None:
        self.name = ""
        self.heard_at = 0.0
        self._decoder = decoder
        self._heard = heard
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._encoder = msgspec.msgpack.Encoder()
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._batch: list[object] = []

    @property
    def is_open(self) -> bool:
        """Whether what is posted may still arrive."""
        return self._transport is not None and not self._transport.is_closing()

    def post(self, message: object) -> None:
        """Send a message with the others of this turn; one to a line that is closed is lost."""
        if not self._batch:
            self._loop.call_soon(self._flush)
        self._batch.append(message)

    def close(self) -> None:
        """Hang up, at once."""
        if self._transport is not None:
            self._transport.abort()

    # The event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The line is open."""
        # uvloop's transports only behave like asyncio's, they are no subclass.
        self._transport = transport  # type: ignore[assignment]
        self.heard_at = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """Bytes have come: whole batches are handled, the rest waits."""
        self.heard_at = self._loop.time()
        received = self._received
        received += data
        start = 0
        while len(received) - start >= LENGTH_BYTES:
            body = start + LENGTH_BYTES
            end = body + int.from_bytes(received[start:body], "big")
            if end - body > LARGEST_BATCH_BYTES:
                self.close()
                return
            if end > len(received):
                break
            try:
                messages = self._decoder.decode(memoryview(received)[body:end])
            except msgspec.DecodeError:
                # The two are of different versions, or something else speaks here: nothing it says can be trusted.
                self.close()
                return
            start = end
            for message in messages:
                self._heard(self, message)
        if start:
            del received[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is closed."""
        self._transport = None
        self._batch.clear()
        self._lost(self)

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        transport = self._transport
        if transport is None or transport.is_closing() or not batch:
            return
        body = self._encoder.encode(batch)
        transport.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
        if transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
            transport.abort()
