"""What a frame of a charger asks of the connection's owner: the words that all dialogues share."""

from enum import IntEnum
from typing import Any, Literal

import msgspec

from core.directory import Pile
from ingest.events import ChargerIdentity, Event


class Reason(IntEnum):
    """Why a whole frame is quarantined; the numbers below 20 are the splitters' span kinds."""

    ENCRYPTED = 3
    GARBAGE = 10
    BAD_LENGTH = 11
    BAD_CHECKSUM = 12
    NOT_LOGGED_IN = 20
    FOREIGN_PILE = 21
    REFUSED = 22
    REPEATED_RECORD = 23
    PUT_OFF_RECORD = 24


class CommandAnswer(msgspec.Struct, frozen=True):
    """A charger's answer to an order. `command` is the order's name in `ingest.orders`.

    `reason` is the charger's own number, 0 when it accepted. `values` is what it was asked for: cards, parameters.
    """

    command: str
    connector: int
    trade_no: str
    accepted: bool
    reason: int
    values: dict[str, Any] = msgspec.field(default_factory=dict)


class ChargerReply(msgspec.Struct, frozen=True):
    """The frame that carried an answer, and how it came.

    `seq` is its sequence field as it came. `place` is the gun that the connection speaks for, 0 = all of the charger.
    """

    protocol: str
    frame: bytes
    seq: bytes
    receive_ms: int
    connection_id: int = 0
    place: int = 0


class LoginRequest(msgspec.Struct, frozen=True):
    """A charger says who it is. The owner decides, at once or after it has asked the living connection.

    `connector` is not 0 where the connection speaks for one gun only (aaf5.md section 6). `refusal` is set where the
    dialogue already knows that it cannot be: unknown_pile, wrong_protocol, unknown_connector (a letter beyond the
    charger's guns), other_pile_on_connection, login_too_short.
    `clock_ms` is the charger's clock in the frame, 0 where it has none; `heartbeat_ms` the interval of heartbeats that
    it announces, 0 where it keeps to the protocol's.
    """

    code: str
    pile: Pile | None
    seq: bytes
    body: bytes
    connector: int = 0
    refusal: str = ""
    clock_ms: int = 0
    heartbeat_ms: int = 0
    identity: ChargerIdentity | None = None


StartMode = Literal["card", "account", "password", "vin"]


class StartRequest(msgspec.Struct, frozen=True):
    """Somebody wants to charge and stands at the charger: a card, an account with its password, or a vehicle.

    `account` is the card or account number as the charger sent it (hex text of YKC's 8 bytes, digits of AAF5),
    `password` the MD5 or the raw bytes as upper-case hex text, empty where none was typed. `parallel_no` and `gun_role`
    (0 main, 1 auxiliary) belong to a start of two guns for one vehicle. `message` is the request's name. `refusal` is
    set where the dialogue already knows that it cannot be granted: too many of this charger wait.
    """

    message: str
    pile: Pile
    connector: int
    mode: StartMode
    seq: bytes
    receive_ms: int
    account: str = ""
    password: str = ""
    needs_password: bool = False
    vin: str = ""
    parallel_no: str = ""
    gun_role: int = 0
    balance_fen: int = 0
    frame: bytes = b""
    refusal: str = ""


class StartDecision(msgspec.Struct, frozen=True):
    """Whether a charge may start at the charger, decided by the back office or by the table in the settings.

    `reason` is empty when granted, else one of `ingest.start_decision.REFUSALS`. `method` is how the starter is known
    in the end: a card, a VIN, a station password. `account` names who pays, `shown_card` has 16 digits.
    """

    granted: bool
    reason: str = ""
    method: str = ""
    account: str = ""
    balance_fen: int = 0
    shown_card: str = "0" * 16


class Reaction(msgspec.Struct):
    """What one frame asks of the connection's owner, in this order: keep the frame, then the rest.

    `quarantine` is set when the frame is evidence only. `durable_replies` may leave only after the frame is fsynced
    (DESIGN invariant 2). `close` is the reason to hang up once the replies are out. `login` and `start` are to be
    decided by the owner, who then calls the dialogue's `logged_in`, `login_refused` or `start_answer`.
    """

    replies: list[bytes] = msgspec.field(default_factory=list)
    durable_replies: list[bytes] = msgspec.field(default_factory=list)
    events: list[Event] = msgspec.field(default_factory=list)
    answers: list[CommandAnswer] = msgspec.field(default_factory=list)
    quarantine: Reason | None = None
    login: LoginRequest | None = None
    start: StartRequest | None = None
    send_time: bool = False
    close: str | None = None
