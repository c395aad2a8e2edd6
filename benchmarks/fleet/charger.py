"""One live YKC charger: its link to the platform, its tariff, its records and its connectors (ykc.md section 5)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.fleet import messages
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.charger_orders import ChargerOrders
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.connector import Connector
from benchmarks.fleet.device import Device, Timings
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.line import REFUSED, Line
from benchmarks.fleet.line_faults import LineFault
from benchmarks.fleet.link import Counters, DownFrame, Link
from benchmarks.fleet.messages import Message
from benchmarks.fleet.mischief import Mischief
from benchmarks.fleet.orders import Orders
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.plan import PilePlan
from benchmarks.fleet.readings import Columns
from benchmarks.fleet.record_book import NEVER_MS, RecordBook
from benchmarks.fleet.ykc_link import YkcLink
from core.tariff_version import CLASS_NAMES, TariffVersion
from core.ykc.codec import HEADER_BYTES, raw_fields, wrap_body

LOGIN_ACK: Final = 0x02
HEARTBEAT_ACK: Final = 0x04
TARIFF_CHECK_ACK: Final = 0x06
TARIFF_REPLY: Final = 0x0A
READ_REALTIME: Final = 0x12
START_REPLY: Final = 0x32
REMOTE_START: Final = 0x34
REMOTE_STOP: Final = 0x36
RECORD_ACK: Final = 0x40
TARIFF_SET: Final = 0x58
PARALLEL_REPLY: Final = 0xA2
PARALLEL_START: Final = 0xA4
TO_CONNECTORS: Final = frozenset(
    {READ_REALTIME, START_REPLY, REMOTE_START, REMOTE_STOP, PARALLEL_REPLY, PARALLEL_START}
)
ONLY_V1_6: Final = frozenset({PARALLEL_REPLY, PARALLEL_START})
# These begin with the session's number; the charger's code follows.
SESSION_FIRST: Final = frozenset({START_REPLY, REMOTE_START, PARALLEL_REPLY, PARALLEL_START})
TRADE_NO_BYTES: Final = 16
PILE_CODE_BYTES: Final = 7
FIRST_CONTACT: Final = "0000"
OTHER_TARIFF: Final = "9901"
SAME_TARIFF: Final = 0
UNKNOWN_PREFIX: Final = "99"
# The longest length that a byte can tell, with nothing in it that could be a frame.
OVERSIZE: Final = bytes.fromhex("68FF00000013") + bytes(253)
ENCRYPTED: Final = 1
HEARTBEAT: Final = 0x03


class Charger(Device):
    """One charger on a real socket. `with_bms`: DC chargers send 0x23 and 0x25 beside each reading."""

    def __init__(
        self,
        plan: PilePlan,
        host: str,
        port: int,
        clock: Clock,
        counters: Counters,
        *,
        live_ms: int,
        orders: Orders | None = None,
        with_bms: bool = True,
        first_contact: bool = False,
        timings: Timings | None = None,
    ) -> None:
        super().__init__(plan, host, port, clock, counters, live_ms=live_ms, orders=orders, timings=timings)
        self.with_bms = with_bms
        self.book = RecordBook()
        self.traits = plan.traits
        self.pile = _known_as(plan.pile, self.faults)
        self.connectors = {connector.connector: Connector(self, connector) for connector in plan.connectors}
        self._model_no = FIRST_CONTACT if first_contact else self.tariff.model_no
        if LineFault.TARIFF_KEPT in self.faults:
            self._model_no = OTHER_TARIFF
        self._line: Line[YkcLink] = Line(self, self._new_link, self._talk)
        self._orders = ChargerOrders(self)
        self._mischief = Mischief(self, self._encrypted_frame, OVERSIZE)
        self._answers: dict[int, asyncio.Future[DownFrame]] = {}
        self._unanswered_heartbeats = 0
        self._sends_records = False
        self._book_changed = asyncio.Event()
        self._stored: list[tuple[Charge, Columns]] = []
        self._code = bytes.fromhex(self.pile.code)

    @property
    def players(self) -> Mapping[int, Connector]:
        """As in `Device`."""
        return self.connectors

    @property
    def online(self) -> bool:
        """As in `Device`."""
        return self._line.online

    @property
    def acknowledged(self) -> Sequence[str]:
        """As in `Device`."""
        return self.book.acknowledged

    @property
    def unacknowledged(self) -> Sequence[str]:
        """As in `Device`."""
        return self.book.unacknowledged

    def connect(self) -> None:
        """As in `Device`."""
        self.spawn(self._line.keep())
        self.spawn(self._send_records())
        self.spawn(self._mischief.strangers())

    def hang_up(self, pause_ms: int) -> None:
        """As in `Device`."""
        self._line.hang_up(pause_ms)

    def stranger_link(self) -> tuple[Link, Message]:
        """As in `Device`."""
        return YkcLink(self.traits, self.counters, lambda frame: None), messages.login(self.pile, self.traits)

    def send(self, message: Message) -> None:
        """Send if the link is up; a charger forgets what it cannot send, but for records."""
        if self._line.link is not None and self.online:
            self._line.link.send(message)

    def answer(self, message: Message, seq: bytes | None) -> None:
        """Answer an order; the reply carries the two sequence bytes of its request."""
        if self._line.link is not None:
            self.counters.answered(message[0])
            self._line.link.send(message, reply_to=seq)

    def send_noise(self, data: bytes) -> None:
        """Write bytes that are no frame, if the link is up."""
        if self._line.link is not None and self.online:
            self._line.link.send_noise(data)

    def send_reading(
        self, columns: Columns, *, copies: int = 1, kept_for: Charge | None = None, reply_to: bytes | None = None
    ) -> None:
        """Send a realtime frame if the link is up. `kept_for`: store it while the radio is silent, send it later."""
        if self._line.link is not None and self.online:
            self._line.link.send_reading(columns, copies=copies, reply_to=reply_to)
        elif kept_for is not None:
            self._stored.append((kept_for, columns))

    def keep_record(self, trade_no: str, record: Message, *, ignored_acks: int) -> None:
        """Keep a record until the platform acknowledges it; it goes out as soon as the link is up."""
        self.book.add(trade_no, record, self.clock.now_ms(), ignored_acks=ignored_acks)
        self._book_changed.set()

    def updated(self, firmware: str) -> None:
        """Another firmware has been taken over; the next login tells of it."""
        self.traits = msgspec.structs.replace(self.traits, firmware=firmware)

    def _new_link(self) -> YkcLink:
        return YkcLink(self.traits, self.counters, self._on_frame)

    async def _talk(self, link: YkcLink) -> str:
        """Login, tariff, what was kept, then heartbeats until three are missing."""
        self._answers.clear()
        self._sends_records = False
        heartbeat = messages.heartbeat(self.pile)
        self._mischief.before_login(link, heartbeat)
        await self._mischief.send_login(link, messages.login(self.pile, self.traits))
        answer = await self._answer_to(link, messages.login(self.pile, self.traits), LOGIN_ACK)
        if answer.body[PILE_CODE_BYTES] != 0:
            self.counters.logins_refused += 1
            return REFUSED
        link.send(messages.tariff_check(self.pile, self._model_no))
        answer = await self._answer_to(link, messages.tariff_check(self.pile, self._model_no), TARIFF_CHECK_ACK)
        self._sends_records = True
        self.book.logged_in(self.clock.now_ms())
        self._book_changed.set()
        if answer.body[-1] != SAME_TARIFF and LineFault.TARIFF_KEPT not in self.faults:
            link.send(messages.tariff_request(self.pile))
            await self._answer_to(link, messages.tariff_request(self.pile), TARIFF_REPLY)
        self._line.online = True
        self._send_stored()
        for connector in self.connectors.values():
            connector.show()
        self._unanswered_heartbeats = 0
        number = 0
        while self._unanswered_heartbeats < self.timings.missed_heartbeats:
            number += 1
            if self._mischief.beside_heartbeat(link, number, heartbeat):
                self._line.online = self._sends_records = False
                await link.closed.wait()
            self._unanswered_heartbeats += 1
            link.send(heartbeat)
            await self.clock.sleep_until(self.clock.now_ms() + self.timings.heartbeat)
        return "no heartbeat answered"

    async def _answer_to(self, link: YkcLink, message: Message, answer_type: int) -> DownFrame:
        """Wait for the answer to what was just sent, and send it again until it comes."""
        answer: asyncio.Future[DownFrame] = asyncio.get_running_loop().create_future()
        self._answers[answer_type] = answer
        while True:
            again = asyncio.ensure_future(self.clock.sleep_until(self.clock.now_ms() + self.timings.ask_again))
            await asyncio.wait((answer, again), return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
            if answer.done():
                return answer.result()
            link.send(message)

    def _send_stored(self) -> None:
        stored, self._stored = self._stored, []
        if any(charge.fault is Fault.BACKLOG_SHUFFLED for charge, _ in stored):
            order = np.random.default_rng(stored[0][0].salt).permutation(len(stored))
            stored = [stored[i] for i in order.tolist()]
        for _, columns in stored:
            self.send_reading(columns)

    async def _send_records(self) -> None:
        while True:
            self._book_changed.clear()
            now_ms = self.clock.now_ms()
            link = self._line.link
            if self._sends_records and link is not None:
                for kept in self.book.due(now_ms):
                    link.send(kept.message)
            due_ms = self.book.next_due_ms() if self._sends_records and link is not None else NEVER_MS
            await self.clock.wait(self._book_changed, due_ms)

    def _on_frame(self, frame: DownFrame) -> None:
        if frame.frame_type == RECORD_ACK:
            fields = raw_fields(RECORD_ACK, frame.body)
            self.book.answered(str(fields["trade_no"]), int(fields["result"]))
            self._book_changed.set()
            return
        if frame.frame_type in ONLY_V1_6 and self.traits.version < messages.VERSION_WITH_PARALLEL:
            return
        code_at = TRADE_NO_BYTES if frame.frame_type in SESSION_FIRST else 0
        if frame.body[code_at : code_at + PILE_CODE_BYTES] != self._code:
            return
        if frame.frame_type == HEARTBEAT_ACK:
            self._unanswered_heartbeats = 0
        elif frame.frame_type in (TARIFF_REPLY, TARIFF_SET):
            self._take_tariff(frame)
        elif frame.frame_type in TO_CONNECTORS:
            self._to_connector(frame)
        else:
            self._orders.handle(frame)
        waiting = self._answers.pop(frame.frame_type, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def _take_tariff(self, frame: DownFrame) -> None:
        charging = any(connector.charge is not None for connector in self.connectors.values())
        is_push = frame.frame_type == TARIFF_SET
        refused = LineFault.TARIFF_KEPT in self.faults or (is_push and charging)
        if not refused:
            self.tariff = _tariff_of(raw_fields(frame.frame_type, frame.body), self.clock.now_ms())
            self._model_no = self.tariff.model_no
        if is_push:
            result = messages.REFUSED if refused else messages.ACCEPTED
            self.answer(messages.result_reply("tariff_set_reply", self.pile, result), frame.seq)

    def _to_connector(self, frame: DownFrame) -> None:
        fields = raw_fields(frame.frame_type, frame.body)
        connector = self.connectors.get(int(str(fields["gun_no"])))
        if connector is None:
            return
        if frame.frame_type in (REMOTE_START, PARALLEL_START):
            connector.remote_start(frame)
        elif frame.frame_type in (START_REPLY, PARALLEL_REPLY):
            connector.permitted(frame)
        elif frame.frame_type == REMOTE_STOP:
            connector.remote_stop(frame)
        else:
            connector.show(frame.seq)

    def _encrypted_frame(self) -> bytes:
        frame = messages.encode(messages.heartbeat(self.pile), b"\0\0", "le")
        return wrap_body(HEARTBEAT, frame[HEADER_BYTES:-2], encryption=ENCRYPTED)


def _known_as(pile: SimPile, faults: frozenset[LineFault]) -> SimPile:
    """The charger under the id that it tells."""
    if LineFault.UNKNOWN_ID not in faults:
        return pile
    return msgspec.structs.replace(pile, code=UNKNOWN_PREFIX + pile.code[len(UNKNOWN_PREFIX) :])


def _tariff_of(fields: Mapping[str, Any], now_ms: int) -> TariffVersion:
    prices = {
        part: tuple(int(fields[f"{name}_{part}_price"]) for name in CLASS_NAMES) for part in ("energy", "service")
    }
    return msgspec.convert(
        {
            "tariff_version_id": 0,
            "tariff_id": 0,
            "model_no": str(fields["model_no"]),
            "from_ms": now_ms,
            "slot_classes": tuple(fields["slot_rates"]),
            "electricity_price_e5yuan": prices["energy"],
            "service_price_e5yuan": prices["service"],
        },
        TariffVersion,
    )
