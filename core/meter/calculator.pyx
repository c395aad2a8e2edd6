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
the final one come from this same code: the live one feeds it as readings arrive, the final one feeds it the complete set
in the order of event time (`core.meter.measurement`).

Every step between two trusted readings is an *interval*: what was accepted in it, between what the truth lies, and which
rules fired. A step is closed when it is decided; a later reading may reopen it, where only that shows what it was.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport llabs

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
    FLAG_STANDSTILL,
    FLAG_ZERO_BASELINE,
    FLAG_ZERO_READ,
)
from core.meter.meter_limits cimport (
    HIGHEST_POWER_W,
    HIGHEST_VALUE,
    LONGEST_STEP_MS,
    W_MS_PER_E4KWH,
    clip,
    energy_at_pmax,
    follows,
    reach,
    rise,
)

cdef enum:
    STATE_CHARGING = 3              # of YKC 0x13
    FLOWING_W = 500                 # above this power at both ends of a step a resting register is suspect
    FROZEN_MS = 300000              # and after this long it is frozen
    PLAY_MS = 15000                 # the register is not read at the moment of the power beside it
    INTERVAL_COLUMNS = 7
    OF_A_REST = FLAG_FROZEN | FLAG_STANDSTILL


cdef class MeterCalculator:
    """Accepts the energy of one session, reading by reading.

    `profile` is a `core.meter.profile.MeterProfile`. `start_ms` is when the charge began as far as is known: a session
    counter stood at 0 then. `zero_is_false` says that an absolute register is known to stand above zero (it did at the
    end of the previous session), so that a zero is never its first true value.
    """

    def __init__(self, profile, int64_t start_ms, bint zero_is_false=False):
        self.meter.quantum = self.quantum = profile.quantum_e4kwh
        self.meter.pmax_w = profile.pmax_w
        self.meter.modulus = profile.modulus_e4kwh
        self.meter.seeks_modulus = profile.register_kind == "lifetime"
        self.meter.tolerance_ms = profile.time_tolerance_ms
        self.gap_ms = profile.gap_ms
        self.is_session_counter = profile.register_kind == "session"
        self.restarts_at_zero = profile.register_kind == "boot"
        self.zero_is_false = zero_is_false
        self.restart(start_ms)

    # ---- what callers use -------------------------------------------------------------------------------------

    cdef void restart(self, int64_t start_ms) noexcept nogil:
        """Forget all readings; a new session began at `start_ms`."""
        self.has_reference = self.is_session_counter
        self.reference_ms = self.reach_since_ms = self.baseline_ms = self.step_from_ms = start_ms
        self.reference_value = self.baseline_value = 0
        self.reference_counter = self.doubt_counter = self.rest_counter = -1
        self.risen_once = False
        self.before_ms = self.before_value = self.power_since = self.rise_power = self.rise_index = 0
        self.has_doubt = False
        self.doubt_ms = self.doubt_value = self.doubt_power = self.doubt_index = 0
        self.end_rest()
        self.has_last = self.step_flows = False
        self.last_ms = self.last_power_w = self.step_ms = self.step_power = 0
        self.has_interval = False
        self.pending_low = self.pending_high = 0
        self.passed_flags = self.later_flags = self.begin_flags = 0
        self.count = self.accepted_e4kwh = self.segment_accepted = self.overcounted_e4kwh = self.forgiven = 0
        self.segments = 1
        self.unsure_low_e4kwh = self.unsure_high_e4kwh = self.rested_e4kwh = 0
        self.frozen_e4kwh = self.frozen_high_e4kwh = self.unexplained_e4kwh = 0
        self.peak_power_w = self.seen_since_ms = self.rise_unexplained = self.doubt_seen_ms = self.doubt_power_w = 0
        self.power_sum = self.gap_power_sum = self.power_play_sum = self.gaps_ms = self.longest_gap_ms = 0
        self.flags = 0
        self.earlier_index = -1
        self.begin_reading()

    cdef void offer(self, int64_t start_ms, int64_t value) noexcept nogil:
        """The charger says where its absolute register stood when the charge began; call it before the first reading.

        The first reading that is not zero decides: where it can follow, the word holds; else it is dropped without a
        flag, since no reading was false. 0 is no word (metering.md, "Rules"), and a session counter needs none.
        """
        if 0 < value <= HIGHEST_VALUE and not self.has_reference and self.count == 0:
            self.raise_doubt(start_ms, value)
            self.doubt_index = -1

    cdef int64_t take(self, int64_t event_ms, int64_t value, int64_t power_w, int64_t counter=-1) noexcept nogil:
        """Judge one reading of a charging connector; gives the energy that it proves.

        `counter`: what the charger itself counted of the charge beside the register, -1 = nothing.
        """
        cdef int64_t before = self.accepted_e4kwh
        cdef bint trusted = False
        self.begin_reading()
        self.count += 1
        if self.has_last and event_ms < self.last_ms:
            self.reading_flags = FLAG_OUT_OF_ORDER
            self.flags |= FLAG_OUT_OF_ORDER
            return 0
        self.note_step(event_ms, power_w)
        if not 0 <= value <= HIGHEST_VALUE:
            self.reading_flags |= FLAG_SPIKE
            self.later_flags |= self.reading_flags
        elif self.follows_reference(event_ms, value):
            if self.has_doubt:
                self.weigh_dropped_doubt(event_ms, value)
                self.drop_doubt()
            trusted = True
        elif self.has_doubt and self.confirms_doubt(event_ms, value):
            self.believe_doubt()
            trusted = True
        elif value == 0 and self.has_doubt and self.doubt_value != 0:
            self.reading_flags |= FLAG_ZERO_READ if self.doubt_index >= 0 else FLAG_ZERO_READ | FLAG_ZERO_BASELINE
            self.later_flags |= self.reading_flags
        else:
            if self.has_doubt and not self.is_still_zero(value):
                self.drop_doubt()
            self.raise_doubt(event_ms, value)
            self.doubt_counter = counter
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
        cdef bint risen
        cdef int64_t before = self.accepted_e4kwh
        self.begin_reading()
        self.count += 1
        if self.has_last and self.has_reference and not self.has_doubt and event_ms >= self.last_ms:
            risen = value > self.reference_value or (value == self.reference_value and not self.is_session_counter)
            if risen and value <= HIGHEST_VALUE and self.follows_reference(event_ms, value):
                self.step_power = self.power_since = self.peak_power_w = self.seen_since_ms = 0
                self.step_flows = False
                self.accept(event_ms, value, -1)
        self.flags |= self.reading_flags | self.earlier_flags
        return self.accepted_e4kwh - before

    cdef void close(self) noexcept nogil:
        """No reading follows: settle what is still open."""
        cdef Interval interval
        self.begin_reading()
        if self.has_doubt:
            if self.has_reference or self.doubt_value == 0:
                if self.doubt_value != 0:
                    self.pending_low += self.doubt_reference()
                self.drop_doubt()
            else:
                self.believe_doubt()
        interval = self.rested(0, 0, self.reference_counter)
        if self.rest_intervals and interval.high:
            self.close_interval(interval)
        if self.has_interval and (self.pending_low or self.passed_flags or self.later_flags):
            # What was passed over at the end is told of in the last step.
            self.reopen(1)
            self.last_interval.flags |= self.passed_flags | self.later_flags
            self.close_interval(self.last_interval)
        self.end_rest()
        self.flags |= self.reading_flags | self.earlier_flags

    # ---- what is physically possible --------------------------------------------------------------------------

    cdef int64_t rise(self, int64_t from_value, int64_t to_value) noexcept nogil:
        """The difference of two values of this register, over its last digit where it can have run over."""
        return rise(&self.meter, from_value, to_value)

    cdef bint follows_reference(self, int64_t event_ms, int64_t value) noexcept nogil:
        return self.has_reference and follows(
            &self.meter, self.reach_since_ms, self.reference_value, event_ms, value
        )

    cdef bint confirms_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        """A zero confirms and refutes nothing: meters that cannot be read answer zero, and do so repeatedly."""
        if value == 0 or (self.doubt_value == 0 and self.zero_is_false):
            return False
        return follows(&self.meter, self.doubt_ms, self.doubt_value, event_ms, value)

    cdef bint is_still_zero(self, int64_t value) noexcept nogil:
        """Zeros before the first true value of an absolute register may be true: the first other value decides."""
        return not self.has_reference and value == 0 and self.doubt_value == 0

    # ---- the step from reading to reading ---------------------------------------------------------------------

    cdef void begin_reading(self) noexcept nogil:
        self.reading_flags = self.earlier_flags = 0
        self.closed_count = 0
        self.reopened = 0

    cdef void note_step(self, int64_t event_ms, int64_t power_w) noexcept nogil:
        power_w = clip(power_w, 0, HIGHEST_POWER_W)
        self.step_ms = clip(event_ms - self.last_ms, 0, LONGEST_STEP_MS) if self.has_last else 0
        self.step_power = (self.last_power_w + power_w) * self.step_ms
        self.step_flows = self.step_ms <= self.gap_ms and self.last_power_w > FLOWING_W and power_w > FLOWING_W
        self.power_sum += self.step_power
        self.power_since += self.step_power
        self.seen_since_ms += self.step_ms
        if self.peak_power_w < self.last_power_w:
            self.peak_power_w = self.last_power_w
        if self.peak_power_w < power_w:
            self.peak_power_w = power_w
        if self.step_ms > self.longest_gap_ms:
            self.longest_gap_ms = self.step_ms
        if self.step_ms > self.gap_ms:
            self.reading_flags |= FLAG_GAP
            self.gaps_ms += self.step_ms
            self.gap_power_sum += self.step_power
        else:
            self.power_play_sum += llabs(power_w - self.last_power_w) * self.step_ms
        self.has_last = True
        self.last_ms = event_ms
        self.last_power_w = power_w

    cdef void accept(self, int64_t event_ms, int64_t value, int64_t counter) noexcept nogil:
        """Trust the reading. A register that jitters keeps its highest value as the reference."""
        cdef int64_t risen = self.rise(self.reference_value, value)
        cdef int64_t from_ms = self.reference_ms
        cdef int64_t known
        cdef bint rose_last = self.risen_once
        cdef Interval interval
        if self.step_ms > 0 and from_ms > event_ms - self.step_ms:
            # A word after the charge overtook this reading: what flowed is in it, and nothing flowed since.
            self.step_ms = self.step_power = 0
            self.step_flows = False
        self.step_from_ms = from_ms
        self.reference_ms = event_ms
        self.risen_once = risen > 0
        if risen > 0:
            if value < self.reference_value:
                self.reading_flags |= FLAG_ROLLOVER
                self.cover_reset(event_ms - from_ms, risen)
            self.ask_power(event_ms - from_ms, risen)
            interval = self.rested(risen, self.step_power if self.step_ms <= self.gap_ms else 0, counter)
            if not interval.from_ms:
                interval.from_ms = from_ms
            interval.to_ms = event_ms
            interval.accepted = risen
            interval.low = risen - self.quantum if risen > self.quantum else 0
            interval.high += risen + self.quantum
            known = risen if risen < self.overcounted_e4kwh else self.overcounted_e4kwh
            self.overcounted_e4kwh -= known
            self.accepted_e4kwh += risen - known
            self.segment_accepted += risen
            self.before_ms = from_ms
            self.before_value = self.reference_value
            self.rise_power = self.power_since
            self.rise_index = self.count - 1
            self.reference_value = value
            self.reach_since_ms = event_ms
            self.end_rest()
        else:
            if not self.rest_intervals:
                self.rest_before = self.rest_low = self.rest_high = 0
                if rose_last:
                    self.rest_before = clip(
                        self.rise_power // (2 * W_MS_PER_E4KWH) - self.last_interval.accepted, 0, HIGHEST_VALUE
                    )
            if risen < 0:
                self.reading_flags |= FLAG_JITTER
            interval = Interval(from_ms, event_ms, 0, 0, self.quantum, 0, 0)
            self.rest_low += self.pending_low
            self.rest_high += self.pending_high
            self.rest(from_ms, event_ms, counter)
        if counter >= 0:
            self.reference_counter = counter
        interval.flags |= self.passed_flags | self.later_flags | (self.reading_flags & ~OF_A_REST)
        self.passed_flags = self.later_flags = 0
        self.power_since = self.peak_power_w = self.seen_since_ms = 0
        if self.rest_intervals:
            self.rest_flags |= interval.flags
        self.close_interval(interval)

    # ---- a register that rests --------------------------------------------------------------------------------

    cdef void rest(self, int64_t from_ms, int64_t event_ms, int64_t counter) noexcept nogil:
        """The register did not rise. Where energy flowed it may be frozen and catch up later in one step."""
        cdef bint counted = self.reference_counter >= 0 and counter > self.reference_counter
        if self.step_flows or counted:
            if not self.rest_intervals:
                self.rest_from_ms = from_ms
                self.rest_counter = self.reference_counter
                self.rest_flags = 0
            self.rest_ms += self.step_ms
            self.rest_power += self.step_power
        if self.rest_ms:
            self.rest_intervals += 1
        counted = self.rest_intervals > 0 and 0 <= self.rest_counter < counter - 2 * self.quantum
        if self.rest_power <= 4 * W_MS_PER_E4KWH * self.quantum and not counted:
            self.reach_since_ms = event_ms

    cdef Interval rested(self, int64_t risen, int64_t last_step_power, int64_t counter) noexcept nogil:
        """The register rose by `risen` after resting, or was left at rest: what did it miss?

        Gives the interval of the whole rest; its `high` is 0 where nothing is missed, and `from_ms` 0 where each of its
        steps stands: where the register caught up, the whole rest with that rise is one step. What the charger counted by
        itself is the estimate, else power, W being good to 5 % (metering.md, "frozen"). Resting longer than 5 minutes
        is not enough: a register of whole kWh rests 17 minutes at 3.5 kW, so more than two quanta must have flowed as
        well. After a shorter rest only the interval covers what power says is missed, beyond what two quanta of jitter
        explain; the charger's count and its register are not read at one moment.
        """
        cdef Interval interval = Interval(0, self.reference_ms, 0, 0, 0, 0, 0)
        cdef int64_t flowed = (self.rest_power + last_step_power) // (2 * W_MS_PER_E4KWH)
        cdef int64_t missed = flowed - risen
        cdef int64_t counted = counter - self.rest_counter
        if not self.rest_intervals:
            return interval
        if missed > (2 if self.rest_ms > FROZEN_MS else 4) * self.quantum + flowed // 20:
            interval.high = missed + flowed // 20 + 1
        else:
            missed = 0
        if self.rest_ms > FROZEN_MS and self.rest_counter >= 0 and 2 * self.quantum < counted - risen:
            if counted <= reach(&self.meter, self.last_ms - self.rest_from_ms):
                missed = counted - risen
                if interval.high < missed + self.quantum:
                    interval.high = missed + self.quantum
        if not interval.high and not (risen and self.rest_power > 4 * W_MS_PER_E4KWH * self.quantum):
            return interval
        interval.from_ms = self.rest_from_ms
        self.reopen(self.rest_intervals)
        self.pending_low += self.rest_low
        self.pending_high += self.rest_high
        if not interval.high:
            interval.flags = self.rest_flags
            return interval
        interval.high += self.rest_before
        interval.flags = self.rest_flags
        interval.flags |= FLAG_FROZEN if self.rest_ms > FROZEN_MS else FLAG_STANDSTILL
        self.reading_flags |= interval.flags & OF_A_REST
        if self.rest_ms > FROZEN_MS:
            interval.estimated = missed
            self.frozen_e4kwh += missed
            self.frozen_high_e4kwh += interval.high
        else:
            self.rested_e4kwh += missed
            self.unsure_high_e4kwh += interval.high
        return interval

    cdef void end_rest(self) noexcept nogil:
        self.rest_ms = self.rest_power = self.rest_intervals = self.rest_before = 0
        self.rest_low = self.rest_high = 0
        self.rest_flags = 0

    # ---- a reading that does not follow -----------------------------------------------------------------------

    cdef void raise_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        self.has_doubt = True
        self.doubt_ms = event_ms
        self.doubt_value = value
        self.doubt_counter = -1
        self.doubt_power = self.power_since
        self.doubt_seen_ms = self.seen_since_ms
        self.doubt_power_w = self.last_power_w
        self.doubt_index = self.count - 1
        self.passed_flags |= self.later_flags | self.reading_flags
        self.later_flags = 0

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
        self.passed_flags |= self.later_flags | self.earlier_flags
        self.later_flags = 0

    cdef void weigh_dropped_doubt(self, int64_t event_ms, int64_t value) noexcept nogil:
        """Where the reading follows from the doubt as well, the register may have gone that way: cover both.

        That way has a segment more, so it is known to one quantum less.
        """
        cdef int64_t direct, detour_low, detour_high, low
        if not self.confirms_doubt(event_ms, value):
            return
        self.reading_flags |= FLAG_AMBIGUOUS
        direct = clip(
            self.rise(self.reference_value, value), 0, reach(&self.meter, event_ms - self.reach_since_ms)
        )
        detour_low = clip(self.rise(self.doubt_value, value), 0, reach(&self.meter, event_ms - self.doubt_ms))
        detour_high = detour_low + energy_at_pmax(
            &self.meter, self.doubt_ms - self.reference_ms + self.meter.tolerance_ms
        )
        low = clip(direct - detour_low, 0, direct) + self.quantum
        self.pending_low += low
        self.pending_high += clip(detour_high - direct, 0, detour_high) + self.quantum
        self.unsure_low_e4kwh += low
        self.unsure_high_e4kwh += clip(detour_high - direct, 0, detour_high) + self.quantum

    cdef void believe_doubt(self) noexcept nogil:
        """The register really stands where the doubted reading said."""
        self.has_doubt = False
        self.power_since -= self.doubt_power
        self.seen_since_ms -= self.doubt_seen_ms
        self.peak_power_w = self.last_power_w if self.last_power_w > self.doubt_power_w else self.doubt_power_w
        if self.has_reference and self.reference_was_spike():
            self.forgive_spike()
            return
        if self.has_reference:
            self.break_segment()
        else:
            self.has_reference = True
            self.baseline_ms = self.doubt_ms
            self.baseline_value = self.doubt_value
            if self.doubt_index >= 0:
                self.begin_flags = self.passed_flags
                self.passed_flags = 0
        self.reference_ms = self.reach_since_ms = self.doubt_ms
        self.reference_value = self.doubt_value
        self.reference_counter = self.doubt_counter
        self.risen_once = False
        self.end_rest()

    cdef bint reference_was_spike(self) noexcept nogil:
        """The register is back on the line that the reference alone had left, further than power can have moved it."""
        cdef int64_t explained = self.rise_power // (2 * W_MS_PER_E4KWH)
        if not self.risen_once or self.last_interval.estimated or self.rise_power == 0:
            return False
        if self.last_interval.accepted <= explained + explained // 20 + 2 * self.quantum:
            return False
        return follows(&self.meter, self.before_ms, self.before_value, self.doubt_ms, self.doubt_value)

    cdef void forgive_spike(self) noexcept nogil:
        """Take the reading of the reference as passed over. What was accepted on its word is not counted again.

        It may have been a fall after all: the interval covers what would then have been lost.
        """
        cdef Interval interval = self.last_interval
        cdef int64_t risen = self.rise(self.before_value, self.doubt_value)
        cdef int64_t fallen
        if risen < 0:
            risen = 0
        fallen = interval.accepted - risen
        self.earlier_index = self.rise_index
        self.earlier_flags = FLAG_SPIKE | FLAG_AMBIGUOUS
        self.forgiven += 1
        self.unsure_low_e4kwh -= self.rise_unexplained
        self.unexplained_e4kwh -= self.rise_unexplained
        self.overcounted_e4kwh += fallen
        self.segment_accepted -= fallen
        self.unsure_high_e4kwh += fallen
        self.reference_ms = self.reach_since_ms = self.doubt_ms
        self.reference_value = self.doubt_value if risen else self.before_value
        self.reference_counter = self.doubt_counter
        self.risen_once = False
        interval.to_ms = self.doubt_ms
        interval.high += risen - interval.accepted + fallen
        interval.accepted = risen
        interval.low = risen - self.quantum if risen > self.quantum else 0
        interval.flags |= self.passed_flags | self.earlier_flags
        self.passed_flags = 0
        self.reopen(1)
        self.close_interval(interval)

    cdef int64_t doubt_reference(self) noexcept nogil:
        """After a fall: the reference may have been a spike, where it is one that the test for jumps lets pass."""
        cdef int64_t fallen = self.reference_value - self.doubt_value
        cdef int64_t doubtful = 0
        if 0 < fallen <= reach(&self.meter, self.doubt_ms - self.reference_ms):
            doubtful = clip(fallen, 0, self.segment_accepted)
            self.unsure_low_e4kwh += doubtful
        return doubtful

    cdef void break_segment(self) noexcept nogil:
        """The energy between the reference and the doubted reading lies in [0, Pmax x time].

        A register that restarts with the charger has counted what it shows since.
        """
        cdef int64_t elapsed_ms = self.doubt_ms - self.reference_ms
        cdef int64_t fallen = self.reference_value - self.doubt_value
        cdef int64_t possible = energy_at_pmax(&self.meter, elapsed_ms + self.meter.tolerance_ms)
        cdef int64_t counted = 0
        cdef Interval interval = self.rested(0, 0, self.reference_counter)
        if self.rest_intervals and interval.high:
            self.close_interval(interval)
        self.earlier_index = self.doubt_index
        if fallen < 0:
            self.earlier_flags = FLAG_JUMP
        elif self.doubt_value <= reach(&self.meter, elapsed_ms):
            self.earlier_flags = FLAG_RESET
        else:
            self.earlier_flags = FLAG_ROLLBACK
        if self.earlier_flags == FLAG_ROLLBACK:
            # Either the register lost what it had counted, or its last values were too high.
            self.pending_low += clip(fallen, 0, self.segment_accepted)
            self.unsure_low_e4kwh += clip(fallen, 0, self.segment_accepted)
        else:
            self.pending_low += self.doubt_reference()
        if self.earlier_flags == FLAG_RESET and self.restarts_at_zero:
            counted = self.doubt_value
        if possible < counted:
            possible = counted
        self.accepted_e4kwh += counted
        self.unsure_high_e4kwh += possible - counted
        self.segments += 1
        self.segment_accepted = counted
        self.close_interval(
            Interval(
                self.reference_ms, self.doubt_ms, counted, counted - self.quantum if counted > self.quantum else 0,
                possible, 0, self.passed_flags | self.earlier_flags,
            )
        )
        self.passed_flags = 0

    cdef void ask_power(self, int64_t elapsed_ms, int64_t risen) noexcept nogil:
        """A rise that Pmax allows, but not the power beside it: the interval leaves out what power does not explain.

        Only where power was told for the whole step, by trusted readings: not over a silence, nor at the begin.
        """
        cdef int64_t flowed = (self.rest_power + self.power_since) // (2 * W_MS_PER_E4KWH)
        cdef int64_t play_ms = PLAY_MS if self.meter.tolerance_ms < PLAY_MS else self.meter.tolerance_ms
        cdef int64_t late = self.peak_power_w * play_ms // W_MS_PER_E4KWH
        cdef int64_t explained = (flowed + late) * 11 // 10 + 2 * self.quantum
        self.rise_unexplained = 0
        if not self.peak_power_w or self.reading_flags & FLAG_GAP or self.passed_flags or self.later_flags:
            return
        if risen <= explained or self.seen_since_ms < elapsed_ms:
            return
        self.rise_unexplained = risen - flowed * 9 // 10
        self.reading_flags |= FLAG_AMBIGUOUS
        self.pending_low += self.rise_unexplained
        self.unsure_low_e4kwh += self.rise_unexplained
        self.unexplained_e4kwh += self.rise_unexplained

    cdef void cover_reset(self, int64_t elapsed_ms, int64_t risen) noexcept nogil:
        """A rollover of a register whose digits nobody knows may have been a restart: [0, Pmax x time] covers both."""
        cdef int64_t possible = energy_at_pmax(&self.meter, elapsed_ms + self.meter.tolerance_ms)
        if self.reference_value < self.meter.modulus:
            return
        self.reading_flags |= FLAG_AMBIGUOUS
        self.pending_low += clip(risen - self.quantum, 0, risen)
        self.unsure_low_e4kwh += clip(risen - self.quantum, 0, risen)
        self.pending_high += clip(possible - risen, 0, possible)
        self.unsure_high_e4kwh += clip(possible - risen, 0, possible)

    # ---- intervals --------------------------------------------------------------------------------------------

    cdef void close_interval(self, Interval interval) noexcept nogil:
        interval.low -= self.pending_low
        interval.high += self.pending_high
        self.pending_low = self.pending_high = 0
        self.closed[self.closed_count] = interval
        self.closed_count += 1
        self.last_interval = interval
        self.has_interval = True

    cdef void reopen(self, int64_t number) noexcept nogil:
        """Take back the last intervals: what is closed next stands in their place."""
        if number <= self.closed_count:
            self.closed_count -= <int>number
        else:
            self.reopened += number - self.closed_count
            self.closed_count = 0

    # ---- for Python -------------------------------------------------------------------------------------------

    @property
    def power_energy_e4kwh(self):
        """The integral of power over the readings so far, 1e-4 kWh."""
        return self.power_sum // (2 * W_MS_PER_E4KWH)

    @property
    def seen_power_energy_e4kwh(self):
        """The same without silences, in which power is a guess."""
        return (self.power_sum - self.gap_power_sum) // (2 * W_MS_PER_E4KWH)

    @property
    def power_play_e4kwh(self):
        """By how much that may be off because power changed between two readings, 1e-4 kWh."""
        return self.power_play_sum // (2 * W_MS_PER_E4KWH)

    @property
    def closed_intervals(self):
        """What the last reading settled: (from_ms, to_ms, accepted, low, high, estimated, flags), 1e-4 kWh, in order.

        They come after all that was closed before, less the last `reopened` ones, which they replace.
        """
        return [
            (one.from_ms, one.to_ms, one.accepted, one.low, one.high, one.estimated, one.flags)
            for one in self.closed[:self.closed_count]
        ]

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
        for other in (value_e4kwh.shape[0], state.shape[0], power_w.shape[0], accepted_out.shape[0], flags_out.shape[0]):
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
                filled = self.write_closed(rows, filled)
            self.close()
            filled = self.write_closed(rows, filled)
            if size:
                flags_out[size - 1] |= self.reading_flags
            if self.earlier_flags and self.earlier_index >= 0:
                flags_out[self.earlier_index] |= self.earlier_flags
        return filled

    cdef int64_t write_closed(self, int64_t[:, ::1] rows, int64_t filled) noexcept nogil:
        cdef int i
        filled -= self.reopened
        for i in range(self.closed_count):
            rows[filled, 0] = self.closed[i].from_ms
            rows[filled, 1] = self.closed[i].to_ms
            rows[filled, 2] = self.closed[i].accepted
            rows[filled, 3] = self.closed[i].low
            rows[filled, 4] = self.closed[i].high
            rows[filled, 5] = self.closed[i].estimated
            rows[filled, 6] = self.closed[i].flags
            filled += 1
        return filled
