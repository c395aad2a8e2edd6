"""Starts at the charger: runs the function that decides, however long it takes, and sends what it said."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from ingest.charger_protocol import ChargerDialogue
from ingest.incident_log import IncidentLog
from ingest.reactions import Reaction, StartDecision, StartRequest
from ingest.start_decision import REFUSALS, DecideStart, refuse

NO_DECISION: Final = "no_decision"
# Decisions under way at once; more are refused, so that a slow back office costs a bounded number of tasks.
MAX_WAITING: Final = 1_000


class StartConnection(Protocol):
    """A connection as the desk sees it."""

    @property
    def dialogue(self) -> ChargerDialogue:
        """The talk with the charger."""

    def start_decided(self, reaction: Reaction, now_ms: int) -> None:
        """Keep the facts, send the answer; nothing when the connection is over."""


class StartDesk:
    """Decides starts. `granted` and `refused` (by reason) count since the start.

    A plain function must answer at once, from what it has in memory: the chargers wait meanwhile. A coroutine function
    has `timeout_ms`, then the start is refused as `no_decision`.
    """

    def __init__(self, decide: DecideStart, clock: Callable[[], int], log: IncidentLog, timeout_ms: int) -> None:
        self.granted = 0
        self.refused: dict[str, int] = {}
        self._decide = decide
        self._clock = clock
        self._log = log
        self._timeout_ms = timeout_ms
        self._tasks: set[asyncio.Task[None]] = set()

    def wanted(self, connection: StartConnection, request: StartRequest) -> None:
        """Somebody wants to charge; `connection.start_decided` follows."""
        if len(self._tasks) >= MAX_WAITING:
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
        """Wait for no decision any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer_later(
        self, connection: StartConnection, request: StartRequest, decision: Awaitable[StartDecision]
    ) -> None:
        try:
            made = await asyncio.wait_for(decision, self._timeout_ms / 1_000)
        except TimeoutError:
            self._log.note("start_timeout", request.pile.code, f"no decision within {self._timeout_ms} ms")
            made = refuse(NO_DECISION)
        except Exception as error:  # noqa: BLE001 - as above
            made = self._failed(request, error)
        self._answer(connection, request, made)

    def _failed(self, request: StartRequest, error: Exception) -> StartDecision:
        self._log.note("start_decision_failed", request.pile.code, repr(error))
        return refuse(NO_DECISION)

    def _answer(self, connection: StartConnection, request: StartRequest, decision: StartDecision) -> None:
        if not isinstance(decision, StartDecision) or not (decision.granted or decision.reason in REFUSALS):
            decision = self._failed(request, ValueError(f"no decision that is known: {decision!r}"))
        if decision.granted:
            self.granted += 1
        else:
            self.refused[decision.reason] = self.refused.get(decision.reason, 0) + 1
        now_ms = self._clock()
        connection.start_decided(connection.dialogue.start_answer(request, decision, now_ms), now_ms)
