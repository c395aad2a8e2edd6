"""One connection without its socket: frames in, records and answers out. The live port and the replay share it."""

from collections.abc import Callable
from typing import Final, Protocol

from core.connector import EVENT_BILLED, EVENT_CHARGING, EVENT_NAMES, EVENT_REGISTER_BROKEN, EVENT_STOPPED
from core.directory import Pile
from core.start_commands import START_COMMANDS
from core.tariff_version import TariffVersion
from ingest.charger_protocol import ChargerDialogue, ChargerProtocol, OnConnectorEvent
from ingest.charger_stream import ChargerStream
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import Alarm, CommandOutcome, ConnectorEvent, Event, Presence, TariffAck
from ingest.reactions import ChargerReply, CommandAnswer, LoginRequest, Reaction, Reason, StartRequest
from ingest.record_intake import Intake, RecordIntake

ACCEPT: Final = "accept"
WAIT: Final = "wait"
FRAMES_AT_ONCE: Final = 256
"""So many frames that Python handles are about 10 ms of the event loop."""
# What the charger's agreement to one of these orders says: a charge starts.

Frame = tuple[int, int, bytes]


class LinkOwner(Protocol):
    """Who holds the links: a gateway, or a replay."""

    @property
    def events(self) -> EventLog:
        """Where facts go."""

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger."""

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome | None:
        """Match an answer to its order and keep the outcome."""

    def login_wanted(self, link: "ChargerLink", request: LoginRequest) -> str:
        """`ACCEPT`, `WAIT` (then `link.login_decided` follows), or the reason why the charger may not log in.

        Never asked about a request that the dialogue has refused already.
        """

    def start_wanted(self, link: "ChargerLink", request: StartRequest) -> None:
        """Somebody wants to charge at the charger; `link.send_reaction` with the dialogue's `start_answer` follows."""


