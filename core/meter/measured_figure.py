"""Best, low and high of one session: what the calculator proved, what it left open, and what no reading saw."""

from typing import NamedTuple

import msgspec
import numpy as np

from core.meter.calculator import MeterCalculator
from core.meter.flags import Flag
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import Int64s
from core.meter.seen_power import BEGIN_SHARE, POWER_E4KWH, POWER_SHARE, POWER_SHARED, FlowedBefore, SeenSteps

MINUTE_MS = 60_000
LATE_BASELINE_MS = 60_000
MANY_STEPS = 10
TOO_MANY_JUMPS = 5  # one step in five: the rated power is wrong (metering.md, "Check of these rules")


class RegisterFacts(msgspec.Struct, frozen=True):
    """What else is known of an absolute register; 0 = not known. Session counters need none of it.

    `previous_end_e4kwh` is where it was last seen before the session, `previous_end_ms` when that was.
    `previous_was_over`: by then the charge before was over; else it may have gone on unseen, and what it still took is
    not this session's, so that the register only bounds the begin.
    """

    previous_end_e4kwh: int = 0
    bill_start_e4kwh: int = 0
    previous_end_ms: int = 0
    previous_was_over: bool = True


class Begin(NamedTuple):
    """What is known of the time between the begin of the charge and the first trusted reading of its register.

    `first_ms`, `last_ms`: the first and the last charging reading; `counted_e4kwh`: what the charger by itself had
    counted when the register was first read, -1 = nothing. `flowed`: what power says, None = it was not told; `peak_w`:
    the highest of the charge. `shown_e4kwh`: what a session counter showed first. `is_mute`: until then the meter
    answered nothing.
    """

    began_ms: int
    first_ms: int
    last_ms: int
    counted_e4kwh: int = -1
    flowed: FlowedBefore | None = None
    shown_e4kwh: int = 0
    peak_w: int = 0
    is_mute: bool = False


