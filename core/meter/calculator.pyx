# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The meter-delta calculator: register readings in, accepted energy out, one reading at a time.

The rules are those of metering.md. The calculator holds one *reference*, the last reading it trusts, and at most one
*doubt*, a reading that cannot follow from the reference. Only the next reading can say what the doubt was:

- it follows from the reference: the doubt was a zero read or a spike, and is dropped;
- it follows from the doubt: the register really went there, and a new segment begins. How much was delivered on the
  way is not known, only bounded, so it goes to the upper end of the interval and not to the accepted energy. Where it
  only fell back to the line that one reading had left, that reading was a spike too small for the test of jumps;
- it follows from neither: the doubt is dropped and the reading is the new doubt.

So accepted energy never shrinks, and nothing is accepted on the word of one reading that cannot be. The live figure and
the final one come from this same code: the live one feeds it as readings arrive, the final one feeds it the complete
set in the order of event time (`core.meter.measurement`). What follows from the trusted readings is
`core.meter.trusted_line`.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from core.meter.flag_bits cimport (
    FLAG_GAP,
    FLAG_OUT_OF_ORDER,
    FLAG_SPIKE,
    FLAG_ZERO_BASELINE,
    FLAG_ZERO_READ,
)
from core.meter.interval_log cimport INTERVAL_COLUMNS, write_closed
from core.meter.meter_limits cimport HIGHEST_VALUE, W_MS_PER_E4KWH, follows
from core.meter.power_steps cimport begin_since, forget_step, note_power
from core.meter.register_rest cimport clear_rest
from core.meter.trusted_line cimport Doubt, TrustedLine

cdef enum:
    STATE_CHARGING = 3              # of YKC 0x13


