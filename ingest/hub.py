"""The hub of several gateway workers: one place that knows who holds which charger. It serves no charger itself.

Workers connect to a Unix socket and tell what they hold, so a hub that is killed loses nothing that they do not tell
the next one. Orders come in at the control socket and go to the worker that holds the charger.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from ingest.connection_slots import ConnectionSlots
from ingest.control import ControlServer
from ingest.gateway_status import GatewayStatus, sum_of
from ingest.hub_messages import (
    Answer,
    Counters,
    Gone,
    Hello,
    HubLine,
    Opened,
    OrderDone,
    Ping,
    Pong,
    ToHub,
)
from ingest.hub_orders import HubOrders
from ingest.hub_workers import Visitor, WorkerLine
from ingest.liveness import replace_file
from ingest.login_judge import Key, LoginJudge
from ingest.login_rules import LoginLimits
from ingest.pile_memory import PileMemory, newest
from ingest.registry import Claim, Holding
from ingest.unix_socket import listen_privately

BACKLOG: Final = 64
STATUS_WAIT_S: Final = 1.0
STATUS_EVERY_S: Final = 1.0


class HubSettings(msgspec.Struct, frozen=True):
    """As in `GatewaySettings`, for all workers together. `workers`: how many are expected."""

    workers: int
    hub_path: Path
    node: str = "gateway-1"
    control_path: Path | None = None
    status_path: Path | None = None
    login_limits: LoginLimits = LoginLimits()
    max_connections: int = 50_000
    unidentified_per_address: int = 200
    unidentified_grace_ms: int = 10_000


class Hub:
    """Serves the workers until stopped. `clock` gives UTC epoch milliseconds."""

    def __init__(self, settings: HubSettings, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._clock = clock
        self._workers: dict[str, WorkerLine] = {}
        self._names: dict[HubLine[ToHub], str] = {}
        self._connections = 0
        self._memories: dict[int, PileMemory] = {}
        self._judge = LoginJudge(settings.login_limits, self._workers.get)
        self._slots = ConnectionSlots(
            self,
            most=settings.max_connections,
            per_address=settings.unidentified_per_address,
            grace_ms=settings.unidentified_grace_ms,
        )
        self._visitors: dict[int, Visitor] = {}
        self._orders = HubOrders(self._judge, self._workers, settings.workers)
        self._decoder = msgspec.msgpack.Decoder(list[ToHub])
        self._server: asyncio.Server | None = None
        self._control: ControlServer | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises `IngestError` when another hub serves the socket."""
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: HubLine[ToHub](self._decoder, self._heard, self._lost),
            sock=listen_privately(self._settings.hub_path),
            backlog=BACKLOG,
        )
        self._orders.began()
        if self._settings.control_path is not None:
            self._control = ControlServer(self._settings.control_path, self._orders, self.status)
            await self._control.start()
        if self._settings.status_path is not None:
            self._keeping = asyncio.create_task(self._keep_status(), name="status of all workers")

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._control is not None:
            await self._control.stop()
        if self._server is not None:
            self._server.close()
        for line in list(self._names):
            line.close()
        self._settings.hub_path.unlink(missing_ok=True)

    async def status(self) -> GatewayStatus:
        """The counters of all workers in one, asked for now; of one that does not answer, those that it told last."""
        workers = list(self._workers.values())
        for worker in workers:
            worker.ask_status()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATUS_WAIT_S):
                for worker in workers:
                    await worker.told.wait()
        return self._sum()

    def memory_of(self, pile_id: int) -> PileMemory | None:
        """What workers told of a charger."""
        return self._memories.get(pile_id)

    def ring(self, kind: str, *, detail: str = "", who: str = "") -> None:
        """An alarm about connections without a login; the first worker writes it down."""
        worker = next(iter(self._workers.values()), None)
        if worker is not None:
            worker.ring(kind, who, detail)

    # What workers tell

    def _heard(self, line: HubLine[ToHub], message: ToHub) -> None:
        if isinstance(message, Hello):
            self._hello(line, message.worker)
            return
        name = self._names.get(line)
        if name is None:
            line.close()
            return
        worker = self._workers[name]
        if isinstance(message, Claim):
            self._claimed(worker, message)
        elif isinstance(message, Opened):
            self._opened(worker, message)
        elif isinstance(message, Gone):
            self._gone(worker, message)
        elif isinstance(message, PileMemory):
            self._remember(worker, message)
        elif isinstance(message, Answer):
            self._judge.answered(message.number, message.outcome, self._clock())
        elif isinstance(message, Holding):
            self._announced(worker, message)
        elif isinstance(message, OrderDone):
            worker.order_done(message.number, message.result)
        elif isinstance(message, Counters):
            worker.status = message.status
            worker.told.set()
        elif isinstance(message, Ping):
            line.post(Pong())

    def _hello(self, line: HubLine[ToHub], name: str) -> None:
        before = self._workers.get(name)
        if before is not None:
            # It has lost the line, and says so by a new one before the end of the old one shows.
            before.line.close()
            self._worker_gone(before)
        self._names[line] = name
        self._workers[name] = WorkerLine(name, line, self._memories.get)
        self._orders.assembled(len(self._workers))

    def _lost(self, line: HubLine[ToHub]) -> None:
        worker = self._workers.get(self._names.get(line, ""))
        if worker is not None and worker.line is line:
            self._worker_gone(worker)

    def _worker_gone(self, worker: WorkerLine) -> None:
        del self._workers[worker.name]
        self._names.pop(worker.line, None)
        self._connections -= len(worker.connections)
        for connection_id in worker.connections:
            self._forget_visitor(connection_id)
        worker.gone()
        self._judge.worker_gone(worker.name, self._clock())

    def _opened(self, worker: WorkerLine, opened: Opened) -> None:
        worker.connections.add(opened.connection_id)
        self._connections += 1
        visitor = self._visitors[opened.connection_id] = Visitor(worker.line, opened)
        self._slots.opened(visitor, self._connections)

    def _gone(self, worker: WorkerLine, gone: Gone) -> None:
        self._judge.gone(Key(worker.name, gone.connection_id))
        if gone.closed and gone.connection_id in worker.connections:
            worker.connections.discard(gone.connection_id)
            self._connections -= 1
            self._forget_visitor(gone.connection_id)

    def _claimed(self, worker: WorkerLine, claim: Claim) -> None:
        verdict = self._judge.claim(worker.name, claim, self._clock())
        if verdict is not None:
            worker.decided(verdict)
        if claim.pile_id and (verdict is None or not verdict.refusal):
            self._forget_visitor(claim.connection_id)
            self._orders.names[claim.pile] = claim.pile_id

    def _announced(self, worker: WorkerLine, holding: Holding) -> None:
        if holding.connection_id not in worker.connections:
            worker.connections.add(holding.connection_id)
            self._connections += 1
        if holding.pile_id:
            self._forget_visitor(holding.connection_id)
            self._orders.names[holding.pile] = holding.pile_id
            self._judge.announced(worker.name, holding, self._clock())
        else:
            # Nobody is sent away for having been there while there was no hub: the next newcomer finds out.
            opened = Opened(holding.connection_id, holding.peer, holding.since_ms)
            visitor = self._visitors[holding.connection_id] = Visitor(worker.line, opened)
            self._slots.track(visitor)

    def _remember(self, worker: WorkerLine, memory: PileMemory) -> None:
        known = self._memories[memory.pile_id] = newest(self._memories.get(memory.pile_id), memory)
        for holder in self._judge.holders(memory.pile_id):
            other = self._workers.get(holder.key.worker)
            if other is not None and other is not worker:
                other.line.post(known)

    def _forget_visitor(self, connection_id: int) -> None:
        visitor = self._visitors.pop(connection_id, None)
        if visitor is not None:
            self._slots.gone(visitor)

    # What is shown

    def _sum(self) -> GatewayStatus:
        told = [worker.status for worker in self._workers.values() if worker.status is not None]
        return sum_of(self._settings.node, self._clock(), told)

    async def _keep_status(self) -> None:
        path = self._settings.status_path
        assert path is not None
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            with contextlib.suppress(OSError):  # the workers' own files tell the same, and of their trouble
                await asyncio.to_thread(replace_file, path, msgspec.json.encode(self._sum()))
