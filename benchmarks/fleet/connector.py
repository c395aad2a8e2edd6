"""One connector of a live charger: plays its charges from the plan, by the clock, and answers orders."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from benchmarks.fleet import messages, readings, records
from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.charge import START_BY_APP, STOPPED_BY_APP, Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.lifecycle import Kind, Moment, has_noise, noise, single_moments
from benchmarks.fleet.link import DownFrame
from benchmarks.fleet.pile_history import IDLE_PERIOD_MS, reading_number, single_message
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.plan import FOREVER_MS, ConnectorPlan
from benchmarks.fleet.power import IntArray
from core.ykc.codec import raw_fields

if TYPE_CHECKING:
    from benchmarks.fleet.charger import Charger

ORDER_PATIENCE_MS: Final = 25_000
LATE_PLUG_MS: Final = 60_000
BETWEEN_DRIVERS_MS: Final = 30_000
STOP_ASKED_BEFORE_MS: Final = 1_500
CATCH_UP_MS: Final = 20_000
DEVICE_FAULT: Final = 3


class Connector:
    """One connector. It holds at most one charge; the driver of the next one comes when this one has left."""

    def __init__(self, charger: "Charger", plan: ConnectorPlan) -> None:
        self.number = plan.connector
        self.plugged = False
        self._charger = charger
        self._plan = plan
        self._clock = charger.clock
        self._charge: Charge | None = None
        self._meterman: Meterman | None = None
        self._awaits_start = False
        self._start_trade_no = ""
        self._early_start: tuple[str, int] | None = None
        self._started = asyncio.Event()
        self._stop_ordered = asyncio.Event()

    async def run(self) -> None:
        """Play the plan until it is cancelled."""
        free_ms = 0
        for planned in self._remaining():
            charge = planned.shifted(max(free_ms + BETWEEN_DRIVERS_MS - planned.plug_ms, 0) if free_ms else 0)
            if not self._charger.is_live(charge):
                self._under_way(charge)
            else:
                await self._pause_until(charge.plug_ms)
                arrived = await self._arrival(charge)
                if arrived is None:
                    free_ms = self._clock.now_ms()
                    continue
                charge = arrived
            charge = await self._play(charge)
            free_ms = charge.unplug_ms
        await self._pause_until(FOREVER_MS)

    def show(self) -> None:
        """Send a realtime frame of this moment, as after a login or for 0x12."""
        now_ms = self._clock.now_ms()
        charge = self._charge
        if charge is not None and charge.charging_ms <= now_ms < charge.stop_ms:
            if now_ms >= charge.first_reading_ms:
                self._send_reading(charge, now_ms)
        else:
            self._show_idle()

    def remote_start(self, frame: DownFrame) -> None:
        """0x34: accepted while a plugged vehicle waits to start, else refused by its reason (ykc.md section 5)."""
        trade_no = str(raw_fields(frame.frame_type, frame.body)["trade_no"])
        if self._charge is not None:
            self._answer_start(trade_no, messages.REFUSED, messages.ALREADY_CHARGING, frame.seq)
        elif not self.plugged:
            self._early_start = (trade_no, self._clock.now_ms() + LATE_PLUG_MS)
            self._answer_start(trade_no, messages.REFUSED, messages.NOT_PLUGGED, frame.seq)
        elif self._awaits_start:
            self._answer_start(trade_no, messages.ACCEPTED, 0, frame.seq)
            self._begin(trade_no)
        else:
            self._answer_start(trade_no, messages.REFUSED, DEVICE_FAULT, frame.seq)

    def remote_stop(self, frame: DownFrame) -> None:
        """0x36: ends the charge at once, if there is one."""
        charge, now_ms = self._charge, self._clock.now_ms()
        stoppable = charge is not None and charge.charging_ms <= now_ms < charge.stop_ms
        result, reason = (messages.ACCEPTED, 0) if stoppable else (messages.REFUSED, messages.NOT_CHARGING)
        self._charger.send(messages.remote_stop_reply(self._plan_pile, self.number, result, reason), reply_to=frame.seq)
        if stoppable:
            self._stop_ordered.set()

    @property
    def _plan_pile(self) -> SimPile:
        return self._charger.plan.pile

    def _remaining(self) -> Iterator[Charge]:
        """The charges still to be played; the records of those that ended while nobody played are only kept."""
        charger, begin_ms = self._charger, self._clock.now_ms()
        for charge in self._plan.charges:
            if charge.unplug_ms <= begin_ms and not charger.is_live(charge):
                if charge.record_ms <= begin_ms:
                    self._keep_missed_record(charge)
            elif charger.is_live(charge) and charge.order_ms < begin_ms:
                # It should have begun after the history ended and before this charger was switched on.
                yield charge.shifted(begin_ms - charge.order_ms + charge.salt % CATCH_UP_MS)
            else:
                if charge.record_ms <= begin_ms:
                    self._keep_missed_record(charge)
                yield charge

    def _keep_missed_record(self, charge: Charge) -> None:
        """Keep a record whose first sending falls after the history's end, and that nobody sent so far."""
        times = records.upload_times(self._charger.plan, charge)
        if times and times[0] >= self._charger.live_ms:
            self._keep_record(charge)

    def _under_way(self, charge: Charge) -> None:
        """Continue a charge, or a parked vehicle, of which the history holds the beginning."""
        self.plugged = True
        if charge.record_ms > self._clock.now_ms():
            self._charge = charge
            self._meterman = Meterman(charge, self._charger.tariff)
            self._charger.counters.sessions += 1

    async def _arrival(self, charge: Charge) -> Charge | None:
        """From the plug to the start: the charge as it begins, None when the driver gave up."""
        self.plugged = True
        self._show_idle()
        self._awaits_start = True
        self._started.clear()
        early, self._early_start = self._early_start, None
        if early is not None and self._clock.now_ms() <= early[1]:
            self._answer_start(early[0], messages.ACCEPTED, 0, None)
            self._begin(early[0])
        asked = await self._pause_until(charge.order_ms, self._started)
        orders = self._charger.orders
        if not asked and charge.start_mode == START_BY_APP and orders is not None:
            self._charger.spawn(orders.start(charge.pile.code, self.number))
            await self._pause_until(self._clock.now_ms() + ORDER_PATIENCE_MS, self._started)
            if not self._started.is_set():
                self._awaits_start = False
                self._charger.counters.starts_abandoned += 1
                self.plugged = False
                self._show_idle()
                return None
        self._awaits_start = False
        begun = charge
        if self._started.is_set():
            begun = msgspec.structs.replace(
                charge.shifted(self._clock.now_ms() - charge.order_ms),
                trade_no=self._start_trade_no,
                start_mode=START_BY_APP,
                physical_card="0" * 16,
            )
        self._charge = begun
        self._meterman = Meterman(begun, self._charger.tariff)
        self._charger.counters.sessions += 1
        return begun

    async def _play(self, charge: Charge) -> Charge:
        """Tell of a charge from now on until the plug is pulled; gives it as it went."""
        self._stop_ordered.clear()
        moments = self._moments(charge, self._clock.now_ms())
        stop_asked = False
        while moments:
            moment = moments[0]
            ask_ms = charge.stop_ms - STOP_ASKED_BEFORE_MS
            asks = not stop_asked and self._is_stopped_by_order(charge) and ask_ms <= moment.time_ms
            until_ms = max(ask_ms, 0) if asks else moment.time_ms
            if await self._pause_until(until_ms, self._stop_ordered):
                self._stop_ordered.clear()
                charge = self._stop_now(charge)
                moments = self._moments(charge, charge.stop_ms)
            elif asks:
                stop_asked = True
                if self._charger.orders is not None:
                    self._charger.spawn(self._charger.orders.stop(charge.pile.code, self.number))
            else:
                moments.pop(0)
                self._tell(charge, moment)
        self._charge = None
        return charge

    def _is_stopped_by_order(self, charge: Charge) -> bool:
        by_app = charge.start_mode == START_BY_APP and charge.stop_reason == STOPPED_BY_APP
        running = self._clock.now_ms() < charge.stop_ms and charge.fault is not Fault.START_FAILED
        return by_app and running and self._charger.orders is not None

    def _stop_now(self, charge: Charge) -> Charge:
        stopped = charge.stopped_at(self._clock.now_ms(), STOPPED_BY_APP)
        if self._charger.plan.traits.final_reading:
            self._send_reading(stopped, stopped.stop_ms)
        self._charge = stopped
        self._meterman = Meterman(stopped, self._charger.tariff)
        return stopped

    def _moments(self, charge: Charge, from_ms: int) -> list[Moment]:
        """What is still to be told, ascending. Starts and stops by order are answered when the orders come."""
        told_elsewhere = (Kind.PLUGGED, Kind.START_REPLY, Kind.STOP_REPLY)
        moments = [m for m in single_moments(charge, self._charger.plan.traits) if m.kind not in told_elsewhere]
        moments += [Moment(int(time_ms), Kind.READING) for time_ms in charge.reading_times(from_ms, charge.stop_ms)]
        moments.append(Moment(charge.record_ms, Kind.RECORD))
        return sorted(moment for moment in moments if moment.time_ms >= from_ms)

    def _tell(self, charge: Charge, moment: Moment) -> None:
        if moment.kind is Kind.READING:
            self._periodic(charge, moment.time_ms)
        elif moment.kind is Kind.LAST_READING:
            self._send_reading(charge, moment.time_ms)
        elif moment.kind is Kind.STOPPED:
            self._show_idle()
        elif moment.kind is Kind.RECORD:
            self._charge = None
            self._keep_record(charge)
        elif moment.kind is Kind.UNPLUGGED:
            self.plugged = False
            self._show_idle()
        else:
            self._charger.send(single_message(charge, moment.kind))

    def _periodic(self, charge: Charge, time_ms: int) -> None:
        number = reading_number(charge, time_ms)
        if has_noise(charge, number):
            self._charger.send_noise(noise(charge, number))
        self._send_reading(charge, time_ms, copies=2 if charge.fault is Fault.DUPLICATED_FRAMES else 1)
        if charge.pile.is_dc and self._charger.with_bms:
            self._charger.send(messages.bms_demand(charge, time_ms))
            self._charger.send(messages.bms_info(charge))

    def _send_reading(self, charge: Charge, time_ms: int, *, copies: int = 1) -> None:
        assert self._meterman is not None
        columns = readings.charging_columns(charge, self._charger.plan.traits, self._meterman, _one(time_ms))
        self._charger.send_reading(columns, copies=copies, keep=charge.fault is Fault.OFFLINE_STORED)

    def _show_idle(self) -> None:
        pile, traits = self._plan_pile, self._charger.plan.traits
        self._charger.send_reading(readings.idle_columns(pile, self.number, traits, _one(int(self.plugged))))

    def _keep_record(self, charge: Charge) -> None:
        if charge.fault is not Fault.RECORD_LOST:
            record = records.record(charge, self._charger.plan.traits, self._charger.tariff)
            ignored = 2 if charge.fault is Fault.RECORD_REPEATED else 0
            self._charger.keep_record(charge.trade_no, record, ignored_acks=ignored)

    def _begin(self, trade_no: str) -> None:
        self._start_trade_no = trade_no
        self._started.set()

    def _answer_start(self, trade_no: str, result: int, reason: int, seq: bytes | None) -> None:
        reply = messages.remote_start_reply(self._plan_pile, self.number, trade_no, result, reason)
        self._charger.send(reply, reply_to=seq)

    async def _pause_until(self, time_ms: int, wake: asyncio.Event | None = None) -> bool:
        """Wait, showing the idle connector every 5 minutes; gives whether `wake` came before the time."""
        event = wake if wake is not None else asyncio.Event()
        while not event.is_set():
            now_ms = self._clock.now_ms()
            if now_ms >= time_ms:
                return False
            tick_ms = now_ms - (now_ms - self._plan.phase_ms) % IDLE_PERIOD_MS + IDLE_PERIOD_MS
            if await self._clock.wait(event, min(tick_ms, time_ms)):
                return True
            charging = self._charge is not None and self._charge.charging_ms <= tick_ms < self._charge.stop_ms
            if tick_ms <= time_ms and not charging:
                self._show_idle()
        return True


def _one(value: int) -> IntArray:
    return np.array([value], dtype=np.int64)
