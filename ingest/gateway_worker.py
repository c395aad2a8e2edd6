"""A gateway as the registry speaks to it, and what the gateway tells the registry for others to know."""

from typing import TYPE_CHECKING, Any, Final

from ingest.command_result import CommandResult
from ingest.connection_slots import ConnectionSlots, Visitor
from ingest.events import ConnectorEvent, Event, TariffAck
from ingest.hub_registry import HubRegistry
from ingest.login_rules import ID_IN_USE
from ingest.pile_memory import PileMemory
from ingest.registry import REPLACED, Challenge, Holding, Registry, Verdict

if TYPE_CHECKING:
    from ingest.charger_connection import ChargerConnection
    from ingest.gateway import Gateway

DUPLICATE_LOGIN: Final = "duplicate_login"


class GatewayWorker:
    """The `ingest.registry.Worker` of a gateway.

    What changed of a charger is told once a second, and at the end of its connection.
    """

    def __init__(self, gateway: "Gateway", registry: Registry) -> None:
        self._gateway = gateway
        self._registry = registry
        self._changed: set[int] = set()

    # What the registry says

    def decided(self, verdict: Verdict) -> None:
        """A claim was decided."""
        self._gateway.logins.decided(verdict)

    def challenge(self, challenge: Challenge) -> None:
        """Somebody claims what connections of this gateway hold."""
        self._gateway.logins.challenge(challenge)

    def withdrawn(self, number: int) -> None:
        """Nobody waits for that challenge any more."""
        self._gateway.logins.withdrawn(number)

    def displaced(self, connection_id: int, reason: str, peer: str) -> None:
        """A connection of another worker speaks for the charger now."""
        connection = self._gateway.connections.get(connection_id)
        if connection is None or connection.closing:
            return
        gateway, now_ms = self._gateway, self._gateway.clock()
        pile = connection.link.pile
        if reason == REPLACED:
            gateway.events.add(connection.event(REPLACED, now_ms, peer), now_ms)
        elif reason == ID_IN_USE and pile is not None:
            gateway.alarms.ring(
                DUPLICATE_LOGIN,
                pile_id=pile.pile_id,
                pile=pile.code,
                connector=connection.dialogue.connector,
                detail=f"login from {connection.peer} while logins could not be compared; {peer} was there before",
                peer=connection.peer,
                connection_id=connection_id,
            )
        self._tell(connection)
        connection.close(reason)

    def make_room(self, connection_id: int, reason: str) -> None:
        """There are too many connections over all workers."""
        connection = self._gateway.connections.get(connection_id)
        if connection is not None:
            connection.close(reason)

    def ring(self, kind: str, who: str, detail: str) -> None:
        """Raise an alarm that is about no charger."""
        self._gateway.alarms.ring(kind, who=who, detail=detail)

    def recalled(self, memory: PileMemory) -> None:
        """Another worker has heard more of a charger that speaks over both."""
        pile = self._gateway.directory.by_id(memory.pile_id)
        if pile is not None:
            self._gateway.registry.state_of(pile).recall(memory, self._gateway.clock())

    def holdings(self) -> list[Holding]:
        """Every connection, those that speak for a charger and those that do not yet."""
        found = []
        for connection in self._gateway.connections.values():
            number, peer, pile = connection.connection_id, connection.peer, connection.link.pile
            if pile is None or connection.closing:
                found.append(Holding(number, peer, connection.opened_ms))
            else:
                since_ms = connection.logged_in_ms or connection.opened_ms
                found.append(Holding(number, peer, since_ms, pile.pile_id, connection.dialogue.connector, pile.code))
        return found

    def memories(self) -> list[PileMemory]:
        """What is remembered of every charger, also of those that are away."""
        registry, now_ms = self._gateway.registry, self._gateway.clock()
        return [
            state.memory(now_ms if registry.links_of(state.pile) else state.known_ms) for state in registry.states()
        ]

    async def give(self, name: str, pile: str, connector: int, arguments: dict[str, Any]) -> CommandResult:
        """An order that came in elsewhere."""
        return await self._gateway.commands.give(name, pile, connector, arguments)

    # What the gateway says

    def heard(self, event: Event) -> None:
        """A fact was written: others may have to know what it changed."""
        if self._registry.shares and isinstance(event, ConnectorEvent | TariffAck):
            self._changed.add(event.pile_id)

    def tell_changes(self) -> None:
        """Tell what changed since the last call; once a second."""
        changed, self._changed = self._changed, set()
        gateway = self._gateway
        for pile_id in changed:
            for link in gateway.registry.links_of_number(pile_id):
                self._tell(gateway.connections[link.connection_id])

    def leaving(self, connection: "ChargerConnection") -> None:
        """A connection is over, or goes: its next worker should know what this one did."""
        if self._registry.shares:
            self._tell(connection)

    def _tell(self, connection: "ChargerConnection") -> None:
        state, now_ms = connection.link.state, self._gateway.clock()
        if state is not None:
            state.known_ms = now_ms
            self._registry.remember(state.memory(now_ms, connection.dialogue.connector))


class SharedSlots:
    """Room for connections where a hub looks after all of them; while it is away each worker looks after its own."""

    def __init__(self, registry: HubRegistry, local: ConnectionSlots) -> None:
        self._registry = registry
        self._local = local

    def opened(self, visitor: Visitor, connections: int) -> None:
        """Somebody has connected."""
        if self._registry.opened(visitor.connection_id, visitor.peer, visitor.opened_ms):
            self._local.track(visitor)
        else:
            self._local.opened(visitor, connections)

    def identified(self, visitor: Visitor) -> None:
        """It has said who it is, and may be; the hub knows that from its claim."""
        self._local.identified(visitor)

    def gone(self, visitor: Visitor) -> None:
        """It is gone."""
        self._local.gone(visitor)
        self._registry.closed(visitor.connection_id)

    def __len__(self) -> int:
        return len(self._local)
