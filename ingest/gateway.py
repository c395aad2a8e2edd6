"""The port that chargers connect to: sockets on the event loop, frames into the spool, answers back."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from core.directory import Pile, PileDirectory
from ingest.charger_connection import ChargerConnection
from ingest.charger_link import ACCEPT, ChargerLink
from ingest.charger_protocol import ChargerDialogue, OnConnectorEvent
from ingest.charger_stream import ChargerStream
from ingest.commands import CommandDesk
from ingest.connection_registry import ConnectionRegistry, PileState
from ingest.control import ControlServer
from ingest.event_log import EventLog
from ingest.events import CommandOutcome, ConnectionEvent
from ingest.gateway_settings import GatewaySettings
from ingest.gateway_status import GatewayStatus
from ingest.group_commit import GroupCommit
from ingest.reactions import CommandAnswer, LoginRequest, StartRequest
from ingest.spool import Spool
from ingest.start_decision import refuse
from ingest.status_files import StatusFiles
from ingest.trade_numbers import TradeNumbers
from ingest.ykc_protocol import YKC

__all__ = ["Gateway", "GatewaySettings"]

# Records in memory that wait for the disk: beyond this the sockets wait too, so that overload slows and loses nothing.
PENDING_LIMIT_BYTES: Final = 16 << 20
FULL_READ_BYTES: Final = 65_536
HOUSEKEEPING_S: Final = 1.0
PENDING_RETRY_S: Final = 0.01


class Gateway:
    """Serves YKC chargers on one port, in one event loop.

    The spool and its group commit belong to the caller, who closes them after `stop`. `clock` gives UTC epoch
    milliseconds. Nothing that a charger sends raises out of here.
    """

    def __init__(
        self,
        directory: PileDirectory,
        spool: Spool,
        group_commit: GroupCommit,
        clock: Callable[[], int],
        settings: GatewaySettings | None = None,
    ) -> None:
        self.settings = settings or GatewaySettings()
        self.clock = clock
        self.group_commit = group_commit
        self.events = EventLog(spool.buffer)
        self.registry = ConnectionRegistry()
        self.bills_acked = 0
        self.turn_spent = False
        self._directory = directory
        self._spool = spool
        self._started_ms = clock()
        self._trade_numbers = TradeNumbers(self._started_ms)
        self.commands = CommandDesk(directory, self.registry, self._trade_numbers, clock, self._keep_outcome)
        self._connections: dict[int, ChargerConnection] = {}
        self._opened = 0
        self._past = GatewayStatus()  # what closed connections brought
        self._past_bills = 0
        self._server: asyncio.Server | None = None
        self._control: ControlServer | None = None
        self._housekeeping: asyncio.Task[None] | None = None
        self._housekeeping_errors = 0
        self._files = StatusFiles(self.settings.status_path, self.settings.beat_path, self.settings.node)
        self._turn_bytes = 0
        self._turn_scheduled = False
        self._held: deque[ChargerConnection] = deque()
        self._last_frames = (self._started_ms, 0)
        self._frames_per_second = 0.0
        self._all_closed = asyncio.Event()

    async def start(self, host: str, port: int) -> None:
        """Listen on `host`, on a free port when `port` is 0; raises OSError when that is not possible."""
        self._report_outage()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._make_connection, host, port, backlog=self.settings.backlog, reuse_address=True
        )
        if self.settings.control_path is not None:
            self._control = ControlServer(self.settings.control_path, self.commands, self.status)
            await self._control.start()
        self._housekeeping = loop.create_task(self._keep_house(), name="gateway housekeeping")

    @property
    def port(self) -> int:
        """The port that chargers connect to."""
        if self._server is None:
            raise RuntimeError("the gateway does not listen")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Take no more, let every record reach the disk and every earned acknowledgement its charger, hang up."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections.values():
            connection.hold()
        try:
            await self._stop_tasks()
        finally:
            await self._hang_up()

    async def _stop_tasks(self) -> None:
        if self._housekeeping is not None:
            self._housekeeping.cancel()
            (end,) = await asyncio.gather(self._housekeeping, return_exceptions=True)
            if isinstance(end, Exception):
                self._complain("the gateway's housekeeping broke", end)
        if self._control is not None:
            await self._control.stop()

    async def _hang_up(self) -> None:
        await self._drain()
        for connection in list(self._connections.values()):
            connection.close("shutdown")
        await self._wait_all_closed()
        self._server = None
        await self._drain()
        self._files.stopped(self.clock())
        self._write_status()

    def status(self) -> GatewayStatus:
        """The counters now."""
        status = msgspec.structs.replace(
            self._past, quarantined=dict(self._past.quarantined), closed=dict(self._past.closed)
        )
        bills = self._past_bills
        for connection in self._connections.values():
            status.add_stream(connection.link.stream)
            bills += connection.link.bills
        status.node = self.settings.node
        status.now_ms = self.clock()
        status.started_ms = self._started_ms
        status.port = self.port if self._server is not None and self._server.sockets else 0
        status.connections = len(self._connections)
        status.logged_in = self.registry.connected
        status.connections_opened = self._opened
        status.bills_received = bills
        status.bills_acked = self.bills_acked
        status.frames_per_second = self._frames_per_second
        status.refused_records = self._spool.buffer.refused_records
        status.pending_bytes = self._spool.buffer.pending
        status.spool_bytes = self._spool.bytes_on_disk()
        status.commit_failures = self.group_commit.failures
        status.commit_error = self.group_commit.last_error
        status.file_errors = self._files.errors
        status.file_error = self._files.last_error
        status.housekeeping_errors = self._housekeeping_errors
        return status

    # What the connections call

    def opened(self, connection: ChargerConnection) -> tuple[ChargerDialogue, ChargerLink]:
        """A charger has connected."""
        self._opened += 1
        self._connections[connection.connection_id] = connection
        self._all_closed.clear()
        dialogue = YKC.make_dialogue(
            lambda code: self._directory.by_wire_code(code, YKC.name),
            trade_numbers=self._trade_numbers,
            connection_id=connection.connection_id,
            peer=connection.peer,
            record_is_fresh=lambda *record: self._record_is_fresh(connection, *record),
        )

        def make_stream(on_event: OnConnectorEvent) -> ChargerStream:
            limit = self.settings.evidence_bytes_per_minute
            return YKC.make_stream(self._spool.buffer, connection.connection_id, on_event, limit)

        link = ChargerLink(self, YKC, dialogue, make_stream)
        connection.dialogue, connection.link = dialogue, link
        self._keep_event(connection, connection.event("opened", connection.opened_ms), connection.opened_ms)
        if len(self._connections) > self.settings.max_connections:
            connection.close("too_many_connections")
        return dialogue, link

    def logged_in(self, connection: ChargerConnection, pile: Pile) -> None:
        """A charger has said who it is."""
        old = self.registry.link_of(pile)
        if isinstance(old, ChargerConnection) and old is not connection:
            now_ms = self.clock()
            self.events.add(old.event("replaced", now_ms, connection.peer), now_ms)
        self.registry.logged_in(pile, connection)

    def send_time(self, connection: ChargerConnection) -> None:
        """Set the clock of a charger that has just logged in (ykc.md section 5, "Clock")."""
        pile = connection.link.pile
        if pile is not None and self.registry.link_of(pile) is connection:
            self.commands.start_time_sync(pile)

    def closed(self, connection: ChargerConnection) -> None:
        """A connection is over."""
        now_ms = self.clock()
        self._connections.pop(connection.connection_id, None)
        if not self._connections:
            self._all_closed.set()
        self._past.add_closed(connection.close_reason)
        self._past_bills += connection.link.bills
        pile = connection.link.pile
        if pile is not None and self.registry.closed(pile, connection):
            self.commands.connection_lost(pile.pile_id)
        connection.link.finish(now_ms)
        self._past.add_stream(connection.link.stream)
        self._keep_event(connection, connection.ended(now_ms), now_ms)

    def spent(self, connection: ChargerConnection, nbytes: int) -> None:
        """Count the bytes handled in this turn of the loop; beyond the budget the connection waits for its next turn.

        Without a bound thousands of flooding chargers keep the loop from accepting, from timers and from the disk.
        """
        self._turn_bytes += nbytes
        if not self._turn_scheduled:
            self._turn_scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        if self._turn_bytes > self.settings.turn_bytes or self._spool.buffer.pending > PENDING_LIMIT_BYTES:
            self.turn_spent = True
            connection.hold()
            self._held.append(connection)

    # What the links call

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger."""
        return self.registry.state_of(pile)

    def charger_answered(
        self, pile_id: int, answer: CommandAnswer, reply: bytes, receive_ms: int
    ) -> CommandOutcome | None:
        """Match an answer to its order and keep the outcome."""
        return self.commands.answer(pile_id, answer, reply, receive_ms)

    def login_wanted(self, link: ChargerLink, request: LoginRequest) -> str:
        """Whoever the master data knows may log in."""
        return ACCEPT

    def start_wanted(self, link: ChargerLink, request: StartRequest) -> None:
        """Nobody holds cards on the platform yet: refused by name instead of left waiting."""
        now_ms = self.clock()
        link.send_reaction(link.dialogue.start_answer(request, refuse("no_decision"), now_ms), now_ms)

    # Inside

    def _make_connection(self) -> ChargerConnection:
        # Unique over restarts: the start in milliseconds, and a running number below it.
        return ChargerConnection(self, (self._started_ms << 20) + self._opened + 1)

    def _record_is_fresh(self, connection: ChargerConnection, connector: int, trade_no: str, receive_ms: int) -> bool:
        state = connection.link.state
        return state is not None and state.record_is_fresh(connector, trade_no, receive_ms)

    def _keep_event(self, connection: ChargerConnection, event: ConnectionEvent, now_ms: int) -> None:
        self.events.add(event, now_ms, sheddable=connection.link.pile is None)

    def _keep_outcome(self, outcome: CommandOutcome) -> None:
        self.events.add(outcome, outcome.answered_ms or self.clock())

    def _next_turn(self) -> None:
        self._turn_scheduled = False
        self._turn_bytes = 0
        self.turn_spent = False
        loop = asyncio.get_running_loop()
        if not self._held:
            return
        self._turn_scheduled = True
        if self._spool.buffer.pending > PENDING_LIMIT_BYTES:
            loop.call_later(PENDING_RETRY_S, self._next_turn)
            return
        for _ in range(min(len(self._held), max(1, self.settings.turn_bytes // FULL_READ_BYTES))):
            self._held.popleft().release()
        loop.call_soon(self._next_turn)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self._housekeeping_round(self.clock())
            except Exception as error:  # noqa: BLE001 - the next round must come, whatever this one met
                self._housekeeping_errors += 1
                self._complain("a round of the gateway's housekeeping broke", error)

    async def _housekeeping_round(self, now_ms: int) -> None:
        for connection in list(self._connections.values()):
            try:
                self._look_after(connection, now_ms)
            except Exception as error:  # noqa: BLE001 - a connection that cannot be watched goes, the others stay
                self._housekeeping_errors += 1
                self._complain(f"connection {connection.connection_id} could not be looked after", error)
                connection.close("internal_error")
        self.commands.expire()
        self._measure_rate(now_ms)
        await asyncio.to_thread(self._files.beat, now_ms)
        await asyncio.to_thread(self._files.write_status, msgspec.json.encode(self.status()))

    def _look_after(self, connection: ChargerConnection, now_ms: int) -> None:
        settings = self.settings
        link = connection.link
        link.stream.end_minute(now_ms)
        link.keep_presences(now_ms)
        if link.pile is None and now_ms - connection.opened_ms > settings.login_timeout_ms:
            connection.close("no_login")
        elif now_ms - connection.last_heard_ms > settings.idle_timeout_ms:
            connection.close("idle")
        elif link.state is not None and now_ms - link.state.time_sync_ms > settings.time_sync_interval_ms:
            self.send_time(connection)

    def _measure_rate(self, now_ms: int) -> None:
        frames = self._past.frames + sum(item.link.stream.frames for item in self._connections.values())
        since_ms, before = self._last_frames
        if now_ms > since_ms:
            self._frames_per_second = round((frames - before) * 1000 / (now_ms - since_ms), 1)
        self._last_frames = (now_ms, frames)

    def _write_status(self) -> None:
        self._files.write_status(msgspec.json.encode(self.status()))

    def _report_outage(self) -> None:
        now_ms = self.clock()
        outage = self._files.outage_before(now_ms)
        if outage is not None:
            self.events.add(outage, now_ms)
        self._files.beat(now_ms)

    @staticmethod
    def _complain(message: str, error: Exception) -> None:
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    async def _drain(self) -> None:
        """Give the disk time to take what is buffered. A disk that refuses must not keep the process alive: what it did
        not take was not acknowledged, so the chargers send it again."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.group_commit.drain(), self.settings.drain_timeout_ms / 1000)

    async def _wait_all_closed(self) -> None:
        """Wait for the transports to flush and end; a charger that does not read is cut off."""
        if not self._connections:
            return
        try:
            await asyncio.wait_for(self._all_closed.wait(), self.settings.drain_timeout_ms / 1000)
        except TimeoutError:
            for connection in list(self._connections.values()):
                connection.abort()
            await self._all_closed.wait()
