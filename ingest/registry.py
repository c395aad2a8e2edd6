"""The seam between a gateway and what it shares with others that serve the same chargers.

Who holds a charger (each gun of it, where guns have connections of their own), how often an id and an address may log
in, how many may be connected, what is remembered of a charger, and where an order goes: one `Registry` answers that. In
one process it is `ingest.local_registry`; several workers of a machine share that of a hub (`ingest.hub`). Nothing here
says that the others run on the same machine.

The structs are what passes between them; all but `PileMemory` are small, and none lives longer than its connection.
"""

from typing import Any, Final, Literal, Protocol

import msgspec

from ingest.command_result import CommandResult
from ingest.gateway_status import GatewayStatus
from ingest.pile_memory import PileMemory

ALIVE: Final = "alive"
SILENT: Final = "silent"
UNHEARD: Final = "unheard"
GONE: Final = "gone"
REPLACED: Final = "replaced"
Outcome = Literal["alive", "silent", "unheard", "gone"]
"""What became of a challenge: it answered; it stayed silent for the whole probe; it could not be judged; it is over."""


class Claim(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """A connection wants to speak for a charger, for one gun of it or (connector 0) for all.

    `pile_id` 0: the login named nobody that may log in; it only counts for the limit of its address.
    """

    connection_id: int
    pile_id: int
    connector: int
    pile: str
    peer: str


class Verdict(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What becomes of a claim: `refusal` is empty when it is granted.

    `rivals` are the addresses of those that held the place; `silent`: one of them was asked and did not answer.
    """

    connection_id: int
    pile_id: int = 0
    refusal: str = ""
    rivals: list[str] = []
    silent: bool = False
    memory: PileMemory | None = None


class Challenge(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ask those connections, which hold a place that another one claims, for a sign of life (`Registry.answer`)."""

    number: int
    connection_ids: list[int]
    pile_id: int
    connector: int


class Holding(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A connection as its worker describes it to a registry that has lost its memory.

    `pile_id` 0: it has not logged in. `since_ms`: when it did, else when it was opened.
    """

    connection_id: int
    peer: str
    since_ms: int
    pile_id: int = 0
    connector: int = 0
    pile: str = ""


class Contestant(Protocol):
    """A gateway, as far as logins go. Nothing here may raise or wait."""

    def decided(self, verdict: Verdict) -> None:
        """A claim that was not decided at once."""

    def challenge(self, challenge: Challenge) -> None:
        """Find out whether those connections live; `Registry.answer` follows, never before this returns."""

    def withdrawn(self, number: int) -> None:
        """Nobody waits for that challenge any more."""

    def displaced(self, connection_id: int, reason: str, peer: str) -> None:
        """Another connection, from `peer`, speaks for the charger: hang up."""


class Worker(Contestant, Protocol):
    """A gateway, as the registry speaks to it. Nothing here may raise, and only orders may wait."""

    def make_room(self, connection_id: int, reason: str) -> None:
        """There are too many connections: hang up."""

    def ring(self, kind: str, who: str, detail: str) -> None:
        """Raise an alarm that is about no charger."""

    def recalled(self, memory: PileMemory) -> None:
        """Another worker tells of a charger that speaks over both."""

    def holdings(self) -> list[Holding]:
        """Every connection there is now."""

    def memories(self) -> list[PileMemory]:
        """What is remembered of every charger."""

    async def give(self, name: str, pile: str, connector: int, arguments: dict[str, Any]) -> CommandResult:
        """An order for a charger that this worker holds; gives its `CommandResult`."""


class Registry(Protocol):
    """What a gateway asks and tells. Nothing here waits, but for `start` and `stop`."""

    shares: bool
    """Whether there are others, so that it is worth telling what they might need."""

    async def start(self, worker: Worker) -> None:
        """Begin; `worker` is told what concerns it."""

    async def stop(self) -> None:
        """End; nothing is told any more."""

    def claim(self, claim: Claim) -> Verdict | None:
        """Decide a login; None = `Worker.decided` follows, unless the connection is `gone` before."""

    def answer(self, number: int, outcome: Outcome) -> None:
        """What became of a challenge."""

    def gone(self, connection_id: int) -> None:
        """A connection is over, or is being hung up on: it holds and claims nothing any more. May be told twice."""

    def counted(self, status: GatewayStatus) -> None:
        """This gateway's counters of this second."""

    def remember(self, memory: PileMemory) -> None:
        """What the next worker that holds this charger should know."""
