# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One connector: its life cycle (plugged, started, charging, stopped, billed), its live meter and its live money.

What it holds is a cache: the readings in the database give the same facts again (DESIGN invariant 1). The final bill
comes from them; these figures are for the screen and for stopping a charge at an empty balance.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from core.meter.calculator cimport MeterCalculator
from core.meter.flag_bits cimport FLAG_OUT_OF_ORDER

from functools import lru_cache
from typing import NamedTuple

from core.errors import CoreError
from core.session_number import session_halves

cdef enum:
    MINUTE_MS = 60000
    SLOT_MS = 1800000
    STORED_LAG_MS = 120000          # further behind than this, a reading was kept by the charger (DESIGN invariant 6)
    PACED_FROM_MS = 5000            # kept readings are sent back to back; live ones keep their pace of 15 s
    PACED_TO_MS = 60000
    LONGEST_CHARGE_MINUTES = 2160   # 36 h, the longest charge that anomaly-codes.md allows (code 5)

EVENT_FIRST_SEEN = EVENT_FIRST_SEEN_BIT
EVENT_PLUGGED = EVENT_PLUGGED_BIT
EVENT_UNPLUGGED = EVENT_UNPLUGGED_BIT
EVENT_STARTED = EVENT_STARTED_BIT
EVENT_CHARGING = EVENT_CHARGING_BIT
EVENT_STOPPED = EVENT_STOPPED_BIT
EVENT_FAULT = EVENT_FAULT_BIT
EVENT_RECOVERED = EVENT_RECOVERED_BIT
EVENT_BILLED = EVENT_BILLED_BIT
EVENT_REGISTER_BROKEN = EVENT_REGISTER_BROKEN_BIT

EVENT_NAMES = {
    EVENT_FIRST_SEEN: "first_seen",
    EVENT_PLUGGED: "plugged",
    EVENT_UNPLUGGED: "unplugged",
    EVENT_STARTED: "started",
    EVENT_CHARGING: "charging",
    EVENT_STOPPED: "stopped",
    EVENT_FAULT: "fault",
    EVENT_RECOVERED: "recovered",
    EVENT_BILLED: "billed",
}

LIFE_NAMES = ("unknown", "unplugged", "plugged", "started", "charging", "stopped", "billed")


cdef int64_t event_time_c(
    int64_t receive_ms, int64_t charge_minutes, int64_t session_start_ms, bint* stored
) noexcept nogil:
    cdef int64_t told_ms = session_start_ms + charge_minutes * MINUTE_MS
    stored[0] = session_start_ms > 0 and receive_ms - told_ms > STORED_LAG_MS
    return told_ms if stored[0] else receive_ms


def event_time(int64_t receive_ms, int64_t charge_minutes, int64_t session_start_ms):
    """When was a YKC 0x13 of a charging connector taken, and had the charger kept it? (DESIGN invariant 6)

    Gives (event_ms, stored). A reading whose `charge_minutes` is more than 2 minutes behind was stored: its time is
    session start + charge_minutes, good to 60 s. `session_start_ms` 0 = not known: the time of receipt.
    """
    cdef bint stored = False
    event_ms = event_time_c(receive_ms, charge_minutes, session_start_ms, &stored)
    return event_ms, stored


def split_trade_no(str trade_no not None):
    """A trade number of 32 hex digits as the two 64-bit halves that hot columns hold; CoreError for anything else."""
    if len(trade_no) != 32:
        raise CoreError(f"trade number {trade_no!r}: 32 hex digits are needed, got {len(trade_no)}")
    try:
        return int(trade_no[:16], 16), int(trade_no[16:], 16)
    except ValueError:
        raise CoreError(f"trade number {trade_no!r}: only hex digits are allowed") from None


class CycleMemory(NamedTuple):
    """What makes a connector's cycle go on in another process (`ConnectorCycle.memory`); `register` 0, 0 = none yet."""

    last_ms: int
    state: int
    plugged: bool
    faulty: bool
    life: int
    trade_hi: int
    trade_lo: int
    session_start_ms: int
    last_charging_ms: int
    started_hi: int
    started_lo: int
    started_ms: int
    billed_ms: int
    accepted_e4kwh: int
    fee_e5yuan: int
    flags: int
    minutes_origin_ms: int
    register_ms: int
    register_value: int


