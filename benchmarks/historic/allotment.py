"""Which bill falls to which gun in which stretch of time.

The period is cut into as many stretches as a gun has charges, the same for all guns: a *cell* is one gun in one stretch
and holds one charge at most. So charges meet only where they are meant to.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.historic.causes import Cause, Recipe, causes_in_overlap, recipes_for
from benchmarks.historic.errors import HistoricError
from benchmarks.historic.fleet import GUNS, MAKES, Charger
from benchmarks.historic.table import OVERLAP, Wanted, codes_of

Ints = npt.NDArray[np.int64]

Cells = Callable[[int, int], npt.NDArray[np.bool_]]
"""The cells that a charger and a stretch stand for, and whether they are free."""

NOBODY: Final = -1
CLOSES_LATE: Final = ("7,8,9", "7,8,9,6")
"""Two bills of one gun: the first is closed while the second charge runs. All other overlaps are those of a vehicle."""
RUN_STRETCHES: Final = 4
"""So many stretches long a charger's clock stays off: about a day."""
YKC_EVERY: Final = 4
"""One of so many runs of a wrong clock, and of overlaps, is a YKC charger's where its causes allow."""
MOST_TRIES: Final = 100_000
_AAF5_FIRST: Final = 0
_YKC_FIRST: Final = 3
"""Places in the cycle of makes from which on two chargers speak AAF5 and count seconds, or one speaks YKC."""


class Allotment(msgspec.Struct):
    """One element per charge, in no order. `recipe` is an index into `recipes`, `NOBODY` for a normal charge.

    `overlap` numbers the overlaps, `NOBODY` for none; `place` is the place in it.
    """

    recipes: list[Recipe]
    stretches: int
    charger: Ints
    gun: Ints
    stretch: Ints
    recipe: Ints
    overlap: Ints
    place: Ints

    def __len__(self) -> int:
        return len(self.charger)


