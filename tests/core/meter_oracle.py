"""The rules of the calculator once more, in plain Python and with the whole session in view.

`core.meter.calculator` judges readings one by one as they arrive; this reads the finished list and simply looks at the
next reading. It is slow and meant to be read: `test_meter_oracle.py` holds both equal on generated sessions. What
follows from the trusted readings is in `tests.core.line_oracle`.
"""

from functools import reduce
from operator import or_
from typing import NamedTuple

from core.meter.flags import Flag
from core.meter.profile import MeterProfile
from tests.core.line_oracle import HIGHEST_VALUE, OF_A_REST, Line, Reading, Step


class Judgement(NamedTuple):
    """What became of a session, with the names of `core.meter.calculator.MeterCalculator`."""

    accepted_e4kwh: int
    overcounted_e4kwh: int
    segments: int
    unsure_low_e4kwh: int
    unsure_high_e4kwh: int
    rested_e4kwh: int
    unexplained_e4kwh: int
    frozen_e4kwh: int
    frozen_high_e4kwh: int
    flags: int
    reading_flags: list[int]
    running_e4kwh: list[int]
    power_energy_e4kwh: int
    steps: list[Step]


class Oracle(Line):
    """Judges one session."""

    def __init__(self, profile: MeterProfile, start_ms: int, zero_is_false: bool = False, told_start: int = 0) -> None:
        super().__init__(profile, start_ms)
        self.told = Reading(start_ms, told_start)
        self.zero_is_false = zero_is_false

    def judge(self, readings: list[Reading]) -> Judgement:
        """Judge the list, which must ascend in time."""
        self.readings = readings
        self.flags = [0] * len(readings)
        running = []
        undecided_until = self._begin_as_told() if self.told.value and self.reference is None else 0
        last: Reading | None = None
        for place, reading in enumerate(readings):
            if place >= undecided_until:
                self.not_yet = 0
            if reading.charging:
                step_ms, _power = self._step(last, reading)
                self.flags[place] |= Flag.GAP if step_ms > self.profile.gap_ms else 0
                if not 0 <= reading.value <= HIGHEST_VALUE:
                    self._pass_over(place, Flag.SPIKE)
                elif place < undecided_until:
                    self._pass_over(place, Flag.ZERO_READ)
                elif self._follows_reference(reading):
                    self._accept(place, last, reading.counter)
                else:
                    undecided_until = self._decide(place)
                last = reading
            elif last is not None and place >= undecided_until:
                self._offer_end(place)
            running.append(self.accepted - self.not_yet)
        self._finish()
        return Judgement(
            self.accepted,
            self.overcounted,
            self.segments,
            self.unsure_low,
            self.unsure_high,
            self.rested,
            self.unexplained,
            self.frozen,
            self.frozen_high,
            reduce(or_, self.flags, 0),
            self.flags,
            running,
            self._power_energy(),
            self.steps,
        )

    # ---- the begin --------------------------------------------------------------------------------------------

    def _begin_as_told(self) -> int:
        """Zeros say nothing about the register that the charger told; the first other reading does. Gives its place."""
        for place, reading in enumerate(self.readings):
            if not reading.charging or not 0 <= reading.value <= HIGHEST_VALUE:
                continue
            if reading.value == 0:
                self.flags[place] |= Flag.ZERO_BASELINE
                continue
            if self._follows(self.told, reading, self.told.ms):
                self.reference = self.told
            return place
        return len(self.readings)

    # ---- a reading that does not follow -----------------------------------------------------------------------

    def _decide(self, place: int) -> int:
        """The reading does not follow from the reference. Find the later one that says what it was; give its place."""
        doubted = self.readings[place]
        decider = self._decider(place)
        if decider is None:
            self._decide_last(place)
            return len(self.readings)
        following = self.readings[decider]
        confirmed = self._confirms(doubted, following)
        if self.reference is None and confirmed:
            self._begin_at(doubted)
        elif self._follows_reference(following):
            self._pass_over(place, self._false(place))
            if confirmed:
                self.flags[decider] |= Flag.AMBIGUOUS
                self._cover_detour(doubted, following)
        elif confirmed and self._reference_was_spike(doubted):
            self._forgive_spike(place, decider)
        elif confirmed:
            self._new_segment(place, decider)
        elif self.reference is not None or doubted.value != 0 or following.value != 0:
            self._pass_over(place, self._false(place))
        else:
            self._pass_over(place, 0)  # a zero after a zero, before any true value: nothing is decided
        return decider

    def _decider(self, place: int) -> int | None:
        """The next reading, but a zero decides nothing on a doubted value unless it follows from the reference."""
        for later in range(place + 1, len(self.readings)):
            reading = self.readings[later]
            if not reading.charging or not 0 <= reading.value <= HIGHEST_VALUE:
                continue
            if reading.value != 0 or self.readings[place].value == 0 or self._follows_reference(reading):
                return later
        return None

    def _decide_last(self, place: int) -> None:
        doubted = self.readings[place]
        if self.reference is None and doubted.value != 0:
            self._begin_at(doubted)
            return
        if self.reference is not None and doubted.value != 0:
            self.wider_low += self._question_reference(self.reference.value - doubted.value, doubted.ms)
        self._pass_over(place, self._false(place))

    def _begin_at(self, doubted: Reading) -> None:
        self.reference, self.standing_since_ms = doubted, doubted.ms
        self.passed.clear()

    def _pass_over(self, place: int, flags: int) -> None:
        self.flags[place] |= flags
        self.passed.append(place)

    def _false(self, place: int) -> int:
        if self.readings[place].value != 0:
            return Flag.SPIKE
        return Flag.ZERO_READ if self.reference is not None else Flag.ZERO_READ | Flag.ZERO_BASELINE

    def _confirms(self, doubted: Reading, following: Reading) -> bool:
        if following.value == 0 or (doubted.value == 0 and self.zero_is_false):
            return False
        return self._follows(doubted, following, doubted.ms)

    # ---- the end -----------------------------------------------------------------------------------------------

    def _offer_end(self, place: int) -> None:
        reading = self.readings[place]
        if self.reference is None or not self.reference.value <= reading.value <= HIGHEST_VALUE:
            return
        if not self._follows_reference(reading):
            return
        if reading.value > self.reference.value or self.profile.register_kind != "session":
            self._ask_last_power(place)
            self._accept(place, None, -1)

    def _finish(self) -> None:
        """What the register misses at the end: estimated after a long rest, else covered by the interval."""
        if not self.readings:
            return
        below = self.rest.below
        doubtful = max(0, min(min(below), self.in_segment)) if len(below) > 1 else 0
        counter = self.reference.counter if self.reference else -1
        self._end_rest(len(self.readings) - 1, 0, 0, None, counter)
        self.wider_low += doubtful
        self.unsure_low += doubtful
        if self.steps:
            last = self.steps.pop()
            flags = last.flags | reduce(or_, (self.flags[at] for at in self.passed), 0) & ~OF_A_REST
            flags |= Flag.STANDSTILL if self.owes_at_end else 0
            low, high = last.low - self.wider_low, last.high + self.wider_high
            self.steps.append(last._replace(low=low, high=high, flags=flags))