cdef class SlotPrices:
    def __cinit__(self, electricity_e5yuan, service_e5yuan):
        if len(electricity_e5yuan) != SLOTS or len(service_e5yuan) != SLOTS:
            raise CoreError(f"48 prices of each kind are needed, got {len(electricity_e5yuan)}, {len(service_e5yuan)}")
        for place in range(SLOTS):
            self.electricity_e5yuan[place] = electricity_e5yuan[place]
            self.service_e5yuan[place] = service_e5yuan[place]


# All connectors with the same tariff share them: most of a network's.
_prices_of = lru_cache(maxsize=1_024)(SlotPrices)


cdef class ConnectorCycle:
    """Life cycle, meter and money of one connector, protocol neutral.

    `profile` is the connector's `core.meter.profile.MeterProfile`. Without prices (`set_prices`) the amount stays 0.
    """

    def __init__(self, profile):
        self.meter = MeterCalculator(profile, 0)
        self.state = STATE_OFFLINE
        self.life = LIFE_UNKNOWN

    # ---- when was it? -----------------------------------------------------------------------------------------

    cdef int64_t event_time_of(
        self, int64_t receive_ms, int state, uint64_t trade_hi, uint64_t trade_lo, int64_t charge_minutes, bint* stored
    ) noexcept:
        """The time of a reading, by `event_time_c`, against the moment at which the charger's count was 0.

        For the screen and for the state only: it knows what came since this object was made. The bill takes the times
        that `core.meter.reading_times` finds in the whole session. That moment is learned from live readings. A vehicle that pauses holds the count back: readings that keep
        their pace are live, however far the count is behind, and move the moment on.
        """
        cdef int64_t since_last_ms = receive_ms - self.last_receive_ms
        cdef int64_t event_ms = receive_ms
        cdef int64_t latest_ms = receive_ms - charge_minutes * MINUTE_MS
        stored[0] = False
        self.next_is_stored = False
        self.last_receive_ms = receive_ms
        if state != STATE_CHARGING:
            return receive_ms
        if trade_hi != self.timed_hi or trade_lo != self.timed_lo or self.minutes_origin_ms == 0:
            self.timed_hi = trade_hi
            self.timed_lo = trade_lo
            self.minutes_origin_ms = latest_ms
            return receive_ms
        if PACED_FROM_MS <= since_last_ms <= PACED_TO_MS:
            if self.minutes_origin_ms < latest_ms - MINUTE_MS:
                self.minutes_origin_ms = latest_ms - MINUTE_MS
        else:
            event_ms = event_time_c(receive_ms, charge_minutes, self.minutes_origin_ms, stored)
            self.next_is_stored = stored[0]
        if latest_ms < self.minutes_origin_ms:
            self.minutes_origin_ms = latest_ms
        return event_ms

    # ---- a reading --------------------------------------------------------------------------------------------

    cdef int observe(
        self, int64_t event_ms, int state, int plugged, uint64_t trade_hi, uint64_t trade_lo,
        int64_t counter_e4kwh, int64_t power_w, int charge_minutes
    ) noexcept:
        """Take a reading; gives the EVENT bits of what changed.

        One that the charger had kept (as `event_time_of` has just said) and that is older than the last one changes
        nothing. A live one is news even where the platform's clock was put back: it counts as of the last one's time.
        """
        cdef int events = 0
        cdef bint is_stored = self.next_is_stored
        cdef bint was_charging = self.seen and self.state == STATE_CHARGING
        self.reading_flags = 0
        self.next_is_stored = False
        if self.seen and event_ms < self.last_ms:
            if is_stored:
                self.reading_flags = FLAG_OUT_OF_ORDER
                self.flags |= FLAG_OUT_OF_ORDER
                return 0
            event_ms = self.last_ms
        if not self.seen:
            self.seen = True
            self.plugged = plugged != 0
            self.life = LIFE_PLUGGED if self.plugged else LIFE_UNPLUGGED
            events |= EVENT_FIRST_SEEN_BIT
        if state == STATE_CHARGING:
            if self.unproven:
                events |= self.judge_connection(event_ms, trade_hi, trade_lo, counter_e4kwh, charge_minutes)
            events |= self.note_charging(event_ms, trade_hi, trade_lo, charge_minutes)
        elif was_charging and not self.unproven:
            self.life = LIFE_STOPPED
            self.previous_trade_hi = self.trade_hi
            self.previous_trade_lo = self.trade_lo
            events |= EVENT_STOPPED_BIT
        events |= self.note_fault(state)
        if state != STATE_OFFLINE:
            events |= self.note_plug(plugged != 0)
        self.state = state
        self.last_ms = event_ms
        if state == STATE_CHARGING:
            self.measure(event_ms, counter_e4kwh, power_w)
        return events

    cdef int note_charging(self, int64_t event_ms, uint64_t trade_hi, uint64_t trade_lo, int64_t charge_minutes) noexcept:
        cdef bint charging = self.life == LIFE_CHARGING
        cdef bint same = self.session_start_ms != 0 and trade_hi == self.trade_hi and trade_lo == self.trade_lo
        cdef int events = 0
        self.last_charging_ms = event_ms
        if charging and same:
            return 0
        if charging:
            self.previous_trade_hi = self.trade_hi
            self.previous_trade_lo = self.trade_lo
            events |= EVENT_STOPPED_BIT
        if not same:
            self.begin_session(event_ms, trade_hi, trade_lo, charge_minutes)
        self.life = LIFE_CHARGING
        return events | EVENT_CHARGING_BIT

    cdef int judge_connection(
        self, int64_t event_ms, uint64_t trade_hi, uint64_t trade_lo, int64_t counter_e4kwh, int64_t charge_minutes
    ) noexcept:
        """The first charging reading of a new connection: whose session does it go on with?

        Only that of the same number whose register goes on. Another session begins beside the open one, which is ended
        by nothing that this connection says; the same one with a register that fell is measured anew.
        """
        self.unproven = False
        if self.session_start_ms == 0 or trade_hi != self.trade_hi or trade_lo != self.trade_lo:
            if self.life == LIFE_CHARGING:
                self.life = LIFE_STARTED
            return 0
        if self.meter.has_reference and self.meter.rise(self.meter.reference_value, counter_e4kwh) < -self.meter.quantum:
            self.begin_session(event_ms, trade_hi, trade_lo, charge_minutes)
            return EVENT_REGISTER_BROKEN_BIT
        return 0

    cdef int note_fault(self, int state) noexcept:
        if state == STATE_FAULT and not self.faulty:
            self.faulty = True
            return EVENT_FAULT_BIT
        if self.faulty and (state == STATE_IDLE or state == STATE_CHARGING):
            self.faulty = False
            return EVENT_RECOVERED_BIT
        return 0

    cdef int note_plug(self, bint plugged) noexcept:
        if plugged == self.plugged:
            return 0
        self.plugged = plugged
        if plugged:
            if self.life != LIFE_CHARGING and self.life != LIFE_STARTED:
                self.life = LIFE_PLUGGED
            return EVENT_PLUGGED_BIT
        if self.life != LIFE_CHARGING:
            self.life = LIFE_UNPLUGGED
        return EVENT_UNPLUGGED_BIT

    # ---- meter and money --------------------------------------------------------------------------------------

    cdef void begin_session(self, int64_t event_ms, uint64_t trade_hi, uint64_t trade_lo, int64_t charge_minutes) noexcept:
        cdef int64_t minutes = charge_minutes
        if minutes < 0:
            minutes = 0
        elif minutes > LONGEST_CHARGE_MINUTES:
            minutes = LONGEST_CHARGE_MINUTES
        self.trade_hi = trade_hi
        self.trade_lo = trade_lo
        # The count is of whole minutes: the charge may have begun almost a minute before.
        self.session_start_ms = event_ms - (minutes + 1) * MINUTE_MS
        self.billed_ms = 0
        self.flags = 0
        self.accepted_e4kwh = self.amount_fen = 0
        self.closed_fee_e5yuan = self.open_slot_from_e4kwh = 0
        self.open_slot = self.slot_of(self.session_start_ms)
        self.meter.restart(self.session_start_ms)
        if self.offered_register_e4kwh > 0 and not self.meter.has_reference:
            # Believed when the first reading can follow from it, like any value that stands alone.
            self.meter.raise_doubt(self.session_start_ms, self.offered_register_e4kwh)

    cdef void measure(self, int64_t event_ms, int64_t counter_e4kwh, int64_t power_w) noexcept:
        cdef int64_t gained = self.meter.take(event_ms, counter_e4kwh, power_w)
        self.reading_flags = self.meter.reading_flags | self.meter.earlier_flags
        self.flags |= self.meter.flags
        if gained > 0:
            self.add_energy(self.meter.step_from_ms, event_ms, gained)

    cdef void add_energy(self, int64_t from_ms, int64_t to_ms, int64_t gained_e4kwh) noexcept:
        """Linear in time over the half-hours between two readings, as `core.slots.split_over_slots` does it."""
        cdef int64_t before = self.accepted_e4kwh
        cdef int64_t slot
        self.accepted_e4kwh = before + gained_e4kwh
        if not self.has_prices:
            return
        slot = self.slot_of(from_ms)
        if slot != self.open_slot:
            self.close_slot(before, slot)
        while slot < self.slot_of(to_ms):
            slot += 1
            self.close_slot(
                before + gained_e4kwh * (self.first_slot_ms + slot * SLOT_MS - from_ms) // (to_ms - from_ms), slot
            )
        self.update_amount()

    cdef void close_slot(self, int64_t until_e4kwh, int64_t next_slot) noexcept:
        self.closed_fee_e5yuan += self.slot_fee(self.open_slot, until_e4kwh - self.open_slot_from_e4kwh)
        self.open_slot_from_e4kwh = until_e4kwh
        self.open_slot = next_slot

    cdef int64_t slot_of(self, int64_t at_ms) noexcept:
        cdef int64_t since_ms = at_ms - self.first_slot_ms
        return since_ms // SLOT_MS - (since_ms % SLOT_MS < 0)

    cdef int64_t slot_fee(self, int64_t slot, int64_t energy_e4kwh) noexcept:
        """1e-5 yuan; each fee rounded half up (DESIGN invariant 5)."""
        cdef int64_t place = slot % SLOTS
        if place < 0:
            place += SLOTS
        return (
            (energy_e4kwh * self.prices.electricity_e5yuan[place] + 5000) // 10000
            + (energy_e4kwh * self.prices.service_e5yuan[place] + 5000) // 10000
        )

    cdef void update_amount(self) noexcept:
        cdef int64_t open_energy = self.accepted_e4kwh - self.open_slot_from_e4kwh
        self.amount_fen = (self.closed_fee_e5yuan + self.slot_fee(self.open_slot, open_energy) + 500) // 1000

    # ---- for Python -------------------------------------------------------------------------------------------

    @property
    def trade_no(self):
        """The session that the connector is in or was last in, 32 hex digits; empty when none was seen."""
        return f"{self.trade_hi:016X}{self.trade_lo:016X}" if self.session_start_ms else ""

    @property
    def previous_trade_no(self):
        """The session that the last STOPPED event was about, 32 hex digits."""
        return f"{self.previous_trade_hi:016X}{self.previous_trade_lo:016X}"

    @property
    def life_name(self):
        """One of LIFE_NAMES."""
        return LIFE_NAMES[self.life]

    def set_prices(self, int64_t first_slot_ms, electricity_e5yuan, service_e5yuan):
        """Price what is accepted from now on. `first_slot_ms`: when the first of 48 half-hours in a row begins.

        Prices in 1e-5 yuan per kWh (`core.tariff.day_prices`). They repeat every 24 h; half-hours that are already
        over keep their fee. CoreError unless there are 48 of each.
        """
        prices = _prices_of(tuple(electricity_e5yuan), tuple(service_e5yuan))
        if self.has_prices and self.open_slot_from_e4kwh < self.accepted_e4kwh:
            self.close_slot(self.accepted_e4kwh, self.open_slot)
        self.prices = <SlotPrices?>prices
        self.first_slot_ms = first_slot_ms
        self.has_prices = True
        self.open_slot = self.slot_of(self.meter.reference_ms)
        self.update_amount()

    def reconnected(self):
        """The charger logged in again: the next readings come over a connection that has to prove its session.

        Until one of them charges, they end nothing: the charge that was running may still run.
        """
        self.unproven = True

    def memory(self):
        """What another process must know to go on with this connector, a `CycleMemory`."""
        cdef int64_t open_energy = self.accepted_e4kwh - self.open_slot_from_e4kwh
        cdef bint has_register = self.meter.has_reference
        return CycleMemory(
            self.last_ms, self.state, self.plugged, self.faulty, self.life, self.trade_hi, self.trade_lo,
            self.session_start_ms, self.last_charging_ms, self.started_hi, self.started_lo, self.started_ms,
            self.billed_ms, self.accepted_e4kwh,
            self.closed_fee_e5yuan + (self.slot_fee(self.open_slot, open_energy) if self.has_prices else 0),
            self.flags, self.minutes_origin_ms,
            self.meter.reference_ms if has_register else 0, self.meter.reference_value if has_register else 0,
        )

    def recall(self, memory not None):
        """Go on where another process was (`memory`); call `reconnected` where its connection is a new one.

        The register is measured on from the last value that was trusted there. What was in doubt there, and what power
        said of the step that was open, is not known: the live figure may differ by that one step, the bill does not.
        """
        self.seen = True
        self.last_ms, self.state, self.plugged, self.faulty, self.life = memory[:5]
        self.trade_hi, self.trade_lo, self.session_start_ms, self.last_charging_ms = memory[5:9]
        self.started_hi, self.started_lo, self.started_ms, self.billed_ms = memory[9:13]
        self.accepted_e4kwh, self.closed_fee_e5yuan, self.flags, self.minutes_origin_ms = memory[13:17]
        self.timed_hi, self.timed_lo = self.trade_hi, self.trade_lo
        self.last_receive_ms = self.last_ms
        self.open_slot_from_e4kwh = self.accepted_e4kwh
        self.meter.restart(self.session_start_ms)
        if memory.register_ms:
            self.meter.has_reference = True
            self.meter.reference_ms = self.meter.reach_since_ms = self.meter.step_from_ms = memory.register_ms
            self.meter.reference_value = memory.register_value
            self.meter.baseline_ms, self.meter.baseline_value = memory.register_ms, memory.register_value
        if self.has_prices:
            self.open_slot = self.slot_of(self.meter.reference_ms)
            self.update_amount()

    def started(self, str trade_no not None, int64_t at_ms):
        """The charger reported a start (0x33, or its request was granted). Gives the EVENT bits."""
        hi, lo = session_halves(trade_no)
        if hi == self.started_hi and lo == self.started_lo:
            return 0
        self.started_hi, self.started_lo = hi, lo
        self.started_ms = at_ms
        if self.life != LIFE_CHARGING:
            self.life = LIFE_STARTED
        return EVENT_STARTED_BIT

    def billed(self, str trade_no not None, int64_t at_ms):
        """The charger's record of a charge has come. Gives the EVENT bits: 0 for a repeated record."""
        hi, lo = session_halves(trade_no)
        if hi != self.trade_hi or lo != self.trade_lo:
            return EVENT_BILLED_BIT
        if self.billed_ms:
            return 0
        self.billed_ms = at_ms
        if self.life == LIFE_STOPPED or (self.life == LIFE_CHARGING and self.state != STATE_CHARGING):
            self.life = LIFE_BILLED
        return EVENT_BILLED_BIT

    def time_of(self, int64_t receive_ms, int state, str trade_no not None, int64_t charge_minutes):
        """(event_ms, stored) of a reading; call it once per reading, before `take`."""
        cdef bint stored = False
        hi, lo = split_trade_no(trade_no)
        event_ms = self.event_time_of(receive_ms, state, hi, lo, charge_minutes, &stored)
        return event_ms, stored

    def take(
        self, int64_t event_ms, int state, int plugged, str trade_no not None,
        int64_t counter_e4kwh, int64_t power_w, int charge_minutes,
    ):
        """Take one reading as the gateway's compiled path does; gives the EVENT bits of what changed."""
        hi, lo = split_trade_no(trade_no)
        return self.observe(event_ms, state, plugged, hi, lo, counter_e4kwh, power_w, charge_minutes)
