"""Logins of live connections: claims their places, probes who holds one, and tells each newcomer its verdict."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from core.directory import Pile
from ingest.alarm_desk import AlarmDesk
from ingest.charger_link import ACCEPT, WAIT
from ingest.connection_registry import ConnectionRegistry, Link
from ingest.incident_log import IncidentLog
from ingest.login_rules import (
    ADDRESS_LIMIT,
    ID_IN_USE,
    PILE_LIMIT,
    UNKNOWN_PILE,
    LoginDecision,
    PendingLogins,
    address_of,
)
from ingest.reactions import LoginRequest
from ingest.registry import ALIVE, GONE, SILENT, UNHEARD, Challenge, Claim, Outcome, Registry, Verdict

_FLOODS: Final = (ADDRESS_LIMIT, PILE_LIMIT)
MS_PER_S: Final = 1_000


class LoginConnection(Link, Protocol):
    """A connection as the desk sees it."""

    connection_id: int
    peer: str
    closing: bool

    @property
    def waits_for_us(self) -> bool:
        """Whether it is not read from for a reason of ours."""

    def probe(self, now_ms: int) -> None:
        """Ask the charger for a sign of life; `LoginDesk.alive` follows at its next good frame."""

    def login_decided(self, verdict: str, now_ms: int) -> None:
        """The login that waited is taken, or refused for that reason."""


class LoginDesk:
    """One worker's side of logins: claims for its newcomers, probes for its holders, alarms and counts for both.

    `accepted`, `refused` (by reason), `probes` and `takeovers` count since the start.
    """

    def __init__(
        self,
        links: ConnectionRegistry,
        registry: Registry,
        alarms: AlarmDesk,
        log: IncidentLog,
        clock: Callable[[], int],
        probe_ms: int,
    ) -> None:
        self.accepted = 0
        self.refused: dict[str, int] = {}
        self.probes = 0
        self.takeovers = 0
        self._links = links
        self._registry = registry
        self._alarms = alarms
        self._log = log
        self._clock = clock
        self._pending = PendingLogins(probe_ms)
        self._newcomers: dict[int, tuple[LoginConnection, LoginRequest | None]] = {}
        self._probed: dict[int, LoginConnection] = {}
        self._challenged: dict[int, list[LoginConnection]] = {}
        self._next_look: asyncio.TimerHandle | None = None

    def wanted(self, connection: LoginConnection, request: LoginRequest) -> str:
        """`ACCEPT`, `WAIT` (`connection.login_decided` follows), or the reason to refuse."""
        pile = request.pile
        if pile is None:
            return self._refuse(UNKNOWN_PILE, connection, request)
        for rival in self._rivals(pile, request, connection):
            if rival.closing:
                self._registry.gone(rival.connection_id)
        number = connection.connection_id
        verdict = self._registry.claim(Claim(number, pile.pile_id, request.connector, pile.code, connection.peer))
        if verdict is not None:
            return self._judged(verdict, connection, request)
        self._newcomers[number] = (connection, request)
        return WAIT

    def refused_unasked(self, connection: LoginConnection, reason: str) -> None:
        """The dialogue refused a login by itself: an unknown id, a wrong protocol."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self._log.note("login_refused", address_of(connection.peer), reason)
        verdict = self._registry.claim(Claim(connection.connection_id, 0, 0, "", connection.peer))
        if verdict is None:
            self._newcomers[connection.connection_id] = (connection, None)
        elif verdict.refusal:
            self._flooded(verdict.refusal, connection, None)

    def decided(self, verdict: Verdict) -> None:
        """What became of a claim that was not decided at once."""
        newcomer = self._newcomers.pop(verdict.connection_id, None)
        if newcomer is None:
            return
        connection, request = newcomer
        if request is None:
            if verdict.refusal:
                self._flooded(verdict.refusal, connection, None)
        elif not connection.closing:
            connection.login_decided(self._judged(verdict, connection, request), self._clock())

    def challenge(self, challenge: Challenge) -> None:
        """Ask holders for a sign of life; `Registry.answer` follows."""
        holders = [
            link
            for link in self._links.links_of_number(challenge.pile_id)
            if link.connection_id in challenge.connection_ids and not as_login(link).closing
        ]
        number = challenge.number
        if not holders:
            asyncio.get_running_loop().call_soon(self._registry.answer, number, GONE)
            return
        rivals = [as_login(link) for link in holders]
        numbers = {rival.connection_id for rival in rivals}
        refusal = self._pending.begin(number, challenge.pile_id, challenge.connector, numbers, _loop_ms())
        if refusal:
            asyncio.get_running_loop().call_soon(self._registry.answer, number, UNHEARD)
            return
        self._challenged[number] = rivals
        for rival in rivals:
            self.probes += 1
            self._probed[rival.connection_id] = rival
            rival.probe(self._clock())
        self._look_later()

    def withdrawn(self, number: int) -> None:
        """Nobody waits for that challenge any more."""
        if self._challenged.pop(number, None) is not None:
            self._pending.gone(number)

    def withdraw_all(self) -> None:
        """Whoever sent challenges has forgotten them."""
        for number in list(self._challenged):
            self.withdrawn(number)

    def alive(self, connection: LoginConnection) -> None:
        """A good frame came after the probe."""
        self._apply(self._pending.answered(connection.connection_id))

    def gone(self, connection: LoginConnection) -> None:
        """A connection is over."""
        _, request = self._newcomers.get(connection.connection_id, (None, None))
        if request is not None:
            del self._newcomers[connection.connection_id]
        self._probed.pop(connection.connection_id, None)
        self._apply(self._pending.gone(connection.connection_id))
        self._registry.gone(connection.connection_id)

    @property
    def waiting(self) -> int:
        """Number of logins that wait for their decision."""
        return sum(request is not None for _, request in self._newcomers.values())

    def _rivals(self, pile: Pile, request: LoginRequest, connection: LoginConnection) -> list[LoginConnection]:
        return [as_login(link) for link in self._links.rivals(pile, request.connector, connection)]

    def _judged(self, verdict: Verdict, connection: LoginConnection, request: LoginRequest) -> str:
        pile = request.pile
        if verdict.refusal:
            if verdict.refusal == ID_IN_USE:
                self._alarm("duplicate_login", connection, request, verdict.rivals)
            return self._refuse(verdict.refusal, connection, request)
        if verdict.silent:
            self.takeovers += 1
            self._alarm("takeover", connection, request, verdict.rivals)
        if verdict.memory is not None and pile is not None:
            self._links.state_of(pile).recall(verdict.memory, self._clock())
        self.accepted += 1
        return ACCEPT

    def _refuse(self, reason: str, connection: LoginConnection, request: LoginRequest) -> str:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        code = request.pile.code if request.pile is not None else request.code
        self._log.note("login_refused", code, f"{reason}, from {connection.peer}")
        if reason in _FLOODS:
            self._flooded(reason, connection, request.pile)
        return reason

    def _flooded(self, reason: str, connection: LoginConnection, pile: Pile | None) -> None:
        of_pile = pile if reason == PILE_LIMIT else None
        self._alarms.ring(
            "login_flood",
            pile_id=of_pile.pile_id if of_pile else 0,
            pile=of_pile.code if of_pile else "",
            who=address_of(connection.peer),
            detail=reason,
            peer=connection.peer,
            connection_id=connection.connection_id,
        )

    def _look_later(self) -> None:
        delay_ms = self._pending.next_look_ms
        if delay_ms and self._next_look is None:
            self._next_look = asyncio.get_running_loop().call_later(delay_ms / MS_PER_S, self._look)
        elif not delay_ms:
            self._probed.clear()

    def _look(self) -> None:
        self._next_look = None
        self._apply(self._pending.look(_loop_ms(), lambda number: self._probed[number].waits_for_us))
        self._look_later()

    def _apply(self, decisions: list[LoginDecision]) -> None:
        for decision in decisions:
            rivals = self._challenged.pop(decision.newcomer)
            outcome: Outcome
            if decision.refusal:
                outcome = ALIVE if decision.refusal == ID_IN_USE else UNHEARD
            else:
                outcome = GONE if all(rival.closing for rival in rivals) else SILENT
            self._registry.answer(decision.newcomer, outcome)

    def _alarm(self, kind: str, connection: LoginConnection, request: LoginRequest, rivals: list[str]) -> None:
        holders = ", ".join(rivals)
        said = (
            "answered its probe and stays" if kind == "duplicate_login" else "did not answer its probe and is replaced"
        )
        self._alarms.ring(
            kind,
            pile_id=request.pile.pile_id if request.pile else 0,
            pile=request.pile.code if request.pile else "",
            connector=request.connector,
            detail=f"login from {connection.peer}; {holders} {said}",
            peer=connection.peer,
            connection_id=connection.connection_id,
        )


def as_login(link: Link) -> LoginConnection:
    """Whatever is registered in a gateway is one of its connections."""
    return cast(LoginConnection, link)


def _loop_ms() -> int:
    return int(asyncio.get_running_loop().time() * MS_PER_S)
