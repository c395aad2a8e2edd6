# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The meter-delta calculator: register readings in, accepted energy out, one reading at a time.

The rules are those of metering.md. The calculator holds one *reference*, the last reading it trusts, and at most one
*doubt*, a reading that cannot follow from the reference. Only the next reading can say what the doubt was:

- it follows from the reference: the doubt was a zero read or a spike, and is dropped;
- it follows from the doubt: the register really went there, and a new segment begins. How much was delivered on the
  way is not known, only bounded, so it goes to the upper end of the interval and not to the accepted energy;
- it follows from neither: the doubt is dropped and the reading is the new doubt.

So accepted energy never shrinks, and nothing is accepted on the word of one reading. The live figure and the final
one come from this same code: the live one feeds it as readings arrive, the final one feeds it the complete set in the
order of event time (`core.meter.measurement`).
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from core.meter.flag_bits cimport (
    FLAG_AMBIGUOUS,
    FLAG_FROZEN,
    FLAG_GAP,
    FLAG_JITTER,
    FLAG_JUMP,
    FLAG_OUT_OF_ORDER,
    FLAG_RESET,
    FLAG_ROLLBACK,
    FLAG_ROLLOVER,
    FLAG_SPIKE,
    FLAG_ZERO_BASELINE,
    FLAG_ZERO_READ,
)

cdef enum:
    STATE_CHARGING = 3              # of YKC 0x13
    W_MS_PER_E4KWH = 360000         # 1e-4 kWh = 0.1 Wh = 360 W s
    FLOWING_W = 500                 # above this mean power a resting register is suspect
    FROZEN_MS = 300000              # and after this long it is frozen
    LONGEST_STEP_MS = 604800000     # 7 days: longer than any charge, short enough for 64 bits
    HIGHEST_POWER_W = 10000000


cdef inline int64_t clip(int64_t value, int64_t lowest, int64_t highest) noexcept nogil:
    return lowest if value < lowest else highest if value > highest else value


