"""The ports that chargers connect to: sockets on the event loop, frames into the spool, answers back."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.directory import Pile, PileDirectory
from ingest.aaf5_protocol import AAF5
from ingest.aaf5_values import Aaf5ValueTable
from ingest.alarm_desk import AlarmDesk
from ingest.charger_connection import ChargerConnection
from ingest.charger_link import ChargerLink
from ingest.charger_networks import ChargerNetworks
from ingest.charger_protocol import ChargerProtocol, OnConnectorEvent
from ingest.charger_stream import ChargerStream
from ingest.commands import CommandDesk, OrderFact
from ingest.connection_registry import ConnectionRegistry
from ingest.connection_slots import ConnectionSlots
from ingest.connection_watch import ConnectionWatch
from ingest.control import ControlServer
from ingest.dialogue import FindPile
from ingest.event_log import EventLog
from ingest.events import ClockOffset, CommandOutcome, ConnectionEvent, ConnectorEvent, Event, TariffAck
from ingest.facts_guard import FACTS_FLOOD, FactsGuard
from ingest.gateway_counters import GatewayCounters
from ingest.gateway_settings import GatewaySettings
from ingest.gateway_status import GatewayStatus
from ingest.gateway_worker import GatewayWorker, SharedSlots
from ingest.group_commit import GroupCommit
from ingest.housekeeping import Housekeeping
from ingest.hub_registry import HubRegistry
from ingest.incident_log import IncidentLog
from ingest.line_limits import LineLimits
from ingest.listening_ports import CLOSED, HandshakeCount, OpenPort, PortKind, Ports, open_ports
from ingest.local_registry import LocalRegistry
from ingest.login_desk import LoginDesk
from ingest.login_rules import address_of
from ingest.protocol_detection import ProtocolDetector
from ingest.protocols import BY_NAME
from ingest.reactions import Reason
from ingest.record_intake import RecordIntake
from ingest.spool import Spool
from ingest.start_decision import DecideStart, StartTable
from ingest.start_desk import StartDesk
from ingest.status_files import StatusFiles
from ingest.tls import TlsIdentity
from ingest.trade_numbers import TradeNumbers
from ingest.turn_budget import TurnBudget
from ingest.unasked import as_claim
from ingest.upkeep import Upkeep
from ingest.ykc_protocol import YKC

__all__ = ["Gateway", "GatewaySettings", "Ports"]

# Records in memory that wait for the disk: beyond this the sockets wait too, so that overload slows and loses nothing.
# They are written at once, so a small spool takes less.
PENDING_LIMIT_BYTES: Final = 16 << 20
PENDING_PARTS_OF_SPOOL: Final = 8
MS_PER_S: Final = 1_000


class Gateway:
    """Serves chargers of both protocols on several ports, in one event loop.

    The spool and its group commit belong to the caller, who closes them after `stop`. `clock` gives UTC epoch
    milliseconds. `decide_start` says who may charge by card, VIN or password at the charger, by default nobody.
    `aaf5_values` is what AAF5 chargers are told that ask for a tariff or for QR codes.
    Nothing that a charger sends raises out of here. Raises `NetworkError` for `charger_networks` that are none.
    """

    def __init__(
        self,
        directory: PileDirectory,
        spool: Spool,
        group_commit: GroupCommit,
        clock: Callable[[], int],
        settings: GatewaySettings | None = None,
        *,
        decide_start: DecideStart | None = None,
        aaf5_values: Aaf5ValueTable | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        self.clock = clock
        self.group_commit = group_commit
        self.facts = FactsGuard(self.settings.fact_limits, spool.max_bytes, self._flooded)
        self.events = EventLog(spool.buffer, self._fact_written, self.facts)
        self.registry = ConnectionRegistry()
        self.shared = self._make_registry()
        self.worker = GatewayWorker(self, self.shared)
        self.log = IncidentLog(clock)
        self.alarms = AlarmDesk(self.events, self.log, clock)
        self.logins = LoginDesk(self.registry, self.shared, self.alarms, self.log, clock, self.settings.probe_ms)
        own_slots = ConnectionSlots(
            self.alarms,
            most=self.settings.max_connections,
            per_address=self.settings.unidentified_per_address,
            grace_ms=self.settings.unidentified_grace_ms,
        )
        self.slots = SharedSlots(self.shared, own_slots) if isinstance(self.shared, HubRegistry) else own_slots
        self.starts = StartDesk(decide_start or StartTable(), clock, self.log, self.settings.start_timeout_ms)
        pending_limit = min(PENDING_LIMIT_BYTES, spool.max_bytes // PENDING_PARTS_OF_SPOOL)
        self.budget = TurnBudget(self.settings.turn_bytes, lambda: spool.buffer.pending > pending_limit)
        self.line_limits = LineLimits(
            garbage_bytes=self.settings.garbage_limit_bytes,
            encrypted_reads=self.settings.encrypted_reads,
            half_frame_ms=self.settings.half_frame_ms,
            frames_before_login=self.settings.frames_before_login,
            login_ms=self.settings.login_timeout_ms,
        )
        self.bills_acked = 0
        self.connections: dict[int, ChargerConnection] = {}
        self._networks = ChargerNetworks(self.settings.charger_networks)
        self.directory = directory
        self.spool = spool
        self.started_ms = clock()
        self._trade_numbers = TradeNumbers(self.started_ms, self.settings.worker, self.settings.workers)
        self.commands = CommandDesk(directory, self.registry, self._trade_numbers, clock, self._keep_order_fact)
        self._find_pile = {name: _finder(directory, name) for name in BY_NAME}
        self._dialogue_options: dict[str, dict[str, Any]] = {YKC.name: {}, AAF5.name: {"values": aaf5_values}}
        self.upkeep = Upkeep(
            directory,
            self.alarms,
            self,
            clock_limit_ms=self.settings.clock_limit_ms,
            time_sync_interval_ms=self.settings.time_sync_interval_ms,
            tariff_grace_ms=self.settings.tariff_grace_ms,
            tariff_push_ms=self.settings.tariff_push_ms,
        )
        self.watch = ConnectionWatch(self.connections, self.alarms, self.log, self.upkeep)
        self._accepted = 0
        self._servers: dict[PortKind, OpenPort] = {}
        self.handshakes = HandshakeCount(self.settings.handshake_timeout_ms)
        self.tls: TlsIdentity | None = None
        self._control: ControlServer | None = None
        self.files = StatusFiles(self.settings.status_path, self.settings.beat_path, self.settings.name)
        self.counters = GatewayCounters(self)
        self.housekeeping = Housekeeping(self)
        self._all_closed = asyncio.Event()

    async def start(self, host: str, ports: Ports | int) -> None:
        """Listen on `host`; a number alone is the port of YKC.

        Raises OSError for a port that cannot be had, and `TlsFileError` for certificates that cannot be used; then
        nothing listens.
        """
        if isinstance(ports, int):
            ports = Ports(ykc=ports)
        if self.settings.tls is not None and ports.tls != CLOSED:
            self.tls = TlsIdentity(self.settings.tls)
        self.facts.measured(self.spool.facts_bytes())
        self._report_outage()
        await self.shared.start(self.worker)
        self._servers = await open_ports(
            host,
            ports,
            self._make_connection,
            backlog=self.settings.backlog,
            tls=self.tls.context if self.tls is not None else None,
            handshake_timeout_s=self.settings.handshake_timeout_ms / MS_PER_S,
            shared=self.settings.workers > 1,
        )
        if self.settings.control_path is not None:
            self._control = ControlServer(self.settings.control_path, self.commands, self.status_now)
            await self._control.start()
        self.housekeeping.start()

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened on, by kind."""
        return {kind: server.sockets[0].getsockname()[1] for kind, server in self._servers.items() if server.sockets}

    @property
    def port(self) -> int:
        """The port for YKC, or the first one where none is for YKC alone."""
        ports = self.ports
        if not ports:
            raise RuntimeError("the gateway does not listen")
        return next(iter(ports.values()))

    async def stop(self) -> None:
        """Take no more, let every record reach the disk and every earned acknowledgement its charger, hang up."""
        if not self._servers:
            return
        for server in self._servers.values():
            server.close()
        for connection in self.connections.values():
            connection.hold()
        try:
            await self._stop_tasks()
        finally:
            await self._hang_up()

    async def _stop_tasks(self) -> None:
        await self.starts.close()
        await self.housekeeping.stop()
        if self._control is not None:
            await self._control.stop()

    async def _hang_up(self) -> None:
        await self._drain()
        for connection in list(self.connections.values()):
            connection.close("shutdown")
        await self._wait_all_closed()
        await self.shared.stop()
        self._servers.clear()
        await self._drain()
        self.files.stopped(self.clock())
        self.files.write_status(msgspec.json.encode(self.status()))

    def status(self) -> GatewayStatus:
        """The counters now."""
        return self.counters.status()

    async def status_now(self) -> GatewayStatus:
        """As `status`, for who may have to wait for others."""
        return self.status()

    # What the connections call

    def opened(self, connection: ChargerConnection) -> None:
        """A charger has connected."""
        self.counters.opened += 1
        if connection.kind == "tls":
            self.handshakes.opened(connection.accepted_ms)
        if connection.kind in BY_NAME:
            self.speaks(connection, connection.kind)
        else:
            # Until it is known what it speaks, the link of one protocol stands for the connection.
            connection.detector = ProtocolDetector(_is_good(YKC), _is_good(AAF5))
            self.speaks(connection, YKC.name)
        self.connections[connection.connection_id] = connection
        self.watch.begin(connection, connection.opened_ms)
        self._all_closed.clear()
        self._keep_event(connection, connection.event("opened", connection.opened_ms), connection.opened_ms)
        if not self._networks.admit(connection.peer):
            self.log.note("address_not_allowed", address_of(connection.peer))
            connection.close("address_not_allowed")
        else:
            self.slots.opened(connection, len(self.connections))

    def speaks(self, connection: ChargerConnection, protocol_name: str) -> None:
        """Give a connection the link of its protocol; before any byte of it was handled."""
        protocol = BY_NAME[protocol_name]
        dialogue = protocol.make_dialogue(
            self._find_pile[protocol_name],
            trade_numbers=self._trade_numbers,
            connection_id=connection.connection_id,
            peer=connection.peer,
            record_is_fresh=connection.record_is_fresh,
            **self._dialogue_options[protocol.name],
        )

        def make_stream(on_event: OnConnectorEvent) -> ChargerStream:
            limit = self.settings.evidence_bytes_per_minute
            return protocol.make_stream(self.spool.buffer, connection.connection_id, on_event, limit)

        connection.link = ChargerLink(connection, protocol, dialogue, make_stream, intake=RecordIntake(self.facts))
        connection.link.stream.count_into(self.counters.totals)

    def logged_in(self, connection: ChargerConnection, pile: Pile) -> None:
        """A charger has said who it is, and was let in."""
        connector = connection.dialogue.connector
        now_ms = self.clock()
        for rival in self.registry.rivals(pile, connector, connection):
            if isinstance(rival, ChargerConnection):
                self.events.add(rival.event("replaced", now_ms, connection.peer), now_ms)
        self.registry.logged_in(pile, connection, connector)

    def send_time(self, connection: ChargerConnection) -> None:
        """Set the clock of a charger that has just logged in (ykc.md section 5, "Clock")."""
        pile = connection.link.pile
        if pile is not None and connection in self.registry.links_of(pile):
            self.commands.start_time_sync(pile, connection)

    def closed(self, connection: ChargerConnection) -> None:
        """A connection is over."""
        now_ms = self.clock()
        self.worker.leaving(connection)
        self.watch.held.pop(connection.connection_id, None)
        self.connections.pop(connection.connection_id, None)
        if not self.connections:
            self._all_closed.set()
        self.slots.gone(connection)
        self.watch.look_at_connectors(connection)
        pile = connection.link.pile
        if pile is not None and self.registry.closed(pile, connection):
            # Where each gun has a connection, the others still bring answers to what was asked of them.
            lost = connection.link.dialogue.connector if self.registry.link_of(pile) is not None else 0
            self.commands.connection_lost(pile.pile_id, lost)
        connection.link.finish(now_ms)
        self.counters.closed(connection)
        self._keep_event(connection, connection.ended(now_ms), now_ms)
        self.logins.gone(connection)

    def _make_registry(self) -> LocalRegistry | HubRegistry:
        settings = self.settings
        if settings.hub_path is None:
            return LocalRegistry(self.clock, settings.login_limits)
        registry = HubRegistry(settings.hub_path, settings.name, self.clock, settings.login_limits)
        registry.tell_status(self.status)
        return registry

    # What the upkeep orders

    def set_clock(self, pile: Pile) -> None:
        """Send the time."""
        self.commands.start_time_sync(pile)

    def push_tariff(self, pile: Pile) -> None:
        """Send the tariff that is valid now."""
        self.commands.start_tariff_set(pile)

    # Inside

    def _make_connection(self, kind: PortKind) -> ChargerConnection:
        # Unique over restarts and workers: the start in milliseconds, and below it a number of this worker's own.
        self._accepted += 1
        number = self._accepted * self.settings.workers + self.settings.worker
        connection = ChargerConnection(self, (self.started_ms << 20) + number, kind)
        if kind == "tls":
            self.handshakes.accepted(connection.accepted_ms)
        return connection

    def _fact_written(self, event: Event) -> None:
        self.upkeep.heard(event)
        if isinstance(event, ClockOffset):
            self._each_connection(event.pile_id, self.watch.begin)
        elif isinstance(event, ConnectorEvent) and self._is_beyond(event):
            self._each_connection(event.pile_id, self.watch.soon)
        self.worker.heard(event)

    def _each_connection(self, pile_id: int, tell: Callable[[ChargerConnection, int], None]) -> None:
        for link in self.registry.links_of_number(pile_id):
            connection = self.connections.get(link.connection_id)
            if connection is not None:
                tell(connection, self.clock())

    def _is_beyond(self, event: ConnectorEvent) -> bool:
        pile = self.directory.by_id(event.pile_id)
        return pile is not None and event.connector > pile.connectors

    def _flooded(self, pile_id: int) -> None:
        pile = self.directory.by_id(pile_id)
        self.alarms.ring(FACTS_FLOOD, pile_id=pile_id, pile=pile.code if pile is not None else "")

    def _keep_event(self, connection: ChargerConnection, event: ConnectionEvent, now_ms: int) -> None:
        self.events.add(event, now_ms, sheddable=connection.link.pile is None)

    def _keep_order_fact(self, fact: OrderFact) -> None:
        now_ms = self.clock()
        fact = as_claim(fact)
        if isinstance(fact, TariffAck):
            pile = self.directory.by_id(fact.pile_id)
            if pile is not None:
                self.registry.state_of(pile).tariff_acked(fact.event_ms, fact.tariff_version_id)
        self.events.add(fact, fact.answered_ms or now_ms if isinstance(fact, CommandOutcome) else now_ms)

    def _report_outage(self) -> None:
        now_ms = self.clock()
        outage = self.files.outage_before(now_ms)
        if outage is not None:
            self.events.add(outage, now_ms)
        self.files.beat(now_ms)

    async def _drain(self) -> None:
        """Give the disk time to take what is buffered. A disk that refuses must not keep the process alive: what it did
        not take was not acknowledged, so the chargers send it again."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.group_commit.drain(), self.settings.drain_timeout_ms / MS_PER_S)

    async def _wait_all_closed(self) -> None:
        """Wait for the transports to flush and end; a charger that does not read is cut off."""
        if not self.connections:
            return
        try:
            await asyncio.wait_for(self._all_closed.wait(), self.settings.drain_timeout_ms / MS_PER_S)
        except TimeoutError:
            for connection in list(self.connections.values()):
                connection.abort()
            await self._all_closed.wait()


def _finder(directory: PileDirectory, protocol: str) -> FindPile:
    return lambda code: directory.by_wire_code(code, protocol)


def _is_good(protocol: ChargerProtocol) -> Callable[[bytes], bool]:
    """Whether bytes are one whole frame of that protocol; an encrypted one is."""
    return lambda frame: protocol.whole_frame_kind(frame) < Reason.GARBAGE
