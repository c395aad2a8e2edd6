"""The registry of a worker among several: asks the hub, and decides by itself while there is none."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from ingest.gateway_status import GatewayStatus
from ingest.hub_messages import (
    Answer,
    Counters,
    CountersWanted,
    Displaced,
    Gone,
    Hello,
    HubLine,
    MakeRoom,
    Opened,
    OrderDone,
    OrderWanted,
    Ping,
    Ring,
    ToWorker,
    Withdrawn,
)
from ingest.login_judge import Key, LoginJudge
from ingest.login_rules import LoginLimits
from ingest.pile_memory import PileMemory
from ingest.registry import Challenge, Claim, Holding, Outcome, Verdict, Worker
from ingest.unix_socket import short_address

START_WAIT_S: Final = 5.0
# A login waits so long for a hub that is away, then this worker decides by what it holds itself.
LOGIN_WAIT_S: Final = 1.5
RETRY_S: Final = 0.05
PING_S: Final = 0.5
# A hub that says nothing for so long is as good as dead.
DEAF_S: Final = 3.0


class HubRegistry:
    """A `Registry` that several workers share.

    Challenges of the hub and those of this worker's own judge are told apart by their sign: the latter are negative.
    """

    shares = True

    def __init__(self, path: Path, name: str, clock: Callable[[], int], limits: LoginLimits) -> None:
        self._path = path
        self._name = name
        self._clock = clock
        self._worker: Worker | None = None
        self._line: HubLine[ToWorker] | None = None
        self._lost_at = 0.0
        self._claims: dict[int, Claim] = {}
        self._alone = LoginJudge(limits, lambda _: self._own)
        self._own: _OwnChallenges | None = None
        self._challenges: set[int] = set()  # of the hub, not answered yet
        self._connecting: asyncio.Task[None] | None = None
        self._orders: set[asyncio.Task[None]] = set()
        self._first = asyncio.Event()
        self._decoder = msgspec.msgpack.Decoder(list[ToWorker])
        self._status: Callable[[], GatewayStatus] | None = None

    @property
    def connected(self) -> bool:
        """Whether the hub can be asked."""
        return self._line is not None and self._line.is_open

    def tell_status(self, status: Callable[[], GatewayStatus]) -> None:
        """Where the hub gets this worker's counters from."""
        self._status = status

    async def start(self, worker: Worker) -> None:
        """Connect; without a hub it goes on after five seconds, and connects when there is one."""
        self._worker = worker
        self._own = _OwnChallenges(worker, self._granted_alone)
        self._lost_at = asyncio.get_running_loop().time()
        self._connecting = asyncio.create_task(self._keep_connected(), name="line to the hub")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._first.wait(), START_WAIT_S)

    async def stop(self) -> None:
        """Hang up."""
        self._worker = None
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        for task in list(self._orders):
            task.cancel()
        await asyncio.gather(*self._orders, return_exceptions=True)
        if self._line is not None:
            self._line.close()
            self._line = None

    # The seam

    def claim(self, claim: Claim) -> Verdict | None:
        """Ask the hub; without one for a while, decide here."""
        if self.connected:
            self._claims[claim.connection_id] = claim
            self._post(claim)
            return None
        if asyncio.get_running_loop().time() - self._lost_at >= LOGIN_WAIT_S:
            return self._claim_alone(claim)
        self._claims[claim.connection_id] = claim
        return None

    def answer(self, number: int, outcome: Outcome) -> None:
        """Pass it to whoever sent the challenge."""
        if number < 0:
            self._alone.answered(-number, outcome, self._clock())
        elif number in self._challenges:
            self._challenges.discard(number)
            self._post(Answer(number, outcome))

    def gone(self, connection_id: int, *, closed: bool = False) -> None:
        """A connection holds and claims nothing any more."""
        claim = self._claims.get(connection_id)
        if claim is not None and claim.pile_id:
            del self._claims[connection_id]
        self._alone.gone(Key(self._name, connection_id))
        self._post(Gone(connection_id, closed))

    def remember(self, memory: PileMemory) -> None:
        """Tell the hub."""
        self._post(memory)

    # What concerns connections without a login

    def opened(self, connection_id: int, peer: str, opened_ms: int) -> bool:
        """A connection was opened; False when there is no hub that looks after its place."""
        self._post(Opened(connection_id, peer, opened_ms))
        return self.connected

    def closed(self, connection_id: int) -> None:
        """A connection is over."""
        self.gone(connection_id, closed=True)

    def counted(self, status: GatewayStatus) -> None:
        """This worker's counters of this second."""
        self._post(Counters(status))

    # Inside

    def _post(self, message: object) -> None:
        if self._line is not None:
            self._line.post(message)

    def _claim_alone(self, claim: Claim) -> Verdict | None:
        return self._alone.claim(self._name, claim, self._clock())

    async def _keep_connected(self) -> None:
        loop = asyncio.get_running_loop()
        woken_at = loop.time()
        while True:
            # A loop that stood still itself has not listened.
            was_late = loop.time() - woken_at > 2 * PING_S
            woken_at = loop.time()
            if self._line is None:
                with contextlib.suppress(OSError):
                    await self._connect()
            if self._line is not None:
                self._line.post(Ping())
                if loop.time() - self._line.heard_at > DEAF_S and not was_late:
                    self._line.close()
            elif self._claims and loop.time() - self._lost_at >= LOGIN_WAIT_S:
                self._decide_waiting()
            await asyncio.sleep(RETRY_S if self._line is None else PING_S)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        with short_address(self._path) as address:
            _, line = await loop.create_unix_connection(
                lambda: HubLine[ToWorker](self._decoder, self._heard, self._lost), address
            )
        if not line.is_open or self._worker is None:
            return
        self._line = line
        line.post(Hello(self._name))
        # All in one batch: the hub knows everything of this worker before it decides anything.
        for holding in self._worker.holdings():
            line.post(holding)
        for memory in self._worker.memories():
            line.post(memory)
        for claim in self._claims.values():
            line.post(claim)
        self._first.set()

    def _lost(self, line: HubLine[ToWorker]) -> None:
        if line is not self._line:
            return
        self._line = None
        self._lost_at = asyncio.get_running_loop().time()
        if self._worker is not None:
            for number in self._challenges:
                self._worker.withdrawn(number)
        self._challenges.clear()

    def _granted_alone(self, verdict: Verdict) -> None:
        """The hub came back while this worker still asked the holder of a place by itself."""
        holder = self._alone.holder(Key(self._name, verdict.connection_id))
        if holder is not None:
            claim = holder.claim
            self._post(
                Holding(claim.connection_id, claim.peer, holder.since_ms, claim.pile_id, claim.connector, claim.pile)
            )

    def _decide_waiting(self) -> None:
        waiting, self._claims = self._claims, {}
        for claim in waiting.values():
            verdict = self._claim_alone(claim)
            if verdict is not None and self._worker is not None:
                self._worker.decided(verdict)

    def _heard(self, _: HubLine[ToWorker], message: ToWorker) -> None:
        worker = self._worker
        if worker is None:
            return
        if isinstance(message, Verdict):
            claim = self._claims.pop(message.connection_id, None)
            if claim is not None:
                if not message.refusal and claim.pile_id:
                    self._alone.held(self._name, claim, self._clock())
                worker.decided(message)
        elif isinstance(message, Challenge):
            self._challenges.add(message.number)
            worker.challenge(message)
        elif isinstance(message, Withdrawn):
            self._challenges.discard(message.number)
            worker.withdrawn(message.number)
        elif isinstance(message, Displaced):
            worker.displaced(message.connection_id, message.reason, message.peer)
        elif isinstance(message, MakeRoom):
            worker.make_room(message.connection_id, message.reason)
        elif isinstance(message, Ring):
            worker.ring(message.kind, message.who, message.detail)
        elif isinstance(message, PileMemory):
            worker.recalled(message)
        elif isinstance(message, OrderWanted):
            task = asyncio.create_task(self._give(worker, message), name=f"order {message.name}")
            self._orders.add(task)
            task.add_done_callback(self._orders.discard)
        elif isinstance(message, CountersWanted) and self._status is not None:
            self._post(Counters(self._status()))

    async def _give(self, worker: Worker, wanted: OrderWanted) -> None:
        result = await worker.give(wanted.name, wanted.pile, wanted.connector, wanted.arguments)
        self._post(OrderDone(wanted.number, msgspec.json.encode(result)))


class _OwnChallenges:
    """The worker, as its own judge speaks to it: numbers of challenges are negated, all else passes."""

    def __init__(self, worker: Worker, granted: Callable[[Verdict], None]) -> None:
        self._worker = worker
        self._granted = granted

    def decided(self, verdict: Verdict) -> None:
        self._worker.decided(verdict)
        if not verdict.refusal:
            self._granted(verdict)

    def challenge(self, challenge: Challenge) -> None:
        self._worker.challenge(msgspec.structs.replace(challenge, number=-challenge.number))

    def withdrawn(self, number: int) -> None:
        self._worker.withdrawn(-number)

    def displaced(self, connection_id: int, reason: str, peer: str) -> None:
        self._worker.displaced(connection_id, reason, peer)
