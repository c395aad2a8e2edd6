# One meter, one session: readings in the order of event time in, accepted energy out. Energies are 1e-4 kWh.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from core.meter.meter_limits cimport MeterLimits

cdef enum:
    MOST_CLOSED = 4                 # intervals that one reading can close


cdef struct Interval:
    int64_t from_ms
    int64_t to_ms
    int64_t accepted                # proven by the register
    int64_t low
    int64_t high
    int64_t estimated               # delivered beside it, by a second witness
    uint32_t flags                  # of the rules that fired between its ends


cdef class MeterCalculator:
    # The meter
    cdef MeterLimits meter
    cdef readonly int64_t quantum
    cdef int64_t gap_ms
    cdef bint is_session_counter
    cdef bint restarts_at_zero      # a register that restarts with the charger
    cdef bint zero_is_false         # an absolute register that is known to stand above zero

    # The reference: the last reading that is trusted (with the highest value of its segment)
    cdef readonly bint has_reference
    cdef readonly int64_t reference_ms
    cdef readonly int64_t reference_value
    cdef int64_t reference_counter
    cdef int64_t reach_since_ms     # the register may have stood still, falsely, since then
    cdef readonly int64_t baseline_ms
    cdef readonly int64_t baseline_value
    cdef readonly int64_t step_from_ms   # the last accepted energy was delivered from then to reference_ms
    cdef bint risen_once            # one reading alone says that the register stands as high as the reference
    cdef int64_t before_ms          # the reference before that rise
    cdef int64_t before_value
    cdef int64_t power_since        # W ms x 2, since the reference
    cdef int64_t rise_power         # and over that rise
    cdef int64_t rise_index
    cdef int64_t seen_since_ms      # how long power was told since the reference
    cdef int64_t peak_power_w       # and the highest of it
    cdef int64_t rise_unexplained   # of that rise, more than power can have brought

    # The doubt: the last reading when it does not follow from the reference; the next one decides
    cdef readonly bint has_doubt
    cdef int64_t doubt_ms
    cdef int64_t doubt_value
    cdef int64_t doubt_counter
    cdef int64_t doubt_power        # W ms x 2, from the reference to it
    cdef int64_t doubt_seen_ms      # how long power was told until then
    cdef int64_t doubt_power_w
    cdef int64_t doubt_index        # -1 = no reading: where the charger says that the register stood

    # The run of readings in which the register rests while power flows
    cdef int64_t rest_ms
    cdef int64_t rest_power         # W ms x 2
    cdef int64_t rest_from_ms
    cdef int64_t rest_before        # by so much less than power says the register rose in the step before
    cdef int64_t rest_counter       # the charger's own count when the rest began, -1 = it has none
    cdef int64_t rest_intervals     # closed since then
    cdef uint32_t rest_flags
    cdef int64_t rest_low           # by so much its intervals were made wider
    cdef int64_t rest_high

    # The step from the last reading to this one
    cdef bint has_last
    cdef int64_t last_ms
    cdef readonly int64_t last_power_w
    cdef int64_t step_ms
    cdef int64_t step_power         # W ms x 2, trapezoid
    cdef bint step_flows

    # What this reading settles
    cdef Interval closed[MOST_CLOSED]
    cdef readonly int closed_count
    cdef readonly int64_t reopened  # so many intervals that were closed before, the first of these now replaces
    cdef Interval last_interval
    cdef bint has_interval
    cdef int64_t pending_low        # by so much the next interval to be closed is wider
    cdef int64_t pending_high
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
    cdef int64_t power_sum                      # W ms x 2 over all readings
    cdef int64_t gap_power_sum                  # of that: over silences, where it is a guess
    cdef int64_t power_play_sum                 # by so much power may have been another between two readings
    cdef readonly int64_t gaps_ms               # how long they lasted together
    cdef readonly int64_t longest_gap_ms
    cdef readonly uint32_t flags                # of the session so far
    cdef readonly uint32_t reading_flags        # raised by the last reading, on itself
    cdef readonly uint32_t earlier_flags        # raised by the last reading, on reading number earlier_index
    cdef readonly int64_t earlier_index

    cdef void restart(self, int64_t start_ms) noexcept nogil
    cdef void offer(self, int64_t start_ms, int64_t value) noexcept nogil
    cdef int64_t take(self, int64_t event_ms, int64_t value, int64_t power_w, int64_t counter=*) noexcept nogil
    cdef int64_t take_end(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void close(self) noexcept nogil

    cdef int64_t rise(self, int64_t from_value, int64_t to_value) noexcept nogil
    cdef bint follows_reference(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef bint confirms_doubt(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef bint is_still_zero(self, int64_t value) noexcept nogil
    cdef void begin_reading(self) noexcept nogil
    cdef void note_step(self, int64_t event_ms, int64_t power_w) noexcept nogil
    cdef void accept(self, int64_t event_ms, int64_t value, int64_t counter) noexcept nogil
    cdef void rest(self, int64_t from_ms, int64_t event_ms, int64_t counter) noexcept nogil
    cdef Interval rested(self, int64_t risen, int64_t last_step_power, int64_t counter) noexcept nogil
    cdef void end_rest(self) noexcept nogil
    cdef void raise_doubt(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void drop_doubt(self) noexcept nogil
    cdef void weigh_dropped_doubt(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void believe_doubt(self) noexcept nogil
    cdef bint reference_was_spike(self) noexcept nogil
    cdef void forgive_spike(self) noexcept nogil
    cdef int64_t doubt_reference(self) noexcept nogil
    cdef void break_segment(self) noexcept nogil
    cdef void ask_power(self, int64_t elapsed_ms, int64_t risen) noexcept nogil
    cdef void cover_reset(self, int64_t elapsed_ms, int64_t risen) noexcept nogil
    cdef void close_interval(self, Interval interval) noexcept nogil
    cdef void reopen(self, int64_t number) noexcept nogil
    cdef int64_t write_closed(self, int64_t[:, ::1] rows, int64_t filled) noexcept nogil
