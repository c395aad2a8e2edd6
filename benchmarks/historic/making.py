"""From cells to charges: what each charge's causes do to its times, its meter and its record."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from benchmarks.historic.allotment import CLOSES_LATE, NOBODY, Allotment
from benchmarks.historic.causes import AWAY, Cause, Recipe
from benchmarks.historic.charges import FROM_MS, MINUTE_MS, PERIOD_MS, SECOND_MS, TO_MS, Bools, Charges, Ints
from benchmarks.historic.errors import HistoricError
from benchmarks.historic.fleet import GUNS, Charger

MARGIN_MS: Final = 30 * MINUTE_MS
"""At either end of a stretch: clocks are off by less, so that no record reaches into the next one."""
LISTENED_MS: Final = 45 * MINUTE_MS
"""So long the capture holds heartbeats while a record is awaited."""
CLOCK_SET_MS: Final = 12 * MINUTE_MS
CLOCK_OFF_MINUTES: Final = (4, 26)
STEPS: Final = (20, 43)
STEPS_AWAY: Final = (34, 47)
"""Readings of a charge, and of one of which some minutes are not heard."""
VEHICLES_PER_GUN: Final = 4
FIRST_REGISTER_KWH: Final = (2_000, 90_000)
JUMP_KWH: Final = (2_000, 20_000)
FALL_KWH: Final = (100, 900)
SPIKE_E2KWH: Final = (1_000_000, 6_000_000)
E4_PER_KWH: Final = 10_000
RECORD_OFF_E4: Final = (500, 1_000)
"""Of the energy; also of the 2.4 kWh that the weakest charger delivers at least this is more than code 8 lets pass."""
SAME_VEHICLE_MS: Final = 2 * MINUTE_MS
"""So much later begins the charge that is taken for the same vehicle's."""
NEXT_VEHICLE_MS: Final = 6 * MINUTE_MS
CLOSED_LATE_MS: Final = 3 * MINUTE_MS
"""So long the next charge runs before the record of the one before is closed."""
AWAY_OF_THE_LOG_MS: Final = 422 * SECOND_MS
SOONEST_RECORD_MS: Final = 4 * SECOND_MS
"""After a login."""


def make_charges(allotment: Allotment, chargers: Sequence[Charger], random: np.random.Generator) -> Charges:
    """Times, energies and defects for all cells of an allotment, whose numbers stand for places in `chargers`.

    Equal arguments give equal charges, in the order of charger, gun and time. Raises `HistoricError` when a stretch is
    too short for a charge with all that belongs to it.
    """
    making = _Making(allotment, chargers, random)
    making.last()
    making.be_away()
    making.misread()
    making.record()
    making.place()
    return making.counted_up()


