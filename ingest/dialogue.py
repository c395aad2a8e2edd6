"""What the talk with a charger has in common whatever its protocol: logins, clocks, tariffs taken, starts repeated."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from core.directory import Pile
from core.tariff_version import TariffVersion
from ingest.events import ClockOffset, ConnectionEvent, Event, TariffAck
from ingest.reactions import LoginRequest, Reaction, Reason, StartDecision, StartRequest
from ingest.start_decision import NO_DECISION
from ingest.trade_numbers import TradeNumbers

FindPile = Callable[[str], tuple[Pile, int] | None]
RecordIsFresh = Callable[[int, str, int], bool]

# How long a start may wait for its decision before the same request counts as a new one.
START_PATIENCE_MS: Final = 60_000
# More starts than this wait for no charger with that many guns: the next one is refused without being asked about.
PENDING_STARTS: Final = 16
# Numbers of records that a connection remembers, so that a record sent again tells once who started its charge: the
# most that a charger sends after one login (ykc.md section 5).
RECORDS_REMEMBERED: Final = 100


def never_fresh(connector: int, trade_no: str, receive_ms: int) -> bool:
    """Of no charge is it known that it ran just now."""
    return False


class Dialogue(ABC):
    """One charger connection's side of the talk, without sockets, files or clocks.

    `find_pile` says who may log in: the charger that goes by an id on the wire and the connector that the id names.
    A `pile` given at once stands for a login that nobody saw: a replay takes frames before it.
    `record_is_fresh(connector, trade_no, receive_ms)` tells whether that charge was seen to run just now, so that the
    clock in its record can be compared with ours; a record from the charger's backlog says nothing.
    """

    __slots__ = (
        "_connection_id",
        "_find_pile",
        "_login_heard",
        "_peer",
        "_pending_starts",
        "_record_is_fresh",
        "_records",
        "_trade_numbers",
        "connector",
        "offered_tariff",
        "pile",
        "protocol_version",
        "wire_code",
    )

    protocol: ClassVar[str]

    def __init__(
        self,
        find_pile: FindPile,
        trade_numbers: TradeNumbers,
        *,
        connection_id: int,
        peer: str = "",
        pile: Pile | None = None,
        connector: int = 0,
        record_is_fresh: RecordIsFresh = never_fresh,
    ) -> None:
        self.pile = pile
        self.connector = connector
        self.wire_code = pile.code if pile is not None else ""
        self.offered_tariff: TariffVersion | None = None
        self.protocol_version = ""
        self._find_pile = find_pile
        self._trade_numbers = trade_numbers
        self._connection_id = connection_id
        self._peer = peer
        self._record_is_fresh = record_is_fresh
        self._login_heard = False
        # What was asked, and when; and the numbers of records. None while there were none.
        self._pending_starts: dict[bytes, int] | None = None
        self._records: dict[str, None] | None = None

    # What the owner calls

    @abstractmethod
    def on_frame(self, frame_type: int, seq: bytes, body: bytes, receive_ms: int, frame: bytes = b"") -> Reaction:
        """React to one whole frame whose checksum was right. Never raises for what a charger sends.

        `frame` is the same frame with its envelope, for evidence; without it one is made of the other arguments.
        """

    def logged_in(self, request: LoginRequest, receive_ms: int) -> Reaction:
        """The owner took the login: what to answer, and the facts to keep.

        Raises `RuntimeError` for a request that names no charger: it cannot be taken.
        """
        if request.pile is None:
            raise RuntimeError(f"a login as {request.code!r} names no charger and cannot be taken")
        self.pile = request.pile
        self.connector = request.connector
        self.wire_code = request.code
        self._login_heard = True
        reaction = Reaction(replies=self._login_answer(request, accepted=True))
        reaction.events.append(self._login_event(request, "login", "", receive_ms))
        if request.identity is not None:
            version = request.identity.protocol_version
            # 0.0 is a field that nobody filled.
            self.protocol_version = version if version != "0.0" else ""
            reaction.events.append(msgspec.structs.replace(request.identity, event_ms=receive_ms))
        if request.clock_ms:
            reaction.events.append(self._clock_event(request.pile, request.clock_ms, receive_ms, "login"))
        reaction.send_time = self._wants_time(request, receive_ms)
        return reaction

    def login_refused(self, request: LoginRequest, reason: str, receive_ms: int) -> Reaction:
        """The owner refused it: the answer, the evidence, and `reason` to hang up for."""
        reaction = Reaction(replies=self._login_answer(request, accepted=False))
        reaction.events.append(self._login_event(request, "login_refused", reason, receive_ms))
        reaction.quarantine = Reason.REFUSED
        reaction.close = reason
        return reaction

    @abstractmethod
    def start_answer(self, request: StartRequest, decision: StartDecision, now_ms: int) -> Reaction:
        """The answer to a start at the charger, and the evidence of it."""

    def heard(self, receive_ms: int, events: list[Event]) -> None:
        """The charger sent something other than a tariff request: it has taken the tariff offered before, if any."""
        if self.offered_tariff is None or self.pile is None:
            return
        events.append(
            TariffAck(
                pile_id=self.pile.pile_id,
                event_ms=receive_ms,
                model_no=self.offered_tariff.model_no,
                tariff_version_id=self.offered_tariff.tariff_version_id,
                source="tariff_reply",
            )
        )
        self.offered_tariff = None

    def gun_no_of(self, connector: int) -> int:
        """How the charger itself numbers a connector."""
        return connector

    @abstractmethod
    def next_seq(self) -> bytes:
        """The sequence field of the next frame that the platform starts by itself."""

    @abstractmethod
    def time_sync_frame(self, now_ms: int) -> bytes:
        """The frame that sets the charger's clock to the station's local time. It must have logged in."""

    @abstractmethod
    def probe_frame(self) -> bytes:
        """A question that a living charger answers at once: does it still hear us?"""

    # What the protocols fill in

    @abstractmethod
    def _login_answer(self, request: LoginRequest, *, accepted: bool) -> list[bytes]:
        """The frames that answer a login; none where the login was too short to be answered."""

    @abstractmethod
    def _wants_time(self, request: LoginRequest, receive_ms: int) -> bool:
        """Whether the charger's clock is to be set after this login."""

    # What they share

    def _known_pile(self) -> Pile:
        """The charger with what the master data says of it now: tariffs change while a connection lives for weeks."""
        if self.pile is None:
            raise RuntimeError("this needs a charger that has logged in")
        found = self._find_pile(self.pile.code)
        if found is not None:
            self.pile = found[0]
        return self.pile

    def _refusal_of(self, pile: Pile | None) -> str:
        """Why this charger cannot log in here whatever the owner thinks, empty when it can."""
        if pile is None:
            return "unknown_pile"
        if pile.protocol != self.protocol:
            return "wrong_protocol"
        if self.pile is not None and self.pile.pile_id != pile.pile_id:
            return "other_pile_on_connection"
        return ""

    def _login_event(self, request: LoginRequest, event: str, detail: str, receive_ms: int) -> ConnectionEvent:
        return ConnectionEvent(
            pile_id=request.pile.pile_id if request.pile else 0,
            connection_id=self._connection_id,
            event_ms=receive_ms,
            event=event,
            detail=detail,
            peer=self._peer,
            pile=request.code,
        )

    @staticmethod
    def _clock_event(pile: Pile, pile_ms: int, receive_ms: int, source: str) -> ClockOffset:
        return ClockOffset(
            pile_id=pile.pile_id,
            event_ms=receive_ms,
            pile_ms=pile_ms,
            offset_ms=pile_ms - receive_ms,
            source=source,
        )

    def _start_is_pending(self, asked: bytes, receive_ms: int) -> bool:
        """Whether the same request waits for its decision."""
        if self._pending_starts is None:
            return False
        for key, since_ms in list(self._pending_starts.items()):
            if not 0 <= receive_ms - since_ms < START_PATIENCE_MS:
                del self._pending_starts[key]
        return asked in self._pending_starts

    def _refusal_of_start(self, asked: bytes, receive_ms: int) -> str:
        """Why a start is not even asked about, because too many wait; empty when it waits from now on."""
        if self._pending_starts is None:
            self._pending_starts = {}
        if len(self._pending_starts) >= PENDING_STARTS:
            return NO_DECISION
        self._pending_starts[asked] = receive_ms
        return ""

    def _start_is_decided(self, asked: bytes) -> None:
        """The request waits no longer."""
        if self._pending_starts is not None:
            self._pending_starts.pop(asked, None)

    def _first_sight(self, record: str) -> bool:
        """Whether a record came over this connection for the first time, as far as it remembers."""
        if self._records is None:
            self._records = {}
        if record in self._records:
            return False
        if len(self._records) >= RECORDS_REMEMBERED:
            del self._records[next(iter(self._records))]
        self._records[record] = None
        return True
