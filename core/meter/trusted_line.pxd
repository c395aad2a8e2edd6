# The line of readings that are trusted: what a register proves from one to the next. Energies are 1e-4 kWh.

from libc.stdint cimport int64_t, uint32_t

from core.meter.interval_log cimport Interval, IntervalLog
from core.meter.meter_limits cimport MeterLimits
from core.meter.power_steps cimport PowerSteps
from core.meter.register_rest cimport RegisterRest


cdef struct Doubt:
    # The last reading when it does not follow from the reference; the next one decides
    int64_t ms
    int64_t value
    int64_t counter
    int64_t twice_w_ms              # from the reference to it
    int64_t seen_ms                 # how long power was told until then
    int64_t power_w
    int64_t index                   # -1 = no reading: where the charger says that the register stood


cdef class TrustedLine:
    # The meter
    cdef MeterLimits meter
    cdef readonly int64_t quantum
    cdef int64_t gap_ms
    cdef bint is_session_counter
    cdef bint restarts_at_zero      # a register that restarts with the charger

    # The reference: the last reading that is trusted (with the highest value of its segment)
    cdef readonly bint has_reference
    cdef readonly int64_t reference_ms
    cdef readonly int64_t reference_value
    cdef int64_t reference_counter
    cdef int64_t reach_since_ms     # the register may have stood still, falsely, since then
    cdef readonly int64_t baseline_ms
    cdef readonly int64_t baseline_value
    cdef readonly int64_t step_from_ms   # the last accepted energy was delivered from then to reference_ms

    # The last rise, where one reading alone says that the register stands as high as the reference
    cdef bint risen_once
    cdef int64_t before_ms          # the reference before that rise
    cdef int64_t before_value
    cdef int64_t rise_twice_w_ms    # what power says of it
    cdef int64_t rise_unexplained   # more than power can have brought
    cdef int64_t rise_index

    cdef RegisterRest rest
    cdef PowerSteps power
    cdef IntervalLog log
    cdef uint32_t passed_flags      # of the readings that were passed over since the reference, up to the doubt
    cdef uint32_t later_flags       # and since the doubt
    cdef readonly uint32_t begin_flags   # and of those before the first reference

    # Results
    cdef readonly int64_t count                 # readings seen
    cdef readonly int64_t accepted_e4kwh        # proven by the register
    cdef readonly int64_t overcounted_e4kwh     # accepted on the word of a small spike, and not caught up with yet
    cdef readonly int64_t forgiven              # such spikes
    cdef readonly int64_t segments              # stretches of the register that fit together
    cdef int64_t segment_accepted
    cdef readonly int64_t unsure_low_e4kwh      # the truth may lie that much below ...
    cdef readonly int64_t unsure_high_e4kwh     # ... or above what is accepted
    cdef readonly int64_t rested_e4kwh          # of that: what power says flowed while the register rested
    cdef readonly int64_t unexplained_e4kwh     # of what is accepted: more than power can have brought
    cdef readonly int64_t frozen_e4kwh          # delivered while the register rested, by a second witness
    cdef readonly int64_t frozen_high_e4kwh
    cdef readonly uint32_t flags                # of the session so far
    cdef readonly uint32_t reading_flags        # raised by the last reading, on itself
    cdef readonly uint32_t earlier_flags        # raised by the last reading, on reading number earlier_index
    cdef readonly int64_t earlier_index

    cdef void begin_line(self, int64_t start_ms) noexcept nogil
    cdef void begin_reading(self) noexcept nogil
    cdef int64_t rise(self, int64_t from_value, int64_t to_value) noexcept nogil
    cdef bint follows_reference(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void begin_at(self, const Doubt* first) noexcept nogil
    cdef void accept(self, int64_t event_ms, int64_t value, int64_t counter) noexcept nogil
    cdef void take_rise(self, int64_t from_ms, int64_t event_ms, int64_t value, int64_t counter) noexcept nogil
    cdef void take_rest(self, int64_t from_ms, int64_t event_ms, int64_t risen, int64_t counter) noexcept nogil
    cdef Interval rested(self, int64_t risen, int64_t last_twice_w_ms, int64_t counter) noexcept nogil
    cdef void leave_at_rest(self) noexcept nogil
    cdef bint reference_was_spike(self, const Doubt* back) noexcept nogil
    cdef void forgive_spike(self, const Doubt* back) noexcept nogil
    cdef void doubt_reference(self, const Doubt* fallen) noexcept nogil
    cdef void break_segment(self, const Doubt* start) noexcept nogil
    cdef void cover(self, int64_t low, int64_t high) noexcept nogil
    cdef void ask_power(self, int64_t elapsed_ms, int64_t risen, int64_t flowed) noexcept nogil
    cdef void ask_last_power(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void leave_out(self, int64_t unexplained) noexcept nogil
    cdef void cover_silence(self, int64_t elapsed_ms, int64_t risen) noexcept nogil
    cdef void cover_reset(self, int64_t elapsed_ms, int64_t risen) noexcept nogil
    cdef void cover_detour(self, const Doubt* detour, int64_t event_ms, int64_t value) noexcept nogil
    cdef void finish_line(self) noexcept nogil
