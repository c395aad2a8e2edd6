"""One live charger: its link to the platform, its tariff, its records and its connectors (ykc.md section 5)."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec

from benchmarks.fleet import messages, readings
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.connector import Connector
from benchmarks.fleet.link import REALTIME, ChargerLink, Counters, DownFrame
from benchmarks.fleet.messages import Message
from benchmarks.fleet.orders import Orders
from benchmarks.fleet.plan import FOREVER_MS, PilePlan
from benchmarks.fleet.readings import Columns
from benchmarks.fleet.record_book import NEVER_MS, RecordBook
from core.tariff_version import CLASS_NAMES, TariffVersion
from core.ykc.codec import raw_fields

LOGIN_ACK: Final = 0x02
HEARTBEAT_ACK: Final = 0x04
TARIFF_CHECK_ACK: Final = 0x06
TARIFF_REPLY: Final = 0x0A
READ_REALTIME: Final = 0x12
REMOTE_START: Final = 0x34
REMOTE_STOP: Final = 0x36
RECORD_ACK: Final = 0x40
TIME_SYNC: Final = 0x56
TARIFF_SET: Final = 0x58
PILE_CODE_BYTES: Final = 7
FIRST_CONTACT: Final = "0000"
SAME_TARIFF: Final = 0
CANCEL_AGAIN_S: Final = 0.2


class Timings(msgspec.Struct, frozen=True):
    """How long a charger waits, in milliseconds of its clock."""

    heartbeat: int = 10_000
    ask_again: int = 5_000
    reconnect: int = 3_000
    refused: int = 30_000
    missed_heartbeats: int = 3


class Charger:
    """One charger on a real socket, playing `plan` by `clock`.

    Charges ordered before `live_ms` are continued; those ordered later are ordered again through `orders`, or start
    with the plan's trade number when it is None. `with_bms`: DC chargers send 0x23 and 0x25 beside each reading.
    """

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
        self.plan = plan
        self.clock = clock
        self.counters = counters
        self.live_ms = live_ms
        self.orders = orders
        self.with_bms = with_bms
        self.book = RecordBook()
        self.tariff: TariffVersion = plan.pile.tariff_at(clock.now_ms())
        self.online = False
        self.connectors = {connector.connector: Connector(self, connector) for connector in plan.connectors}
        self._address = (host, port)
        self._model_no = FIRST_CONTACT if first_contact else self.tariff.model_no
        self._timings = timings or Timings()
        self._link: ChargerLink | None = None
        self._answers: dict[int, asyncio.Future[DownFrame]] = {}
        self._unanswered_heartbeats = 0
        self._sends_records = False
        self._book_changed = asyncio.Event()
        self._stored: list[Columns] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._players: list[asyncio.Task[None]] = []
        self._code = bytes.fromhex(plan.pile.code)

    def start(self) -> None:
        """Switch it on."""
        self._players = [self.spawn(connector.run()) for connector in self.connectors.values()]
        self.spawn(self._keep_connected())
        self.spawn(self._send_records())

    def stop_charging(self) -> None:
        """Let nothing new happen at the connectors; what was sent may still be answered."""
        for player in self._players:
            player.cancel()

    async def stop(self) -> None:
        """Hang up and end."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CANCEL_AGAIN_S)
        if self._link is not None:
            self._link.close()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run something beside; an error in it is told by the loop's handler and hides nowhere."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def is_live(self, charge: Charge) -> bool:
        """Whether it is ordered in the live part; else the history holds its beginning."""
        return charge.order_ms >= self.live_ms

    def send(self, message: Message, *, reply_to: bytes | None = None) -> None:
        """Send if the link is up; a charger forgets what it cannot send, but for records."""
        if self._link is not None and self.online:
            self._link.send(message, reply_to=reply_to)

    def send_noise(self, data: bytes) -> None:
        """Write bytes that are no frame, if the link is up."""
        if self._link is not None and self.online:
            self._link.send_noise(data)

    def send_reading(self, columns: Columns, *, copies: int = 1, keep: bool = False) -> None:
        """Send a realtime frame if the link is up. `keep`: store it while the radio is silent and send it later."""
        if self._link is not None and self.online:
            frame = readings.frame_of(columns, self._link.next_seq())
            for _ in range(copies):
                self._link.send_frame(frame, REALTIME)
        elif keep:
            self._stored.append(columns)

    def keep_record(self, trade_no: str, record: Message, *, ignored_acks: int) -> None:
        """Keep a record until the platform acknowledges it; it goes out as soon as the link is up."""
        self.book.add(trade_no, record, self.clock.now_ms(), ignored_acks=ignored_acks)
        self._book_changed.set()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"charger {self.plan.pile.code} failed", "exception": error, "task": task}
            )

    async def _keep_connected(self) -> None:
        await self.clock.sleep_until(self.clock.now_ms() + self.plan.traits.phase_ms // 4)
        while (online_ms := self.plan.online_from(self.clock.now_ms())) != FOREVER_MS:
            await self.clock.sleep_until(online_ms)
            pause_ms = await self._one_connection()
            await self.clock.sleep_until(self.clock.now_ms() + pause_ms)

    async def _one_connection(self) -> int:
        """Connect and talk until the link or the radio goes; gives how long to wait before the next attempt."""
        link = ChargerLink(self.plan.traits.checksum_order, self.counters, self._on_frame)
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, *self._address)
        except OSError:
            self.counters.connections_lost += 1
            return self._timings.reconnect
        self._link = link
        now_ms = self.clock.now_ms()
        outage = next((outage for outage in self.plan.outages if outage.from_ms > now_ms), None)
        silent_ms = outage.from_ms if outage else FOREVER_MS
        work = [
            asyncio.ensure_future(self._talk(link)),
            asyncio.ensure_future(link.closed.wait()),
            asyncio.ensure_future(self.clock.sleep_until(silent_ms)),
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.online = self._sends_records = False
            for task in work:
                task.cancel()
            results = await asyncio.gather(*work, return_exceptions=True)
            self._answers.clear()
        if outage is not None and self.clock.now_ms() >= silent_ms:
            link.go_silent()
            await self.clock.sleep_until(outage.to_ms)
            link.abort()
            self._link = None
            return 0
        link.close()
        self._link = None
        self.counters.connections_lost += 1
        if isinstance(results[0], Exception):
            raise results[0]
        return self._timings.refused if results[0] == "refused" else self._timings.reconnect

    async def _talk(self, link: ChargerLink) -> str:
        """Login, tariff, what was kept, then heartbeats until three are missing."""
        pile = self.plan.pile
        answer = await self._ask(link, messages.login(pile, self.plan.traits), LOGIN_ACK)
        if answer.body[PILE_CODE_BYTES] != 0:
            self.counters.logins_refused += 1
            return "refused"
        answer = await self._ask(link, messages.tariff_check(pile, self._model_no), TARIFF_CHECK_ACK)
        self._sends_records = True
        self.book.logged_in(self.clock.now_ms())
        self._book_changed.set()
        if answer.body[-1] != SAME_TARIFF:
            await self._ask(link, messages.tariff_request(pile), TARIFF_REPLY)
        self.online = True
        stored, self._stored = self._stored, []
        for columns in stored:
            self.send_reading(columns)
        for connector in self.connectors.values():
            connector.show()
        self._unanswered_heartbeats = 0
        while self._unanswered_heartbeats < self._timings.missed_heartbeats:
            self._unanswered_heartbeats += 1
            link.send(messages.heartbeat(pile))
            await self.clock.sleep_until(self.clock.now_ms() + self._timings.heartbeat)
        return "no heartbeat answered"

    async def _ask(self, link: ChargerLink, message: Message, answer_type: int) -> DownFrame:
        """Send until it is answered."""
        answer: asyncio.Future[DownFrame] = asyncio.get_running_loop().create_future()
        self._answers[answer_type] = answer
        while not answer.done():
            link.send(message)
            again = asyncio.ensure_future(self.clock.sleep_until(self.clock.now_ms() + self._timings.ask_again))
            await asyncio.wait((answer, again), return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
        return answer.result()

    async def _send_records(self) -> None:
        while True:
            self._book_changed.clear()
            now_ms = self.clock.now_ms()
            if self._sends_records and self._link is not None:
                for kept in self.book.due(now_ms):
                    self._link.send(kept.message)
            due_ms = self.book.next_due_ms() if self._sends_records else NEVER_MS
            await self.clock.wait(self._book_changed, due_ms)

    def _on_frame(self, frame: DownFrame) -> None:
        if frame.frame_type == RECORD_ACK:
            fields = raw_fields(RECORD_ACK, frame.body)
            self.book.answered(str(fields["trade_no"]), int(fields["result"]))
            self._book_changed.set()
            return
        code_at = 16 if frame.frame_type == REMOTE_START else 0
        if frame.body[code_at : code_at + PILE_CODE_BYTES] != self._code:
            return
        if frame.frame_type == HEARTBEAT_ACK:
            self._unanswered_heartbeats = 0
        elif frame.frame_type == TIME_SYNC and self._link is not None:
            # The clock is set to the platform's, and is exact from now on.
            self._link.send(messages.time_sync_reply(self.plan.pile, self.clock.now_ms()), reply_to=frame.seq)
        elif frame.frame_type in (TARIFF_REPLY, TARIFF_SET):
            self._take_tariff(frame)
        elif frame.frame_type in (REMOTE_START, REMOTE_STOP, READ_REALTIME):
            self._to_connector(frame)
        waiting = self._answers.pop(frame.frame_type, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame)

    def _take_tariff(self, frame: DownFrame) -> None:
        fields = raw_fields(frame.frame_type, frame.body)
        self._model_no = str(fields["model_no"])
        prices = {
            part: tuple(int(fields[f"{name}_{part}_price"]) for name in CLASS_NAMES) for part in ("energy", "service")
        }
        self.tariff = msgspec.convert(
            {
                "tariff_version_id": 0,
                "tariff_id": 0,
                "model_no": self._model_no,
                "from_ms": self.clock.now_ms(),
                "slot_classes": tuple(fields["slot_rates"]),
                "electricity_price_e5yuan": prices["energy"],
                "service_price_e5yuan": prices["service"],
            },
            TariffVersion,
        )
        if frame.frame_type == TARIFF_SET and self._link is not None:
            self._link.send(messages.result_reply("tariff_set_reply", self.plan.pile, 1), reply_to=frame.seq)

    def _to_connector(self, frame: DownFrame) -> None:
        fields = raw_fields(frame.frame_type, frame.body)
        connector = self.connectors.get(int(str(fields["gun_no"])))
        if connector is None:
            return
        if frame.frame_type == REMOTE_START:
            connector.remote_start(frame)
        elif frame.frame_type == REMOTE_STOP:
            connector.remote_stop(frame)
        else:
            connector.show()