class ChargerLink:
    """Wires a connection's stream and dialogue to the records.

    After `handle_feed`, `login_decided` and `send_reaction` the owner sends `replies` at once and `durable_replies`
    when everything appended so far is fsynced, sets the clock when `time_wanted`, and hangs up when `close_reason` is
    set. While `waiting` nothing may be read: the frames behind the login stay in the stream. So do those behind the
    first `FRAMES_AT_ONCE`: while there are `more`, the owner calls `handle_feed` again before it reads.
    """

    __slots__ = (
        "_answers_leave",
        "_fast_frames_at_offer",
        "_intake",
        "_owner",
        "_waiting",
        "bills",
        "close_reason",
        "dialogue",
        "durable_replies",
        "more",
        "protocol",
        "replies",
        "state",
        "stream",
        "time_wanted",
    )

    def __init__(
        self,
        owner: LinkOwner,
        protocol: ChargerProtocol,
        dialogue: ChargerDialogue,
        make_stream: Callable[[OnConnectorEvent], ChargerStream],
        *,
        answers_leave: bool = True,
        intake: RecordIntake | None = None,
    ) -> None:
        """`answers_leave` is False in a replay: what the dialogue would answer today was never sent.

        `intake` says which records are stored; without one all are.
        """
        self.protocol = protocol
        self.dialogue = dialogue
        self.stream = make_stream(self._connector_changed)
        self.state: PileState | None = None
        self.replies: list[bytes] = []
        self.durable_replies: list[bytes] = []
        self.close_reason = ""
        self.time_wanted = False
        self.more = False
        self.bills = 0
        self._owner = owner
        self._answers_leave = answers_leave
        self._intake = intake
        self._fast_frames_at_offer = 0
        self._waiting: tuple[LoginRequest, bytes] | None = None
        if dialogue.pile is not None:
            self._bind(dialogue.pile, dialogue.connector)

    @property
    def pile(self) -> Pile | None:
        """The charger that has logged in."""
        return self.dialogue.pile

    @property
    def waiting(self) -> bool:
        """Whether a login waits for its decision."""
        return self._waiting is not None

    def handle_feed(self, receive_ms: int, first: Frame | None = None) -> None:
        """Handle the frames of the bytes just fed to the stream; stops at a reason to hang up or to wait.

        `first` was taken from the stream already.
        """
        stream = self.stream
        frame = first
        left = FRAMES_AT_ONCE
        while left and (frame is not None or (not self.waiting and (frame := stream.next_frame()) is not None)):
            self.handle_frame(frame, receive_ms)
            frame = None
            left -= 1
            if self.close_reason:
                self._keep_rest()
                break
        self.more = left == 0 and not self.waiting and not self.close_reason
        acks = stream.take_acks()
        if acks:
            self.replies.append(acks)
        self.after_frames(receive_ms)

    def handle_frame(self, frame: Frame, receive_ms: int) -> None:
        """Handle one frame that the compiled path left to Python."""
        _, frame_type, data = frame
        acks = self.stream.take_acks()
        if acks:
            self.replies.append(acks)
        self._note_fast_frames(receive_ms)
        protocol = self.protocol
        body = protocol.body_of(data)
        reaction = self.dialogue.on_frame(frame_type, protocol.seq_of(data), body, receive_ms, data)
        if reaction.login is not None:
            self._login(reaction.login, data, receive_ms)
            return
        connector = self._connector_of(frame_type, body)
        is_record = protocol.is_record(frame_type)
        intake = self._judge_record(data, body, reaction, receive_ms) if is_record else Intake.STORE
        if not self._keep_frame(data, connector, reaction, receive_ms):
            # The disk does not keep up. Nothing that depends on the frame being kept may be promised.
            reaction.durable_replies.clear()
        self._keep_events(reaction.events, receive_ms)
        for answer in reaction.answers:
            self._answered(answer, data, receive_ms)
        if reaction.durable_replies and is_record:
            self.bills += 1
            if self._intake is not None:
                self._intake.came()
            if intake is Intake.STORE:
                self._billed(frame_type, body, connector, receive_ms)
        self._fast_frames_at_offer = self.stream.fast_frames
        # A heartbeat's answer follows from the heartbeat to the byte: storing it would double the rows for nothing.
        self._take_replies(reaction, receive_ms, kept=intake is Intake.STORE and not protocol.is_heartbeat(frame_type))
        if reaction.start is not None and not self.close_reason:
            self._owner.start_wanted(self, reaction.start)

    def login_decided(self, verdict: str, now_ms: int) -> None:
        """The login that waited is taken (`ACCEPT`) or refused (any other word); goes on with the frames behind it.

        Nothing happens when none waits any more.
        """
        if self._waiting is None:
            return
        request, data = self._waiting
        self._waiting = None
        self._decide(request, data, verdict, now_ms)
        if self.close_reason:
            self._keep_rest()
        self.handle_feed(now_ms)

    def send_reaction(self, reaction: Reaction, now_ms: int) -> None:
        """Keep the facts of what the owner decided; its replies wait in `replies`."""
        self._keep_events(reaction.events, now_ms)
        self._take_replies(reaction, now_ms)

    def after_frames(self, receive_ms: int) -> None:
        """What readings and heartbeats, which Python never sees, mean for the dialogue and for presence."""
        self._note_fast_frames(receive_ms)
        if self.stream.has_presences:
            self.keep_presences(receive_ms)

    def keep_presences(self, now_ms: int) -> None:
        """Write the minutes that are over."""
        stream = self.stream
        for first_ms, last_ms, frames, heartbeats, heard_bytes in stream.take_presences():
            presence = Presence(
                pile_id=stream.pile_id,
                connection_id=stream.connection_id,
                first_ms=first_ms,
                last_ms=last_ms,
                frames=frames,
                heartbeats=heartbeats,
                bytes=heard_bytes,
            )
            self._owner.events.add(presence, now_ms)

    def tariff_offered(self, version: TariffVersion | None) -> None:
        """A tariff went out by another way than the dialogue's answer; None = one that nobody knows here."""
        self.dialogue.offered_tariff = version
        self._fast_frames_at_offer = self.stream.fast_frames

    def finish(self, now_ms: int) -> None:
        """The connection is over: what waits, for a decision or for more bytes, is evidence; the last minute ends."""
        if self._waiting is not None:
            _, data = self._waiting
            self._waiting = None
            self.stream.quarantine(data, Reason.REFUSED)
            self._keep_rest()
        self.stream.close()
        self.keep_presences(now_ms)

    # Logins

    def _login(self, request: LoginRequest, data: bytes, receive_ms: int) -> None:
        verdict = request.refusal or self._owner.login_wanted(self, request)
        if verdict == WAIT:
            self._waiting = (request, data)
        else:
            self._decide(request, data, verdict, receive_ms)

    def _decide(self, request: LoginRequest, data: bytes, verdict: str, now_ms: int) -> None:
        if verdict == ACCEPT:
            reaction = self.dialogue.logged_in(request, now_ms)
            if self.dialogue.pile is not None:
                self._bind(self.dialogue.pile, self.dialogue.connector)
            if self.state is not None and request.clock_ms:
                self.state.note_clock(request.clock_ms, now_ms)
        else:
            reaction = self.dialogue.login_refused(request, verdict, now_ms)
        self._keep_frame(data, request.connector, reaction, now_ms)
        self._fast_frames_at_offer = self.stream.fast_frames
        self.send_reaction(reaction, now_ms)

    def _bind(self, pile: Pile, connector: int) -> None:
        self.state = self._owner.state_of(pile)
        self.state.reconnected(connector)
        self.stream.bind(pile, self.state, connector)

    # What is kept

    def _judge_record(self, data: bytes, body: bytes, reaction: Reaction, receive_ms: int) -> Intake:
        """Whether a record is stored; one that is not leaves its bytes as evidence, and no answer if it is new."""
        if self._intake is None or reaction.quarantine is not None:
            return Intake.STORE
        size = len(data) + sum(map(len, reaction.durable_replies))
        intake = self._intake.judge(self.stream.pile_id, body, size, receive_ms)
        if intake is Intake.REPEATED:
            reaction.quarantine = Reason.REPEATED_RECORD
        elif intake is Intake.PUT_OFF:
            reaction.quarantine = Reason.PUT_OFF_RECORD
            reaction.durable_replies.clear()
        return intake

    def _keep_frame(self, data: bytes, connector: int, reaction: Reaction, receive_ms: int) -> bool:
        if reaction.quarantine is not None:
            self.stream.quarantine(data, reaction.quarantine)
            return True
        return self.stream.keep(data, connector, receive_ms)

    def _keep_events(self, events: list[Event], receive_ms: int) -> None:
        for event in events:
            # Anybody may name a charger and be refused; only a connection that has logged in writes facts.
            self._owner.events.add(event, receive_ms, sheddable=self.pile is None)
            if isinstance(event, TariffAck) and self.state is not None:
                self.state.tariff_acked(event.event_ms, event.tariff_version_id)

    def _keep_rest(self) -> None:
        """Frames behind the one that ended the connection are evidence, no more."""
        while (frame := self.stream.next_frame()) is not None:
            self.stream.quarantine(frame[2], Reason.REFUSED)

    def _take_replies(self, reaction: Reaction, sent_ms: int, *, kept: bool = True) -> None:
        if not self._answers_leave:
            return
        protocol = self.protocol
        if kept:
            for reply in (*reaction.replies, *reaction.durable_replies):
                connector = self._connector_of(protocol.type_of(reply), protocol.body_of(reply))
                self.stream.keep_sent(reply, connector, sent_ms)
        self.replies += reaction.replies
        self.durable_replies += reaction.durable_replies
        self.time_wanted |= reaction.send_time
        self.close_reason = reaction.close or self.close_reason

    def _connector_of(self, frame_type: int, body: bytes) -> int:
        return self.dialogue.connector or self.protocol.connector_of(frame_type, body)

    # What frames mean

    def _note_fast_frames(self, receive_ms: int) -> None:
        if self.dialogue.offered_tariff is not None and self.stream.fast_frames != self._fast_frames_at_offer:
            taken: list[Event] = []
            self.dialogue.heard(receive_ms, taken)
            self._keep_events(taken, receive_ms)

    def _answered(self, answer: CommandAnswer, data: bytes, receive_ms: int) -> None:
        if self.state is None:
            return
        outcome = self._owner.charger_answered(self.state.pile.pile_id, answer, self._reply(data, receive_ms))
        if outcome is None or (self._answers_leave and not outcome.request):
            # Anybody may say on a port that a charge has started; its readings or its record will show it.
            return
        if answer.command == "time_sync" and answer.accepted:
            self.state.note_clock(receive_ms, receive_ms)
        if answer.command in START_COMMANDS and answer.accepted and answer.connector and answer.trade_no.strip("0"):
            cycle = self.state.cycle(answer.connector, receive_ms)
            events = cycle.started(answer.trade_no, receive_ms)
            self._connector_changed(
                answer.connector, receive_ms, events, cycle.state, cycle.plugged, answer.trade_no, "remote_start_reply"
            )

    def _reply(self, data: bytes, receive_ms: int) -> ChargerReply:
        return ChargerReply(
            protocol=self.protocol.name,
            frame=data,
            seq=self.protocol.seq_of(data),
            receive_ms=receive_ms,
            connection_id=self.stream.connection_id,
            place=self.dialogue.connector,
        )

    def _billed(self, frame_type: int, body: bytes, connector: int, receive_ms: int) -> None:
        if self._intake is not None:
            self._intake.stored(body)
        if self.state is None or connector == 0:
            return
        trade_no = self.protocol.trade_no_of(frame_type, body, self.state.pile.code)
        if not trade_no:
            return
        cycle = self.state.cycle(connector, receive_ms)
        if cycle.billed(trade_no, receive_ms) & EVENT_BILLED:
            self._connector_changed(connector, receive_ms, EVENT_BILLED, cycle.state, cycle.plugged, trade_no)

    def _connector_changed(
        self, connector: int, event_ms: int, events: int, state: int, plugged: int, trade_no: str, detail: str = ""
    ) -> None:
        if self.state is None:
            return
        cycle = self.state.cycle(connector, event_ms)
        if events & EVENT_REGISTER_BROKEN:
            self._alarm("register_not_continued", connector, event_ms, trade_no)
        if events & EVENT_CHARGING:
            self.state.price(connector, event_ms)
            evidence = self.protocol.charging_evidence(
                self.state.pile, connector, trade_no, event_ms, self.stream.event_frame
            )
            if evidence is not None:
                self._owner.events.add(evidence, event_ms)
        previous = self.state.session_text(cycle.previous_trade_hi, cycle.previous_trade_lo)
        for bit, name in EVENT_NAMES.items():
            if not events & bit:
                continue
            about = previous if bit == EVENT_STOPPED else trade_no
            event = ConnectorEvent(
                pile_id=self.stream.pile_id,
                connector=connector,
                event_ms=event_ms,
                event=name,
                state=state,
                plugged=int(plugged),
                trade_no=about if about.strip("0") else "",
                detail=detail,
            )
            self._owner.events.add(event, event_ms)

    def _alarm(self, kind: str, connector: int, event_ms: int, detail: str) -> None:
        alarm = Alarm(
            pile_id=self.stream.pile_id,
            connector=connector,
            event_ms=event_ms,
            kind=kind,
            detail=detail,
            connection_id=self.stream.connection_id,
        )
        self._owner.events.add(alarm, event_ms)
