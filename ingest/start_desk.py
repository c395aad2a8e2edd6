"""Starts at the charger: runs the function that decides, however long it takes, and sends what it said."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from ingest.charger_protocol import ChargerDialogue
from ingest.incident_log import IncidentLog
from ingest.reactions import Reaction, StartDecision, StartRequest
from ingest.start_decision import NO_DECISION, REFUSALS, DecideStart, refuse
from ingest.start_evidence import CONNECTION_LOST, never_sent

# Decisions under way at once, those that were given up among them; more are refused, so that a slow back office costs
# a bounded number of tasks.
MAX_WAITING: Final = 1_000
# How long a decision that was told to end may take for it before it counts as stuck, and the desk's end waits for it.
LEAVE_S: Final = 1.0


class StartConnection(Protocol):
    """A connection as the desk sees it."""

    @property
    def dialogue(self) -> ChargerDialogue:
        """The talk with the charger."""

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be sent over it any more."""

    def start_decided(self, reaction: Reaction, now_ms: int) -> None:
        """Keep the facts, send the answer; nothing when the connection is over."""


class StartDesk:
    """Decides starts. `granted` and `refused` (by reason) count since the start.

    A plain function must answer at once, from what it has in memory: the chargers wait meanwhile. A coroutine function
    has `timeout_ms`, then the start is refused as `no_decision` and the coroutine cancelled; one that goes on all the
    same is left to itself (`given_up`). What is granted to a charger that has gone is refused as `connection_lost`.
    """

    def __init__(self, decide: DecideStart, clock: Callable[[], int], log: IncidentLog, timeout_ms: int) -> None:
        self.granted = 0
        self.refused: dict[str, int] = {}
        self._decide = decide
        self._clock = clock
        self._log = log
        self._timeout_ms = timeout_ms
        self._tasks: set[asyncio.Task[None]] = set()
        self._given_up: set[asyncio.Future[Any]] = set()

    @property
    def given_up(self) -> int:
        """Number of decisions that nobody waits for and that have not ended."""
        return len(self._given_up)

    def wanted(self, connection: StartConnection, request: StartRequest) -> None:
        """Somebody wants to charge; `connection.start_decided` follows."""
        if request.refusal:
            self._log.note("too_many_starts", request.pile.code, "more starts wait than a charger can have")
            self._answer(connection, request, refuse(request.refusal))
            return
        if len(self._tasks) + len(self._given_up) >= MAX_WAITING:
            self._answer(connection, request, refuse(NO_DECISION))
            return
        try:
            decision = self._decide(request)
        except Exception as error:  # noqa: BLE001 - whatever the back office's function raises, the driver gets an answer
            self._answer(connection, request, self._failed(request, error))
            return
        if isinstance(decision, StartDecision):
            self._answer(connection, request, decision)
            return
        task = asyncio.ensure_future(self._answer_later(connection, request, decision))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait for no decision any more; one that does not end when it is told to keeps nobody."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._given_up:
            await asyncio.wait(set(self._given_up), timeout=LEAVE_S)

    async def _answer_later(
        self, connection: StartConnection, request: StartRequest, decision: Awaitable[StartDecision]
    ) -> None:
        try:
            decided = asyncio.ensure_future(decision)
        except TypeError as error:
            self._answer(connection, request, self._failed(request, error))
            return
        try:
            # Unlike wait_for, this does not wait for a cancellation that is not obeyed.
            await asyncio.wait({decided}, timeout=self._timeout_ms / 1_000)
        except asyncio.CancelledError:
            self._give_up(decided, request)
            raise
        if not decided.done():
            self._log.note("start_timeout", request.pile.code, f"no decision within {self._timeout_ms} ms")
            self._give_up(decided, request)
            made = refuse(NO_DECISION)
        elif decided.cancelled():
            made = self._failed(request, asyncio.CancelledError("the decision was cancelled"))
        elif (failure := decided.exception()) is not None:
            made = self._failed(request, failure)
        else:
            made = decided.result()
        self._answer(connection, request, made)

    def _give_up(self, decided: asyncio.Future[Any], request: StartRequest) -> None:
        decided.cancel()
        self._given_up.add(decided)
        decided.add_done_callback(self._ended)
        asyncio.get_running_loop().call_later(LEAVE_S, self._look_at, decided, request.pile.code)

    def _ended(self, decided: asyncio.Future[Any]) -> None:
        self._given_up.discard(decided)
        if not decided.cancelled():
            decided.exception()  # looked at, so that the event loop does not complain of it

    def _look_at(self, decided: asyncio.Future[Any], pile_code: str) -> None:
        if not decided.done():
            self._log.note("start_decision_stuck", pile_code, "a decision does not end although it was cancelled")

    def _failed(self, request: StartRequest, error: BaseException) -> StartDecision:
        self._log.note("start_decision_failed", request.pile.code, repr(error))
        return refuse(NO_DECISION)

    def _answer(self, connection: StartConnection, request: StartRequest, decision: StartDecision) -> None:
        if not isinstance(decision, StartDecision) or not (decision.granted or decision.reason in REFUSALS):
            decision = self._failed(request, ValueError(f"no decision that is known: {decision!r}"))
        now_ms = self._clock()
        reaction = connection.dialogue.start_answer(request, decision, now_ms)
        is_gone = connection.is_gone
        if is_gone:
            reaction = never_sent(reaction)
        if decision.granted and not is_gone:
            self.granted += 1
        else:
            reason = decision.reason or CONNECTION_LOST
            self.refused[reason] = self.refused.get(reason, 0) + 1
        connection.start_decided(reaction, now_ms)
