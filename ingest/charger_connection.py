"""One charger's socket: when it is read and written, what its frames earn, and when to hang up."""

import asyncio
import functools
from typing import TYPE_CHECKING, Final, cast

from core.directory import Pile
from ingest.charger_link import ACCEPT, WAIT, ChargerLink, Frame
from ingest.charger_protocol import ChargerDialogue
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import CommandOutcome, ConnectionEvent
from ingest.gateway_settings import HEARTBEATS_MISSED
from ingest.line_health import LineHealth
from ingest.listening_ports import PortKind
from ingest.protocol_detection import ProtocolDetector
from ingest.reactions import ChargerReply, CommandAnswer, LoginRequest, Reaction, StartRequest
from ingest.read_path import NO_LOOK, NOT_PROBED, ReadPath

if TYPE_CHECKING:
    from ingest.gateway import Gateway

UNKNOWN_PROTOCOL: Final = "unknown_protocol"


class ChargerConnection(ReadPath, asyncio.BufferedProtocol):
    """What the compiled read path leaves to Python, and all that is not reading.

    On a port for several protocols a `detector` takes the first bytes until they tell which one it is; they are handed
    to the stream then.

    Invariants:

    1. After `close` nothing more is read, and `connection_lost` follows within `drain_timeout_ms`, whether the charger
       reads its answers or not; the link is finished exactly once, there.
    2. Answers that promise durability are written only by the group commit's callback.
    3. While the link waits for the decision about its login nothing is read: the frames behind it stay in the stream.
       Likewise while it has more frames than are handled at once: the other connections have their turn in between.
    """

    __slots__ = (
        "_cut_off",
        "_gateway",
        "_goes_on",
        "_held_for_login",
        "_holds",
        "_is_deaf",
        "_link",
        "_verdict",
        "close_reason",
        "connection_id",
        "kind",
        "peer",
    )

    def __init__(self, gateway: "Gateway", connection_id: int, kind: PortKind) -> None:
        super().__init__(gateway.clock, gateway.budget, gateway.watch.waiting_for_rest)
        self.connection_id = connection_id
        self.kind = kind
        self.accepted_ms = gateway.clock()
        self.look_ms = NO_LOOK
        self.peer = ""
        self.close_reason = ""
        self._gateway = gateway
        self._holds = 0  # reasons why reading is paused
        self._is_deaf = False  # the charger is the reason for one of them
        self._held_for_login = False
        self._goes_on = False
        self._verdict = ""
        self._cut_off: asyncio.TimerHandle | None = None
        self._link: ChargerLink

    @property
    def link(self) -> ChargerLink:
        """The talk with the charger, and where its frames go."""
        return self._link

    @link.setter
    def link(self, link: ChargerLink) -> None:
        self._link = link
        self.begin(link.stream, link.dialogue)

    @property
    def events(self) -> EventLog:
        """Where its facts go."""
        return self._gateway.events

    @property
    def dialogue(self) -> ChargerDialogue:
        """The talk with the charger."""
        return self.link.dialogue

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be sent over it any more."""
        return self.closing or self.transport is None or self.transport.is_closing()

    @property
    def waits_for_us(self) -> bool:
        """Whether it is not read from for a reason of ours: its silence says nothing."""
        return self._holds > self._is_deaf

    # The event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A charger has connected."""
        # uvloop's transports only behave like asyncio's, they are no subclass.
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and len(peer) >= 2 else str(peer or "")
        self.opened_ms = self._gateway.clock()
        self.health = LineHealth(self._gateway.line_limits, self.opened_ms)
        self._gateway.opened(self)

    def eof_received(self) -> bool:
        """The charger will send no more; the transport closes itself."""
        self.close_reason = self.close_reason or "peer"
        return False

    def pause_writing(self) -> None:
        """The charger does not read its answers: take no more frames from it, so that they cannot pile up here."""
        self._is_deaf = True
        self.hold()

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_deaf = False
        self.release()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self.closing = True
        self.close_reason = self.close_reason or ("peer" if exc is None else "lost")
        self.transport = None
        if self._cut_off is not None:
            self._cut_off.cancel()
        if self.detector is not None:
            # Bytes that told nothing are evidence all the same.
            self.link.stream.feed_bytes(self.detector.received, self._gateway.clock())
            self.link.handle_feed(self._gateway.clock())
            self.detector = None
        while self.link.more:
            self.link.handle_feed(self._gateway.clock())
        self._gateway.closed(self)

    # The link's side

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger."""
        return self._gateway.registry.state_of(pile)

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome:
        """Match an answer to its order and keep the outcome."""
        return self._gateway.commands.answer(pile_id, answer, reply)

    def login_wanted(self, link: ChargerLink, request: LoginRequest) -> str:
        """Ask the rules of logins."""
        heartbeat_ms = request.heartbeat_ms or link.protocol.heartbeat_ms
        settings = self._gateway.settings
        self.silence_ms = settings.idle_timeout_ms or HEARTBEATS_MISSED * heartbeat_ms + settings.silence_grace_ms
        self._verdict = self._gateway.logins.wanted(self, request)
        if self._verdict in (ACCEPT, WAIT):
            self._gateway.slots.identified(self)
        return self._verdict

    def record_is_fresh(self, connector: int, trade_no: str, receive_ms: int) -> bool:
        """Whether that charge was seen to run just now."""
        state = self.link.state
        return state is not None and state.record_is_fresh(connector, trade_no, receive_ms)

    def start_wanted(self, link: ChargerLink, request: StartRequest) -> None:
        """Somebody wants to charge and stands at the charger."""
        self._gateway.starts.wanted(self, request)

    # The gateway's side

    def send(self, frame: bytes, connector: int, now_ms: int, kept: bytes = b"") -> None:
        """Send a frame that the platform starts by itself; `kept` is stored in its place where it holds a secret."""
        self.link.stream.keep_sent(kept or frame, connector, now_ms)
        self.write(frame)

    def probe(self, now_ms: int) -> None:
        """Ask for a sign of life: the same id logs in elsewhere."""
        self.probed_at_frames = self.link.stream.frames
        self.send(self.link.dialogue.probe_frame(), self.link.dialogue.connector, now_ms)

    def login_decided(self, verdict: str, now_ms: int) -> None:
        """The login that waited is taken or refused; goes on with the frames behind it."""
        if self.closing:
            return
        self._verdict = verdict
        self.link.login_decided(verdict, now_ms)
        self._handled(now_ms)
        if self._held_for_login and not self.link.waiting:
            self._held_for_login = False
            self.release()

    def start_decided(self, reaction: Reaction, now_ms: int) -> None:
        """Keep the facts of a start and send its answer."""
        self.link.send_reaction(reaction, now_ms)
        self.send_answers()

    def replaced(self) -> None:
        """The charger has logged in over another connection."""
        self.close("replaced")

    def write(self, data: bytes) -> None:
        """Hand bytes to the socket; to a connection that is over they are lost, as on any line."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

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
        self._gateway.watch.held[self.connection_id] = self
        if self._holds == 1 and self.transport is not None and not self.closing:
            self.transport.pause_reading()

    def release(self) -> None:
        """Undo one `hold`."""
        self._holds -= 1
        if not self.waits_for_us:
            self._gateway.watch.held.pop(self.connection_id, None)
        if self._holds == 0 and self.transport is not None and not self.closing:
            self.transport.resume_reading()

    def close(self, reason: str) -> None:
        """Hang up once the answers are out, or are not read in time; `reason` is kept with the connection's end."""
        if self.closing:
            return
        self.closing = True
        self.close_reason = reason
        if self.transport is not None:
            self.transport.close()
            # A closing transport waits for its unsent answers for ever, and what it holds with it.
            patience_s = self._gateway.settings.drain_timeout_ms / 1000
            self._cut_off = asyncio.get_running_loop().call_later(patience_s, self.abort)

    def abort(self) -> None:
        """Hang up now."""
        if self.transport is not None:
            self.transport.abort()

    def ended(self, now_ms: int) -> ConnectionEvent:
        """The connection's last event."""
        return self.event("closed", now_ms, self.close_reason)

    def event(self, name: str, now_ms: int, detail: str = "") -> ConnectionEvent:
        """A fact about this connection, with what it brought so far."""
        stream = self.link.stream
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

    # What the read path leaves

    def handle_detected(self, nbytes: int, now_ms: int) -> None:
        """Bytes for the detector have come."""
        detector = self.detector
        if detector is None:
            return
        if detector.feed(nbytes):
            self._protocol_told(detector, now_ms)
        elif detector.exhausted:
            self._gateway.watch.closing_for(self, UNKNOWN_PROTOCOL)
            self.close(UNKNOWN_PROTOCOL)

    def handle_fed(self, frame: Frame | None, now_ms: int) -> None:
        """Bytes were fed to the stream, and `frame` is the first one that Python must handle, if any."""
        self.link.handle_feed(now_ms, frame)
        self._handled(now_ms)

    # Inside

    def _protocol_told(self, detector: ProtocolDetector, now_ms: int) -> None:
        self.detector = None
        self._gateway.speaks(self, detector.protocol)
        self.link.stream.feed_bytes(detector.received, now_ms)
        self.handle_fed(None, now_ms)

    def _handled(self, now_ms: int) -> None:
        """Frames were handled: send what they earned, and look at what they say about the line."""
        link = self.link
        gateway = self._gateway
        self.settle(False)
        is_new = link.pile is not None and not self.logged_in_ms
        if link.pile is not None and is_new:
            self.logged_in_ms = now_ms
            gateway.logged_in(self, link.pile)
        self.send_answers()
        if link.time_wanted:
            link.time_wanted = False
            gateway.send_time(self)
        if is_new:
            gateway.watch.begin(self, now_ms)
        incidents = self.health.after_read(link.stream, now_ms)
        if link.stream.splitter.pending:
            self.note_rest()
        if incidents:
            gateway.watch.bad_input(self, incidents)
        if self.probed_at_frames not in (NOT_PROBED, link.stream.frames):
            self.probed_at_frames = NOT_PROBED
            gateway.logins.alive(self)
        if link.waiting:
            if not self._held_for_login:
                self._held_for_login = True
                self.hold()
            return
        if link.more and not self._goes_on:
            self._goes_on = True
            self.hold()
            asyncio.get_running_loop().call_soon(self._go_on)
        if link.close_reason:
            if link.close_reason != self._verdict:
                gateway.logins.refused_unasked(self, link.close_reason)
            self.close(link.close_reason)
            return
        end = self.health.end_after_read(link.stream, link.pile is not None)
        if end:
            gateway.watch.closing_for(self, end)
            self.close(end)
        self.settle(link.pile is not None and not self.closing)

    def _go_on(self) -> None:
        """Handle more of what came with the last read."""
        if self.closing:
            return
        self._goes_on = False
        self.handle_fed(None, self._gateway.clock())
        self.release()

    def _send_durable(self, acks: list[bytes]) -> None:
        self.write(b"".join(acks))
        self._gateway.bills_acked += len(acks)