def allot(wanted: Wanted, chargers: Sequence[Charger], random: np.random.Generator) -> Allotment:
    """Cells for all bills of the table, `chargers` being those with 0.01 kWh meters.

    Raises `HistoricError` when they do not fit, as with more chargers that fall silent than there are.
    """
    recipes: list[Recipe] = []
    for code_set, count in wanted.abnormal.items():
        if OVERLAP not in codes_of(code_set):
            recipes += recipes_for(code_set, count)
    blocked = sum(recipe.count for recipe in recipes if recipe.alone) + GUNS * sum(map(len, wanted.overlaps))
    stretches = -(-(wanted.bills + blocked) // (GUNS * len(chargers))) + 2
    grid = _Grid(chargers, stretches, random)
    for number, group in enumerate(wanted.overlaps):
        same = group == CLOSES_LATE
        members = [
            Recipe(code_set, causes_in_overlap(code_set, place, same_connector=same), 1)
            for place, code_set in enumerate(group)
        ]
        grid.take_overlap(len(recipes), members, number, same_connector=same)
        recipes += members
    _take_clock_runs(grid, recipes, random)
    numbered = [item for item in enumerate(recipes) if OVERLAP not in codes_of(item[1].code_set)]
    for number, recipe in sorted(numbered, key=lambda item: (not item[1].sets_clock, not item[1].alone, item[0])):
        if recipe.causes == (Cause.GONE,):
            grid.take_last(number, recipe.count)
        elif not recipe.clock_is_off:
            grid.take(number, recipe)
    grid.take(NOBODY, Recipe("", (), wanted.normal), evenly=True)
    return grid.allotment(recipes)


def allot_evenly(bills: int, chargers: Sequence[Charger], stretches: int, random: np.random.Generator) -> Allotment:
    """Cells for normal bills alone. Raises `HistoricError` when they do not fit."""
    grid = _Grid(chargers, stretches, random)
    grid.take(NOBODY, Recipe("", (), bills), evenly=True)
    return grid.allotment([])


def _take_clock_runs(grid: "_Grid", recipes: list[Recipe], random: np.random.Generator) -> None:
    """Charges under a wrong clock, in runs of a charger's charges; a part of them at YKC chargers."""
    off = [(number, recipe) for number, recipe in enumerate(recipes) if recipe.clock_is_off]
    anywhere = [number for number, recipe in off if not recipe.aaf5_only for _ in range(recipe.count)]
    anywhere = [anywhere[i] for i in random.permutation(len(anywhere)).tolist()]
    at_ykc = len(anywhere) // YKC_EVERY
    at_aaf5 = anywhere[at_ykc:] + [number for number, recipe in off if recipe.aaf5_only for _ in range(recipe.count)]
    grid.take_runs([at_aaf5[i] for i in random.permutation(len(at_aaf5)).tolist()], "aaf5")
    grid.take_runs(anywhere[:at_ykc], "ykc")


class _Grid:
    """The cells of all guns; for a defect the guns of careless firmware are rather taken than those of others."""

    def __init__(self, chargers: Sequence[Charger], stretches: int, random: np.random.Generator) -> None:
        self._stretches = stretches
        self._random = random
        self._free = np.ones((len(chargers), GUNS, stretches), dtype=np.bool_)
        self._free[:, :, -1] = False  # the last stretch belongs to chargers that fall silent
        weights = np.array([charger.firmware.weight for charger in chargers], dtype=np.float64)
        keys = random.exponential(size=self._free.shape) / weights[:, None, None]
        self._by_defects = np.argsort(keys, axis=None, kind="stable")
        self._evenly = random.permutation(self._free.size)
        self._protocols = np.array([charger.protocol for charger in chargers])
        self._counted = np.array([charger.make.counts_seconds for charger in chargers])
        self._counts_apart = np.array([not charger.make.tells_start for charger in chargers])
        self._rows: list[Ints] = []

    def take(self, number: int, recipe: Recipe, *, evenly: bool = False) -> None:
        """Cells for all charges of a recipe."""
        charger, gun, stretch = np.unravel_index(self._evenly if evenly else self._by_defects, self._free.shape)
        fits = self._free[charger, gun, stretch]
        if recipe.alone:
            fits &= (gun == 0) & self._free[charger, 1, stretch]
        if recipe.aaf5_only:
            fits &= self._protocols[charger] == "aaf5"
        if recipe.counts_apart:
            fits &= self._counts_apart[charger]
        if recipe.sets_clock:
            fits &= self._counted[charger] == (5 in codes_of(recipe.code_set))
        chosen = np.flatnonzero(fits)[: recipe.count]
        if len(chosen) < recipe.count:
            raise HistoricError(f"{recipe.count} bills of set {recipe.code_set!r} do not fit into the period")
        charger, gun, stretch = charger[chosen], gun[chosen], stretch[chosen]
        self._free[charger, gun, stretch] = False
        if recipe.alone:
            self._free[charger, 1, stretch] = False
        self._add(charger, gun, stretch, number)

    def take_last(self, number: int, count: int) -> None:
        """The last stretch of chargers that are never heard again."""
        if count > len(self._free):
            raise HistoricError(f"{count} chargers fall silent for ever, but there are only {len(self._free)}")
        charger = np.sort(self._random.permutation(len(self._free))[:count])
        self._add(charger, np.zeros(count, np.int64), np.full(count, self._stretches - 1), number)

    def take_runs(self, numbers: Sequence[int], protocol: str) -> None:
        """All charges of a charger in some stretches, for the recipes `numbers` one after the other."""
        candidates = np.flatnonzero(self._protocols == protocol)
        taken = 0
        while taken < len(numbers):
            length = min(RUN_STRETCHES, -(-(len(numbers) - taken) // GUNS), self._stretches - 1)
            cells: Cells = partial(self._run, length)
            charger, first = self._place(candidates, cells, length)
            for stretch in range(first, first + length):
                for gun in range(GUNS):
                    if taken < len(numbers):
                        self._free[charger, gun, stretch] = False
                        self._add(np.array([charger]), np.array([gun]), np.array([stretch]), numbers[taken])
                        taken += 1

    def take_overlap(self, first_number: int, members: Sequence[Recipe], overlap: int, *, same_connector: bool) -> None:
        """Neighbouring chargers, or one gun, in one stretch; the other guns stay empty."""
        needs_aaf5 = any(member.aaf5_only for member in members)
        start = _AAF5_FIRST if needs_aaf5 or overlap % YKC_EVERY else _YKC_FIRST
        count = 1 if same_connector else len(members)
        firsts = np.arange(start, len(self._free) - count + 1, len(MAKES))
        charger, stretch = self._place(firsts, lambda c, s: self._free[c : c + count, :, s], 1)
        self._free[charger : charger + count, :, stretch] = False
        place = np.arange(len(members))
        owner = np.full_like(place, charger) if same_connector else charger + place
        constants = (np.zeros_like(place), np.full_like(place, stretch))
        self._rows.append(np.array([owner, *constants, first_number + place, np.full_like(place, overlap), place]))

    def allotment(self, recipes: list[Recipe]) -> Allotment:
        """What was taken."""
        charger, gun, stretch, recipe, overlap, place = np.concatenate(self._rows, axis=1).astype(np.int64)
        return Allotment(recipes, self._stretches, charger, gun, stretch, recipe, overlap, place)

    def _run(self, length: int, charger: int, stretch: int) -> npt.NDArray[np.bool_]:
        return self._free[charger, :, stretch : stretch + length]

    def _place(self, candidates: npt.NDArray[np.intp], cells: "Cells", length: int) -> tuple[int, int]:
        """A charger and a stretch at which all the cells are free."""
        for _ in range(MOST_TRIES):
            charger = int(self._random.choice(candidates))
            stretch = int(self._random.integers(max(1, self._stretches - length)))
            if cells(charger, stretch).all():
                return charger, stretch
        raise HistoricError("the charges that belong together do not fit into the period")

    def _add(self, charger: npt.NDArray[Any], gun: npt.NDArray[Any], stretch: npt.NDArray[Any], number: int) -> None:
        """Keep charges that overlap with none."""
        constants = [np.full(len(charger), value) for value in (number, NOBODY, NOBODY)]
        self._rows.append(np.array([charger, gun, stretch, *constants], dtype=np.int64))
