"""What goes wrong in a bill of each set, with the log's causes at stated rates. Only physics and firmware, no codes.

The rates are assumptions of ours: the log counts bills, not causes. It says of code 8, which 98 % of its bills carry,
that registers stood at zero before the start and jumped, that RS-485 lost packets and that chargers were offline.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec

from benchmarks.historic.table import codes_of

PARKED: Final = 6


class Cause(IntEnum):
    """What went wrong. The begin and the end are those of the charge, not of the record."""

    NONE = 0
    ZERO_BEFORE = 1
    """The meter was not read yet when the charge began: its register stands at 0, then at its true value."""
    ZERO_AT_END = 2
    """RS-485 loses packets: the last readings of the charge are 0."""
    FROZEN_AT_END = 3
    """RS-485 loses packets: the firmware repeats the last value that it got."""
    SPIKE_AT_BEGIN = 4
    SPIKE_AT_END = 5
    """One reading is tens of thousands of kWh off."""
    JUMP_STAYS = 6
    """The register jumps by thousands of kWh and goes on from there."""
    FELL_BACK = 7
    """The register loses hundreds of kWh with the meter's supply and stays behind."""
    AWAY_AT_END = 8
    """Offline for the last one or two minutes."""
    AWAY_AT_BEGIN = 9
    """Offline for the first one or two minutes."""
    RECORD_OFF = 10
    """The billing board counts by itself, some per cent off the meter."""
    AWAY_LONG_AT_END = 11
    """Offline for the last minutes, as in the log's order of 2019-10-24."""
    AWAY_LONG_AT_BEGIN = 12
    AWAY_WHILE_FULL = 13
    """Offline for the last minutes, in which a full battery took nothing any more."""
    CLOSED_AT_UNPLUG = 14
    """The record ends when the vehicle was unplugged, minutes after the charge."""
    NO_RECORD = 15
    """The record never comes, the charger stays online."""
    AWAY_AND_NO_RECORD = 16
    """Offline for seven minutes around the end, then in the state of a fault; the record never comes."""
    GONE = 17
    """The charger falls silent in the middle of the charge and never comes back."""
    RECORD_ZERO = 18
    """The record has no energy: the meter was not read at the end."""
    CLOCK_OFF = 19
    """The charger's clock is minutes off."""
    CLOCK_SET = 20
    """The charger's clock, minutes behind, is set in the middle of the charge."""
    WHOLE_REGISTER = 21
    """The record lost its begin when the clock was set during the charge: it bills the whole register."""
    PARTS_OFF = 22
    """The total of the record is a tenth more than its half-hours, which no charger is too weak for."""
    OTHER_VEHICLE = 23
    """The record names the vehicle of another charge: the firmware kept its number."""
    CLOSED_BY_NEXT = 24
    """Offline at the end; the record is closed when the next vehicle's charge is under way."""


AAF5_ONLY: Final = frozenset(
    (Cause.ZERO_BEFORE, Cause.FROZEN_AT_END, Cause.SPIKE_AT_BEGIN, Cause.JUMP_STAYS, Cause.FELL_BACK, Cause.PARTS_OFF)
)
"""A session counter starts at zero and is the charger's own: what befalls an absolute register does not show in it."""
AWAY: Final = frozenset(
    (
        *(Cause.AWAY_AT_END, Cause.AWAY_AT_BEGIN, Cause.AWAY_LONG_AT_END, Cause.AWAY_LONG_AT_BEGIN),
        *(Cause.AWAY_WHILE_FULL, Cause.AWAY_AND_NO_RECORD, Cause.GONE, Cause.CLOSED_BY_NEXT),
    )
)
"""The charger is offline, with both of its guns."""
COUNTS_APART: Final = frozenset((Cause.JUMP_STAYS, Cause.FELL_BACK))
"""Only a charger that counts a charge apart from the register bills it right when the register goes wrong for good."""

_ENERGY: Final = {
    Cause.ZERO_BEFORE: 70,
    Cause.ZERO_AT_END: 12,
    Cause.FROZEN_AT_END: 4,
    Cause.SPIKE_AT_BEGIN: 1,
    Cause.SPIKE_AT_END: 3,
    Cause.JUMP_STAYS: 2,
    Cause.FELL_BACK: 1,
    Cause.AWAY_AT_END: 3,
    Cause.AWAY_AT_BEGIN: 2,
    Cause.RECORD_OFF: 2,
}
_ENERGY_AND_TIME: Final = {Cause.AWAY_LONG_AT_END: 85, Cause.AWAY_LONG_AT_BEGIN: 15}
_TIME: Final = {Cause.AWAY_WHILE_FULL: 60, Cause.CLOSED_AT_UNPLUG: 40}
_LOST: Final = {Cause.NO_RECORD: 60, Cause.AWAY_AND_NO_RECORD: 40}


