"""Orders to chargers: sent over the live connection, answered by the charger or by the clock."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.connector import ConnectorCycle
from core.directory import Pile, PileDirectory
from core.errors import CoreError
from ingest.command_matcher import CommandMatcher, SentCommand, unanswered
from ingest.command_result import SENT, CommandResult, OrderEnd, result_of_one, result_of_several
from ingest.connection_registry import ConnectionRegistry, Link
from ingest.events import CommandOutcome, SessionStart, TariffAck
from ingest.login_rules import same_place
from ingest.order import NO_CARD, Order, OrderError, OrderSite, Parcel
from ingest.orders import facts_of, message_since, order_body, order_frame, order_named, without_secrets
from ingest.reactions import ChargerReply, CommandAnswer
from ingest.trade_numbers import TradeNumbers

__all__ = ["NO_CARD", "CommandDesk", "CommandResult"]

OrderFact = CommandOutcome | SessionStart | TariffAck
READ_REALTIME: Final = "read_realtime"
READING_LOOK_S: Final = 0.05
SECRETS_NOT_KEPT: Final = "password not kept"


class _RefusedError(Exception):
    """An order that is not sent at all."""

    def __init__(self, error: str, detail: str) -> None:
        super().__init__(detail)
        self.result = CommandResult(ok=False, error=error, detail=detail)


class _Prepared(msgspec.Struct):
    """An order that may be sent now: its parcels, each with the body of its frame. `arguments` make it anew."""

    pile: Pile
    order: Order
    connector: int
    link: Link
    arguments: msgspec.Struct
    parcels: list[tuple[Parcel, bytes]]


_Waiter = asyncio.Future[OrderEnd]


class CommandDesk:
    """Takes orders, sends them, and tells their sender what became of them.

    `record(fact)` keeps every outcome for the table `commands`, and what it proves: who started a charge, which tariff
    the charger holds. Nothing here waits for a lock: all of it runs in the event loop's thread.
    """

    def __init__(
        self,
        directory: PileDirectory,
        registry: ConnectionRegistry,
        trade_numbers: TradeNumbers,
        clock: Callable[[], int],
        record: Callable[[OrderFact], None],
    ) -> None:
        self._directory = directory
        self._registry = registry
        self._trade_numbers = trade_numbers
        self._clock = clock
        self._record = record
        self._matcher = CommandMatcher()
        self._waiters: dict[int, _Waiter] = {}  # by the order's number
        self._repeats: dict[int, _Prepared] = {}  # orders that may be sent again
        self._orders = 0

    @property
    def waiting(self) -> int:
        """Number of orders whose senders wait for the outcome."""
        return len(self._waiters)

    async def order(self, name: str, pile_code: str, connector: int = 0, **arguments: Any) -> CommandResult:
        """Give an order of `ingest.orders` and wait for its outcome; `arguments` are those of the order's row."""
        return await self.give(name, pile_code, connector, arguments)

    async def give(self, name: str, pile: str, connector: int, arguments: dict[str, Any]) -> CommandResult:
        """As `order`, for arguments from outside, which may have any names; what cannot be sent is said at once.

        `connector` may be left out on a charger with one. A start returns at the charger's first answer: when it says
        "not_plugged" and the plug follows within 60 s, it reports the start once more, which is recorded as a second
        outcome of the same trade number.
        """
        try:
            prepared = self._prepare(name, pile, connector, arguments)
            return await self._run(prepared)
        except _RefusedError as refusal:
            return refusal.result

    async def remote_start(
        self, pile_code: str, connector: int, *, balance_fen: int, card: str = NO_CARD
    ) -> CommandResult:
        """Start a charge (0x34, 7) under a new trade number."""
        return await self.order("remote_start", pile_code, connector, card=card, balance_fen=balance_fen)

    async def remote_stop(self, pile_code: str, connector: int) -> CommandResult:
        """Stop a connector's charge (0x36, 5). Sent also when nothing seems to charge: the charger knows better."""
        return await self.order("remote_stop", pile_code, connector)

    async def time_sync(self, pile_code: str) -> CommandResult:
        """Set the charger's clock (0x56, 3)."""
        return await self.order("time_sync", pile_code)

    def start_time_sync(self, pile: Pile, link: Link | None = None) -> None:
        """Send the time without waiting for the answer, over `link` or over every connection of the charger.

        The charger must be connected; raises `RuntimeError` when it is not.
        """
        links = [link] if link is not None else self._registry.links_of(pile)
        if not links:
            raise RuntimeError(f"charger {pile.code} is not connected")
        self._registry.state_of(pile).time_sync_ms = self._clock()
        order = order_named(pile.protocol, "time_sync")
        for each in links:
            prepared = self._with_parcels(pile, order, 0, each, order.arguments())
            self._dispatch(prepared, *prepared.parcels[0])

    def start_tariff_set(self, pile: Pile) -> bool:
        """Send the tariff valid now (0x58) without waiting for the answer; False when it cannot be sent now."""
        try:
            prepared = self._prepare("tariff_set", pile.code, 0, {})
        except _RefusedError:
            return False
        self._dispatch(prepared, *prepared.parcels[0])
        return True

    def answer(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome:
        """A charger answered; gives the outcome that was recorded, also where the answer belongs to no order."""
        sent, outcome = self._matcher.answer(pile_id, answer, reply)
        self._settle(sent, outcome)
        return outcome

    def connection_lost(self, pile_id: int, connector: int = 0) -> None:
        """The charger, or the one gun that has a connection of its own, cannot be reached any more."""
        for sent, outcome in self._matcher.connection_lost(pile_id, connector):
            self._settle(sent, outcome)

    def expire(self) -> None:
        """Send again or settle what waited too long; to be called about once a second."""
        now_ms = self._clock()
        for sent in self._matcher.due(now_ms):
            self._send_again(sent, now_ms)
        for sent, outcome in self._matcher.expire(now_ms):
            self._settle(sent, outcome)

    # What is checked before anything is sent

    def _prepare(self, name: str, pile_code: str, connector: int, arguments: dict[str, Any]) -> _Prepared:
        pile = self._directory.by_code(pile_code)
        if pile is None:
            raise _RefusedError("unknown_pile", f"no charger has the code {pile_code}")
        try:
            order = order_named(pile.protocol, name)
        except OrderError as error:
            raise _RefusedError("unknown_order", str(error)) from None
        connector = self._checked_connector(pile, order, connector)
        try:
            checked = msgspec.convert(arguments, order.arguments)
        except msgspec.ValidationError as error:
            raise _RefusedError("bad_request", str(error)) from None
        link = self._registry.link_of(pile, connector)
        if link is None:
            raise _RefusedError("offline", f"charger {pile_code} is not connected")
        self._refuse_unknown_to(link, pile, order)
        try:
            prepared = self._with_parcels(pile, order, connector, link, checked)
        except (OrderError, CoreError) as error:
            raise _RefusedError("bad_request", str(error)) from None
        self._refuse_busy(prepared)
        return prepared

    @staticmethod
    def _refuse_unknown_to(link: Link, pile: Pile, order: Order) -> None:
        """Refuse what came with a later version of the protocol than the charger named when it logged in."""
        since, spoken = message_since(pile.protocol, order), link.dialogue.protocol_version
        if since and spoken and _version(spoken) < _version(since):
            detail = f"charger {pile.code} speaks version {spoken}; {order.name} came with {since}"
            raise _RefusedError("unsupported", detail)

    @staticmethod
    def _checked_connector(pile: Pile, order: Order, connector: int) -> int:
        if order.scope == "pile":
            return 0
        if connector == 0 and pile.connectors == 1:
            return 1
        if not 1 <= connector <= pile.connectors:
            detail = f"charger {pile.code} has the connectors 1 to {pile.connectors}, not {connector}"
            raise _RefusedError("unknown_connector", detail)
        return connector

    def _with_parcels(
        self, pile: Pile, order: Order, connector: int, link: Link, arguments: msgspec.Struct
    ) -> _Prepared:
        """The order with every frame made: nothing is sent of one that is wrong further on."""
        now_ms = self._clock()
        site = OrderSite(
            pile=pile,
            connector=connector,
            now_ms=now_ms,
            session=self._registry.state_of(pile).trade_no(connector) if connector else "",
            wire_code=link.dialogue.wire_code,
            gun_no=link.dialogue.gun_no_of,
            new_trade_no=lambda gun: self._trade_numbers.make(pile.code, gun, now_ms, pile.zone),
        )
        parcels = [(parcel, order_body(pile.protocol, order, parcel)) for parcel in order.parcels(site, arguments)]
        return _Prepared(pile, order, connector, link, arguments, parcels)

    def _refuse_busy(self, prepared: _Prepared) -> None:
        pile, order = prepared.pile, prepared.order
        state = self._registry.state_of(pile)
        connectors = {parcel.connector for parcel, _ in prepared.parcels}
        for parcel, _ in prepared.parcels:
            place = parcel.connector if parcel.place is None else parcel.place
            if not order.made_anew and self._matcher.waiting(pile.pile_id, order.name, place, parcel.subject):
                raise _RefusedError("busy", f"another {order.name} waits for the charger's answer")
        needed = order.needs_idle(prepared.arguments)
        if needed:
            watched = connectors if needed == "connector" else range(1, pile.connectors + 1)
            charging = [str(number) for number in watched if state.is_charging(number)]
            if charging:
                raise _RefusedError("busy", f"connector {', '.join(charging)} is charging")

    # Sending

    async def _run(self, prepared: _Prepared) -> CommandResult:
        if prepared.order.together:
            waiters = [self._dispatch(prepared, *parcel) for parcel in prepared.parcels]
            return result_of_several([await waiter for waiter in waiters])
        ends = []
        for parcel in prepared.parcels:
            waiter = self._dispatch(prepared, *parcel)
            if prepared.order.name == READ_REALTIME:
                await self._watch_readings(prepared, waiter)
            ends.append(await waiter)
            if ends[-1][1].outcome not in ("ok", SENT):
                break
        return result_of_one(ends, len(prepared.parcels))

    def _dispatch(self, prepared: _Prepared, parcel: Parcel, body: bytes) -> _Waiter:
        pile, order, link = prepared.pile, prepared.order, prepared.link
        now_ms = self._clock()
        seq = link.dialogue.next_seq()
        request, kept = _request_and_kept(pile.protocol, order, parcel, body, seq)
        self._orders += 1
        sent = SentCommand(
            command=order.name,
            pile_id=pile.pile_id,
            # Where each gun has a connection, what concerns the charger as a whole still goes to one of them.
            connector=parcel.connector or link.dialogue.connector,
            trade_no=parcel.trade_no,
            sent_ms=now_ms,
            request=kept,
            number=self._orders,
            place=parcel.connector if parcel.place is None else parcel.place,
            subject=parcel.subject,
            timeout_ms=parcel.timeout_ms or order.timeout_ms,
            max_attempts=order.attempts,
            # An order that is made anew each time asks for the same in other words.
            content=b"" if order.made_anew else body,
            session=parcel.trade_no if order.while_session_lasts else "",
            note="" if kept == request else SECRETS_NOT_KEPT,
            connection_id=link.connection_id,
            link_place=link.dialogue.connector,
            seqs={(link.connection_id, seq): False},
        )
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._waiters[sent.number] = waiter
        if not order.answer:
            link.send(request, sent.connector, now_ms, kept)
            self._settle(sent, unanswered(sent, SENT))
            return waiter
        for replaced in self._matcher.sent(sent):
            self._settle(*replaced)
        if order.attempts > 1:
            self._repeats[sent.number] = msgspec.structs.replace(prepared, parcels=[(parcel, body)])
        link.send(request, sent.connector, now_ms, kept)
        return waiter

    def _send_again(self, sent: SentCommand, now_ms: int) -> None:
        """One more attempt, unless the session that it was about is over or the charger is away."""
        prepared = self._repeats.get(sent.number)
        link = self._same_way(prepared, sent) if prepared is not None else None
        if prepared is None or link is None or not self._is_still_wanted(prepared, sent):
            sent.max_attempts = sent.attempts
            return
        ((parcel, body),) = prepared.parcels
        if prepared.order.made_anew:
            again = self._with_parcels(prepared.pile, prepared.order, prepared.connector, link, prepared.arguments)
            ((parcel, body),) = again.parcels
        seq = link.dialogue.next_seq()
        request, kept = _request_and_kept(prepared.pile.protocol, prepared.order, parcel, body, seq)
        self._matcher.sent_again(sent, kept, (link.connection_id, seq), now_ms)
        link.send(request, sent.connector, now_ms, kept)

    def _same_way(self, prepared: _Prepared, sent: SentCommand) -> Link | None:
        """The connection that took the order, or the one that came after it for the same gun or charger."""
        links = self._registry.links_of(prepared.pile)
        if prepared.link in links:
            return prepared.link
        return next((link for link in links if same_place(link.dialogue.connector, sent.link_place)), None)

    def _is_still_wanted(self, prepared: _Prepared, sent: SentCommand) -> bool:
        if not prepared.order.while_session_lasts:
            return True
        state = self._registry.state_of(prepared.pile)
        return state.is_charging(sent.connector) and state.trade_no(sent.connector) == sent.session

    async def _watch_readings(self, prepared: _Prepared, waiter: _Waiter) -> None:
        """Take the first reading of the connector as the answer: it came by the compiled path, no frame tells of it."""
        pile, connector = prepared.pile, prepared.connector
        state = self._registry.state_of(pile)
        before = _reading_mark(state.known_cycle(connector))
        while not waiter.done():
            await asyncio.wait([waiter], timeout=READING_LOOK_S)
            cycle = state.known_cycle(connector)
            if cycle is not None and _reading_mark(cycle) != before and not waiter.done():
                values = {
                    "state": cycle.state,
                    "plugged": bool(cycle.plugged),
                    "trade_no": self._registry.state_of(pile).trade_no(connector),
                    "event_ms": cycle.last_ms,
                    "accepted_e4kwh": cycle.accepted_e4kwh,
                    "amount_fen": cycle.amount_fen,
                }
                answer = CommandAnswer(READ_REALTIME, connector, "", accepted=True, reason=0, values=values)
                reply = ChargerReply(pile.protocol, b"", b"", self._clock(), prepared.link.connection_id)
                self.answer(pile.pile_id, answer, reply)

    def _settle(self, sent: SentCommand | None, outcome: CommandOutcome) -> None:
        noted = ", ".join(filter(None, (outcome.detail, sent.note if sent is not None else "")))
        self._record(msgspec.structs.replace(outcome, detail=noted))
        pile = self._directory.by_id(outcome.pile_id)
        if pile is not None:
            for fact in facts_of(outcome, pile):
                self._record(fact)
        if sent is None:
            return
        self._repeats.pop(sent.number, None)
        waiter = self._waiters.pop(sent.number, None)
        if waiter is not None and not waiter.done():
            waiter.set_result((sent, outcome))


def _request_and_kept(protocol: str, order: Order, parcel: Parcel, body: bytes, seq: bytes) -> tuple[bytes, bytes]:
    """The frame that is sent, and the one that is stored."""
    request = order_frame(protocol, order, body, seq)
    public = without_secrets(order, parcel)
    if public is parcel:
        return request, request
    return request, order_frame(protocol, order, order_body(protocol, order, public), seq)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _reading_mark(cycle: ConnectorCycle | None) -> int:
    return cycle.last_ms if cycle is not None else 0
