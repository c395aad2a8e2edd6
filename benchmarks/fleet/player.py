"""One connector of a live charger, whatever its protocol: plays the charges of the plan by the clock."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from benchmarks.fleet import records
from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.charge import NOT_ASKED, START_BY_APP, STOPPED_BY_APP, Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.lifecycle import TOLD_AT_ARRIVAL, single_moments
from benchmarks.fleet.moments import Kind, Moment
from benchmarks.fleet.plan import FOREVER_MS, ConnectorPlan

if TYPE_CHECKING:
    from benchmarks.fleet.device import Device

ORDER_PATIENCE_MS: Final = 25_000
BETWEEN_DRIVERS_MS: Final = 30_000
STOP_ASKED_BEFORE_MS: Final = 1_500
CATCH_UP_MS: Final = 20_000
NO_CARD: Final = "0" * 16


class ConnectorPlayer(ABC):
    """One connector. It holds at most one charge; the driver of the next one comes when this one has left.

    `early_start`: an order that came before the plug, and until when it holds. `next_charge`: the one that waits to
    start, `charge`: the one that has started and has no record yet.
    """

    def __init__(self, device: "Device", plan: ConnectorPlan) -> None:
        self.number = plan.connector
        self.plugged = False
        self.device = device
        self.clock = device.clock
        self.plan = plan
        self.charge: Charge | None = None
        self.next_charge: Charge | None = None
        self.meterman: Meterman | None = None
        self.early_start: tuple[str, int] | None = None
        self._start_trade_no = ""
        self._started = asyncio.Event()
        self._stop_ordered = asyncio.Event()
        self._stop_reason = STOPPED_BY_APP

    async def run(self) -> None:
        """Play the plan until it is cancelled."""
        free_ms = 0
        for planned in self._remaining():
            charge = planned.shifted(max(free_ms + BETWEEN_DRIVERS_MS - planned.plug_ms, 0) if free_ms else 0)
            if not self.device.is_live(charge):
                self._under_way(charge)
            else:
                await self._pause_until(charge.plug_ms)
                arrived = await self._arrival(charge)
                if arrived is None:
                    free_ms = self.clock.now_ms()
                    continue
                charge = arrived
            charge = await self._play(charge)
            free_ms = charge.unplug_ms
        await self._pause_until(FOREVER_MS)

    @property
    def charging(self) -> Charge | None:
        """The charge whose energy flows now."""
        charge, now_ms = self.charge, self.clock.now_ms()
        return charge if charge is not None and charge.charging_ms <= now_ms < charge.stop_ms else None

    def stop(self, reason: int) -> bool:
        """End the charge at once; gives whether energy flowed."""
        if self.charging is None:
            return False
        self._stop_reason = reason
        self._stop_ordered.set()
        return True

    def begin(self, trade_no: str) -> None:
        """Let the vehicle that waits start, under this number; empty = the charger makes one itself."""
        self._start_trade_no = trade_no
        self._started.set()

    @property
    @abstractmethod
    def idle_period_ms(self) -> int:
        """How often it shows itself while nothing flows."""

    @property
    @abstractmethod
    def reading_period_ms(self) -> int:
        """How often it shows itself while energy flows."""

    @abstractmethod
    def show_idle(self) -> None:
        """Tell the platform that nothing flows."""

    @abstractmethod
    def show_reading(self, charge: Charge, time_ms: int) -> None:
        """Tell the platform what the charge has taken at that moment."""

    @abstractmethod
    def periodic(self, charge: Charge, time_ms: int) -> None:
        """Show a periodic reading, and what goes with it."""

    @abstractmethod
    def tell(self, charge: Charge, kind: Kind) -> None:
        """Tell of a step that is no reading."""

    @abstractmethod
    def answer_start(self, trade_no: str, accepted: bool) -> None:
        """Answer an order to start that came before the plug."""

    @abstractmethod
    async def ask_platform(self, charge: Charge) -> str | None:
        """Ask whether this driver may charge; gives the session's number (empty = the charger's own), None = no."""

    @abstractmethod
    def keep_record(self, charge: Charge) -> None:
        """Hand the record of an ended charge to those that are sent until acknowledged."""

    @abstractmethod
    def ticked(self) -> None:
        """An idle period is over, whether or not energy flows."""

    def started_as(self, charge: Charge, trade_no: str) -> Charge:
        """The charge under its number."""
        return msgspec.structs.replace(charge, trade_no=trade_no) if trade_no else charge

    def _remaining(self) -> Iterator[Charge]:
        """The charges still to be played; the records of those that ended while nobody played are only kept."""
        device, begin_ms = self.device, self.clock.now_ms()
        for charge in self.plan.charges:
            if charge.unplug_ms <= begin_ms and not device.is_live(charge):
                if charge.record_ms <= begin_ms:
                    self._keep_missed_record(charge)
            elif device.is_live(charge) and charge.order_ms < begin_ms:
                # It should have begun after the history ended and before this charger was switched on.
                yield charge.shifted(begin_ms - charge.order_ms + charge.salt % CATCH_UP_MS)
            else:
                if charge.record_ms <= begin_ms:
                    self._keep_missed_record(charge)
                yield charge

    def _keep_missed_record(self, charge: Charge) -> None:
        """Keep a record whose first sending falls after the history's end, and that nobody sent so far."""
        times = records.upload_times(self.device.plan, charge)
        if times and times[0] >= self.device.live_ms:
            self._keep_record(charge)

    def _keep_record(self, charge: Charge) -> None:
        if charge.fault is not Fault.RECORD_LOST:
            self.keep_record(charge)

    def _under_way(self, charge: Charge) -> None:
        """Continue a charge, or a parked vehicle, of which the history holds the beginning."""
        self.plugged = True
        if charge.record_ms > self.clock.now_ms():
            self._take(charge)

    def _take(self, charge: Charge) -> None:
        self.charge = charge
        self.meterman = Meterman(charge, self.device.tariff)
        self.device.counters.sessions += 1

    async def _arrival(self, charge: Charge) -> Charge | None:
        """From the plug to the start: the charge as it begins, None when the driver gave up."""
        self.plugged = True
        self._started.clear()
        self.show_idle()
        self.tell(charge, Kind.PLUGGED)
        self.next_charge = charge
        early, self.early_start = self.early_start, None
        if early is not None and self.clock.now_ms() <= early[1]:
            self.answer_start(early[0], accepted=True)
            self.begin(early[0])
        trade_no = None
        asked = await self._pause_until(charge.order_ms, self._started)
        orders = self.device.orders
        if not asked and charge.start_mode == START_BY_APP and orders is not None:
            self.device.spawn(orders.start(charge.pile.code, self.number))
            asked = await self._pause_until(self.clock.now_ms() + ORDER_PATIENCE_MS, self._started)
            left = not asked
        elif not asked and charge.asks_by != NOT_ASKED:
            trade_no = await self.ask_platform(charge)
            left = trade_no is None
        else:
            left = not asked and self.device.disabled
        self.next_charge = None
        if left:
            self.device.counters.starts_abandoned += 1
            self._leave(charge)
            return None
        begun = charge
        if trade_no is not None:
            begun = self.started_as(charge.shifted(self.clock.now_ms() - charge.order_ms), trade_no)
        elif asked:
            by_app = {"start_mode": START_BY_APP, "physical_card": NO_CARD, "asks_by": NOT_ASKED}
            moved = charge.shifted(self.clock.now_ms() - charge.order_ms)
            begun = self.started_as(msgspec.structs.replace(moved, **by_app), self._start_trade_no)
        self._take(begun)
        return begun

    def _leave(self, charge: Charge) -> None:
        self.plugged = False
        self.show_idle()
        self.tell(charge, Kind.UNPLUGGED)

    async def _play(self, charge: Charge) -> Charge:
        """Tell of a charge from now on until the plug is pulled; gives it as it went."""
        self._stop_ordered.clear()
        moments = self._moments(charge, self.clock.now_ms())
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
                if self.device.orders is not None:
                    self.device.spawn(self.device.orders.stop(charge.pile.code, self.number))
            else:
                moments.pop(0)
                self._tell(charge, moment)
        self.charge = None
        return charge

    def _is_stopped_by_order(self, charge: Charge) -> bool:
        by_app = charge.start_mode == START_BY_APP and charge.stop_reason == STOPPED_BY_APP
        running = self.clock.now_ms() < charge.stop_ms and charge.fault is not Fault.START_FAILED
        return by_app and running and self.device.orders is not None

    def _stop_now(self, charge: Charge) -> Charge:
        stopped = charge.stopped_at(self.clock.now_ms(), self._stop_reason)
        if self.device.plan.traits.final_reading:
            self.show_reading(stopped, stopped.stop_ms)
        self.charge = stopped
        self.meterman = Meterman(stopped, self.device.tariff)
        return stopped

    def _moments(self, charge: Charge, from_ms: int) -> list[Moment]:
        """What is still to be told, ascending. Starts and stops by order are answered when the orders come."""
        moments = [m for m in single_moments(charge, self.device.plan) if m.kind not in TOLD_AT_ARRIVAL]
        times = charge.reading_times(from_ms, charge.stop_ms, self.reading_period_ms)
        moments += [Moment(int(time_ms), Kind.READING) for time_ms in times]
        moments.append(Moment(charge.record_ms, Kind.RECORD))
        return sorted(moment for moment in moments if moment.time_ms >= from_ms)

    def _tell(self, charge: Charge, moment: Moment) -> None:
        if moment.kind is Kind.READING:
            self.periodic(charge, moment.time_ms)
        elif moment.kind is Kind.LAST_READING:
            self.show_reading(charge, moment.time_ms)
        elif moment.kind is Kind.STOPPED:
            self.show_idle()
        elif moment.kind is Kind.RECORD:
            self.charge = None
            self._keep_record(charge)
        elif moment.kind is Kind.UNPLUGGED:
            self._leave(charge)
        else:
            self.tell(charge, moment.kind)

    async def _pause_until(self, time_ms: int, wake: asyncio.Event | None = None) -> bool:
        """Wait, showing the idle connector every idle period; gives whether `wake` came before the time."""
        event = wake if wake is not None else asyncio.Event()
        while not event.is_set():
            now_ms = self.clock.now_ms()
            if now_ms >= time_ms:
                return False
            period_ms = self.idle_period_ms
            tick_ms = now_ms - (now_ms - self.plan.phase_ms) % period_ms + period_ms
            if await self.clock.wait(event, min(tick_ms, time_ms)):
                return True
            if tick_ms <= time_ms:
                charge = self.charge
                if charge is None or not charge.charging_ms <= tick_ms < charge.stop_ms:
                    self.show_idle()
                self.ticked()
        return True