class Recipe(msgspec.Struct, frozen=True):
    """Bills of one set with the same causes. `alone`: nothing happens at the charger's other gun meanwhile.

    `set_clock`: the clock is set during the charge, which only chargers show whose duration on the record is counted
    (`counted`) or taken from the clock.
    """

    code_set: str
    causes: tuple[Cause, ...]
    count: int

    @property
    def parked(self) -> bool:
        """The vehicle stays for longer than anybody may."""
        return PARKED in codes_of(self.code_set)

    @property
    def aaf5_only(self) -> bool:
        """Only chargers with an absolute register can have it."""
        return bool(AAF5_ONLY.intersection(self.causes)) or self.sets_clock

    @property
    def counts_apart(self) -> bool:
        """Only chargers can have it that count a charge apart from the register."""
        return bool(COUNTS_APART.intersection(self.causes))

    @property
    def alone(self) -> bool:
        """Nothing may happen at the charger's other gun meanwhile, since it would befall that one too."""
        return bool(AWAY.intersection(self.causes)) or self.sets_clock

    @property
    def sets_clock(self) -> bool:
        """The charger's clock is set during the charge."""
        return bool({Cause.CLOCK_SET, Cause.WHOLE_REGISTER}.intersection(self.causes))

    @property
    def clock_is_off(self) -> bool:
        """The charger's clock is off for days."""
        return Cause.CLOCK_OFF in self.causes


def recipes_for(code_set: str, count: int) -> list[Recipe]:
    """How the bills of a set without code 7 come about. Their numbers follow the rates, to the bill."""
    codes = codes_of(code_set) - {PARKED}
    if 3 in codes:
        return [Recipe(code_set, causes, n) for causes, n in _clock_recipes(codes, count)]
    rates = {
        frozenset((1,)): _LOST,
        frozenset((2,)): {Cause.GONE: 1},
        frozenset((4, 8)): {Cause.PARTS_OFF: 1},
        frozenset((8,)): _ENERGY,
        frozenset((8, 9)): _ENERGY_AND_TIME,
        frozenset((9,)): _TIME,
        frozenset((11,)): {Cause.RECORD_ZERO: 1},
        frozenset[int](): {Cause.NONE: 1},
    }[codes]
    return [Recipe(code_set, (cause,), n) for cause, n in _divided(rates, count) if n]


def causes_in_overlap(code_set: str, place: int, *, same_connector: bool) -> tuple[Cause, ...]:
    """What goes wrong in the bill at that place of an overlap."""
    codes = codes_of(code_set) - {PARKED, 7}
    vehicle = (Cause.OTHER_VEHICLE,) if place and not same_connector else ()
    if same_connector and place == 0:
        return (Cause.CLOSED_BY_NEXT,)
    if 3 in codes:
        return (Cause.CLOCK_SET, Cause.ZERO_BEFORE, *vehicle)
    energy_and_time = {
        (): (),
        (8,): (Cause.ZERO_BEFORE,),
        (8, 9): (Cause.AWAY_LONG_AT_END,),
        (9,): (Cause.AWAY_WHILE_FULL,),
    }
    return (*energy_and_time[tuple(sorted(codes))], *vehicle)


def _clock_recipes(codes: frozenset[int], count: int) -> list[tuple[tuple[Cause, ...], int]]:
    if codes == {3}:
        return [((Cause.CLOCK_OFF,), count)]
    if codes == {3, 8}:
        rates = {cause: rate for cause, rate in _ENERGY.items() if cause not in AWAY | COUNTS_APART}
        return [((Cause.CLOCK_OFF, cause), n) for cause, n in _divided(rates, count) if n]
    if 4 in codes:
        return [((Cause.WHOLE_REGISTER,), count)]
    return [((Cause.CLOCK_SET, Cause.ZERO_BEFORE), count)]


def _divided(rates: dict[Cause, int], count: int) -> Sequence[tuple[Cause, int]]:
    """`count` in parts by the rates, exactly (largest remainders)."""
    total = sum(rates.values())
    parts = {cause: count * rate // total for cause, rate in rates.items()}
    by_remainder = sorted(rates, key=lambda cause: (-(count * rates[cause] % total), cause))
    for cause in by_remainder[: count - sum(parts.values())]:
        parts[cause] += 1
    return list(parts.items())
