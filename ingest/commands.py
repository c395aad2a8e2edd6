"""Orders to chargers: sent over the live connection, answered by the charger or by the clock."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from core.directory import Pile, PileDirectory
from core.ykc.codec import encode_raw
from core.ykc.errors import YkcEncodeError
from ingest.command_matcher import CommandMatcher, SentCommand
from ingest.connection_registry import ConnectionRegistry
from ingest.events import CommandOutcome
from ingest.reactions import CommandAnswer
from ingest.trade_numbers import TradeNumbers

NO_CARD: Final = "0" * 16


class CommandResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the sender of an order is told.

    `error` is one of unknown_pile, unknown_connector, offline, busy, bad_request, refused, timeout, connection_lost,
    replaced (by a newer order of the same kind); `detail` says more, for "refused" the charger's reason.
    """

    ok: bool
    trade_no: str = ""
    error: str = ""
    detail: str = ""


class CommandDesk:
    """Takes orders, sends them, and tells their sender what became of them.

    `record(outcome)` keeps every outcome for the table `commands`. Nothing here waits for a lock: all of it runs in the
    event loop's thread.
    """

    def __init__(
        self,
        directory: PileDirectory,
        registry: ConnectionRegistry,
        trade_numbers: TradeNumbers,
        clock: Callable[[], int],
        record: Callable[[CommandOutcome], None],
    ) -> None:
        self._directory = directory
        self._registry = registry
        self._trade_numbers = trade_numbers
        self._clock = clock
        self._record = record
        self._matcher = CommandMatcher()
        self._waiters: dict[int, asyncio.Future[CommandOutcome]] = {}  # by the order's number
        self._orders = 0

    @property
    def waiting(self) -> int:
        """Number of orders whose senders wait for the outcome."""
        return len(self._waiters)

    async def remote_start(
        self, pile_code: str, connector: int, *, card: str = NO_CARD, balance_fen: int = 0
    ) -> CommandResult:
        """Start a charge (0x34) under a new trade number; returns at the charger's first answer.

        "not_plugged" is such an answer; when the plug follows within 60 s the charger reports the start once more,
        which is recorded as a second outcome of the same trade number.
        """
        pile, refusal = self._reachable(pile_code, connector)
        if pile is None:
            return refusal
        if self._matcher.waiting(pile.pile_id, "remote_start", connector):
            return CommandResult(ok=False, error="busy", detail="another start waits for this connector's answer")
        if self._registry.state_of(pile).is_charging(connector):
            return CommandResult(ok=False, error="busy", detail="the connector is charging")
        trade_no = self._trade_numbers.make(pile.code, connector, self._clock(), pile.zone)
        fields: dict[str, int | str | bytes] = {
            "trade_no": trade_no,
            "pile_code": pile.code,
            "gun_no": f"{connector:02d}",
            "logical_card": card,
            "physical_card": NO_CARD,
            "balance": balance_fen,
        }
        return await self._send(pile, connector, "remote_start", trade_no, fields)

    async def remote_stop(self, pile_code: str, connector: int) -> CommandResult:
        """Stop the charge on a connector (0x36). Sent also when nothing seems to charge: the charger knows better."""
        pile, refusal = self._reachable(pile_code, connector)
        if pile is None:
            return refusal
        if self._matcher.waiting(pile.pile_id, "remote_stop", connector):
            return CommandResult(ok=False, error="busy", detail="another stop waits for this connector's answer")
        trade_no = self._registry.state_of(pile).trade_no(connector)
        fields: dict[str, int | str | bytes] = {"pile_code": pile.code, "gun_no": f"{connector:02d}"}
        return await self._send(pile, connector, "remote_stop", trade_no, fields)

    async def time_sync(self, pile_code: str) -> CommandResult:
        """Set the charger's clock (0x56)."""
        pile, refusal = self._reachable(pile_code, None)
        if pile is None:
            return refusal
        waiter = self.start_time_sync(pile)
        return await self._result(waiter, "")

    def start_time_sync(self, pile: Pile) -> "asyncio.Future[CommandOutcome]":
        """Send 0x56 without waiting for its answer; the charger must be connected."""
        link = self._registry.link_of(pile)
        if link is None:
            raise RuntimeError(f"charger {pile.code} is not connected")
        now_ms = self._clock()
        self._registry.state_of(pile).time_sync_ms = now_ms
        return self._dispatch(pile, 0, "time_sync", "", link.dialogue.time_sync_frame(now_ms), now_ms)

    def answer(self, pile_id: int, answer: CommandAnswer, reply: bytes, receive_ms: int) -> CommandOutcome | None:
        """A charger answered; gives the outcome that was recorded, if any."""
        sent, outcome = self._matcher.answer(pile_id, answer, reply, receive_ms)
        if outcome is not None:
            self._settle(sent, outcome)
        return outcome

    def connection_lost(self, pile_id: int) -> None:
        """The charger cannot be reached any more."""
        for sent, outcome in self._matcher.connection_lost(pile_id):
            self._settle(sent, outcome)

    def expire(self) -> None:
        """Settle what waited too long; to be called about once a second."""
        for sent, outcome in self._matcher.expire(self._clock()):
            self._settle(sent, outcome)

    def _reachable(self, pile_code: str, connector: int | None) -> tuple[Pile | None, CommandResult]:
        pile = self._directory.by_code(pile_code)
        if pile is None:
            return None, CommandResult(ok=False, error="unknown_pile", detail=f"no charger has the code {pile_code}")
        if connector is not None and not 1 <= connector <= pile.connectors:
            detail = f"charger {pile_code} has the connectors 1 to {pile.connectors}, not {connector}"
            return None, CommandResult(ok=False, error="unknown_connector", detail=detail)
        if self._registry.link_of(pile) is None:
            return None, CommandResult(ok=False, error="offline", detail=f"charger {pile_code} is not connected")
        return pile, CommandResult(ok=True)

    async def _send(
        self, pile: Pile, connector: int, command: str, trade_no: str, fields: dict[str, int | str | bytes]
    ) -> CommandResult:
        link = self._registry.link_of(pile)
        if link is None:
            raise RuntimeError(f"charger {pile.code} is not connected")
        try:
            request = encode_raw(command, fields, seq=link.dialogue.next_seq())
        except YkcEncodeError as error:
            return CommandResult(ok=False, error="bad_request", detail=str(error))
        waiter = self._dispatch(pile, connector, command, trade_no, request, self._clock())
        return await self._result(waiter, trade_no)

    def _dispatch(
        self, pile: Pile, connector: int, command: str, trade_no: str, request: bytes, now_ms: int
    ) -> "asyncio.Future[CommandOutcome]":
        link = self._registry.link_of(pile)
        if link is None:
            raise RuntimeError(f"charger {pile.code} is not connected")
        self._orders += 1
        sent = SentCommand(
            command=command,
            pile_id=pile.pile_id,
            connector=connector,
            trade_no=trade_no,
            sent_ms=now_ms,
            request=request,
            number=self._orders,
        )
        waiter: asyncio.Future[CommandOutcome] = asyncio.get_running_loop().create_future()
        replaced = self._matcher.sent(sent)
        if replaced is not None:
            self._settle(*replaced)
        self._waiters[sent.number] = waiter
        link.send(request, connector, now_ms)
        return waiter

    async def _result(self, waiter: "asyncio.Future[CommandOutcome]", trade_no: str) -> CommandResult:
        outcome = await waiter
        if outcome.outcome == "ok":
            return CommandResult(ok=True, trade_no=trade_no)
        return CommandResult(ok=False, trade_no=trade_no, error=outcome.outcome, detail=outcome.detail)

    def _settle(self, sent: SentCommand | None, outcome: CommandOutcome) -> None:
        self._record(outcome)
        waiter = self._waiters.pop(sent.number, None) if sent is not None else None
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)
