"""What describes one kind of order to a charger: its frames, its answer, and how long and how often it is tried."""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from core.directory import Pile
from ingest.errors import IngestError

ANSWER_TIMEOUT_MS: Final = 10_000
NO_CARD: Final = "0" * 16


class OrderError(IngestError):
    """An order cannot be put into frames: the text says which argument is wrong and what is allowed."""


class NoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The order says everything by itself."""


class OrderSite(msgspec.Struct, frozen=True):
    """Where and when an order is given.

    `connector` is 0 for the charger as a whole; `gun_no(connector)` is the charger's own number of a gun. `wire_code`
    is the id that the charger goes by. `new_trade_no(connector)` gives the number of a session that begins.
    """

    pile: Pile
    connector: int
    now_ms: int
    session: str
    wire_code: str
    gun_no: Callable[[int], int]
    new_trade_no: Callable[[int], str]


class Parcel(msgspec.Struct, frozen=True):
    """One frame of an order, and the answer that belongs to it.

    `place` is the connector that the answer names, None = that of the order. `subject` tells answers of one kind apart
    that may be waited for at once. `timeout_ms` 0 = that of the order.
    """

    fields: dict[str, Any]
    connector: int
    trade_no: str = ""
    place: int | None = None
    subject: str = ""
    timeout_ms: int = 0


Idle = Literal["", "connector", "pile"]


def never_idle(arguments: Any) -> Idle:
    """The charger takes the order at any time, or decides itself."""
    return ""


class Order(msgspec.Struct, frozen=True):
    """One kind of order.

    `message` and `answer` are names in the protocol's table, `answer` is empty where the protocol has none.
    `needs_idle` says what must not be charging; the sender is told "busy" then.
    `attempts`: how often it is sent before it has failed. More than once only where taking it twice is the same as
    taking it once; `while_session_lasts` ends the repeats with the session. Parcels go one after the other, each when
    the one before was answered, unless they go `together`. A repeat is the same content, or is `made_anew`:
    the time. Such an order also replaces an older one that waits, any other is refused as "busy".
    `reasons`: the charger's own numbers for a no. `more_answers`: those of them after which it may still say yes.
    `secrets`: text fields that the charger is sent and nobody else: the frame is kept with them empty.
    """

    name: str
    message: str
    answer: str
    arguments: type[msgspec.Struct]
    parcels: Callable[[OrderSite, Any], list[Parcel]]
    scope: Literal["pile", "connector"] = "pile"
    needs_idle: Callable[[Any], Idle] = never_idle
    timeout_ms: int = ANSWER_TIMEOUT_MS
    attempts: int = 1
    while_session_lasts: bool = False
    together: bool = False
    made_anew: bool = False
    reasons: dict[int, str] = {}
    more_answers: frozenset[int] = frozenset()
    secrets: tuple[str, ...] = ()
