"""The trusted readings of a session once more, in plain Python: what the register proves from one to the next.

`core.meter.trusted_line` counts as readings arrive; this has the whole session in view. `tests.core.meter_oracle`
decides which readings are trusted.
"""

from functools import reduce
from itertools import pairwise
from operator import or_
from typing import NamedTuple

from core.meter.flags import Flag
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile

FLOWING_W = 500
FROZEN_MS = 300_000
PLAY_MS = 15_000
HIGHEST_VALUE = 10**15
FIELD_MODULUS = 2**32 * 100
MOST_OWED_RISES = 2
OF_A_REST = Flag.FROZEN | Flag.STANDSTILL


class Reading(NamedTuple):
    """One reading of the register; a session's list of them ascends in `ms`. `counter`: the charger's own count."""

    ms: int
    value: int
    power_w: int = 0
    charging: bool = True
    counter: int = -1


class Step(NamedTuple):
    """What is known of the time between two trusted readings, as `MeterCalculator.closed_intervals` has it."""

    from_ms: int
    to_ms: int
    accepted: int
    low: int
    high: int
    estimated: int
    flags: int


class Rest:
    """The readings at which the register stood still, since energy first flowed without it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.flowing: list[tuple[int, int]] = []
        self.counter = -1
        self.before = 0  # by so much less than power says the register rose in the step before
        self.edges: list[int] = []  # power of steps at one end of which nothing flowed
        self.ahead = 0  # by so much more than power says the register rose last
        self.owed = 0  # by so much less the last rises, of which there are so many
        self.owed_rises = 0
        self.below: list[int] = []  # how far each reading since the rise lies below it

    @property
    def ms(self) -> int:
        return sum(ms for ms, _ in self.flowing)

    @property
    def power(self) -> int:
        return sum(power for _, power in self.flowing)


class Line:
    """The trusted readings of one session, with all its readings at hand."""

    def __init__(self, profile: MeterProfile, start_ms: int) -> None:
        self.profile = profile
        self.reference = Reading(start_ms, 0) if profile.register_kind == "session" else None
        self.standing_since_ms = start_ms
        self.accepted = self.overcounted = 0
        self.not_yet = 0  # of that, what only the next reading will show
        self.in_segment = 0
        self.segments = 1
        self.unsure_low = self.unsure_high = 0
        self.rested = self.frozen = self.frozen_high = self.unexplained = 0
        self.last_unexplained = 0
        self.readings: list[Reading] = []
        self.flags: list[int] = []
        self.steps: list[Step] = []
        self.rest = Rest()
        self.wider_low = self.wider_high = 0
        self.rested_in_silence = self.owes_at_end = False
        self.passed: list[int] = []  # places that were passed over since the reference
        self.lone_rise: tuple[Reading, int, int] | None = None  # what the register stood at before, power, place

    # ---- a reading that follows --------------------------------------------------------------------------------

    def _accept(self, place: int, last: Reading | None, counter: int) -> None:
        assert self.reference is not None
        reading, old = self.readings[place], self.reference
        step_ms, step_power = self._step_since(last, old, reading)
        risen = self._rise(old.value, reading.value)
        observed = step_ms <= self.profile.gap_ms
        power = self._power_energy_w_ms(self._charging_since(old, place))
        self._cover_silence(place, last, old, risen)
        if risen > 0:
            flowed = (self.rest.power + (power if reading.charging else 0)) // (2 * W_MS_PER_E4KWH)
            if reading.value < old.value:
                self.flags[place] |= Flag.ROLLOVER
                self._cover_reset(place, reading.ms - old.ms, risen, old.value)
            self._ask_power(place, old, risen, flowed)
            from_ms, estimated, more, flags = self._end_rest(
                place, old.ms, risen, step_power if observed else 0, counter
            )
            if reading.charging and self._power_was_told(place, old):
                self.rest.ahead = max(0, risen - flowed)
            known = min(risen, self.overcounted)
            self.overcounted -= known
            self.accepted += risen - known
            self.in_segment += risen
            self.reference, self.standing_since_ms = reading, reading.ms
            self._close(from_ms, reading.ms, risen, flags | self._flags_up_to(place), estimated, more)
            self.lone_rise = (old, power if reading.charging else 0, place)
        else:
            self.flags[place] |= Flag.JITTER if risen < 0 else 0
            self.reference = reading._replace(value=old.value)
            if not self.rest.steps:
                _before, power_before, _place = self.lone_rise or (old, 0, 0)
                explained = power_before // (2 * W_MS_PER_E4KWH)
                self.rest.before = max(0, explained - self.steps[-1].accepted) if self.lone_rise else 0
            self._close(old.ms, reading.ms, 0, self._flags_up_to(place))
            self.rest.below.append(-risen)
            self._rest(last, old, reading, counter)
            self.lone_rise = None
        self.reference = self.reference._replace(counter=counter if counter >= 0 else old.counter)
        self.passed.clear()
        self.rested_in_silence = False

    def _cover_silence(self, place: int, last: Reading | None, old: Reading, risen: int) -> None:
        """A silence in which the register rose by less than half of what power at both its ends says."""
        reading = self.readings[place]
        step_ms, step_power = self._step_since(last, old, reading)
        if last is None or not reading.charging or step_ms <= self.profile.gap_ms or step_ms != reading.ms - old.ms:
            return
        lower_w = min(last.power_w, reading.power_w)
        half = lower_w * step_ms // W_MS_PER_E4KWH // 2
        if self.rest.steps or lower_w <= FLOWING_W or risen + 2 * self.profile.quantum_e4kwh >= half:
            return
        missed = step_power // (2 * W_MS_PER_E4KWH) - max(0, risen)
        self.flags[place] |= Flag.STANDSTILL
        self.rested_in_silence = True
        self.wider_high += missed
        self.unsure_high += missed
        self.rested += missed

    def _ask_power(self, place: int, old: Reading, risen: int, flowed: int) -> None:
        """A rise that Pmax allows, but not the power beside it."""
        self.last_unexplained = 0
        peak_w = max((reading.power_w for reading in self._charging_since(old, place)), default=0)
        told_ms = sum(self._step(a, b)[0] for a, b in pairwise(self._charging_since(old, place)))
        reading = self.readings[place]
        passed = any(self.flags[at] for at in self.passed)
        if not peak_w or passed or not reading.charging or told_ms < reading.ms - old.ms:
            return
        most = flowed
        if self.flags[place] & Flag.GAP:
            lower_w = min(one.power_w for one in self._charging_since(old, place)[-2:])
            at_ends = 2 * peak_w * (reading.ms - old.ms) // W_MS_PER_E4KWH
            most = max(flowed, at_ends) if lower_w > FLOWING_W and peak_w <= 2 * lower_w else HIGHEST_VALUE
        late = peak_w * max(PLAY_MS, self.profile.time_tolerance_ms) // W_MS_PER_E4KWH
        if risen <= (most + late) * 11 // 10 + 2 * self.profile.quantum_e4kwh:
            return
        self.last_unexplained = risen - flowed * 9 // 10
        self._leave_out(place, self.last_unexplained)

    def _ask_last_power(self, place: int) -> None:
        """A word after the charge rose further than the last power would have brought until then."""
        assert self.reference is not None
        charging = [reading for reading in self.readings[:place] if reading.charging]
        last_w = charging[-1].power_w
        if not self._power_energy_w_ms(charging) or (not last_w and any(self.flags[at] for at in self.passed)):
            return
        risen = self._rise(self.reference.value, self.readings[place].value)
        elapsed_ms = self.readings[place].ms - charging[-1].ms
        tail = last_w * elapsed_ms * (2 if elapsed_ms > self.profile.gap_ms else 1)
        since = self._power_energy_w_ms(self._charging_since(self.reference, place)) + self.rest.power
        flowed = (since // 2 + tail) // W_MS_PER_E4KWH
        peak_w = max(reading.power_w for reading in charging[-2:])
        late = peak_w * max(PLAY_MS, self.profile.time_tolerance_ms) // W_MS_PER_E4KWH
        if risen > (flowed + late) * 11 // 10 + 2 * self.profile.quantum_e4kwh:
            self._leave_out(place, risen - flowed * 9 // 10)

    def _leave_out(self, place: int, unexplained: int) -> None:
        self.flags[place] |= Flag.AMBIGUOUS
        self.wider_low += unexplained
        self.unsure_low += unexplained
        self.unexplained += unexplained

    def _power_was_told(self, place: int, old: Reading) -> bool:
        """From the reference to this reading, without a silence."""
        told_ms = sum(self._step(a, b)[0] for a, b in pairwise(self._charging_since(old, place)))
        silent = any(self.flags[at] & Flag.GAP for at in (*self.passed, place))
        return told_ms >= self.readings[place].ms - old.ms and not silent

    def _cover_reset(self, place: int, elapsed_ms: int, risen: int, stood_at: int) -> None:
        """A rollover of a register whose digits nobody knows may have been a restart."""
        if stood_at < self.profile.modulus_e4kwh:
            return
        low = max(0, risen - self.profile.quantum_e4kwh)
        high = max(0, self._at_pmax(elapsed_ms + self.profile.time_tolerance_ms) - risen)
        self.flags[place] |= Flag.AMBIGUOUS
        self.wider_low += low
        self.wider_high += high
        self.unsure_low += low
        self.unsure_high += high

    def _charging_since(self, old: Reading, place: int) -> list[Reading]:
        """The charging readings from the one before the first that came after `old`, up to this one."""
        charging = [reading for reading in self.readings[: place + 1] if reading.charging]
        later = [at for at, reading in enumerate(charging) if reading.ms > old.ms or reading == self.readings[place]]
        return charging[max(0, later[0] - 1) :] if later else []

    def _flags_up_to(self, place: int) -> int:
        flags = reduce(or_, (self.flags[at] for at in self.passed), self.flags[place]) & ~OF_A_REST
        return flags | (Flag.STANDSTILL if self.rested_in_silence else 0)

    # ---- a register that rests ---------------------------------------------------------------------------------

    def _rest(self, last: Reading | None, old: Reading, reading: Reading, counter: int) -> None:
        step_ms, step_power = self._step_since(last, old, reading)
        flows = (
            last is not None
            and reading.charging
            and step_ms <= self.profile.gap_ms
            and min(last.power_w, reading.power_w) > FLOWING_W
        )
        if flows or (old.counter >= 0 and counter > old.counter):
            if not self.rest.steps:
                self.rest.counter = old.counter
            self.rest.flowing.append((step_ms, step_power if reading.charging else 0))
        elif self.rest.steps and step_ms <= self.profile.gap_ms:
            self.rest.edges.append(step_power if reading.charging else 0)
        if self.rest.ms:
            self.rest.steps.append(self.steps[-1])
        quanta = 2 * self.profile.quantum_e4kwh
        counted = bool(self.rest.steps) and self.rest.counter >= 0 and counter - self.rest.counter > quanta
        if self.rest.power <= 2 * W_MS_PER_E4KWH * quanta and not counted:
            self.standing_since_ms = reading.ms

    def _end_rest(
        self, place: int, from_ms: int, risen: int, last_step_power: int | None, counter: int
    ) -> tuple[int, int, int, int]:
        """What the register missed while it rested: from when, estimated, how much more it may be, and the flags.

        `last_step_power` None: no reading ends the rest, so that its own steps become one.
        """
        rest, self.rest = self.rest, Rest()
        if not rest.steps and not rest.owed:
            return from_ms, 0, 0, 0
        quantum = self.profile.quantum_e4kwh
        quanta = 2 * quantum
        flowed = rest.owed + (rest.power + (last_step_power or 0)) // (2 * W_MS_PER_E4KWH)
        edge = sum(rest.edges) // (2 * W_MS_PER_E4KWH)
        short, share = flowed - risen, flowed // 20
        missed = more = 0
        if short > quantum + rest.ahead + share:
            jitter = quanta if rest.ms > FROZEN_MS else 2 * quanta
            if risen and short <= jitter + share and rest.owed_rises < MOST_OWED_RISES:
                self.rest.owed, self.rest.owed_rises = short, rest.owed_rises + 1
            else:
                missed = short + edge
                more = missed + edge + share + 1
        if not rest.steps:
            return self._owed(place, from_ms, missed, more, last_step_power)
        counted = counter - rest.counter
        last_ms = max(reading.ms for reading in self.readings[: place + 1] if reading.charging)
        is_within_reach = counted <= self._reach(last_ms - rest.steps[0].from_ms)
        if rest.ms > FROZEN_MS and rest.counter >= 0 and quanta < counted - risen and is_within_reach:
            missed = counted - risen
            more = max(more, missed + quantum)
        if not more and risen and rest.power > 2 * W_MS_PER_E4KWH * quanta:
            self._take_back(rest)
            return rest.steps[0].from_ms, 0, 0, reduce(or_, (step.flags for step in rest.steps), 0)
        if not more:
            return from_ms, 0, 0, 0
        self._take_back(rest)
        more += 0 if rest.owed else rest.before
        raised = Flag.FROZEN if rest.ms > FROZEN_MS else Flag.STANDSTILL
        self.flags[place] |= raised
        flags = reduce(or_, (step.flags for step in rest.steps), raised)
        if rest.ms > FROZEN_MS:
            self.frozen += missed
            self.frozen_high += more
        else:
            self.rested += missed
            self.unsure_high += more
        estimated = missed if rest.ms > FROZEN_MS else 0
        if last_step_power is None:
            self.steps.append(
                Step(
                    rest.steps[0].from_ms,
                    rest.steps[-1].to_ms,
                    0,
                    -self.wider_low,
                    more + self.wider_high,
                    estimated,
                    flags,
                )
            )
            self.wider_low = self.wider_high = 0
        return rest.steps[0].from_ms, estimated, more, flags

    def _owed(
        self, place: int, from_ms: int, missed: int, more: int, last_step_power: int | None
    ) -> tuple[int, int, int, int]:
        """What earlier rises were short of and this one does not make up for."""
        if not more:
            return from_ms, 0, 0, 0
        self.flags[place] |= Flag.STANDSTILL
        self.rested += missed
        self.unsure_high += more
        if last_step_power is None:
            self.wider_high += more
            self.owes_at_end = True
        return from_ms, 0, more, Flag.STANDSTILL

    def _take_back(self, rest: Rest) -> None:
        """The steps of the rest become one; by how much they were wider, it is."""
        del self.steps[-len(rest.steps) :]
        self.wider_low -= sum(step.low for step in rest.steps)
        self.wider_high += sum(step.high - self.profile.quantum_e4kwh for step in rest.steps)

    def _close(self, from_ms: int, to_ms: int, risen: int, flags: int, estimated: int = 0, more: int = 0) -> None:
        quantum = self.profile.quantum_e4kwh
        low, high = max(0, risen - quantum) - self.wider_low, risen + quantum + more + self.wider_high
        self.steps.append(Step(from_ms, to_ms, risen, low, high, estimated, flags))
        self.wider_low = self.wider_high = 0

    # ---- a register that fell or jumped ------------------------------------------------------------------------

    def _question_reference(self, fallen: int, at_ms: int) -> int:
        """A fall so small that the reference may have been a spike which the test for jumps let pass."""
        assert self.reference is not None
        doubtful = min(fallen, self.in_segment) if 0 < fallen <= self._reach(at_ms - self.reference.ms) else 0
        self.unsure_low += max(0, doubtful)
        return max(0, doubtful)

    def _cover_detour(self, doubted: Reading, following: Reading) -> None:
        assert self.reference is not None
        direct = max(0, self._rise(self.reference.value, following.value))
        detour_low = max(0, self._rise(doubted.value, following.value))
        on_the_way = self._at_pmax(doubted.ms - self.reference.ms + self.profile.time_tolerance_ms)
        low = max(0, direct - detour_low) + self.profile.quantum_e4kwh
        high = max(0, detour_low + on_the_way - direct) + self.profile.quantum_e4kwh
        self.wider_low += low
        self.wider_high += high
        self.unsure_low += low
        self.unsure_high += high

    def _reference_was_spike(self, doubted: Reading) -> bool:
        """One reading alone rose further than power says, and the register is back on the line from before it."""
        if self.lone_rise is None or self.steps[-1].estimated:
            return False
        if self.reference is None or self._rise(self.reference.value, doubted.value) >= 0:
            return False
        before, power, _place = self.lone_rise
        explained = power // (2 * W_MS_PER_E4KWH)
        if power == 0 or self.steps[-1].accepted <= explained + explained // 20 + 2 * self.profile.quantum_e4kwh:
            return False
        return self._follows(before, doubted, before.ms)

    def _forgive_spike(self, place: int, decider: int) -> None:
        assert self.reference is not None and self.lone_rise is not None
        doubted, step = self.readings[place], self.steps.pop()
        before, _power, spike = self.lone_rise
        risen = max(0, self._rise(before.value, doubted.value))
        fallen = step.accepted - risen
        self.flags[spike] |= Flag.SPIKE | Flag.AMBIGUOUS
        self.unsure_low -= self.last_unexplained
        self.unexplained -= self.last_unexplained
        self.overcounted += step.accepted - risen
        self.in_segment -= step.accepted - risen
        self.unsure_high += fallen
        flags = step.flags | Flag.SPIKE | Flag.AMBIGUOUS | self._flags_up_to(place)
        self.reference = doubted if risen else doubted._replace(value=before.value)
        self.standing_since_ms = doubted.ms
        more = step.high - step.accepted - self.profile.quantum_e4kwh
        self._close(step.from_ms, doubted.ms, risen, flags, more=more + fallen)
        self.passed.clear()
        self.lone_rise = None

    def _new_segment(self, place: int, decider: int) -> None:
        assert self.reference is not None
        start = self.readings[place]
        elapsed_ms = start.ms - self.reference.ms
        fallen = self.reference.value - start.value
        self._end_rest(decider, self.reference.ms, 0, None, self.reference.counter)
        counted, flags_at_end = 0, Flag.STANDSTILL if self.owes_at_end else 0
        if fallen < 0:
            self.flags[place] |= Flag.JUMP
        elif start.value <= self._reach(elapsed_ms):
            self.flags[place] |= Flag.RESET
            self.wider_low += self._question_reference(fallen, start.ms)
            counted = start.value if self.profile.register_kind == "boot" else 0
        else:
            self.flags[place] |= Flag.ROLLBACK
            self.wider_low += max(0, min(fallen, self.in_segment))
            self.unsure_low += max(0, min(fallen, self.in_segment))
        possible = max(counted, self._at_pmax(elapsed_ms + self.profile.time_tolerance_ms))
        self.accepted += counted
        self.not_yet = counted
        self.unsure_low += counted
        self.unsure_high += possible - counted
        self.segments += 1
        self.in_segment = counted
        flags = self._flags_up_to(place) | flags_at_end
        self.owes_at_end = False
        self.steps.append(
            Step(self.reference.ms, start.ms, counted, -self.wider_low, possible + self.wider_high, 0, flags)
        )
        self.wider_low = self.wider_high = 0
        self.passed.clear()
        self.reference, self.standing_since_ms = start, start.ms
        self.rest, self.lone_rise = Rest(), None

    # ---- what is physically possible --------------------------------------------------------------------------

    @staticmethod
    def _step(last: Reading | None, reading: Reading) -> tuple[int, int]:
        """Length of the step, and twice the integral of power over it (trapezoid)."""
        if last is None:
            return 0, 0
        step_ms = reading.ms - last.ms
        return step_ms, (last.power_w + reading.power_w) * step_ms

    def _step_since(self, last: Reading | None, old: Reading, reading: Reading) -> tuple[int, int]:
        """The same; nothing where a word after the charge overtook the reading, which tells no more of power."""
        step_ms, step_power = self._step(last, reading)
        overtaken = last is not None and step_ms > 0 and old.ms > last.ms
        return (0, 0) if overtaken else (step_ms, step_power)

    def _power_energy(self) -> int:
        charging = [reading for reading in self.readings if reading.charging]
        return self._power_energy_w_ms(charging) // (2 * W_MS_PER_E4KWH)

    def _power_energy_w_ms(self, charging: list[Reading]) -> int:
        """Twice the integral of power over these."""
        return sum(self._step(a, b)[1] for a, b in pairwise(charging))

    def _follows_reference(self, reading: Reading) -> bool:
        return self.reference is not None and self._follows(self.reference, reading, self.standing_since_ms)

    def _follows(self, earlier: Reading, later: Reading, since_ms: int) -> bool:
        risen = self._rise(earlier.value, later.value)
        return -2 * self.profile.quantum_e4kwh <= risen <= self._reach(later.ms - since_ms)

    def _rise(self, old: int, new: int) -> int:
        """The difference, over the last digit where the register stood shortly before it."""
        if new >= old or self.profile.register_kind != "lifetime":
            return new - old
        known = self.profile.modulus_e4kwh
        higher = [known] if known > old else [10 ** max(8, len(str(old))), FIELD_MODULUS]
        for modulus in higher:
            if 10 * old > 9 * modulus and old < modulus and 10 * new < modulus:
                return new - old + modulus
        return new - old

    def _reach(self, elapsed_ms: int) -> int:
        return self._at_pmax(elapsed_ms + self.profile.time_tolerance_ms) + 2 * self.profile.quantum_e4kwh

    def _at_pmax(self, elapsed_ms: int) -> int:
        return self.profile.energy_at_pmax(elapsed_ms)
