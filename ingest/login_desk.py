"""Logins of live connections: asks the rules, probes who holds the id, and tells each newcomer its verdict."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

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
    LoginLimiter,
    LoginLimits,
    PendingLogins,
    address_of,
)
from ingest.reactions import LoginRequest

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
    """Decides logins. `accepted`, `refused` (by reason), `probes` and `takeovers` count since the start."""

    def __init__(
        self,
        registry: ConnectionRegistry,
        alarms: AlarmDesk,
        log: IncidentLog,
        clock: Callable[[], int],
        limits: LoginLimits,
        probe_ms: int,
    ) -> None:
        self.accepted = 0
        self.refused: dict[str, int] = {}
        self.probes = 0
        self.takeovers = 0
        self._registry = registry
        self._alarms = alarms
        self._log = log
        self._clock = clock
        self._limiter = LoginLimiter(limits)
        self._pending = PendingLogins(probe_ms)
        self._newcomers: dict[int, tuple[LoginConnection, LoginRequest, list[LoginConnection]]] = {}
        self._probed: dict[int, LoginConnection] = {}
        self._next_look: asyncio.TimerHandle | None = None

    def wanted(self, connection: LoginConnection, request: LoginRequest) -> str:
        """`ACCEPT`, `WAIT` (`connection.login_decided` follows), or the reason to refuse."""
        now_ms = self._clock()
        pile = request.pile
        address = address_of(connection.peer)
        if pile is None:
            return self._refuse(UNKNOWN_PILE, connection, request)
        rivals = [rival for rival in self._rivals(pile, request, connection) if not rival.closing]
        refusal = self._limiter.address_refusal(address, now_ms) or self._limiter.pile_refusal(
            pile.pile_id, address, now_ms, is_held=bool(rivals)
        )
        if refusal:
            return self._refuse(refusal, connection, request)
        if not rivals:
            return self._accept(connection, pile)
        numbers = {rival.connection_id for rival in rivals}
        place = (pile.pile_id, request.connector)
        refusal = self._pending.begin(connection.connection_id, *place, numbers, _loop_ms())
        if refusal:
            return self._refuse(refusal, connection, request)
        self._newcomers[connection.connection_id] = (connection, request, rivals)
        for rival in rivals:
            self.probes += 1
            self._probed[rival.connection_id] = rival
            rival.probe(now_ms)
        self._look_later()
        return WAIT

    def refused_unasked(self, connection: LoginConnection, reason: str) -> None:
        """The dialogue refused a login by itself: an unknown id, a wrong protocol."""
        address = address_of(connection.peer)
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self._log.note("login_refused", address, reason)
        if self._limiter.address_refusal(address, self._clock()):
            self._flooded(ADDRESS_LIMIT, connection, None)

    def alive(self, connection: LoginConnection) -> None:
        """A good frame came after the probe."""
        self._apply(self._pending.answered(connection.connection_id))

    def gone(self, connection: LoginConnection) -> None:
        """A connection is over."""
        decisions = self._pending.gone(connection.connection_id)
        self._newcomers.pop(connection.connection_id, None)
        self._probed.pop(connection.connection_id, None)
        self._apply(decisions)

    @property
    def waiting(self) -> int:
        """Number of logins that wait for a probe."""
        return len(self._pending)

    def _rivals(self, pile: Pile, request: LoginRequest, connection: LoginConnection) -> list[LoginConnection]:
        # Whatever is registered in a gateway is one of its connections.
        return self._registry.rivals(pile, request.connector, connection)  # type: ignore[return-value]

    def _accept(self, connection: LoginConnection, pile: Pile) -> str:
        self.accepted += 1
        self._limiter.accepted(pile.pile_id, address_of(connection.peer), self._clock())
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
        now_ms = self._clock()
        for decision in decisions:
            connection, request, rivals = self._newcomers.pop(decision.newcomer)
            pile = request.pile
            if pile is None or connection.closing:
                continue
            if decision.refusal:
                if decision.refusal == ID_IN_USE:
                    self._alarm("duplicate_login", connection, request, rivals)
                verdict = self._refuse(decision.refusal, connection, request)
            else:
                if any(not rival.closing for rival in rivals):
                    self.takeovers += 1
                    self._alarm("takeover", connection, request, rivals)
                verdict = self._accept(connection, pile)
            connection.login_decided(verdict, now_ms)

    def _alarm(
        self, kind: str, connection: LoginConnection, request: LoginRequest, rivals: list[LoginConnection]
    ) -> None:
        holders = ", ".join(rival.peer for rival in rivals)
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


def _loop_ms() -> int:
    return int(asyncio.get_running_loop().time() * MS_PER_S)
