"""One connector of a live YKC charger: what it says while it plays its charges, and how it answers orders."""

import asyncio
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.fleet import messages, readings, records
from benchmarks.fleet.charge import STOPPED_BY_APP, Charge
from benchmarks.fleet.deviations import answers_stop, start_reply_times
from benchmarks.fleet.faults import READING_PERIOD_MS, STORING_FAULTS, Fault
from benchmarks.fleet.lifecycle import has_noise, noise
from benchmarks.fleet.link import DownFrame
from benchmarks.fleet.messages import Message
from benchmarks.fleet.moments import Kind
from benchmarks.fleet.pile_history import IDLE_PERIOD_MS, reading_number, single_message
from benchmarks.fleet.plan import ConnectorPlan
from benchmarks.fleet.player import ConnectorPlayer
from benchmarks.fleet.power import IntArray
from core.ykc.codec import raw_fields

if TYPE_CHECKING:
    from benchmarks.fleet.charger import Charger

LATE_PLUG_MS: Final = 60_000
DEVICE_FAULT: Final = 3
PERMISSION_PATIENCE_MS: Final = 30_000
GRANTED: Final = 1


class Connector(ConnectorPlayer):
    """One connector. `lock`: the state of the parking lock before it, if the charger has locks."""

    def __init__(self, charger: "Charger", plan: ConnectorPlan) -> None:
        super().__init__(charger, plan)
        self._charger = charger
        self._pile = charger.plan.pile
        self.lock = messages.LOCK_RAISED
        self._permission: asyncio.Future[DownFrame] | None = None

    @property
    def idle_period_ms(self) -> int:
        """As in `ConnectorPlayer`."""
        return IDLE_PERIOD_MS

    @property
    def reading_period_ms(self) -> int:
        """As in `ConnectorPlayer`."""
        return READING_PERIOD_MS

    def show(self, reply_to: bytes | None = None) -> None:
        """Send a realtime frame of this moment, as after a login or for 0x12."""
        charge = self.charging
        if charge is None:
            self.show_idle(reply_to)
        elif self.clock.now_ms() >= charge.first_reading_ms:
            self._send_reading(charge, self.clock.now_ms(), reply_to=reply_to)
            if reply_to is None:
                self._send_bms(charge, self.clock.now_ms())

    def show_idle(self, reply_to: bytes | None = None) -> None:
        """As in `ConnectorPlayer`."""
        columns = readings.idle_columns(self._pile, self.number, self._charger.traits, _one(int(self.plugged)))
        self._charger.send_reading(columns, reply_to=reply_to)

    def show_reading(self, charge: Charge, time_ms: int) -> None:
        """As in `ConnectorPlayer`."""
        self._send_reading(charge, time_ms)

    def periodic(self, charge: Charge, time_ms: int) -> None:
        """0x13, and on DC the vehicle's wishes beside it."""
        number = reading_number(charge, time_ms)
        if has_noise(charge, number):
            self._charger.send_noise(noise(charge, number))
        self._send_reading(charge, time_ms, copies=2 if charge.fault is Fault.DUPLICATED_FRAMES else 1)
        self._send_bms(charge, time_ms)

    def tell(self, charge: Charge, kind: Kind) -> None:
        """As in `ConnectorPlayer`; a vehicle that comes or goes moves the parking lock."""
        if kind in (Kind.PLUGGED, Kind.UNPLUGGED):
            self.lock = messages.LOCK_LOWERED if kind is Kind.PLUGGED else messages.LOCK_RAISED
            self._show_lock()
        elif kind not in (Kind.LOCK_LOWERED, Kind.LOCK_RAISED):
            self._charger.send(single_message(charge, kind))

    def ticked(self) -> None:
        """0x61 every 5 minutes."""
        self._show_lock()

    def move_lock(self, position: int) -> None:
        """0x62 has been accepted: the lock moves, and says so."""
        self.lock = position
        self._show_lock()

    def remote_start(self, frame: DownFrame) -> None:
        """0x34 and 0xA4: accepted while a plugged vehicle waits to start, else refused by its reason (ykc.md 5)."""
        fields = raw_fields(frame.frame_type, frame.body)
        trade_no, parallel_no = str(fields["trade_no"]), str(fields.get("parallel_no", ""))
        waiting = self.next_charge
        if self.charge is not None:
            self._refuse(trade_no, parallel_no, messages.ALREADY_CHARGING, frame)
        elif self._charger.disabled:
            self._refuse(trade_no, parallel_no, DEVICE_FAULT, frame)
        elif not self.plugged:
            self.early_start = (trade_no, self.clock.now_ms() + LATE_PLUG_MS)
            self._refuse(trade_no, parallel_no, messages.NOT_PLUGGED, frame)
        elif waiting is None:
            self._refuse(trade_no, parallel_no, DEVICE_FAULT, frame)
        else:
            answer = self._start_answer(trade_no, parallel_no, messages.ACCEPTED, 0)
            now_ms = self.clock.now_ms()
            for time_ms in start_reply_times(waiting.shifted(now_ms - waiting.order_ms), now_ms):
                self._answer_at(time_ms, answer, frame.seq)
            self.begin(trade_no)

    def remote_stop(self, frame: DownFrame) -> None:
        """0x36: ends the charge at once, if there is one."""
        charge = self.charging
        result, reason = (messages.ACCEPTED, 0) if charge else (messages.REFUSED, messages.NOT_CHARGING)
        if charge is None or answers_stop(charge):
            self._charger.answer(messages.remote_stop_reply(self._pile, self.number, result, reason), frame.seq)
        self.stop(STOPPED_BY_APP)

    def answer_start(self, trade_no: str, accepted: bool) -> None:
        """The second 0x33: the plug came in time. It is no reply any more, and has a number of its own."""
        result = messages.ACCEPTED if accepted else messages.REFUSED
        self._charger.answer(self._start_answer(trade_no, "", result, 0), None)

    async def ask_platform(self, charge: Charge) -> str | None:
        """0x31 or 0xA1; 0x32 or 0xA2 gives the number, and whether it may start."""
        self._permission = asyncio.get_running_loop().create_future()
        self._charger.send(messages.start_request(charge))
        patience = asyncio.ensure_future(self.clock.sleep_until(self.clock.now_ms() + PERMISSION_PATIENCE_MS))
        await asyncio.wait((self._permission, patience), return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
        permission, self._permission = self._permission, None
        if not permission.done():
            return None
        fields = raw_fields(permission.result().frame_type, permission.result().body)
        if fields["auth"] != GRANTED:
            self._charger.counters.starts_refused += 1
            return None
        return str(fields["trade_no"])

    def permitted(self, frame: DownFrame) -> None:
        """0x32 or 0xA2 has come."""
        if self._permission is not None and not self._permission.done():
            self._permission.set_result(frame)

    def keep_record(self, charge: Charge) -> None:
        """As in `ConnectorPlayer`."""
        charger = self._charger
        record = records.record(charge, charger.traits, charger.tariff, charger.clock_error_ms)
        ignored = 2 if charge.fault is Fault.RECORD_REPEATED else 0
        charger.keep_record(charge.trade_no, record, ignored_acks=ignored)

    def _send_reading(self, charge: Charge, time_ms: int, *, copies: int = 1, reply_to: bytes | None = None) -> None:
        assert self.meterman is not None
        columns = readings.charging_columns(charge, self._charger.traits, self.meterman, _one(time_ms))
        self._charger.send_reading(columns, copies=copies, kept_for=_storing(charge), reply_to=reply_to)

    def _send_bms(self, charge: Charge, time_ms: int) -> None:
        if charge.pile.is_dc and self._charger.with_bms:
            self._charger.send(messages.bms_demand(charge, time_ms))
            self._charger.send(messages.bms_info(charge))

    def _show_lock(self) -> None:
        if self._charger.traits.has_lock:
            self._charger.send(messages.lock_state(self._pile, self.number, self.lock, occupied=self.plugged))

    def _refuse(self, trade_no: str, parallel_no: str, reason: int, frame: DownFrame) -> None:
        self._charger.answer(self._start_answer(trade_no, parallel_no, messages.REFUSED, reason), frame.seq)

    def _start_answer(self, trade_no: str, parallel_no: str, result: int, reason: int) -> Message:
        if not parallel_no:
            return messages.remote_start_reply(self._pile, self.number, trade_no, result, reason)
        return messages.parallel_start_reply(
            self._pile, self.number, trade_no, parallel_no, result=result, reason=reason
        )

    def _answer_at(self, time_ms: int, answer: Message, seq: bytes) -> None:
        if time_ms <= self.clock.now_ms():
            self._charger.answer(answer, seq)
            return

        async def wait_and_answer() -> None:
            await self.clock.sleep_until(time_ms)
            self._charger.answer(answer, seq)

        self._charger.spawn(wait_and_answer())


def _storing(charge: Charge) -> Charge | None:
    return charge if charge.fault in STORING_FAULTS else None


def _one(value: int) -> IntArray:
    return np.array([value], dtype=np.int64)
