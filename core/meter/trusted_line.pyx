# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The line of trusted readings: what the register proves from one to the next, and between what the truth lies.

`core.meter.calculator` decides which reading is trusted; this counts what follows from that. Every step between two
trusted readings is an *interval*: what was accepted in it, between what the truth lies, and which rules fired. A step
is closed when it is decided; a later reading may reopen it, where only that shows what it was.
"""

from libc.stdint cimport int64_t, uint32_t

from core.meter.flag_bits cimport (
    FLAG_AMBIGUOUS,
    FLAG_FROZEN,
    FLAG_GAP,
    FLAG_JITTER,
    FLAG_JUMP,
    FLAG_RESET,
    FLAG_ROLLBACK,
    FLAG_ROLLOVER,
    FLAG_SPIKE,
    FLAG_STANDSTILL,
)
from core.meter.interval_log cimport Interval, begin_closing, clear_log, close_interval, reopen
from core.meter.meter_limits cimport HIGHEST_VALUE, W_MS_PER_E4KWH, clip, energy_at_pmax, follows, reach, rise
from core.meter.power_steps cimport (
    begin_since,
    clear_power,
    forget_step,
    missed_in_silence,
    most_in_silence,
    unexplained_at_end,
    unexplained_rise,
)
from core.meter.register_rest cimport (
    Missed,
    clear_rest,
    flows_beyond_play,
    grow_rest,
    is_frozen,
    missed_in_rest,
    stands_still,
)

cdef enum:
    OF_A_REST = FLAG_FROZEN | FLAG_STANDSTILL


cdef class TrustedLine:
    """The trusted readings of one session. `profile` is a `core.meter.profile.MeterProfile`."""

    def __init__(self, profile):
        self.meter.quantum = self.quantum = profile.quantum_e4kwh
        self.meter.pmax_w = profile.pmax_w
        self.meter.modulus = profile.modulus_e4kwh
        self.meter.seeks_modulus = profile.register_kind == "lifetime"
        self.meter.tolerance_ms = profile.time_tolerance_ms
        self.gap_ms = profile.gap_ms
        self.is_session_counter = profile.register_kind == "session"
        self.restarts_at_zero = profile.register_kind == "boot"

    cdef void begin_line(self, int64_t start_ms) noexcept nogil:
        """Nothing is known of the session that began at `start_ms`, but that a session counter stood at 0 then."""
        self.has_reference = self.is_session_counter
        self.reference_ms = self.reach_since_ms = self.baseline_ms = self.step_from_ms = start_ms
        self.reference_value = self.baseline_value = 0
        self.reference_counter = self.rest.counter = -1
        self.risen_once = False
        self.before_ms = self.before_value = self.rise_twice_w_ms = self.rise_index = self.rise_unexplained = 0
        clear_rest(&self.rest)
        clear_power(&self.power)
        clear_log(&self.log)
        self.passed_flags = self.later_flags = self.begin_flags = 0
        self.count = self.accepted_e4kwh = self.segment_accepted = self.overcounted_e4kwh = self.forgiven = 0
        self.segments = 1
        self.unsure_low_e4kwh = self.unsure_high_e4kwh = self.rested_e4kwh = 0
        self.frozen_e4kwh = self.frozen_high_e4kwh = self.unexplained_e4kwh = 0
        self.flags = 0
        self.earlier_index = -1
        self.begin_reading()

    cdef void begin_reading(self) noexcept nogil:
        self.reading_flags = self.earlier_flags = 0
        begin_closing(&self.log)

    # ---- what is physically possible --------------------------------------------------------------------------

    cdef int64_t rise(self, int64_t from_value, int64_t to_value) noexcept nogil:
        """The difference of two values of this register, over its last digit where it can have run over."""
        return rise(&self.meter, from_value, to_value)

    cdef bint follows_reference(self, int64_t event_ms, int64_t value) noexcept nogil:
        return self.has_reference and follows(&self.meter, self.reach_since_ms, self.reference_value, event_ms, value)

    # ---- a reading that follows -------------------------------------------------------------------------------

    cdef void begin_at(self, const Doubt* first) noexcept nogil:
        """The first reading that is trusted, or where the charger says that the register stood."""
        self.has_reference = True
        self.baseline_ms = first.ms
        self.baseline_value = first.value
        if first.index >= 0:
            self.begin_flags = self.passed_flags
            self.passed_flags = 0

    cdef void accept(self, int64_t event_ms, int64_t value, int64_t counter) noexcept nogil:
        """Trust the reading. A register that jitters keeps its highest value as the reference."""
        cdef int64_t risen = self.rise(self.reference_value, value)
        cdef int64_t from_ms = self.reference_ms
        if self.power.step_ms > 0 and from_ms > event_ms - self.power.step_ms:
            # A word after the charge overtook this reading: what flowed is in it, and nothing flowed since.
            forget_step(&self.power)
        self.cover_silence(event_ms - from_ms, risen)
        self.step_from_ms = from_ms
        self.reference_ms = event_ms
        if risen > 0:
            self.take_rise(from_ms, event_ms, value, counter)
        else:
            self.take_rest(from_ms, event_ms, risen, counter)
        self.risen_once = risen > 0
        if counter >= 0:
            self.reference_counter = counter
        self.passed_flags = self.later_flags = 0
        begin_since(&self.power)

    cdef void take_rise(self, int64_t from_ms, int64_t event_ms, int64_t value, int64_t counter) noexcept nogil:
        cdef int64_t risen = self.rise(self.reference_value, value)
        cdef int64_t known = risen if risen < self.overcounted_e4kwh else self.overcounted_e4kwh
        cdef int64_t flowed = (self.rest.twice_w_ms + self.power.since_twice_w_ms) // (2 * W_MS_PER_E4KWH)
        cdef bint silent = (self.reading_flags | self.passed_flags | self.later_flags) & FLAG_GAP
        cdef int64_t owed, rises
        cdef Interval interval
        if value < self.reference_value:
            self.reading_flags |= FLAG_ROLLOVER
            self.cover_reset(event_ms - from_ms, risen)
        self.ask_power(event_ms - from_ms, risen, flowed)
        interval = self.rested(risen, 0 if self.power.step_is_silent else self.power.step_twice_w_ms, counter)
        if not interval.from_ms:
            interval.from_ms = from_ms
        interval.to_ms = event_ms
        interval.accepted = risen
        interval.low = risen - self.quantum if risen > self.quantum else 0
        interval.high += risen + self.quantum
        interval.flags |= self.passed_flags | self.later_flags | (self.reading_flags & ~OF_A_REST)
        self.overcounted_e4kwh -= known
        self.accepted_e4kwh += risen - known
        self.segment_accepted += risen
        self.before_ms = from_ms
        self.before_value = self.reference_value
        self.rise_twice_w_ms = self.power.since_twice_w_ms
        self.rise_index = self.count - 1
        self.reference_value = value
        self.reach_since_ms = event_ms
        owed, rises = self.rest.owed, self.rest.owed_rises
        clear_rest(&self.rest)
        if self.power.since_seen_ms >= event_ms - from_ms and not silent:
            # What rose before anyone told of power flowed unseen: the register is not ahead of it.
            self.rest.ahead = clip(risen - flowed, 0, HIGHEST_VALUE)
        if owed:
            self.rest.owed = owed
            self.rest.owed_rises = rises + 1
        close_interval(&self.log, interval)

    cdef void take_rest(self, int64_t from_ms, int64_t event_ms, int64_t risen, int64_t counter) noexcept nogil:
        cdef Interval interval = Interval(from_ms, event_ms, 0, 0, self.quantum, 0, 0)
        if risen < 0:
            self.reading_flags |= FLAG_JITTER
        if not self.rest.intervals:
            self.rest.before = self.rest.wider_low = self.rest.wider_high = 0
            if self.risen_once:
                self.rest.before = clip(
                    self.rise_twice_w_ms // (2 * W_MS_PER_E4KWH) - self.log.last.accepted, 0, HIGHEST_VALUE
                )
        self.rest.wider_low += self.log.wider_low
        self.rest.wider_high += self.log.wider_high
        if not self.rest.readings or self.rest.below > -risen:
            self.rest.below = -risen
        self.rest.readings += 1
        grow_rest(&self.rest, &self.power, from_ms, self.reference_counter, counter)
        if stands_still(&self.rest, self.quantum, counter):
            self.reach_since_ms = event_ms
        interval.flags = self.passed_flags | self.later_flags | (self.reading_flags & ~OF_A_REST)
        if self.rest.intervals:
            self.rest.flags |= interval.flags
        close_interval(&self.log, interval)

    # ---- a register that rests --------------------------------------------------------------------------------

    cdef Interval rested(self, int64_t risen, int64_t last_twice_w_ms, int64_t counter) noexcept nogil:
        """The register rose by `risen` after resting, or was left at rest: what did it miss?

        Gives the interval of the whole rest; its `high` is 0 where nothing is missed, and `from_ms` 0 where each of its
        steps stands: where the register caught up, the whole rest with that rise is one step.
        """
        cdef Interval interval = Interval(0, self.reference_ms, 0, 0, 0, 0, 0)
        cdef Missed missed
        cdef uint32_t raised
        cdef int64_t before = 0 if self.rest.owed else self.rest.before
        if not self.rest.intervals and not self.rest.owed:
            return interval
        missed = missed_in_rest(&self.rest, &self.meter, risen, last_twice_w_ms, counter, self.power.last_ms)
        self.rest.owed = missed.owed
        if not missed.high and not (risen and flows_beyond_play(&self.rest, self.quantum)):
            return interval
        if self.rest.intervals:
            interval.from_ms = self.rest.from_ms
            interval.flags = self.rest.flags
            reopen(&self.log, self.rest.intervals)
            self.log.wider_low += self.rest.wider_low
            self.log.wider_high += self.rest.wider_high
        if not missed.high:
            return interval
        interval.high = missed.high + before
        raised = FLAG_FROZEN if is_frozen(&self.rest) else FLAG_STANDSTILL
        interval.flags |= raised
        self.reading_flags |= raised
        if is_frozen(&self.rest):
            interval.estimated = missed.best
            self.frozen_e4kwh += missed.best
            self.frozen_high_e4kwh += interval.high
        else:
            self.rested_e4kwh += missed.best
            self.unsure_high_e4kwh += interval.high
        return interval

    cdef void leave_at_rest(self) noexcept nogil:
        """The line ends while the register rests: its steps become one where it missed something."""
        cdef Interval interval = self.rested(0, 0, self.reference_counter)
        if self.rest.intervals and interval.high:
            close_interval(&self.log, interval)
        elif interval.high:
            self.log.wider_high += interval.high
            self.passed_flags |= interval.flags

    # ---- a register that fell or jumped -----------------------------------------------------------------------

    cdef bint reference_was_spike(self, const Doubt* back) noexcept nogil:
        """The register is back on the line that the reference alone had left, further than power can have moved it."""
        cdef int64_t explained = self.rise_twice_w_ms // (2 * W_MS_PER_E4KWH)
        if not self.risen_once or self.log.last.estimated or self.rise_twice_w_ms == 0:
            return False
        if self.rise(self.reference_value, back.value) >= 0:
            return False
        if self.log.last.accepted <= explained + explained // 20 + 2 * self.quantum:
            return False
        return follows(&self.meter, self.before_ms, self.before_value, back.ms, back.value)

    cdef void forgive_spike(self, const Doubt* back) noexcept nogil:
        """Take the reading of the reference as passed over. What was accepted on its word is not counted again.

        It may have been a fall after all: the interval covers what would then have been lost.
        """
        cdef Interval interval = self.log.last
        cdef int64_t risen = clip(self.rise(self.before_value, back.value), 0, HIGHEST_VALUE)
        cdef int64_t fallen = interval.accepted - risen
        self.earlier_index = self.rise_index
        self.earlier_flags = FLAG_SPIKE | FLAG_AMBIGUOUS
        self.forgiven += 1
        self.unsure_low_e4kwh -= self.rise_unexplained
        self.unexplained_e4kwh -= self.rise_unexplained
        self.overcounted_e4kwh += fallen
        self.segment_accepted -= fallen
        self.unsure_high_e4kwh += fallen
        self.reference_ms = self.reach_since_ms = back.ms
        self.reference_value = back.value if risen else self.before_value
        self.reference_counter = back.counter
        self.risen_once = False
        interval.to_ms = back.ms
        interval.high += risen - interval.accepted + fallen
        interval.accepted = risen
        interval.low = risen - self.quantum if risen > self.quantum else 0
        interval.flags |= self.passed_flags | self.earlier_flags
        self.passed_flags = 0
        reopen(&self.log, 1)
        close_interval(&self.log, interval)

    cdef void doubt_reference(self, const Doubt* fallen) noexcept nogil:
        """After a fall: the reference may have been a spike, where it is one that the test for jumps lets pass."""
        cdef int64_t depth = self.reference_value - fallen.value
        if 0 < depth <= reach(&self.meter, fallen.ms - self.reference_ms):
            self.cover(clip(depth, 0, self.segment_accepted), 0)

    cdef void break_segment(self, const Doubt* start) noexcept nogil:
        """The energy between the reference and the doubted reading lies in [0, Pmax x time].

        A register that restarts with the charger has counted what it shows since, if that is what happened.
        """
        cdef int64_t elapsed_ms = start.ms - self.reference_ms
        cdef int64_t fallen = self.reference_value - start.value
        cdef int64_t possible = energy_at_pmax(&self.meter, elapsed_ms + self.meter.tolerance_ms)
        cdef int64_t counted = 0
        self.leave_at_rest()
        self.earlier_index = start.index
        if fallen < 0:
            self.earlier_flags = FLAG_JUMP
        elif start.value <= reach(&self.meter, elapsed_ms):
            self.earlier_flags = FLAG_RESET
        else:
            self.earlier_flags = FLAG_ROLLBACK
        if self.earlier_flags == FLAG_ROLLBACK:
            # Either the register lost what it had counted, or its last values were too high.
            self.cover(clip(fallen, 0, self.segment_accepted), 0)
        else:
            self.doubt_reference(start)
        if self.earlier_flags == FLAG_RESET and self.restarts_at_zero:
            counted = start.value
        if possible < counted:
            possible = counted
        self.accepted_e4kwh += counted
        self.unsure_low_e4kwh += counted
        self.unsure_high_e4kwh += possible - counted
        self.segments += 1
        self.segment_accepted = counted
        close_interval(
            &self.log,
            Interval(self.reference_ms, start.ms, counted, 0, possible, 0, self.passed_flags | self.earlier_flags),
        )
        self.passed_flags = 0

    # ---- what else it may have been ---------------------------------------------------------------------------

    cdef void cover(self, int64_t low, int64_t high) noexcept nogil:
        """The step that is closed next, and the session, may have delivered that much less or more."""
        self.log.wider_low += low
        self.log.wider_high += high
        self.unsure_low_e4kwh += low
        self.unsure_high_e4kwh += high

    cdef void ask_power(self, int64_t elapsed_ms, int64_t risen, int64_t flowed) noexcept nogil:
        """A rise that Pmax allows, but not the power beside it: the interval leaves out what power does not explain.

        Only where power was told from the reference on, by trusted readings, and not at the begin. Over a silence a
        rise must be more than any power near that of its ends.
        """
        cdef int64_t most = flowed
        self.rise_unexplained = 0
        if self.passed_flags or self.later_flags:
            return
        if self.reading_flags & FLAG_GAP:
            most = clip(most_in_silence(&self.power, elapsed_ms), flowed, HIGHEST_VALUE)
        self.rise_unexplained = unexplained_rise(&self.power, &self.meter, elapsed_ms, risen, flowed, most)
        self.leave_out(self.rise_unexplained)

    cdef void ask_last_power(self, int64_t event_ms, int64_t value) noexcept nogil:
        """The same of a word after the charge, which tells no power: the last that was told may have gone on till then.

        A meter that answered nothing told no power either.
        """
        cdef int64_t risen = self.rise(self.reference_value, value)
        if self.power.last_w or not (self.passed_flags | self.later_flags):
            self.leave_out(
                unexplained_at_end(&self.power, &self.meter, event_ms, self.gap_ms, risen, self.rest.twice_w_ms)
            )

    cdef void leave_out(self, int64_t unexplained) noexcept nogil:
        """So much of the step that is closed next power does not explain."""
        if unexplained:
            self.reading_flags |= FLAG_AMBIGUOUS
            self.cover(unexplained, 0)
            self.unexplained_e4kwh += unexplained

    cdef void cover_silence(self, int64_t elapsed_ms, int64_t risen) noexcept nogil:
        """The vehicle may have paused in a silence, or the register rested: the interval covers both."""
        cdef int64_t missed = missed_in_silence(&self.power, &self.meter, elapsed_ms, risen)
        if self.rest.intervals or not missed:
            return
        self.passed_flags |= FLAG_STANDSTILL
        self.reading_flags |= FLAG_STANDSTILL
        self.cover(0, missed)
        self.rested_e4kwh += missed

    cdef void cover_reset(self, int64_t elapsed_ms, int64_t risen) noexcept nogil:
        """A rollover of a register whose digits nobody knows may have been a restart: [0, Pmax x time] covers both."""
        cdef int64_t possible = energy_at_pmax(&self.meter, elapsed_ms + self.meter.tolerance_ms)
        if self.reference_value >= self.meter.modulus:
            self.reading_flags |= FLAG_AMBIGUOUS
            self.cover(clip(risen - self.quantum, 0, risen), clip(possible - risen, 0, possible))

    cdef void cover_detour(self, const Doubt* detour, int64_t event_ms, int64_t value) noexcept nogil:
        """The register may have gone by the dropped reading as well: that way has a segment more, so it is known to one
        quantum less.
        """
        cdef int64_t direct = clip(
            self.rise(self.reference_value, value), 0, reach(&self.meter, event_ms - self.reach_since_ms)
        )
        cdef int64_t low = clip(self.rise(detour.value, value), 0, reach(&self.meter, event_ms - detour.ms))
        cdef int64_t high = low + energy_at_pmax(&self.meter, detour.ms - self.reference_ms + self.meter.tolerance_ms)
        self.reading_flags |= FLAG_AMBIGUOUS
        self.cover(clip(direct - low, 0, direct) + self.quantum, clip(high - direct, 0, high) + self.quantum)

    cdef void finish_line(self) noexcept nogil:
        """No reading follows: the last step tells what was passed over at the end.

        A register that fell and stayed there may not have stood as high as the reference: its falls of up to two quanta
        pass for jitter, and so does the way back from a spike of as much.
        """
        cdef int64_t doubtful = clip(self.rest.below, 0, self.segment_accepted) if self.rest.readings > 1 else 0
        self.leave_at_rest()
        self.cover(doubtful, 0)
        if self.log.has_last and (self.log.wider_low or self.log.wider_high or self.passed_flags or self.later_flags):
            reopen(&self.log, 1)
            self.log.last.flags |= self.passed_flags | self.later_flags
            close_interval(&self.log, self.log.last)
        clear_rest(&self.rest)