class _Making:
    """The columns of all charges while they are made; until `place`, times count from the begin of each charge."""

    def __init__(self, allotment: Allotment, chargers: Sequence[Charger], random: np.random.Generator) -> None:
        self._allotment = allotment
        self._chargers = chargers
        self._random = random
        recipes = [*allotment.recipes, Recipe("", (), 0)]  # the last one, NOBODY, is that of normal charges
        causes = np.array([[cause in recipe.causes for cause in Cause] for recipe in recipes], dtype=np.bool_)
        self._has = causes[allotment.recipe].T
        self._parked = np.array([recipe.parked for recipe in recipes], dtype=np.bool_)[allotment.recipe]
        self.charges = Charges.blank(len(allotment))
        self.charges.recipe, self.charges.stretch = allotment.recipe, allotment.stretch
        self.charges.charger, self.charges.gun = allotment.charger, allotment.gun
        turn = allotment.stretch + np.maximum(allotment.place, 0)
        self.charges.vehicle = self._guns() * VEHICLES_PER_GUN + turn % VEHICLES_PER_GUN

    def last(self) -> None:
        """How long each charge takes, how strong it is and how long the vehicle stays."""
        charges = self.charges
        steps = np.where(self._any(AWAY), self._between(*STEPS_AWAY), self._between(*STEPS))
        charges.first_ms = self._between(12, 26) * SECOND_MS
        charges.stop_ms = charges.first_ms + steps * PERIOD_MS + self._between(6, 30) * SECOND_MS
        late = charges.stop_ms + self._between(200, 280) * SECOND_MS
        charges.end_ms = charges.stop_ms + self._between(5, 21) * SECOND_MS
        soon, later = self._between(30, 181) * SECOND_MS, self._between(180, 1_501) * SECOND_MS
        stays_ms = np.where(self._between(0, 10) < 7, soon, later)
        parks_ms = self._between(33 * 60, 150 * 60) * SECOND_MS
        at_unplug = self._has[Cause.CLOSED_AT_UNPLUG]
        charges.end_ms = np.where(at_unplug, late, charges.end_ms)
        stays_ms = np.where(at_unplug, 0, stays_ms)
        charges.unplug_ms = charges.end_ms + np.where(self._parked, parks_ms, stays_ms)
        low, high = np.array([charger.make.power_w for charger in self._chargers], dtype=np.int64).T
        at = charges.charger
        charges.power_w = low[at] + (high[at] - low[at]) * self._between(0, 1_001) // 1_000

    def be_away(self) -> None:
        """When nothing is heard of the charger."""
        charges, stop = self.charges, self.charges.stop_ms
        briefly, long = self._between(75, 101) * SECOND_MS, self._between(240, 481) * SECOND_MS
        returns = self._between(25, 200) * SECOND_MS
        rest_ms = self._between(300, 421) * SECOND_MS
        charges.rest_ms = np.where(self._has[Cause.AWAY_WHILE_FULL], rest_ms, 0)
        # one reading is heard after the flow has ended
        full_ms = stop - charges.rest_ms + PERIOD_MS + SECOND_MS
        before_begin = np.full_like(stop, -MINUTE_MS)
        for cause, away_ms, back_ms in (
            (Cause.AWAY_AT_END, stop - briefly, stop + returns),
            (Cause.AWAY_LONG_AT_END, stop - long, stop + returns),
            (Cause.AWAY_WHILE_FULL, full_ms, stop + returns),
            (Cause.AWAY_AT_BEGIN, before_begin, charges.first_ms + briefly),
            (Cause.AWAY_LONG_AT_BEGIN, before_begin, charges.first_ms + long),
            (Cause.AWAY_AND_NO_RECORD, stop - briefly, stop - briefly + AWAY_OF_THE_LOG_MS),
            (Cause.GONE, stop // 2, np.zeros_like(stop)),
            (Cause.CLOSED_BY_NEXT, stop - long, stop),
        ):
            charges.away_ms = np.where(self._has[cause], away_ms, charges.away_ms)
            charges.back_ms = np.where(self._has[cause], back_ms, charges.back_ms)
        charges.faulty = self._has[Cause.AWAY_AND_NO_RECORD].copy()

    def misread(self) -> None:
        """What the meter shows that is not so."""
        charges, has = self.charges, self._has
        charges.zeros_first = np.where(has[Cause.ZERO_BEFORE], self._between(1, 5), 0)
        charges.zeros_last = np.where(has[Cause.ZERO_AT_END], self._between(2, 5), 0)
        charges.frozen_ms = np.where(has[Cause.FROZEN_AT_END], self._between(240, 481) * SECOND_MS, 0)
        spike = self._between(*SPIKE_E2KWH)
        charges.spike_first_e2kwh = np.where(has[Cause.SPIKE_AT_BEGIN], spike, 0)
        charges.spike_last_e2kwh = np.where(has[Cause.SPIKE_AT_END], spike, 0)
        jump, fall = self._between(*JUMP_KWH) * E4_PER_KWH, self._between(*FALL_KWH) * E4_PER_KWH
        charges.shift_e4kwh = np.where(has[Cause.JUMP_STAYS], jump, np.where(has[Cause.FELL_BACK], -fall, 0))
        share = self._between(300, 701)
        charges.shift_ms = np.where(charges.shift_e4kwh != 0, charges.stop_ms * share // 1_000, 0)

    def record(self) -> None:
        """What the record says that is not so, and when it arrives."""
        charges, has = self.charges, self._has
        minutes = np.random.default_rng(len(self._chargers)).integers(*CLOCK_OFF_MINUTES, len(self._chargers))
        minutes[::2] *= -1
        charges.clock_ms = np.where(has[Cause.CLOCK_OFF], minutes[charges.charger] * MINUTE_MS, 0)
        charges.clock_end_ms = charges.clock_ms
        sets = has[Cause.CLOCK_SET] | has[Cause.WHOLE_REGISTER]
        charges.clock_ms = np.where(sets, -CLOCK_SET_MS, charges.clock_ms)
        charges.whole_register = has[Cause.WHOLE_REGISTER].copy()
        charges.parts_off = has[Cause.PARTS_OFF].copy()
        charges.zero_record = has[Cause.RECORD_ZERO].copy()
        arrives_ms = charges.end_ms + self._between(3, 9) * SECOND_MS
        arrives_ms = np.maximum(arrives_ms, np.where(charges.back_ms > 0, charges.back_ms + SOONEST_RECORD_MS, 0))
        never = self._any((Cause.NO_RECORD, Cause.AWAY_AND_NO_RECORD, Cause.GONE))
        charges.record_ms = np.where(never, 0, arrives_ms)

    def place(self) -> None:
        """Put each charge into its stretch, those that overlap side by side, and times on the calendar."""
        charges, random = self.charges, self._random
        waits_ms = np.where(charges.record_ms == 0, LISTENED_MS, 0)
        over_ms = np.maximum(charges.unplug_ms, np.maximum(charges.stop_ms, charges.back_ms) + waits_ms)
        after_ms = np.zeros_like(over_ms)
        for members in self._overlaps():
            self._place_overlap(members, over_ms, after_ms)
        stretch_ms = (TO_MS - FROM_MS) // self._allotment.stretches
        room_ms = stretch_ms - 2 * MARGIN_MS - over_ms
        if len(room_ms) and room_ms.min() < 0:
            raise HistoricError(f"stretches of {stretch_ms // MINUTE_MS} minutes are too short for the charges in them")
        shift_ms = room_ms * random.integers(0, 1_001, len(room_ms)) // 1_000
        begin_ms = FROM_MS + charges.stretch * stretch_ms + MARGIN_MS + shift_ms
        for members in self._overlaps():
            begin_ms[members] = begin_ms[members[0]] + after_ms[members]
        begin_ms = begin_ms // SECOND_MS * SECOND_MS
        for name in ("first_ms", "stop_ms", "end_ms", "unplug_ms"):
            setattr(charges, name, getattr(charges, name) + begin_ms)
        for name in ("record_ms", "shift_ms", "away_ms", "back_ms"):
            told = getattr(charges, name)
            setattr(charges, name, np.where(told != 0, told + begin_ms, 0))
        charges.begin_ms = begin_ms

    def counted_up(self) -> Charges:
        """The charges in order, with the meter of each gun going on from one to the next."""
        order = np.lexsort((self.charges.begin_ms, self.charges.gun, self.charges.charger))
        charges = self.charges.take(order)
        every = np.arange(len(charges))
        energy = charges.energy_e4kwh(every, charges.stop_ms)
        off = RECORD_OFF_E4[0] + every * 37 % (RECORD_OFF_E4[1] - RECORD_OFF_E4[0])
        signed = np.where(every % 2 == 0, off, -off)
        charges.added_e2kwh = np.where(self._has[Cause.RECORD_OFF][order], energy * signed // 1_000_000, 0)
        grown = np.cumsum(energy + charges.shift_e4kwh) - energy - charges.shift_e4kwh
        guns = charges.charger * GUNS + charges.gun
        first = np.flatnonzero(np.diff(guns, prepend=NOBODY))
        begun = self._random.integers(*FIRST_REGISTER_KWH, len(first)) * E4_PER_KWH
        lengths = np.diff(np.append(first, len(guns)))
        charges.connection = self._connections(charges)
        charges.base_e4kwh = grown - np.repeat(grown[first], lengths) + np.repeat(begun, lengths)
        return charges

    def _connections(self, charges: Charges) -> Ints:
        """How often each charger had logged in when the charge began: once, and after each time away."""
        order = np.lexsort((charges.begin_ms, charges.charger))
        returned = (charges.back_ms > 0)[order].astype(np.int64)
        before = np.cumsum(returned) - returned
        owner = charges.charger[order]
        first = np.flatnonzero(np.diff(owner, prepend=NOBODY))
        of_owner = np.repeat(before[first], np.diff(np.append(first, len(owner))))
        connections = np.empty_like(before)
        connections[order] = before - of_owner + 1
        return connections

    def _place_overlap(self, members: Ints, over_ms: Ints, after_ms: Ints) -> None:
        """Begins of overlapping charges, relative to the first: its time in the stretch becomes that of all."""
        charges = self.charges
        head, *others = members.tolist()
        code_sets = tuple(self._allotment.recipes[charges.recipe[one]].code_set for one in members)
        for place, one in enumerate(others, 1):
            if code_sets == CLOSES_LATE:
                after_ms[one] = charges.stop_ms[head] + NEXT_VEHICLE_MS
                charges.back_ms[head] = after_ms[one] - MINUTE_MS
                charges.end_ms[head] = after_ms[one] + CLOSED_LATE_MS
                charges.record_ms[head] = charges.end_ms[head] + SOONEST_RECORD_MS
                charges.unplug_ms[head] = charges.stop_ms[head] + MINUTE_MS
            else:
                after_ms[one] = place * SAME_VEHICLE_MS
                charges.vehicle[one] = charges.vehicle[head]
        over_ms[members] = int((after_ms[members] + over_ms[members]).max())

    def _overlaps(self) -> Iterable[Ints]:
        """The charges of each overlap, in the order of their places in it."""
        met = np.flatnonzero(self._allotment.overlap != NOBODY)
        met = met[np.lexsort((self._allotment.place[met], self._allotment.overlap[met]))]
        borders = np.flatnonzero(np.diff(self._allotment.overlap[met])) + 1
        return np.split(met, borders) if len(met) else []

    def _guns(self) -> Ints:
        guns: Ints = self._allotment.charger * GUNS + self._allotment.gun
        return guns

    def _any(self, causes: Iterable[Cause]) -> Bools:
        return np.asarray(self._has[[int(cause) for cause in causes]].any(axis=0))

    def _between(self, low: int, high: int) -> Ints:
        """One whole number for each charge, `high` excluded."""
        return self._random.integers(low, high, len(self._allotment))
