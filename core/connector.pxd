# One connector of a charger: where it is in its life cycle, its live meter and its live money.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from core.meter.calculator cimport MeterCalculator

cdef enum:
    SLOTS = 48

cdef enum:
    STATE_OFFLINE = 0               # states of YKC 0x13
    STATE_FAULT = 1
    STATE_IDLE = 2
    STATE_CHARGING = 3

cdef enum:
    LIFE_UNKNOWN = 0
    LIFE_UNPLUGGED = 1
    LIFE_PLUGGED = 2
    LIFE_STARTED = 3                # the charger said it starts
    LIFE_CHARGING = 4
    LIFE_STOPPED = 5                # no longer charging, no record yet
    LIFE_BILLED = 6                 # the charger's record of the charge has come

cdef enum:
    EVENT_FIRST_SEEN_BIT = 1 << 0
    EVENT_PLUGGED_BIT = 1 << 1
    EVENT_UNPLUGGED_BIT = 1 << 2
    EVENT_STARTED_BIT = 1 << 3
    EVENT_CHARGING_BIT = 1 << 4
    EVENT_STOPPED_BIT = 1 << 5
    EVENT_FAULT_BIT = 1 << 6
    EVENT_RECOVERED_BIT = 1 << 7
    EVENT_BILLED_BIT = 1 << 8
    EVENT_REGISTER_BROKEN_BIT = 1 << 9  # a new connection names the session, but the register does not go on

# The pure rule of DESIGN invariant 6; session_start_ms 0 = not known.
cdef int64_t event_time_c(
    int64_t receive_ms, int64_t charge_minutes, int64_t session_start_ms, bint* stored
) noexcept nogil


cdef class SlotPrices:
    cdef int64_t electricity_e5yuan[SLOTS]
    cdef int64_t service_e5yuan[SLOTS]


cdef class ConnectorCycle:
    cdef readonly MeterCalculator meter

    # What the last reading said
    cdef readonly bint seen
    cdef readonly int64_t last_ms
    cdef readonly int state
    cdef readonly bint plugged
    cdef readonly bint faulty
    cdef readonly int life

    # The session
    cdef readonly uint64_t trade_hi
    cdef readonly uint64_t trade_lo
    cdef readonly uint64_t previous_trade_hi    # the session that STOPPED speaks of when CHARGING comes with it
    cdef readonly uint64_t previous_trade_lo
    cdef readonly int64_t session_start_ms      # the earliest it can have begun; 0 = no session yet
    cdef readonly int64_t last_charging_ms
    cdef readonly uint64_t started_hi           # the last start that the charger reported
    cdef readonly uint64_t started_lo
    cdef readonly int64_t started_ms
    cdef readonly int64_t billed_ms

    # The live figure of the session
    cdef readonly int64_t accepted_e4kwh
    cdef readonly int64_t amount_fen
    cdef readonly uint32_t flags                # of the session so far
    cdef readonly uint32_t reading_flags        # raised by the last reading

    # What the next reading is measured by
    cdef bint unproven                          # it comes over a new connection
    cdef int64_t offered_register_e4kwh         # begin of the session by the charger's word, absolute; 0 = none

    # When a reading was taken: the moment at which the charger's own minutes count was 0
    cdef int64_t minutes_origin_ms              # 0 = not known
    cdef int64_t last_receive_ms
    cdef bint next_is_stored                    # of the reading that `observe` takes next
    cdef uint64_t timed_hi
    cdef uint64_t timed_lo
    # The same where a reading carries the charger's own time: how far that was behind at the last live one
    cdef bint has_device_lag
    cdef int64_t device_lag_ms
    cdef int64_t device_start_ms                # by the charger's clock, which may be set in the middle of a charge

    # Prices of 48 half-hours in a row; they repeat daily
    cdef bint has_prices
    cdef int64_t first_slot_ms
    cdef SlotPrices prices                      # None without has_prices
    cdef int64_t open_slot                      # number of half-hours since first_slot_ms
    cdef int64_t open_slot_from_e4kwh           # accepted energy when it began
    cdef int64_t closed_fee_e5yuan              # of the half-hours before it

    cdef int64_t event_time_of(
        self, int64_t receive_ms, int state, uint64_t trade_hi, uint64_t trade_lo, int64_t charge_minutes, bint* stored
    ) noexcept
    cdef int observe(
        self, int64_t event_ms, int state, int plugged, uint64_t trade_hi, uint64_t trade_lo,
        int64_t counter_e4kwh, int64_t power_w, int charge_minutes
    ) noexcept
    cdef int judge_connection(
        self, int64_t event_ms, uint64_t trade_hi, uint64_t trade_lo, int64_t counter_e4kwh, int64_t charge_minutes
    ) noexcept
    cdef int note_plug(self, bint plugged) noexcept
    cdef int note_fault(self, int state) noexcept
    cdef int note_charging(self, int64_t event_ms, uint64_t trade_hi, uint64_t trade_lo, int64_t charge_minutes) noexcept
    cdef void measure(self, int64_t event_ms, int64_t counter_e4kwh, int64_t power_w) noexcept
    cdef void begin_session(self, int64_t event_ms, uint64_t trade_hi, uint64_t trade_lo, int64_t charge_minutes) noexcept
    cdef void add_energy(self, int64_t from_ms, int64_t to_ms, int64_t gained_e4kwh) noexcept
    cdef void close_slot(self, int64_t until_e4kwh, int64_t next_slot) noexcept
    cdef int64_t slot_of(self, int64_t at_ms) noexcept
    cdef int64_t slot_fee(self, int64_t slot, int64_t energy_e4kwh) noexcept
    cdef void update_amount(self) noexcept
