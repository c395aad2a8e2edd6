"""One gun of a live AAF5 charger: what it says while it plays its charges, and how it answers orders."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.fleet import aaf5_messages, aaf5_status
from benchmarks.fleet.aaf5_session import Aaf5Session, session_of
from benchmarks.fleet.aaf5_status import Rows
from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.charge import STOPPED_BY_APP, Charge
from benchmarks.fleet.deviations import answers_stop, start_reply_times
from benchmarks.fleet.faults import STORING_FAULTS, Fault
from benchmarks.fleet.lifecycle import PROMPT_MS, has_noise, noise
from benchmarks.fleet.link import DownFrame
from benchmarks.fleet.moments import Kind
from benchmarks.fleet.pile_history import reading_number
from benchmarks.fleet.plan import ConnectorPlan
from benchmarks.fleet.player import ConnectorPlayer
from core.aaf5.codec import raw_fields

if TYPE_CHECKING:
    from benchmarks.fleet.aaf5_charger import Aaf5Charger

START_PATIENCE_MS: Final = 120_000
ASK_EVERY_MS: Final = 3_000
ASK_UNTIL_MS: Final = 10_000
VALID_CARD: Final = 0
STOP: Final = 2
STOP_PARAMETER: Final = 0x55
CANCEL_BOOKING: Final = 10
REBOOT: Final = 11


class Aaf5Connector(ConnectorPlayer):
    """One gun. `order`: what 7 asked for, until the charge that it starts is over."""

    def __init__(self, charger: "Aaf5Charger", plan: ConnectorPlan) -> None:
        super().__init__(charger, plan)
        self._charger = charger
        self._pile = charger.plan.pile
        self._traits = charger.aaf5
        self._order: dict[str, Any] | None = None
        self._session: Aaf5Session | None = None
        self._last: Rows | None = None
        self._state = aaf5_status.IDLE
        self._permission: asyncio.Future[dict[str, Any]] | None = None

    @property
    def idle_period_ms(self) -> int:
        """Parameter 23, whether or not energy flows."""
        return self._charger.status_ms

    @property
    def reading_period_ms(self) -> int:
        """Parameter 23."""
        return self._charger.status_ms

    def show(self) -> None:
        """Send a status frame of this moment, as after a login."""
        charge = self.charging
        if charge is None:
            self.show_idle()
        elif self.clock.now_ms() >= charge.first_reading_ms:
            self.show_reading(charge, self.clock.now_ms())

    def show_idle(self) -> None:
        """104 with the figures of the last session."""
        charge = self.charge
        if not self.plugged:
            self._state = aaf5_status.IDLE
        elif charge is not None and self.clock.now_ms() >= charge.stop_ms:
            failed = charge.fault is Fault.START_FAILED and self._traits.states
            self._state = aaf5_status.START_FAILED if failed else aaf5_status.FINISHED
        self._send(aaf5_status.ended(self._last_rows(), self._state, int(self.plugged)))

    def show_reading(self, charge: Charge, time_ms: int) -> None:
        """As in `ConnectorPlayer`."""
        self._reading(charge, time_ms)

    def periodic(self, charge: Charge, time_ms: int) -> None:
        """As in `ConnectorPlayer`."""
        number = reading_number(charge, time_ms)
        if has_noise(charge, number):
            self._charger.send_noise(self.number, noise(charge, number))
        self._reading(charge, time_ms, copies=2 if charge.fault is Fault.DUPLICATED_FRAMES else 1)

    def tell(self, charge: Charge, kind: Kind) -> None:
        """As in `ConnectorPlayer`; a gun that comes or goes has no message of its own."""
        if kind is Kind.PREPARING and self._traits.states:
            self._state = aaf5_status.PREPARING
            self._send(aaf5_status.ended(self._last_rows(), self._state, int(self.plugged)))

    def ticked(self) -> None:
        """Nothing but the status itself is periodic here."""

    def remote_start(self, frame: DownFrame) -> None:
        """7: begins when a vehicle waits, now or within 120 s; 8 tells how it went (aaf5.md section 5)."""
        order = raw_fields(frame.frame_type, frame.body)
        if self.charge is not None or self._charger.disabled or (self.plugged and self.next_charge is None):
            self._answer(order, aaf5_messages.ENDED_BEFORE_CHARGING)
        elif self.next_charge is not None:
            self._order = order
            self.begin(str(order["serial"]))
        else:
            until_ms = self.clock.now_ms() + START_PATIENCE_MS
            self._order = order
            self.early_start = (str(order["serial"]), until_ms)
            self._charger.spawn(self._give_up(order, until_ms))

    def control(self, frame: DownFrame) -> None:
        """5: stop, cancel a booking or reboot; 6 at once."""
        order = raw_fields(frame.frame_type, frame.body)
        charge = self.charging
        is_stop = order["addr"] == STOP and order["param"] == STOP_PARAMETER
        known = is_stop or order["addr"] in (CANCEL_BOOKING, REBOOT)
        result = aaf5_messages.OK if known and not (is_stop and charge is None) else aaf5_messages.UNKNOWN_ADDRESS
        reply = aaf5_messages.control_reply(
            self._pile, self.number, order, result, with_serial=self._traits.serial and "serial" in order
        )
        if charge is None or not is_stop or answers_stop(charge):
            self._charger.answer(self.number, reply, frame.seq)
        if is_stop:
            self.stop(STOPPED_BY_APP)
        elif order["addr"] == REBOOT:
            self._charger.spawn(self._charger.reboot(when_idle=False))

    def answer_start(self, trade_no: str, accepted: bool) -> None:
        """The plug came in time; 8 follows when energy flows."""

    async def ask_platform(self, charge: Charge) -> str | None:
        """204 every 3 s until 203, given up after 10 s; the session's number is the charger's own."""
        self._permission = asyncio.get_running_loop().create_future()
        until_ms = self.clock.now_ms() + ASK_UNTIL_MS
        while not self._permission.done() and self.clock.now_ms() < until_ms:
            self._charger.send(self.number, aaf5_messages.account_query(charge))
            again_ms = min(self.clock.now_ms() + ASK_EVERY_MS, until_ms)
            again = asyncio.ensure_future(self.clock.sleep_until(again_ms))
            await asyncio.wait((self._permission, again), return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
        permission, self._permission = self._permission, None
        if not permission.done():
            return None
        if permission.result()["result"] != VALID_CARD:
            self._charger.counters.starts_refused += 1
            return None
        return ""

    def permitted(self, fields: dict[str, Any]) -> None:
        """203 has come; gives nothing when nobody asked."""
        if self._permission is not None and not self._permission.done():
            self._permission.set_result(fields)

    @property
    def is_asking(self) -> bool:
        """Whether a card waits for its answer."""
        return self._permission is not None and not self._permission.done()

    def started_as(self, charge: Charge, trade_no: str) -> Charge:
        """As in `ConnectorPlayer`; an order also gives a user and a card."""
        begun = super().started_as(charge, trade_no)
        order = self._order
        if order is None:
            self._session = self._session_of(begun)
            return begun
        self._session = self._session_of(begun, str(order["serial"]), int(order["reserved1"]), str(order["card"]))
        answers = start_reply_times(begun, begun.charging_ms + PROMPT_MS)
        failed = begun.fault is Fault.START_FAILED
        for time_ms in answers:
            self._charger.spawn(self._answer_at(time_ms, order, failed))
        return begun

    def keep_record(self, charge: Charge) -> None:
        """As in `ConnectorPlayer`."""
        session = self._of(charge)
        meterman = Meterman(charge, self._charger.tariff)
        index = next((i for i, planned in enumerate(self.plan.charges) if planned.salt == charge.salt), 0)
        record = aaf5_messages.record(session, meterman, index, len(self.plan.charges))
        ignored = 2 if charge.fault is Fault.RECORD_REPEATED else 0
        self._charger.keep_record(self.number, session.number, record, ignored_acks=ignored)
        self._order = None

    def _reading(self, charge: Charge, time_ms: int, *, copies: int = 1) -> None:
        assert self.meterman is not None
        times_ms = np.array([time_ms], dtype=np.int64)
        rows = aaf5_status.charging_rows(self._of(charge), self.meterman, times_ms)
        self._last = rows
        self._state = aaf5_status.CHARGING
        self._send(rows, copies=copies, kept_for=charge if charge.fault in STORING_FAULTS else None)

    def _send(self, rows: Rows, *, copies: int = 1, kept_for: Charge | None = None) -> None:
        [frame] = aaf5_status.frames_of(rows)
        self._charger.send_status(self.number, frame, copies=copies, kept_for=kept_for)

    def _last_rows(self) -> Rows:
        """The last session as it ended, or nothing yet."""
        charge = self.charge
        if charge is not None and self.meterman is not None and self.clock.now_ms() >= charge.stop_ms:
            at_stop = np.array([charge.stop_ms], dtype=np.int64)
            self._last = aaf5_status.charging_rows(self._of(charge), self.meterman, at_stop)
        if self._last is None:
            return aaf5_status.blank_rows(self._pile, self.number, self._traits, 1)
        return self._last.copy()

    def _of(self, charge: Charge) -> Aaf5Session:
        """The session of a charge: its number, user and card stay, whatever else happens to it."""
        session = self._session
        if session is None or session.charge.salt != charge.salt:
            session = self._session_of(charge)
        self._session = Aaf5Session(
            charge, self._traits, session.clock_error_ms, session.serial, session.user_id, session.card
        )
        return self._session

    def _session_of(self, charge: Charge, serial: str = "", user_id: int = 0, card: str = "") -> Aaf5Session:
        error_ms = self._charger.clock_error_ms
        return session_of(charge, self._traits, clock_error_ms=error_ms, serial=serial, user_id=user_id, card=card)

    async def _answer_at(self, time_ms: int, order: dict[str, Any], failed: bool) -> None:
        await self.clock.sleep_until(time_ms)
        self._answer(order, aaf5_messages.ENDED_BEFORE_CHARGING if failed else aaf5_messages.OK)

    async def _give_up(self, order: dict[str, Any], until_ms: int) -> None:
        await self.clock.sleep_until(until_ms)
        if self._order is order and self.charge is None and self.next_charge is None:
            self._order = self.early_start = None
            self._answer(order, aaf5_messages.NO_START_IN_TIME)

    def _answer(self, order: dict[str, Any], result: int) -> None:
        serial = str(order["serial"]) if self._traits.serial else ""
        reply = aaf5_messages.start_reply(self._pile, self.number, result, serial, user_id=int(order["reserved1"]))
        self._charger.answer(self.number, reply, None)
