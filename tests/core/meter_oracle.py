"""The rules of the calculator once more, in plain Python and with the whole session in view.

`core.meter.calculator` judges readings one by one as they arrive; this reads the finished list and simply looks at the
next reading. It is slow and meant to be read: `test_meter_oracle.py` holds both equal on generated sessions.
"""

from functools import reduce
from itertools import pairwise
from operator import or_
from typing import NamedTuple

from core.meter.flags import Flag
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile

FLOWING_W = 500
FROZEN_MS = 300_000


class Reading(NamedTuple):
    """One reading of the register; a session's list of them ascends in `ms`."""

    ms: int
    value: int
    power_w: int = 0
    charging: bool = True


class Judgement(NamedTuple):
    """What became of a session, with the names of `core.meter.calculator.MeterCalculator`."""

    accepted_e4kwh: int
    segments: int
    unsure_low_e4kwh: int
    unsure_high_e4kwh: int
    frozen_e4kwh: int
    flags: int
    reading_flags: list[int]
    running_e4kwh: list[int]
    power_energy_e4kwh: int


class Oracle:
    """Judges one session."""

    def __init__(self, profile: MeterProfile, start_ms: int, zero_is_false: bool = False, told_start: int = 0) -> None:
        self.profile = profile
        self.told = Reading(start_ms, told_start)
        self.zero_is_false = zero_is_false
        self.reference = Reading(start_ms, 0) if profile.register_kind == "session" else None
        self.standing_since_ms = start_ms
        self.accepted = 0
        self.in_segment = 0
        self.segments = 1
        self.unsure_low = 0
        self.unsure_high = 0
        self.frozen = 0
        self.readings: list[Reading] = []
        self.flags: list[int] = []
        self.resting_steps: list[tuple[int, int]] = []

    def judge(self, readings: list[Reading]) -> Judgement:
        """Judge the list, which must ascend in time."""
        self.readings = readings
        self.flags = [0] * len(readings)
        running = []
        undecided_until = self._begin_as_told() if self.told.value and self.reference is None else 0
        last: Reading | None = None
        for place, reading in enumerate(readings):
            if reading.charging:
                step_ms, step_power = self._step(last, reading)
                self.flags[place] |= Flag.GAP if step_ms > self.profile.gap_ms else 0
                if place < undecided_until:
                    self.flags[place] |= Flag.ZERO_READ
                elif self._follows_reference(reading):
                    self._accept(place, step_ms, step_power)
                else:
                    undecided_until = self._decide(place)
                last = reading
            elif last is not None and place >= undecided_until:
                self._offer_end(place)
            running.append(self.accepted)
        if readings:
            self._last_rest(len(readings) - 1)
        return Judgement(
            self.accepted,
            self.segments,
            self.unsure_low,
            self.unsure_high,
            self.frozen,
            reduce(or_, self.flags, 0),
            self.flags,
            running,
            self._power_energy(),
        )

    def _begin_as_told(self) -> int:
        """Zeros say nothing about the register that the charger told; the first other reading does. Gives its place."""
        undecided_until = 0
        for place, reading in enumerate(self.readings):
            if reading.charging and reading.value == 0:
                self.flags[place] |= Flag.ZERO_BASELINE
                undecided_until = place + 1
            elif reading.charging:
                if self._follows(self.told, reading, self.told.ms):
                    self.reference = self.told
                break
        return undecided_until

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
            self.reference, self.standing_since_ms = doubted, doubted.ms
        elif self._follows_reference(following):
            if confirmed:
                self.flags[decider] |= Flag.AMBIGUOUS
                self._cover_detour(doubted, following)
            self._drop(place)
        elif confirmed:
            self._new_segment(place, decider)
        elif self.reference is not None or doubted.value != 0 or following.value != 0:
            self._drop(place)  # else a zero after a zero, before any true value: nothing is decided
        return decider

    def _decider(self, place: int) -> int | None:
        """The next reading, but a zero decides nothing on a doubted value unless it follows from the reference."""
        for later in range(place + 1, len(self.readings)):
            reading = self.readings[later]
            if not reading.charging:
                continue
            if reading.value != 0 or self.readings[place].value == 0 or self._follows_reference(reading):
                return later
        return None

    def _decide_last(self, place: int) -> None:
        doubted = self.readings[place]
        if self.reference is None and doubted.value != 0:
            self.reference, self.standing_since_ms = doubted, doubted.ms
            return
        if self.reference is not None and doubted.value != 0:
            self._question_reference(self.reference.value - doubted.value, doubted.ms - self.reference.ms)
        self._drop(place)

    def _drop(self, place: int) -> None:
        self.flags[place] |= Flag.SPIKE if self.readings[place].value != 0 else self._zero_read()

    def _zero_read(self) -> int:
        return Flag.ZERO_READ if self.reference is not None else Flag.ZERO_READ | Flag.ZERO_BASELINE

    def _question_reference(self, fallen: int, elapsed_ms: int) -> None:
        """A fall so small that the reference may have been a spike which the test for jumps let pass."""
        if 0 < fallen <= self._reach(elapsed_ms):
            self.unsure_low += min(fallen, self.in_segment)

    @staticmethod
    def _step(last: Reading | None, reading: Reading) -> tuple[int, int]:
        """Length of the step, and twice the integral of power over it (trapezoid)."""
        if last is None:
            return 0, 0
        step_ms = reading.ms - last.ms
        return step_ms, (last.power_w + reading.power_w) * step_ms

    def _power_energy(self) -> int:
        charging = [reading for reading in self.readings if reading.charging]
        return sum(self._step(a, b)[1] for a, b in pairwise(charging)) // (2 * W_MS_PER_E4KWH)

    def _cover_detour(self, doubted: Reading, following: Reading) -> None:
        assert self.reference is not None
        direct = max(0, self._rise(self.reference.value, following.value))
        detour_low = max(0, self._rise(doubted.value, following.value))
        on_the_way = self._at_pmax(doubted.ms - self.reference.ms + self.profile.time_tolerance_ms)
        self.unsure_low += max(0, direct - detour_low) + self.profile.quantum_e4kwh
        self.unsure_high += max(0, detour_low + on_the_way - direct) + self.profile.quantum_e4kwh

    def _new_segment(self, place: int, decider: int) -> None:
        assert self.reference is not None
        start = self.readings[place]
        elapsed_ms = start.ms - self.reference.ms
        fallen = self.reference.value - start.value
        self._end_rest(decider, 0, 0)
        if fallen < 0:
            self.flags[place] |= Flag.JUMP
        elif start.value <= self._reach(elapsed_ms):
            self.flags[place] |= Flag.RESET
            self._question_reference(fallen, elapsed_ms)
        else:
            self.flags[place] |= Flag.ROLLBACK
            self.unsure_low += min(fallen, self.in_segment)
        self.unsure_high += self._at_pmax(elapsed_ms + self.profile.time_tolerance_ms)
        self.segments += 1
        self.in_segment = 0
        self.reference, self.standing_since_ms = start, start.ms

    def _accept(self, place: int, step_ms: int, step_power: int) -> None:
        assert self.reference is not None
        reading, old = self.readings[place], self.reference.value
        risen = self._rise(old, reading.value)
        observed = step_ms <= self.profile.gap_ms
        if risen > 0:
            self._end_rest(place, risen, step_power if observed else 0)
            self.accepted += risen
            self.in_segment += risen
            self.reference, self.standing_since_ms = reading, reading.ms
            self.flags[place] |= Flag.ROLLOVER if reading.value < old else 0
            return
        self.flags[place] |= Flag.JITTER if risen < 0 else 0
        self.reference = reading._replace(value=old)
        if observed and step_power > 2 * FLOWING_W * step_ms:
            self.resting_steps.append((step_ms, step_power))
        if sum(power for _, power in self.resting_steps) <= 4 * W_MS_PER_E4KWH * self.profile.quantum_e4kwh:
            self.standing_since_ms = reading.ms

    def _last_rest(self, place: int) -> None:
        """What the register misses at the end: estimated after a long rest, else covered by the interval."""
        before = self.frozen
        rest_ms, missed, flowed = self._rested(0, 0)
        self._end_rest(place, 0, 0)
        if self.frozen == before and rest_ms and missed > 2 * self.profile.quantum_e4kwh + flowed // 20:
            self.unsure_high += missed + flowed // 20 + 1

    def _rested(self, risen: int, last_step_power: int) -> tuple[int, int, int]:
        rest_ms = sum(ms for ms, _ in self.resting_steps)
        flowed = (sum(power for _, power in self.resting_steps) + last_step_power) // (2 * W_MS_PER_E4KWH)
        return rest_ms, flowed - risen, flowed

    def _end_rest(self, place: int, risen: int, last_step_power: int) -> None:
        rest_ms, missed, flowed = self._rested(risen, last_step_power)
        self.resting_steps.clear()
        if rest_ms > FROZEN_MS and missed > 2 * self.profile.quantum_e4kwh + flowed // 20:
            self.frozen += missed
            self.flags[place] |= Flag.FROZEN

    def _offer_end(self, place: int) -> None:
        reading = self.readings[place]
        if self.reference is None or reading.value < self.reference.value or not self._follows_reference(reading):
            return
        if reading.value > self.reference.value or self.profile.register_kind != "session":
            self._accept(place, 0, 0)

    def _follows_reference(self, reading: Reading) -> bool:
        return self.reference is not None and self._follows(self.reference, reading, self.standing_since_ms)

    def _confirms(self, doubted: Reading, following: Reading) -> bool:
        if following.value == 0 or (doubted.value == 0 and self.zero_is_false):
            return False
        return self._follows(doubted, following, doubted.ms)

    def _follows(self, earlier: Reading, later: Reading, since_ms: int) -> bool:
        risen = self._rise(earlier.value, later.value)
        return -2 * self.profile.quantum_e4kwh <= risen <= self._reach(later.ms - since_ms)

    def _rise(self, old: int, new: int) -> int:
        modulus = self.profile.modulus_e4kwh
        if modulus and new < old and 10 * old > 9 * modulus and 10 * new < modulus:
            return new - old + modulus
        return new - old

    def _reach(self, elapsed_ms: int) -> int:
        return self._at_pmax(elapsed_ms + self.profile.time_tolerance_ms) + 2 * self.profile.quantum_e4kwh

    def _at_pmax(self, elapsed_ms: int) -> int:
        return self.profile.energy_at_pmax(elapsed_ms)