cdef class MeterCalculator(TrustedLine):
    """Accepts the energy of one session, reading by reading.

    `profile` is a `core.meter.profile.MeterProfile`. `start_ms` is when the charge began as far as is known: a session
    counter stood at 0 then. `zero_is_false` says that an absolute register is known to stand above zero (it did at the
    end of the previous session), so that a zero is never its first true value.
    """

    def __init__(self, profile, int64_t start_ms, bint zero_is_false=False):
        TrustedLine.__init__(self, profile)
        self.zero_is_false = zero_is_false
        self.restart(start_ms)

    # ---- what callers use -------------------------------------------------------------------------------------

    cdef void restart(self, int64_t start_ms) noexcept nogil:
        """Forget all readings; a new session began at `start_ms`."""
        self.has_doubt = False
        self.doubt = Doubt(0, 0, -1, 0, 0, 0, 0)
        self.begin_line(start_ms)

    cdef void offer(self, int64_t start_ms, int64_t value) noexcept nogil:
        """The charger says where its absolute register stood when the charge began; call it before the first reading.

        The first reading that is not zero decides: where it can follow, the word holds; else it is dropped without a
        flag, since no reading was false. 0 is no word (metering.md, "Rules"), and a session counter needs none.
        """
        if 0 < value <= HIGHEST_VALUE and not self.has_reference and self.count == 0:
            self.raise_doubt(start_ms, value)
            self.doubt.index = -1

    cdef int64_t take(self, int64_t event_ms, int64_t value, int64_t power_w, int64_t counter=-1) noexcept nogil:
        """Judge one reading of a charging connector; gives the energy that it proves.

        `counter`: what the charger itself counted of the charge beside the register, -1 = nothing.
        """
        cdef int64_t before = self.accepted_e4kwh
        cdef bint trusted = False
        self.begin_reading()
        self.count += 1
        if self.power.has_last and event_ms < self.power.last_ms:
            self.reading_flags = FLAG_OUT_OF_ORDER
            self.flags |= FLAG_OUT_OF_ORDER
            return 0
        note_power(&self.power, event_ms, power_w, self.gap_ms)
        if self.power.step_is_silent:
            self.reading_flags |= FLAG_GAP
        if not 0 <= value <= HIGHEST_VALUE:
            self.reading_flags |= FLAG_SPIKE
            self.later_flags |= self.reading_flags
        elif self.follows_reference(event_ms, value):
            if self.has_doubt:
                if self.confirms_doubt(event_ms, value):
                    self.cover_detour(&self.doubt, event_ms, value)
                self.drop_doubt()
            trusted = True
        elif self.has_doubt and self.confirms_doubt(event_ms, value):
            self.believe_doubt()
            trusted = True
        elif value == 0 and self.has_doubt and self.doubt.value != 0:
            self.reading_flags |= FLAG_ZERO_READ if self.doubt.index >= 0 else FLAG_ZERO_READ | FLAG_ZERO_BASELINE
            self.later_flags |= self.reading_flags
        else:
            if self.has_doubt and not self.is_still_zero(value):
                self.drop_doubt()
            self.raise_doubt(event_ms, value)
            self.doubt.counter = counter
        if trusted:
            self.accept(event_ms, value, counter)
        self.flags |= self.reading_flags | self.earlier_flags
        return self.accepted_e4kwh - before

    cdef int64_t take_end(self, int64_t event_ms, int64_t value) noexcept nogil:
        """Judge a reading that was sent when the connector did not charge: it may supply the end, and nothing else.

        One firmware repeats the last session while idle (metering.md, "Rules"), so such a value raises no doubt and
        no flag; it counts when it follows from the reference. An absolute register that has not moved shows that
        nothing flowed until then.
        """
        cdef bint is_higher, stands
        cdef int64_t before = self.accepted_e4kwh
        self.begin_reading()
        self.count += 1
        if self.power.has_last and self.has_reference and not self.has_doubt and event_ms >= self.power.last_ms:
            is_higher = value > self.reference_value
            stands = value == self.reference_value and not self.is_session_counter
            if (is_higher or stands) and value <= HIGHEST_VALUE and self.follows_reference(event_ms, value):
                self.ask_last_power(event_ms, value)
                forget_step(&self.power)
                begin_since(&self.power)
                self.accept(event_ms, value, -1)
                if is_higher:
                    self.rest.ahead = 0     # no power was told of it
        self.flags |= self.reading_flags | self.earlier_flags
        return self.accepted_e4kwh - before

    cdef void close(self) noexcept nogil:
        """No reading follows: settle what is still open."""
        self.begin_reading()
        if self.has_doubt:
            if self.has_reference or self.doubt.value == 0:
                if self.doubt.value != 0:
                    self.doubt_reference(&self.doubt)
                self.drop_doubt()
            else:
                self.believe_doubt()
        self.finish_line()
        self.flags |= self.reading_flags | self.earlier_flags

    # ---- a reading that does not follow -----------------------------------------------------------------------

    cdef bint confirms_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        """A zero confirms and refutes nothing: meters that cannot be read answer zero, and do so repeatedly."""
        if value == 0 or (self.doubt.value == 0 and self.zero_is_false):
            return False
        return follows(&self.meter, self.doubt.ms, self.doubt.value, event_ms, value)

    cdef bint is_still_zero(self, int64_t value) noexcept nogil:
        """Zeros before the first true value of an absolute register may be true: the first other value decides."""
        return not self.has_reference and value == 0 and self.doubt.value == 0

    cdef void raise_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        self.has_doubt = True
        self.doubt = Doubt(
            event_ms,
            value,
            -1,
            self.power.since_twice_w_ms,
            self.power.since_seen_ms,
            self.power.last_w,
            self.count - 1,
        )
        self.passed_flags |= self.later_flags | self.reading_flags
        self.later_flags = 0

    cdef void drop_doubt(self) noexcept nogil:
        """The doubted reading was false: a zero read, or a spike."""
        self.has_doubt = False
        self.earlier_index = self.doubt.index
        if self.doubt.index < 0:
            self.earlier_flags = 0
        elif self.doubt.value != 0:
            self.earlier_flags = FLAG_SPIKE
        elif self.has_reference:
            self.earlier_flags = FLAG_ZERO_READ
        else:
            self.earlier_flags = FLAG_ZERO_READ | FLAG_ZERO_BASELINE
        self.passed_flags |= self.later_flags | self.earlier_flags
        self.later_flags = 0

    cdef void believe_doubt(self) noexcept nogil:
        """The register really stands where the doubted reading said."""
        self.has_doubt = False
        self.power.since_twice_w_ms -= self.doubt.twice_w_ms
        self.power.since_seen_ms -= self.doubt.seen_ms
        self.power.since_peak_w = self.power.last_w if self.power.last_w > self.doubt.power_w else self.doubt.power_w
        if not self.has_reference:
            self.begin_at(&self.doubt)
        elif self.reference_was_spike(&self.doubt):
            self.forgive_spike(&self.doubt)
            return
        else:
            self.break_segment(&self.doubt)
        self.reference_ms = self.reach_since_ms = self.doubt.ms
        self.reference_value = self.doubt.value
        self.reference_counter = self.doubt.counter
        self.risen_once = False
        clear_rest(&self.rest)

    # ---- for Python -------------------------------------------------------------------------------------------

    @property
    def reopened(self):
        """So many intervals that were closed before, the first of `closed_intervals` now replaces."""
        return self.log.reopened

    @property
    def closed_intervals(self):
        """What the last reading settled: (from_ms, to_ms, accepted, low, high, estimated, flags), 1e-4 kWh, in order.

        They come after all that was closed before, less the last `reopened` ones, which they replace.
        """
        return [
            (one.from_ms, one.to_ms, one.accepted, one.low, one.high, one.estimated, one.flags)
            for one in self.log.closed[:self.log.closed_count]
        ]

    @property
    def power_energy_e4kwh(self):
        """The integral of power over the readings so far, 1e-4 kWh."""
        return self.power.twice_w_ms // (2 * W_MS_PER_E4KWH)

    @property
    def seen_power_energy_e4kwh(self):
        """The same without silences, in which power is a guess."""
        return (self.power.twice_w_ms - self.power.silent_twice_w_ms) // (2 * W_MS_PER_E4KWH)

    @property
    def power_play_e4kwh(self):
        """By how much that may be off because power changed between two readings, 1e-4 kWh."""
        return self.power.play_twice_w_ms // (2 * W_MS_PER_E4KWH)

    @property
    def gaps_ms(self):
        """How long the silences lasted together."""
        return self.power.silent_ms

    @property
    def longest_gap_ms(self):
        """The longest time between two readings."""
        return self.power.longest_step_ms

    @property
    def last_power_w(self):
        """The power of the last reading."""
        return self.power.last_w

    def observe(self, int64_t event_ms, int64_t value_e4kwh, int64_t power_w=0, int64_t counter_e4kwh=-1):
        """Take a reading of a charging connector and give the energy it proves, 1e-4 kWh (0 when it is in doubt).

        `counter_e4kwh`: what the charger counted of the charge by itself, beside its absolute register; -1 = nothing.
        """
        return self.take(event_ms, value_e4kwh, power_w, counter_e4kwh)

    def observe_end(self, int64_t event_ms, int64_t value_e4kwh):
        """Take a reading of a connector that does not charge any more; gives the energy it proves, 1e-4 kWh."""
        return self.take_end(event_ms, value_e4kwh)

    def told_start(self, int64_t start_ms, int64_t value_e4kwh):
        """Where the absolute register stood when the charge began, by the charger's word; 0 = it gave none."""
        self.offer(start_ms, value_e4kwh)

    def finish(self):
        """Settle what is open: no reading follows. A pending doubt is dropped."""
        self.close()

    def run(
        self,
        const int64_t[::1] event_ms,
        const int64_t[::1] value_e4kwh,
        const uint8_t[::1] state,
        const int64_t[::1] power_w,
        const int64_t[::1] counter_e4kwh,
        int64_t[::1] accepted_out,
        uint32_t[::1] flags_out,
        int64_t[:, ::1] intervals_out,
    ):
        """Take whole columns, ordered by event time, and finish; gives how many intervals there are.

        Writes the accepted energy after each reading, the flags of each reading, and the intervals as rows in the order
        of `closed_intervals`. All columns have one length, `intervals_out` 3 rows more and 7 columns, else ValueError.
        `counter_e4kwh` may have no element: there is no second count. A flag that only a later reading could give
        stands at the reading it is about.
        """
        cdef Py_ssize_t size = event_ms.shape[0]
        cdef Py_ssize_t i
        cdef bint counts = counter_e4kwh.shape[0] > 0
        cdef int64_t filled = 0
        cdef int64_t[:, ::1] rows = intervals_out
        columns = (value_e4kwh.shape[0], state.shape[0], power_w.shape[0], accepted_out.shape[0], flags_out.shape[0])
        for other in columns:
            if other != size:
                raise ValueError(f"columns of one length are needed, got {size} and {other}")
        if counts and counter_e4kwh.shape[0] != size:
            raise ValueError(f"columns of one length are needed, got {size} and {counter_e4kwh.shape[0]}")
        if rows.shape[0] < size + 3 or rows.shape[1] != INTERVAL_COLUMNS:
            raise ValueError(f"intervals need {size + 3} rows of 7, got {rows.shape[0]} of {rows.shape[1]}")
        with nogil:
            for i in range(size):
                if state[i] == STATE_CHARGING:
                    self.take(event_ms[i], value_e4kwh[i], power_w[i], counter_e4kwh[i] if counts else -1)
                else:
                    self.take_end(event_ms[i], value_e4kwh[i])
                accepted_out[i] = self.accepted_e4kwh
                flags_out[i] = self.reading_flags
                if self.earlier_flags and self.earlier_index >= 0:
                    flags_out[self.earlier_index] |= self.earlier_flags
                filled = write_closed(&self.log, &rows[0, 0], filled)
            self.close()
            filled = write_closed(&self.log, &rows[0, 0], filled)
            if size:
                flags_out[size - 1] |= self.reading_flags
            if self.earlier_flags and self.earlier_index >= 0:
                flags_out[self.earlier_index] |= self.earlier_flags
        return filled