cdef class MeterCalculator:
    """Accepts the energy of one session, reading by reading.

    `profile` is a `core.meter.profile.MeterProfile`. `start_ms` is when the charge began as far as is known: a session
    counter stood at 0 then. `zero_is_false` says that an absolute register is known to stand above zero (it did at the
    end of the previous session), so that a zero is never its first true value.
    """

    def __init__(self, profile, int64_t start_ms, bint zero_is_false=False):
        self.quantum = profile.quantum_e4kwh
        self.pmax_w = profile.pmax_w
        self.modulus = profile.modulus_e4kwh
        self.tolerance_ms = profile.time_tolerance_ms
        self.gap_ms = profile.gap_ms
        self.is_session_counter = profile.register_kind == "session"
        self.zero_is_false = zero_is_false
        self.restart(start_ms)

    # ---- what callers use -------------------------------------------------------------------------------------

    cdef void restart(self, int64_t start_ms) noexcept nogil:
        """Forget all readings; a new session began at `start_ms`."""
        self.has_reference = self.is_session_counter
        self.reference_ms = self.reach_since_ms = self.baseline_ms = self.step_from_ms = start_ms
        self.reference_value = self.baseline_value = 0
        self.has_doubt = False
        self.doubt_ms = self.doubt_value = self.doubt_index = 0
        self.rest_ms = self.rest_power = 0
        self.has_last = False
        self.last_ms = self.last_power_w = self.step_ms = self.step_power = 0
        self.count = self.accepted_e4kwh = self.segment_accepted = 0
        self.segments = 1
        self.unsure_low_e4kwh = self.unsure_high_e4kwh = self.frozen_e4kwh = self.frozen_high_e4kwh = 0
        self.power_sum = self.longest_gap_ms = 0
        self.flags = self.reading_flags = self.earlier_flags = 0
        self.earlier_index = -1

    cdef void offer(self, int64_t start_ms, int64_t value) noexcept nogil:
        """The charger says where its absolute register stood when the charge began; call it before the first reading.

        The first reading that is not zero decides: where it can follow, the word holds; else it is dropped without a
        flag, since no reading was false. 0 is no word (metering.md, "Rules"), and a session counter needs none.
        """
        if value > 0 and not self.has_reference and self.count == 0:
            self.raise_doubt(start_ms, value)

    cdef int64_t take(self, int64_t event_ms, int64_t value, int64_t power_w) noexcept nogil:
        """Judge one reading of a charging connector; gives the energy that it proves."""
        cdef int64_t before = self.accepted_e4kwh
        self.reading_flags = self.earlier_flags = 0
        self.count += 1
        if self.has_last and event_ms < self.last_ms:
            self.reading_flags = FLAG_OUT_OF_ORDER
            self.flags |= FLAG_OUT_OF_ORDER
            return 0
        self.note_step(event_ms, power_w)
        if self.has_reference and self.follows(self.reach_since_ms, self.reference_value, event_ms, value):
            if self.has_doubt:
                self.weigh_dropped_doubt(event_ms, value)
                self.drop_doubt()
            self.accept(event_ms, value)
        elif self.has_doubt and self.confirms_doubt(event_ms, value):
            self.believe_doubt()
            self.accept(event_ms, value)
        elif value == 0 and self.has_doubt and self.doubt_value != 0:
            self.reading_flags |= FLAG_ZERO_READ if self.doubt_index >= 0 else FLAG_ZERO_READ | FLAG_ZERO_BASELINE
        else:
            if self.has_doubt and not self.is_still_zero(value):
                self.drop_doubt()
            self.raise_doubt(event_ms, value)
        self.flags |= self.reading_flags | self.earlier_flags
        return self.accepted_e4kwh - before

    cdef int64_t take_end(self, int64_t event_ms, int64_t value) noexcept nogil:
        """Judge a reading that was sent when the connector did not charge: it may supply the end, and nothing else.

        One firmware repeats the last session while idle (metering.md, "Rules"), so such a value raises no doubt and
        no flag; it counts when it follows from the reference. An absolute register that has not moved shows that
        nothing flowed until then.
        """
        cdef bint risen
        cdef int64_t before = self.accepted_e4kwh
        self.reading_flags = self.earlier_flags = 0
        self.count += 1
        if self.has_last and self.has_reference and not self.has_doubt and event_ms >= self.last_ms:
            risen = value > self.reference_value or (value == self.reference_value and not self.is_session_counter)
            if risen and self.follows(self.reach_since_ms, self.reference_value, event_ms, value):
                self.step_power = 0
                self.accept(event_ms, value)
        return self.accepted_e4kwh - before

    cdef void close(self) noexcept nogil:
        """No reading follows: settle what is still open."""
        self.earlier_flags = 0
        if self.has_doubt:
            if self.has_reference or self.doubt_value == 0:
                if self.doubt_value != 0:
                    self.doubt_reference()
                self.drop_doubt()
            else:
                self.believe_doubt()
        self.reading_flags = 0
        self.end_rest(0, 0, True)
        self.flags |= self.reading_flags | self.earlier_flags

    # ---- what is physically possible --------------------------------------------------------------------------

    cdef int64_t energy_at_pmax(self, int64_t elapsed_ms) noexcept nogil:
        """Pmax x time, rounded up."""
        return (self.pmax_w * clip(elapsed_ms, 0, LONGEST_STEP_MS) + W_MS_PER_E4KWH - 1) // W_MS_PER_E4KWH

    cdef int64_t reach(self, int64_t elapsed_ms) noexcept nogil:
        """How far the register can rise between two readings that arrived `elapsed_ms` apart."""
        return self.energy_at_pmax(elapsed_ms + self.tolerance_ms) + 2 * self.quantum

    cdef int64_t rise(self, int64_t from_value, int64_t to_value) noexcept nogil:
        """The difference of two register values, over the last digit where the register stood shortly before it."""
        cdef int64_t difference = to_value - from_value
        if difference < 0 < self.modulus and from_value > self.modulus // 10 * 9 and to_value < self.modulus // 10:
            difference += self.modulus
        return difference

    cdef bint follows(self, int64_t from_ms, int64_t from_value, int64_t to_ms, int64_t to_value) noexcept nogil:
        """Can a register that stood at `from_value` have come to `to_value`? Falling by two quanta is jitter."""
        return -2 * self.quantum <= self.rise(from_value, to_value) <= self.reach(to_ms - from_ms)

    cdef bint confirms_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        """A zero confirms and refutes nothing: meters that cannot be read answer zero, and do so repeatedly."""
        if value == 0 or (self.doubt_value == 0 and self.zero_is_false):
            return False
        return self.follows(self.doubt_ms, self.doubt_value, event_ms, value)

    cdef bint is_still_zero(self, int64_t value) noexcept nogil:
        """Zeros before the first true value of an absolute register may be true: the first other value decides."""
        return not self.has_reference and value == 0 and self.doubt_value == 0

    # ---- the step from reading to reading ---------------------------------------------------------------------

    cdef void note_step(self, int64_t event_ms, int64_t power_w) noexcept nogil:
        power_w = clip(power_w, 0, HIGHEST_POWER_W)
        self.step_ms = clip(event_ms - self.last_ms, 0, LONGEST_STEP_MS) if self.has_last else 0
        self.step_power = (self.last_power_w + power_w) * self.step_ms
        self.power_sum += self.step_power
        if self.step_ms > self.longest_gap_ms:
            self.longest_gap_ms = self.step_ms
        if self.step_ms > self.gap_ms:
            self.reading_flags |= FLAG_GAP
        self.has_last = True
        self.last_ms = event_ms
        self.last_power_w = power_w

    cdef void accept(self, int64_t event_ms, int64_t value) noexcept nogil:
        """Trust the reading. A register that jitters keeps its highest value as the reference."""
        cdef int64_t risen = self.rise(self.reference_value, value)
        self.step_from_ms = self.reference_ms
        self.reference_ms = event_ms
        if risen > 0:
            if value < self.reference_value:
                self.reading_flags |= FLAG_ROLLOVER
            self.end_rest(risen, self.step_power if self.step_ms <= self.gap_ms else 0, False)
            self.accepted_e4kwh += risen
            self.segment_accepted += risen
            self.reference_value = value
            self.reach_since_ms = event_ms
        else:
            if risen < 0:
                self.reading_flags |= FLAG_JITTER
            self.rest(event_ms)

    # ---- a register that rests --------------------------------------------------------------------------------

    cdef void rest(self, int64_t event_ms) noexcept nogil:
        """The register did not rise. Where power flowed it may be frozen and catch up later in one step."""
        if self.step_power > 2 * FLOWING_W * self.step_ms and self.step_ms <= self.gap_ms:
            self.rest_ms += self.step_ms
            self.rest_power += self.step_power
        if self.rest_power <= 4 * W_MS_PER_E4KWH * self.quantum:
            self.reach_since_ms = event_ms

    cdef void end_rest(self, int64_t risen, int64_t last_step_power, bint at_end) noexcept nogil:
        """The register rose by `risen` after resting. What power says it missed is estimated, W being good to 5 %.

        Resting longer than 5 minutes is not enough: a register of whole kWh rests 17 minutes at 3.5 kW, so more than
        two quanta must have flowed as well. A shorter rest after which the register goes on is how it counts; at the
        end of the session it may have been about to count, which the interval covers.
        """
        cdef int64_t flowed = (self.rest_power + last_step_power) // (2 * W_MS_PER_E4KWH)
        cdef int64_t missed = flowed - risen
        cdef int64_t doubtful = 2 * self.quantum + flowed // 20
        if self.rest_ms > FROZEN_MS and missed > doubtful:
            self.reading_flags |= FLAG_FROZEN
            self.frozen_e4kwh += missed
            self.frozen_high_e4kwh += missed + flowed // 20 + 1
        elif at_end and self.rest_ms > 0 and missed > doubtful:
            self.unsure_high_e4kwh += missed + flowed // 20 + 1
        self.rest_ms = self.rest_power = 0

    # ---- a reading that does not follow -----------------------------------------------------------------------

    cdef void raise_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        self.has_doubt = True
        self.doubt_ms = event_ms
        self.doubt_value = value
        self.doubt_index = self.count - 1

    cdef void drop_doubt(self) noexcept nogil:
        """The doubted reading was false: a zero read, or a spike."""
        self.has_doubt = False
        self.earlier_index = self.doubt_index
        if self.doubt_index < 0:
            self.earlier_flags = 0
        elif self.doubt_value != 0:
            self.earlier_flags = FLAG_SPIKE
        elif self.has_reference:
            self.earlier_flags = FLAG_ZERO_READ
        else:
            self.earlier_flags = FLAG_ZERO_READ | FLAG_ZERO_BASELINE

    cdef void weigh_dropped_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        """Where the reading follows from the doubt as well, the register may have gone that way: cover both.

        That way has a segment more, so it is known to one quantum less.
        """
        cdef int64_t direct, detour_low, detour_high
        if not self.confirms_doubt(event_ms, value):
            return
        self.reading_flags |= FLAG_AMBIGUOUS
        direct = clip(self.rise(self.reference_value, value), 0, self.reach(event_ms - self.reach_since_ms))
        detour_low = clip(self.rise(self.doubt_value, value), 0, self.reach(event_ms - self.doubt_ms))
        detour_high = detour_low + self.energy_at_pmax(self.doubt_ms - self.reference_ms + self.tolerance_ms)
        self.unsure_low_e4kwh += clip(direct - detour_low, 0, direct) + self.quantum
        if detour_high > direct:
            self.unsure_high_e4kwh += detour_high - direct
        self.unsure_high_e4kwh += self.quantum

    cdef void believe_doubt(self) noexcept nogil:
        """The register really stands where the doubted reading said."""
        if self.has_reference:
            self.break_segment()
        else:
            self.has_reference = True
            self.baseline_ms = self.doubt_ms
            self.baseline_value = self.doubt_value
        self.has_doubt = False
        self.reference_ms = self.reach_since_ms = self.doubt_ms
        self.reference_value = self.doubt_value
        self.rest_ms = self.rest_power = 0

    cdef void doubt_reference(self) noexcept nogil:
        """After a fall: the reference may have been a spike, where it is one that the test for jumps lets pass."""
        cdef int64_t fallen = self.reference_value - self.doubt_value
        if 0 < fallen <= self.reach(self.doubt_ms - self.reference_ms):
            self.unsure_low_e4kwh += clip(fallen, 0, self.segment_accepted)

    cdef void break_segment(self) noexcept nogil:
        """The energy between the reference and the doubted reading lies in [0, Pmax x time]."""
        cdef int64_t elapsed_ms = self.doubt_ms - self.reference_ms
        cdef int64_t fallen = self.reference_value - self.doubt_value
        self.earlier_index = self.doubt_index
        self.end_rest(0, 0, False)
        if fallen < 0:
            self.earlier_flags = FLAG_JUMP
        elif self.doubt_value <= self.reach(elapsed_ms):
            self.earlier_flags = FLAG_RESET
        else:
            self.earlier_flags = FLAG_ROLLBACK
        if self.earlier_flags == FLAG_ROLLBACK:
            # Either the register lost what it had counted, or its last values were too high.
            self.unsure_low_e4kwh += clip(fallen, 0, self.segment_accepted)
        else:
            self.doubt_reference()
        self.unsure_high_e4kwh += self.energy_at_pmax(elapsed_ms + self.tolerance_ms)
        self.segments += 1
        self.segment_accepted = 0

    # ---- for Python -------------------------------------------------------------------------------------------

    @property
    def power_energy_e4kwh(self):
        """The integral of power over the readings so far, 1e-4 kWh."""
        return self.power_sum // (2 * W_MS_PER_E4KWH)

    def observe(self, int64_t event_ms, int64_t value_e4kwh, int64_t power_w=0):
        """Take a reading of a charging connector and give the energy it proves, 1e-4 kWh (0 when it is in doubt)."""
        return self.take(event_ms, value_e4kwh, power_w)

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
        int64_t[::1] accepted_out,
        uint32_t[::1] flags_out,
    ):
        """Take whole columns, ordered by event time, and finish.

        Writes the accepted energy after each reading and the flags of each reading; all arrays have one length, else
        ValueError. A flag that only a later reading could give stands at the reading it is about.
        """
        cdef Py_ssize_t size = event_ms.shape[0]
        cdef Py_ssize_t i
        for other in (value_e4kwh.shape[0], state.shape[0], power_w.shape[0], accepted_out.shape[0], flags_out.shape[0]):
            if other != size:
                raise ValueError(f"columns of one length are needed, got {size} and {other}")
        with nogil:
            for i in range(size):
                if state[i] == STATE_CHARGING:
                    self.take(event_ms[i], value_e4kwh[i], power_w[i])
                else:
                    self.take_end(event_ms[i], value_e4kwh[i])
                accepted_out[i] = self.accepted_e4kwh
                flags_out[i] = self.reading_flags
                if self.earlier_flags:
                    flags_out[self.earlier_index] |= self.earlier_flags
            self.close()
            if size:
                flags_out[size - 1] |= self.reading_flags
            if self.earlier_flags:
                flags_out[self.earlier_index] |= self.earlier_flags
