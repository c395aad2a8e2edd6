"""A worker as its hub sees it: a line, what is connected there, and what it was asked."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

import msgspec

from ingest.command_result import CommandResult
from ingest.gateway_status import GatewayStatus
from ingest.hub_messages import (
    CountersWanted,
    Displaced,
    HubLine,
    MakeRoom,
    Opened,
    OrderWanted,
    Ring,
    ToHub,
    Withdrawn,
)
from ingest.pile_memory import PileMemory
from ingest.registry import Challenge, Verdict

WORKER_LOST: Final = CommandResult(
    ok=False, error="connection_lost", detail="the process that held the charger ended before it answered"
)


class Visitor:
    """A connection without a login, as `ConnectionSlots` sees it."""

    __slots__ = ("_line", "connection_id", "opened_ms", "peer")

    def __init__(self, line: HubLine[ToHub], opened: Opened) -> None:
        self._line = line
        self.connection_id = opened.connection_id
        self.peer = opened.peer
        self.opened_ms = opened.opened_ms

    def close(self, reason: str) -> None:
        """Let its worker hang up."""
        self._line.post(MakeRoom(self.connection_id, reason))


class WorkerLine:
    """One worker; `memory_of` gives what is remembered of a charger."""

    def __init__(self, name: str, line: HubLine[ToHub], memory_of: Callable[[int], PileMemory | None]) -> None:
        self.name = name
        self.line = line
        self.connections: set[int] = set()
        self.status: GatewayStatus | None = None
        self.told = asyncio.Event()
        self._memory_of = memory_of
        self._asked: dict[int, asyncio.Future[CommandResult]] = {}
        self._numbers = itertools.count(1)

    def decided(self, verdict: Verdict) -> None:
        """Tell a verdict, with what the newcomer's worker should know of the charger."""
        memory = self._memory_of(verdict.pile_id) if verdict.pile_id and not verdict.refusal else None
        self.line.post(msgspec.structs.replace(verdict, memory=memory) if memory is not None else verdict)

    def challenge(self, challenge: Challenge) -> None:
        """Send a challenge."""
        self.line.post(challenge)

    def withdrawn(self, number: int) -> None:
        """Take one back."""
        self.line.post(Withdrawn(number))

    def displaced(self, connection_id: int, reason: str, peer: str) -> None:
        """Let it hang up."""
        self.line.post(Displaced(connection_id, reason, peer))

    def ring(self, kind: str, who: str, detail: str) -> None:
        """Let it raise an alarm."""
        self.line.post(Ring(kind, who, detail))

    def ask_status(self) -> None:
        """Ask for its counters; `told` is set when they are there."""
        self.told.clear()
        self.line.post(CountersWanted())

    async def give(self, name: str, pile: str, connector: int, arguments: dict[str, Any]) -> CommandResult:
        """Let it give an order; a worker that ends meanwhile is told of as `connection_lost`."""
        number = next(self._numbers)
        asked: asyncio.Future[CommandResult] = asyncio.get_running_loop().create_future()
        self._asked[number] = asked
        self.line.post(OrderWanted(number, name, pile, connector, arguments))
        try:
            return await asked
        finally:
            self._asked.pop(number, None)

    def order_done(self, number: int, result: bytes) -> None:
        """It has told what became of an order."""
        asked = self._asked.get(number)
        if asked is not None and not asked.done():
            asked.set_result(msgspec.json.decode(result, type=CommandResult))

    def gone(self) -> None:
        """Its line is closed."""
        self.told.set()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_result(WORKER_LOST)