class MeasuredFigure:
    """The figures of one session. What is not proven stands in `low` and `high`, its rule in `flags`."""

    def __init__(
        self,
        calculator: MeterCalculator,
        profile: MeterProfile,
        facts: RegisterFacts,
        begin: Begin,
        end_high_ms: int,
        seen: SeenSteps,
        is_valid: bool,
    ) -> None:
        self._calculator = calculator
        self._profile = profile
        self._begin = begin
        self._last_ms = begin.last_ms
        self.is_valid = is_valid
        self.baseline_extra = 0
        self.excluded_at_begin = 0  # so much more the register came since its last known value
        self.unexplained_at_begin = 0  # so much of what it came no second witness bears out
        self.missed_at_begin = 0  # and so much more than it came a second witness tells
        self._begin_flags = 0
        self._begin_low = self._begin_high = 0
        if is_valid:
            self._set_baseline(facts)
        self._tail_from_ms = calculator.reference_ms if is_valid else begin.began_ms
        self._tail_to_ms = max(end_high_ms, self._tail_from_ms)
        self._tail_flags = self._flags_of_tail()
        self.flags = self._begin_flags | self._tail_flags
        if self._power_rating_is_doubtful():
            self.flags |= Flag.POWER_RATING_DOUBTFUL
        self.low, self.high = self._low(), self._high()
        if is_valid and calculator.power_energy_e4kwh and begin.began_ms <= begin.first_ms:
            self._hear_power(seen)

    # ---- the begin --------------------------------------------------------------------------------------------

    def _set_baseline(self, facts: RegisterFacts) -> None:
        """Where the first valid reading came late, find the start of the register (metering.md, "late baseline").

        A session counter needs nothing: it stood at 0 when the charge began, however late it was first read, but for
        one that power refutes. Nor does a register whose start the charger told and the readings bear out: the
        calculator began there.
        """
        if self._profile.register_kind == "session":
            if self._begin.first_ms - self._begin.began_ms > LATE_BASELINE_MS + MINUTE_MS:
                self._begin_flags |= Flag.LATE_BASELINE
            self._ask_whether_reset()
            return
        delay_ms = self._calculator.baseline_ms - self._begin.began_ms
        if delay_ms <= 0:
            return
        if self._take_start_from(facts, delay_ms):
            return
        self._begin_high = self._profile.energy_at_pmax(delay_ms)
        since_previous = self._calculator.baseline_value - facts.previous_end_e4kwh
        if facts.previous_end_e4kwh and since_previous >= 0 and self._profile.register_kind == "lifetime":
            self._begin_high = min(self._begin_high, since_previous)  # it had not fallen in between
        if delay_ms > LATE_BASELINE_MS:
            self._begin_flags |= Flag.LATE_BASELINE

    def _ask_whether_reset(self) -> None:
        """A session counter that first shows more than can have flowed still counts the charge before.

        Of a time in which nothing was heard only the power afterwards tells: there, twice the highest of the charge.
        """
        flowed, shown = self._begin.flowed, self._begin.shown_e4kwh
        if flowed is None:
            return
        allowed = flowed.allowed_e4kwh
        if not self._hears_power_at_begin:
            allowed = flowed.told_e4kwh + POWER_SHARED * self._at_peak_until_heard
        if shown > allowed + flowed.play_e4kwh + 2 * self._profile.quantum_e4kwh:
            self._begin_flags |= Flag.AMBIGUOUS
            self.unexplained_at_begin = shown - flowed.told_e4kwh
            self._begin_low = min(shown, shown - flowed.told_e4kwh + flowed.play_e4kwh)

    def _take_start_from(self, facts: RegisterFacts, delay_ms: int) -> bool:
        """The previous end, the bill's start, or the charger's own count, where it can have come from there.

        A register that read 0 before lacks its begin however soon it answers; one that is first heard at its second
        reading does not. What flowed while it read 0 is what power says, wherever power was told.
        """
        quantum = self._profile.quantum_e4kwh
        reach = self._profile.energy_at_pmax(delay_ms + self._profile.time_tolerance_ms) + 2 * quantum
        first = self._calculator.baseline_value
        known: list[tuple[int, Flag]] = []
        is_late = delay_ms >= LATE_BASELINE_MS
        is_known = facts.previous_end_e4kwh > 0 and facts.previous_was_over
        if (
            (is_late or self._begin.is_mute or self._calculator.begin_flags & Flag.ZERO_READ)
            and is_known
            and self._profile.register_kind == "lifetime"
        ):
            known.append((first - facts.previous_end_e4kwh, Flag.BASELINE_PREV_END))
        if is_late and facts.bill_start_e4kwh:
            known.append((first - facts.bill_start_e4kwh, Flag.BASELINE_BILL_START))
        excluded = 0
        for extra, flag in known:
            if not 0 <= extra <= reach:
                continue
            if extra > self._most_before_first_value(delay_ms):
                excluded = excluded or extra
                continue
            self._begin_flags |= flag
            self.baseline_extra = extra
            self._begin_low = self._beyond_power(extra)
            if first - extra != facts.bill_start_e4kwh:
                self._ask_second_witness(extra)
            return True
        if 0 <= self._begin.counted_e4kwh <= reach:
            extra = self.baseline_extra = self._begin.counted_e4kwh
            self._begin_flags |= Flag.BASELINE_BACKCAST
            self._begin_low = min(quantum, extra)
            self._begin_high = quantum
            return True
        if excluded:
            self._take_what_power_allows(excluded)
        return bool(excluded)

    @property
    def _hears_power_at_begin(self) -> bool:
        """The charge was heard from its begin on, so that only its meter is late."""
        return self._begin.is_mute or self._begin.first_ms - self._begin.began_ms < LATE_BASELINE_MS

    @property
    def _at_peak_until_heard(self) -> int:
        """What the highest power of the charge brings before the first reading that tells of power."""
        return self._begin.peak_w * (self._begin.first_ms - self._begin.began_ms) // W_MS_PER_E4KWH

    def _most_before_first_value(self, delay_ms: int) -> int:
        """What can have flowed before the register showed its first value, 1e-4 kWh."""
        flowed, quanta = self._begin.flowed, 2 * self._profile.quantum_e4kwh
        if not self._hears_power_at_begin:
            return self._profile.energy_at_pmax(delay_ms + self._profile.time_tolerance_ms) + quanta
        if flowed is None:
            return self._profile.energy_at_pmax(delay_ms) + quanta
        return flowed.allowed_e4kwh + flowed.play_e4kwh + quanta

    def _beyond_power(self, extra: int) -> int:
        """How much of it only the play of power allows: that may be no energy of this charge."""
        flowed = self._begin.flowed
        return max(0, extra - flowed.allowed_e4kwh) if flowed and self._hears_power_at_begin else 0

    def _ask_second_witness(self, extra: int) -> None:
        """The charger's own count, or the power of a charge that was heard from its begin, says what flowed till then.

        The connector may have charged in between and nobody heard of it, or the register was read wrong before: then
        this way is not that of the charge, however far Pmax would reach.
        """
        quanta = 2 * self._profile.quantum_e4kwh
        flowed = self._begin.flowed
        if self._begin.counted_e4kwh >= 0:
            told, less, more = self._begin.counted_e4kwh, quanta, quanta
        elif flowed and self._hears_power_at_begin:
            told = flowed.told_e4kwh
            less, more = flowed.play_e4kwh + quanta, flowed.changed_e4kwh + told // BEGIN_SHARE + quanta
            if self._begin.is_mute:
                more += self._at_peak_until_heard
        else:
            return
        if extra > told + more:
            self.unexplained_at_begin = extra - told
            self._begin_low = max(self._begin_low, min(extra, extra - told + less))
        elif extra < told - less:
            self.missed_at_begin = told - extra
            self._begin_high = told + more - extra

    def _take_what_power_allows(self, extra: int) -> None:
        """The register came further than power can have brought it: something else took the rest, or power is wrong."""
        flowed = self._begin.flowed
        allowed = min(extra, flowed.allowed_e4kwh) if flowed else 0
        self.baseline_extra = allowed
        self._begin_flags |= Flag.LATE_BASELINE | Flag.AMBIGUOUS
        self._begin_low = max(0, allowed - flowed.told_e4kwh) if flowed else 0
        self._begin_high = self.excluded_at_begin = extra - allowed

    # ---- the end ----------------------------------------------------------------------------------------------

    @property
    def tail_ms(self) -> int:
        """How long energy may have flowed unseen after the last trusted reading."""
        return self._profile.flows_on_ms(self._tail_to_ms - self._tail_from_ms)

    def _flags_of_tail(self) -> int:
        if not self.is_valid:
            return int(Flag.MISSING_DATA)
        return int(Flag.TAIL_GAP) if self._tail_to_ms - self._tail_from_ms > self._profile.gap_ms else 0

    # ---- the whole --------------------------------------------------------------------------------------------

    def _power_rating_is_doubtful(self) -> bool:
        """More than Pmax allows over the whole session: each step may pass within the play of its times."""
        span_ms = self._calculator.reference_ms - self._begin.began_ms + self._profile.time_tolerance_ms
        most = self._profile.energy_at_pmax(span_ms) + 2 * self._profile.quantum_e4kwh
        return self._calculator.accepted_e4kwh - self._calculator.overcounted_e4kwh > most

    def _hear_power(self, seen: SeenSteps) -> None:
        """Voltage x current, the second instrument: where it excludes the interval, one is wrong (metering.md, 10).

        It is good to 5 %, and up to 8 % are lost between a meter on the AC side and the vehicle. Power may have been
        another between two readings, and anything up to Pmax in the time that nobody saw: that explains nothing of what
        the register rose in the steps that were seen. The interval covers both.
        """
        calculator, profile = self._calculator, self._profile
        power = calculator.seen_power_energy_e4kwh
        play = power // POWER_SHARE + calculator.power_play_e4kwh + POWER_E4KWH
        unseen_ms = calculator.gaps_ms + self._begin.first_ms - self._begin.began_ms + self._tail_to_ms - self._last_ms
        most = power + play + profile.energy_at_pmax(unseen_ms)
        if power - play > self.high or most < self.low or seen.power_contradicts:
            self.flags |= Flag.POWER_CONTRADICTS
            self.low = max(0, min(self.low, power - play))
            self.high = max(self.high, most)

    @property
    def proven(self) -> int:
        """What registers prove, the charger's record and count included where they tell the begin."""
        return self._calculator.accepted_e4kwh - self._calculator.overcounted_e4kwh + self.baseline_extra

    @property
    def _resolution(self) -> int:
        """Floor registers are good to one quantum in each stretch that fits together."""
        return self._profile.quantum_e4kwh * self._calculator.segments if self.is_valid else 0

    @property
    def best(self) -> int:
        return self.proven + self._calculator.frozen_e4kwh

    def _low(self) -> int:
        return max(0, self.proven - self._resolution - self._calculator.unsure_low_e4kwh - self._begin_low)

    def _high(self) -> int:
        return (
            self.proven
            + self._resolution
            + self._calculator.unsure_high_e4kwh
            + self._calculator.frozen_high_e4kwh
            + self._begin_high
            + self._profile.energy_at_pmax(self.tail_ms)
        )

    # ---- its steps --------------------------------------------------------------------------------------------

    def with_both_ends(self, rows: Int64s, filled: int) -> Int64s:
        """The steps of the calculator, which stand from row 1 on, with those before and after them."""
        first, last = 1, 1 + filled
        if self._profile.register_kind == "session" and self._begin_low:
            rows[first, 3] -= self._begin_low
            rows[first, 6] |= int(Flag.AMBIGUOUS)
        from_ms = self._calculator.baseline_ms if self.is_valid else self._begin.began_ms
        if self.is_valid and self._begin.began_ms < from_ms:
            extra, quantum = self.baseline_extra, self._profile.quantum_e4kwh
            resolution = quantum if self._begin_flags & ~Flag.LATE_BASELINE else 0
            first = 0
            rows[0] = (
                self._begin.began_ms,
                from_ms,
                extra,
                max(0, extra - resolution - self._begin_low),
                extra + resolution + self._begin_high,
                0,
                self._begin_flags | self._calculator.begin_flags,
            )
        if self._tail_to_ms > self._tail_from_ms or not self.is_valid:
            possible = self._profile.energy_at_pmax(self.tail_ms)
            flags = self._tail_flags if self.is_valid else self._tail_flags | self._calculator.flags
            rows[last] = (self._tail_from_ms, self._tail_to_ms, 0, 0, possible, 0, flags)
            last += 1
        return rows[first:last]


def too_many_jumps(reading_flags: "np.ndarray[tuple[int], np.dtype[np.uint32]]", charging_readings: int) -> bool:
    """Whether so many steps are faster than Pmax allows that Pmax must be wrong."""
    if charging_readings < MANY_STEPS:
        return False
    jumps = int(np.count_nonzero(reading_flags & np.uint32(Flag.JUMP | Flag.SPIKE)))
    return jumps * TOO_MANY_JUMPS > charging_readings
