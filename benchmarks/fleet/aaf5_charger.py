"""One live AAF5 charger: its connections (one, or one for each gun), parameters, records and guns (aaf5.md 5, 6)."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.fleet import aaf5_messages
from benchmarks.fleet.aaf5_connector import Aaf5Connector
from benchmarks.fleet.aaf5_link import Aaf5Link, frame_of
from benchmarks.fleet.aaf5_queue import RecordQueue
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.device import Device, Timings
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.line import Line
from benchmarks.fleet.line_faults import LineFault
from benchmarks.fleet.link import Counters, DownFrame, Link
from benchmarks.fleet.messages import Message
from benchmarks.fleet.mischief import Mischief
from benchmarks.fleet.orders import Orders
from benchmarks.fleet.plan import PilePlan
from benchmarks.fleet.record_book import NEVER_MS
from benchmarks.fleet.traits import Aaf5Traits
from core.aaf5.bcd_time import bcd8_to_ms, ms_to_bcd8
from core.aaf5.codec import raw_fields

INT_PARAMS: Final = 1
STR_PARAMS: Final = 3
CONTROL: Final = 5
START: Final = 7
QR_CODES: Final = 13
HEARTBEAT_ACK: Final = 101
LOGIN_ACK: Final = 105
RECORD_ACK: Final = 201
ACCOUNT_REPLY: Final = 203
LOGIN_TRIES: Final = 3
HEARTBEAT_PARAMETER: Final = 21
MISSED_PARAMETER: Final = 22
STATUS_PARAMETER: Final = 23
SHORTEST_S: Final = 3
CLOCK_PARAMETER: Final = 2
QUERY: Final = 0
ALL_GUNS: Final = 0
UNKNOWN_PREFIX: Final = "99"
OVERSIZE: Final = bytes.fromhex("AAF5FFFF10006800")
ENCRYPTED_INFO: Final = 0x11
INFO_AT: Final = 4


class Aaf5Charger(Device):
    """One charger on real sockets. `parameters` are those of command 1, by their address."""

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
        timings: Timings | None = None,
    ) -> None:
        super().__init__(plan, host, port, clock, counters, live_ms=live_ms, orders=orders, timings=timings)
        assert plan.aaf5 is not None
        self.aaf5: Aaf5Traits = plan.aaf5
        self.pile = plan.pile
        if LineFault.UNKNOWN_ID in self.faults:
            self.pile = msgspec.structs.replace(plan.pile, code=UNKNOWN_PREFIX + plan.pile.code[2:])
        self.parameters = {
            HEARTBEAT_PARAMETER: self.aaf5.heartbeat_s,
            MISSED_PARAMETER: self.aaf5.missed_heartbeats,
            STATUS_PARAMETER: self.aaf5.status_s,
        }
        self.guns = {connector.connector: Aaf5Connector(self, connector) for connector in plan.connectors}
        speakers = sorted(self.guns) if plan.pile.gun_letters else [ALL_GUNS]
        self._talks = {speaker: GunTalk(self, speaker) for speaker in speakers}

    @property
    def players(self) -> Mapping[int, Aaf5Connector]:
        """As in `Device`."""
        return self.guns

    @property
    def online(self) -> bool:
        """As in `Device`."""
        return all(talk.line.online for talk in self._talks.values())

    @property
    def acknowledged(self) -> Sequence[str]:
        """As in `Device`."""
        return [number for talk in self._talks.values() for number in talk.queue.acknowledged]

    @property
    def unacknowledged(self) -> Sequence[str]:
        """As in `Device`."""
        return [number for talk in self._talks.values() for number in talk.queue.unacknowledged]

    @property
    def status_ms(self) -> int:
        """How often each gun shows itself."""
        return self.parameters[STATUS_PARAMETER] * 1_000

    def connect(self) -> None:
        """As in `Device`."""
        for talk in self._talks.values():
            talk.start()

    def hang_up(self, pause_ms: int) -> None:
        """As in `Device`."""
        for talk in self._talks.values():
            talk.line.hang_up(pause_ms)

    def stranger_link(self) -> tuple[Link, Message]:
        """As in `Device`."""
        return Aaf5Link(self.aaf5, self.counters, lambda frame: None), self.login(min(self.guns))

    def login(self, connector: int) -> Message:
        """106 of a gun, or of the charger."""
        return aaf5_messages.login(
            self.pile,
            connector,
            self.aaf5,
            time_ms=self.told_ms(),
            boots=1 + self.counters.reboots,
            records=len(self.unacknowledged),
            heartbeat_s=self.parameters[HEARTBEAT_PARAMETER],
        )

    def talk_of(self, connector: int) -> "GunTalk":
        """The connection that speaks for a gun."""
        return self._talks.get(connector) or self._talks[ALL_GUNS]

    def send(self, connector: int, message: Message) -> None:
        """Send if the link is up; a charger forgets what it cannot send, but for records."""
        line = self.talk_of(connector).line
        if line.link is not None and line.online:
            line.link.send(message)

    def answer(self, connector: int, message: Message, seq: bytes | None) -> None:
        """Answer an order."""
        line = self.talk_of(connector).line
        if line.link is not None:
            self.counters.answered(message[0])
            line.link.send(message, reply_to=seq)

    def send_noise(self, connector: int, data: bytes) -> None:
        """Write bytes that are no frame, if the link is up."""
        line = self.talk_of(connector).line
        if line.link is not None and line.online:
            line.link.send_noise(data)

    def send_status(self, connector: int, frame: bytes, *, copies: int = 1, kept_for: Charge | None = None) -> None:
        """Send a status frame if the link is up. `kept_for`: store it while the radio is silent, send it later."""
        talk = self.talk_of(connector)
        if talk.line.link is not None and talk.line.online:
            talk.line.link.send_status(frame, copies=copies)
        elif kept_for is not None:
            talk.stored.append((kept_for, frame))

    def keep_record(self, connector: int, number: str, record: Message, *, ignored_acks: int) -> None:
        """Keep a record until it is answered; it goes out as soon as the link is up."""
        self.talk_of(connector).keep_record(number, record, ignored_acks)


class GunTalk:
    """What goes over one connection: of one gun, or of all (`speaker` 0)."""

    def __init__(self, charger: Aaf5Charger, speaker: int) -> None:
        self.line: Line[Aaf5Link] = Line(charger, self._new_link, self._talk)
        self.queue = RecordQueue(compares=charger.aaf5.serial, floods=charger.aaf5.floods)
        self.stored: list[tuple[Charge, bytes]] = []
        self._charger = charger
        self._clock = charger.clock
        self._speaker = speaker
        self._gun = speaker or min(charger.guns)
        self._mischief = Mischief(charger, self._encrypted_frame, OVERSIZE)
        self._counter = 0
        self._unanswered = 0
        self._login_answered = asyncio.Event()
        self._queue_changed = asyncio.Event()

    def start(self) -> None:
        """Begin with the connection and its records."""
        self._charger.spawn(self.line.keep())
        self._charger.spawn(self._send_records())
        if self._gun == min(self._charger.guns):
            self._charger.spawn(self._mischief.strangers())

    def keep_record(self, number: str, record: Message, ignored_acks: int) -> None:
        """Put a record in front of the queue."""
        self.queue.add(number, record, ignored_acks=ignored_acks)
        self._queue_changed.set()

    @property
    def _guns(self) -> list[Aaf5Connector]:
        guns = self._charger.guns
        return [guns[self._speaker]] if self._speaker else list(guns.values())

    def _new_link(self) -> Aaf5Link:
        return Aaf5Link(self._charger.aaf5, self._charger.counters, self._on_frame)

    async def _talk(self, link: Aaf5Link) -> str:
        """Log in (three tries, 5 s each), then heartbeats until too many are missing."""
        charger, clock = self._charger, self._clock
        self._login_answered.clear()
        self._mischief.before_login(link, self._heartbeat())
        for _ in range(LOGIN_TRIES):
            await self._mischief.send_login(link, charger.login(self._gun))
            if await clock.wait(self._login_answered, clock.now_ms() + charger.timings.ask_again):
                break
        else:
            return "no login answered"
        self.line.online = True
        self.queue.logged_in()
        self._queue_changed.set()
        self._send_stored(link)
        for gun in self._guns:
            gun.show()
        if charger.aaf5.serial:
            link.send(aaf5_messages.request("tariff_request", charger.pile, self._gun))
            link.send(aaf5_messages.request("qr_request", charger.pile, self._gun))
            link.send(aaf5_messages.alarms(charger.pile, self._gun))
        self._unanswered = 0
        number = 0
        while self._unanswered <= charger.parameters[MISSED_PARAMETER]:
            number += 1
            heartbeat = self._heartbeat()
            if self._mischief.beside_heartbeat(link, number, heartbeat):
                self.line.online = False
                await link.closed.wait()
            self._unanswered += 1
            link.send(heartbeat)
            await clock.sleep_until(clock.now_ms() + charger.parameters[HEARTBEAT_PARAMETER] * 1_000)
        return "no heartbeat answered"

    def _heartbeat(self) -> Message:
        self._counter += 1
        return aaf5_messages.heartbeat(self._charger.pile, self._gun, self._counter)

    def _send_stored(self, link: Aaf5Link) -> None:
        stored, self.stored = self.stored, []
        if any(charge.fault is Fault.BACKLOG_SHUFFLED for charge, _ in stored):
            order = np.random.default_rng(stored[0][0].salt).permutation(len(stored))
            stored = [stored[i] for i in order.tolist()]
        for _, frame in stored:
            link.send_status(frame)

    async def _send_records(self) -> None:
        while True:
            self._queue_changed.clear()
            link = self.line.link
            sends = link is not None and self.line.online
            if link is not None and sends and (record := self.queue.due(self._clock.now_ms())) is not None:
                link.send(record)
            due_ms = self.queue.next_due_ms() if sends else NEVER_MS
            await self._clock.wait(self._queue_changed, due_ms)

    def _on_frame(self, frame: DownFrame) -> None:
        fields = raw_fields(frame.frame_type, frame.body)
        command = frame.frame_type
        if command == LOGIN_ACK:
            # The firmware takes any 105 for success (aaf5.md section 3).
            self._login_answered.set()
        elif command == HEARTBEAT_ACK:
            self._unanswered = 0
        elif command == RECORD_ACK:
            before = self.queue.wrong_acks
            self.queue.answered(fields)
            self._charger.counters.wrong_acks += self.queue.wrong_acks - before
            self._queue_changed.set()
        elif command == ACCOUNT_REPLY:
            for gun in [gun for gun in self._guns if gun.is_asking][:1]:
                gun.permitted(fields)
        elif command == INT_PARAMS:
            self._int_params(fields, frame.seq)
        elif command == STR_PARAMS:
            self._str_params(fields, frame.seq)
        elif command == QR_CODES:
            self._set_clock(fields["time"])
        elif command in (CONTROL, START):
            self._to_gun(frame, fields)

    def _to_gun(self, frame: DownFrame, fields: dict[str, Any]) -> None:
        gun = next((gun for gun in self._guns if fields.get("gun_no") in (gun.number, 0)), None)
        if gun is None:
            return
        if frame.frame_type == START:
            gun.remote_start(frame)
        else:
            gun.control(frame)

    def _int_params(self, fields: dict[str, Any], seq: bytes) -> None:
        """2: the values of a query, or whether they could be set."""
        parameters, first = self._charger.parameters, int(fields["addr"])
        addresses = range(first, first + int(fields["count"]))
        known = all(address in parameters for address in addresses)
        values: list[int] | None = None
        if fields["op"] == QUERY:
            values = [parameters[address] for address in addresses] if known else []
        elif known:
            parameters |= {
                address: max(value, SHORTEST_S) if address != MISSED_PARAMETER else value
                for address, value in zip(addresses, fields["values"], strict=False)
            }
        result = aaf5_messages.OK if known else aaf5_messages.UNKNOWN_ADDRESS
        reply = aaf5_messages.int_params_reply(self._charger.pile, self._gun, fields, result, values)
        self._charger.answer(self._gun, reply, seq)

    def _str_params(self, fields: dict[str, Any], seq: bytes) -> None:
        """4: only the clock is known by its address."""
        charger = self._charger
        known = fields["addr"] == CLOCK_PARAMETER
        is_query = fields["op"] == QUERY
        if known and not is_query:
            self._set_clock(bytes.fromhex(str(fields["data"])))
        data = None
        if is_query:
            data = ms_to_bcd8(charger.told_ms(), charger.pile.zone) if known else b""
        result = aaf5_messages.OK if known else aaf5_messages.UNKNOWN_ADDRESS
        charger.answer(self._gun, aaf5_messages.str_params_reply(charger.pile, self._gun, fields, result, data), seq)

    def _set_clock(self, time: bytes) -> None:
        if bcd8_to_ms(time, self._charger.pile.zone):
            self._charger.clock_set()

    def _encrypted_frame(self) -> bytes:
        """AAF5 publishes no encryption; one source calls the info byte its flag (aaf5.md section 1)."""
        frame = frame_of(self._heartbeat())
        return frame[:INFO_AT] + bytes((ENCRYPTED_INFO,)) + frame[INFO_AT + 1 :]
