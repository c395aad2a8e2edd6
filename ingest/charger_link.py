"""One YKC connection without its socket: frames in, records and answers out. The live port and the replay share it."""

from collections.abc import Callable
from typing import Final, Protocol

from core.connector import EVENT_BILLED, EVENT_CHARGING, EVENT_NAMES, EVENT_STOPPED
from core.directory import Pile
from core.tariff_version import TariffVersion
from ingest import ykc_types
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import CommandOutcome, ConnectorEvent, Event, Presence, TariffAck
from ingest.reactions import CommandAnswer, LoginRequest, Reaction, Reason, StartDecision
from ingest.ykc_dialogue import YkcDialogue
from ingest.ykc_stream import YkcStream

NO_SESSION: Final = "0" * 32

Frame = tuple[int, int, bytes]


class LinkOwner(Protocol):
    """Who holds the links: a gateway, or a replay."""

    events: EventLog

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger."""

    def charger_answered(
        self, pile_id: int, answer: CommandAnswer, reply: bytes, receive_ms: int
    ) -> CommandOutcome | None:
        """Match an answer to its order and keep the outcome."""


class ChargerLink:
    """Wires a connection's stream and dialogue to the records.

    After `handle_feed` the owner sends `replies` at once and `durable_replies` when everything appended so far is
    fsynced, and hangs up when `close_reason` is set.
    """

    def __init__(
        self,
        owner: LinkOwner,
        dialogue: YkcDialogue,
        make_stream: Callable[[Callable[[int, int, int, int, int, str], None]], YkcStream],
        *,
        answers_leave: bool = True,
    ) -> None:
        """`answers_leave` is False in a replay: what the dialogue would answer today was never sent."""
        self.dialogue = dialogue
        self.stream = make_stream(self._connector_changed)
        self.state: PileState | None = None
        self.replies: list[bytes] = []
        self.durable_replies: list[bytes] = []
        self.close_reason = ""
        self.time_wanted = False
        self.bills = 0
        self._owner = owner
        self._answers_leave = answers_leave
        self._fast_frames_at_offer = 0
        if dialogue.pile is not None:
            self._bind(dialogue.pile)

    @property
    def pile(self) -> Pile | None:
        """The charger that has logged in."""
        return self.dialogue.pile

    def handle_feed(self, receive_ms: int) -> None:
        """Handle every frame of the bytes just fed to the stream; stops at a reason to hang up."""
        stream = self.stream
        while (frame := stream.next_frame()) is not None:
            self.handle_frame(frame, receive_ms)
            if self.close_reason:
                self._keep_rest()
                break
        acks = stream.take_acks()
        if acks:
            self.replies.append(acks)
        self.after_frames(receive_ms)

    def handle_frame(self, frame: Frame, receive_ms: int) -> None:
        """Handle one frame that the compiled path left to Python."""
        _, frame_type, data = frame
        stream = self.stream
        acks = stream.take_acks()
        if acks:
            self.replies.append(acks)
        body = data[6:-2]
        self._note_fast_frames(receive_ms)
        reaction = self.dialogue.on_frame(frame_type, data[2:4], body, receive_ms, data)
        if reaction.login is not None:
            reaction = self._decide_login(reaction.login, receive_ms)
        if reaction.start is not None:
            refusal = StartDecision(granted=False, reason="start_unsupported")
            answered = self.dialogue.start_answer(reaction.start, refusal, receive_ms)
            reaction.replies += answered.replies
            reaction.events += answered.events
        if reaction.quarantine is not None:
            stream.quarantine(data, reaction.quarantine)
        elif not stream.keep(data, ykc_types.connector_of(frame_type, body), receive_ms):
            # The disk does not keep up. Nothing that depends on the frame being kept may be promised.
            reaction.durable_replies.clear()
        self._keep_events(reaction.events, receive_ms)
        for answer in reaction.answers:
            self._answered(answer, data, receive_ms)
        if reaction.durable_replies and frame_type == ykc_types.RECORD:
            self._billed(body, receive_ms)
        self._fast_frames_at_offer = stream.fast_frames
        if not self._answers_leave:
            return
        self._keep_replies(reaction.replies, frame_type, receive_ms)
        self._keep_replies(reaction.durable_replies, frame_type, receive_ms)
        self.replies += reaction.replies
        self.durable_replies += reaction.durable_replies
        self.time_wanted |= reaction.send_time
        self.close_reason = reaction.close or self.close_reason

    def after_frames(self, receive_ms: int) -> None:
        """What readings and heartbeats, which Python never sees, mean for the dialogue and for presence."""
        self._note_fast_frames(receive_ms)
        if self.stream.presences:
            self.keep_presences(receive_ms)

    def keep_presences(self, now_ms: int) -> None:
        """Write the minutes that are over."""
        stream = self.stream
        for first_ms, last_ms, frames, heartbeats, heard_bytes in stream.presences:
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
        stream.presences.clear()

    def tariff_offered(self, version: TariffVersion | None) -> None:
        """A tariff went out by another way than the dialogue's answer; None = one that nobody knows here."""
        self.dialogue.offered_tariff = version
        self._fast_frames_at_offer = self.stream.fast_frames

    def finish(self, now_ms: int) -> None:
        """The connection is over: what waits for more bytes is quarantined, the last minute is written."""
        self.stream.close()
        self.keep_presences(now_ms)

    def _decide_login(self, request: LoginRequest, receive_ms: int) -> Reaction:
        if request.refusal or request.pile is None:
            return self.dialogue.login_refused(request, request.refusal, receive_ms)
        reaction = self.dialogue.logged_in(request, receive_ms)
        self._bind(request.pile)
        return reaction

    def _bind(self, pile: Pile) -> None:
        self.state = self._owner.state_of(pile)
        self.stream.bind(pile, self.state)

    def _note_fast_frames(self, receive_ms: int) -> None:
        if self.dialogue.offered_tariff is not None and self.stream.fast_frames != self._fast_frames_at_offer:
            taken: list[Event] = []
            self.dialogue.heard(receive_ms, taken)
            self._keep_events(taken, receive_ms)

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

    def _keep_replies(self, replies: list[bytes], frame_type: int, sent_ms: int) -> None:
        # A heartbeat's answer follows from the heartbeat to the byte: storing it would double the rows for nothing.
        if frame_type == ykc_types.HEARTBEAT:
            return
        for reply in replies:
            self.stream.keep_sent(reply, ykc_types.connector_of(reply[5], reply[6:-2]), sent_ms)

    def _answered(self, answer: CommandAnswer, data: bytes, receive_ms: int) -> None:
        if self.state is None:
            return
        self._owner.charger_answered(self.state.pile.pile_id, answer, data, receive_ms)
        if answer.command == "remote_start" and answer.accepted and answer.connector and answer.trade_no.strip("0"):
            cycle = self.state.cycle(answer.connector, receive_ms)
            events = cycle.started(answer.trade_no, receive_ms)
            self._connector_changed(
                answer.connector, receive_ms, events, cycle.state, cycle.plugged, answer.trade_no, "remote_start_reply"
            )

    def _billed(self, body: bytes, receive_ms: int) -> None:
        self.bills += 1
        connector = ykc_types.connector_of(ykc_types.RECORD, body)
        trade_no = ykc_types.trade_no_of(ykc_types.RECORD, body)
        if self.state is None or connector == 0 or not trade_no:
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
        if events & EVENT_CHARGING:
            self.state.price(connector, event_ms)
        for bit, name in EVENT_NAMES.items():
            if not events & bit:
                continue
            about = cycle.previous_trade_no if bit == EVENT_STOPPED else trade_no
            event = ConnectorEvent(
                pile_id=self.stream.pile_id,
                connector=connector,
                event_ms=event_ms,
                event=name,
                state=state,
                plugged=int(plugged),
                trade_no="" if about == NO_SESSION else about,
                detail=detail,
            )
            self._owner.events.add(event, event_ms)
