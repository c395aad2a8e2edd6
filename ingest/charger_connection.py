"""One charger's socket: bytes from the event loop into the link, answers back, and when to hang up."""

import asyncio
import functools
from typing import TYPE_CHECKING, Final, cast

from ingest.charger_link import ChargerLink
from ingest.charger_protocol import ChargerDialogue
from ingest.charger_stream import ChargerStream
from ingest.events import ConnectionEvent

if TYPE_CHECKING:
    from ingest.gateway import Gateway

# Room given to a connection in a turn whose budget is spent: enough for what an honest charger sends at once.
SMALL_READ_BYTES: Final = 4_096


class ChargerConnection(asyncio.BufferedProtocol):
    """The buffer that the event loop fills belongs to the compiled splitter: no copy in between.

    Invariants:

    1. After `close` nothing more is read, and `connection_lost` follows within `drain_timeout_ms`, whether the charger
       reads its answers or not; the link is finished exactly once, there.
    2. Answers that promise durability are written only by the group commit's callback.
    """

    def __init__(self, gateway: "Gateway", connection_id: int) -> None:
        self.connection_id = connection_id
        self.last_heard_ms = 0
        self.opened_ms = 0
        self.peer = ""
        self.closing = False
        self.close_reason = ""
        self._gateway = gateway
        self._transport: asyncio.Transport | None = None
        self._holds = 0  # reasons why reading is paused
        self._cut_off: asyncio.TimerHandle | None = None
        self.dialogue: ChargerDialogue
        self.link: ChargerLink

    # The event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A charger has connected."""
        # uvloop's transports only behave like asyncio's, they are no subclass.
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else str(peer or "")
        self.opened_ms = self.last_heard_ms = self._gateway.clock()
        self.dialogue, self.link = self._gateway.opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        room = self.link.stream.splitter.get_buffer(sizehint)
        return room[:SMALL_READ_BYTES] if self._gateway.turn_spent else room

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        if self.closing:
            return
        now_ms = self._gateway.clock()
        self.last_heard_ms = now_ms
        link = self.link
        had_pile = link.pile is not None
        link.stream.feed(nbytes, now_ms)
        link.handle_feed(now_ms)
        if link.pile is not None and not had_pile:
            self._gateway.logged_in(self, link.pile)
        self.send_answers()
        if link.time_wanted:
            link.time_wanted = False
            self._gateway.send_time(self)
        if link.close_reason:
            self.close(link.close_reason)
        elif link.stream.garbage_run > self._gateway.settings.garbage_limit_bytes:
            self.close("garbage")
        self._gateway.spent(self, nbytes)

    def eof_received(self) -> bool:
        """The charger will send no more; the transport closes itself."""
        self.close_reason = self.close_reason or "peer"
        return False

    def pause_writing(self) -> None:
        """The charger does not read its answers: take no more frames from it, so that they cannot pile up here."""
        self.hold()

    def resume_writing(self) -> None:
        """It reads again."""
        self.release()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self.closing = True
        self.close_reason = self.close_reason or ("peer" if exc is None else "lost")
        self._transport = None
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._gateway.closed(self)

    # The gateway's side

    def send(self, frame: bytes, connector: int, now_ms: int) -> None:
        """Send a frame that the platform starts by itself."""
        self.link.stream.keep_sent(frame, connector, now_ms)
        self.write(frame)

    def replaced(self) -> None:
        """The charger has logged in over another connection."""
        self.close("replaced")

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket; to a connection that is over they are lost, as on any line."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def send_answers(self) -> None:
        """Write what may leave at once, and order the rest for when the disk has it."""
        link = self.link
        if link.replies:
            self.write(b"".join(link.replies))
            link.replies.clear()
        if link.durable_replies:
            acks = list(link.durable_replies)
            link.durable_replies.clear()
            self._gateway.group_commit.when_durable(functools.partial(self._send_durable, acks))

    def hold(self) -> None:
        """Stop reading until released as often as held."""
        self._holds += 1
        if self._holds == 1 and self._transport is not None and not self.closing:
            self._transport.pause_reading()

    def release(self) -> None:
        """Undo one `hold`."""
        self._holds -= 1
        if self._holds == 0 and self._transport is not None and not self.closing:
            self._transport.resume_reading()

    def close(self, reason: str) -> None:
        """Hang up once the answers are out, or are not read in time; `reason` is kept with the connection's end."""
        if self.closing:
            return
        self.closing = True
        self.close_reason = reason
        if self._transport is not None:
            self._transport.close()
            # A closing transport waits for its unsent answers for ever, and what it holds with it.
            patience_s = self._gateway.settings.drain_timeout_ms / 1000
            self._cut_off = asyncio.get_running_loop().call_later(patience_s, self.abort)

    def abort(self) -> None:
        """Hang up now."""
        if self._transport is not None:
            self._transport.abort()

    def ended(self, now_ms: int) -> ConnectionEvent:
        """The connection's last event."""
        return self.event("closed", now_ms, self.close_reason)

    def event(self, name: str, now_ms: int, detail: str = "") -> ConnectionEvent:
        """A fact about this connection, with what it brought so far."""
        stream: ChargerStream = self.link.stream
        pile = self.link.pile
        return ConnectionEvent(
            pile_id=stream.pile_id,
            connection_id=self.connection_id,
            event_ms=now_ms,
            event=name,
            detail=detail,
            peer=self.peer,
            pile=pile.code if pile else "",
            bytes_in=stream.bytes_in,
            frames_in=stream.frames,
            quarantined_bytes=stream.quarantined_bytes,
        )

    def _send_durable(self, acks: list[bytes]) -> None:
        self.write(b"".join(acks))
        self._gateway.bills_acked += len(acks)
