"""What the gateway, the replay and the loader must know of a protocol: one object for each (`YKC`, `AAF5`)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from core.directory import Pile
from core.tariff_version import TariffVersion
from ingest.events import Event, SessionStart
from ingest.reactions import LoginRequest, Reaction, StartDecision, StartRequest
from ingest.record_buffer import RecordBuffer

if TYPE_CHECKING:
    from ingest.charger_stream import ChargerStream

OnConnectorEvent = Callable[[int, int, int, int, int, str], None]
RecordIsFresh = Callable[[int, str, int], bool]


class ChargerDialogue(Protocol):
    """One charger connection's side of the talk, without sockets, files or clocks. Nothing here raises for input."""

    pile: Pile | None
    connector: int
    """The one gun that the connection speaks for, 0 = all of the charger."""
    wire_code: str
    """The id that the charger goes by over this connection, with its gun's letter if it has one."""
    offered_tariff: TariffVersion | None
    protocol_version: str
    """What the charger's login named, "1.6"; empty while it named none."""

    def on_frame(self, frame_type: int, seq: bytes, body: bytes, receive_ms: int, frame: bytes = b"") -> Reaction:
        """React to one whole frame whose checksum was right; `frame` is the same with its envelope, for evidence."""

    def logged_in(self, request: LoginRequest, receive_ms: int) -> Reaction:
        """The owner took the login: what to answer, and the facts to keep."""

    def login_refused(self, request: LoginRequest, reason: str, receive_ms: int) -> Reaction:
        """The owner refused it; `close` is set."""

    def start_answer(self, request: StartRequest, decision: StartDecision, now_ms: int) -> Reaction:
        """The answer to a start at the charger, and the evidence of it."""

    def heard(self, receive_ms: int, events: list[Event]) -> None:
        """The charger sent something other than a tariff request: it has taken the tariff offered before, if any."""

    def gun_no_of(self, connector: int) -> int:
        """How the charger itself numbers a connector."""

    def next_seq(self) -> bytes:
        """The sequence field of the next frame that the platform starts by itself."""

    def time_sync_frame(self, now_ms: int) -> bytes:
        """The frame that sets the charger's clock to the station's local time."""

    def probe_frame(self) -> bytes:
        """A question that a living charger answers at once: does it still hear us?"""


class ChargerProtocol(Protocol):
    """One wire protocol. `number` stands in spool records, `name` in tables and captures."""

    name: str
    number: int
    heartbeat_ms: int
    """The interval of heartbeats that the protocol prescribes; a connection is silent after three of them."""

    def make_stream(
        self, records: RecordBuffer, connection_id: int, on_event: OnConnectorEvent, evidence_limit: int
    ) -> "ChargerStream":
        """The compiled part of a connection."""

    def make_dialogue(self, find_pile: Callable[[str], tuple[Pile, int] | None], **options: Any) -> ChargerDialogue:
        """The part of a connection that answers; `options` as in `YkcDialogue`."""

    def whole_frame_kind(self, frame: bytes) -> int:
        """Span kind of bytes that claim to be one whole frame."""

    def type_of(self, frame: bytes) -> int:
        """The type of a whole frame."""

    def seq_of(self, frame: bytes) -> bytes:
        """The sequence field as it came."""

    def body_of(self, frame: bytes) -> bytes:
        """The body of a whole frame."""

    def pile_code_of(self, frame_type: int, body: bytes) -> str | None:
        """The id that the frame names, None when it names none."""

    def connector_of(self, frame_type: int, body: bytes) -> int:
        """The connector that the frame is about, 0 when it says none."""

    def trade_no_of(self, frame_type: int, body: bytes, pile_code: str) -> str:
        """The session that the frame names, empty when it names none. `pile_code` is the platform's code."""

    def charging_evidence(
        self, pile: Pile, connector: int, trade_no: str, event_ms: int, frame: bytes
    ) -> SessionStart | None:
        """Who started the charge, as the reading that first shows it says; None where readings do not say."""

    def is_down(self, frame_type: int) -> bool:
        """Whether the platform sends this type."""

    def is_heartbeat(self, frame_type: int) -> bool:
        """Whether the charger sends it only to show that it lives."""

    def is_record(self, frame_type: int) -> bool:
        """Whether it is the bill of a charge."""
