"""The log's table of abnormal bills (requirements.md 1.2), and the same table at a smaller scale."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import msgspec

from benchmarks.historic.errors import HistoricError

LOGGED: Final[dict[str, int]] = {
    "1": 261,
    "3": 219,
    "11": 294,
    "2": 7,
    "3,4,5,8,9": 1,
    "3,5,7,8,9": 2,
    "3,5,8,9": 1,
    "3,6": 18,
    "3,8": 273,
    "3,8,6": 115,
    "3,8,9": 3,
    "4,8,6": 1,
    "6": 1_291,
    "7": 15,
    "7,8": 3,
    "7,8,9": 20,
    "7,8,9,6": 44,
    "7,9,6": 15,
    "8": 77_854,
    "8,6": 32_902,
    "8,9": 536,
    "8,9,6": 1_347,
    "9": 36,
    "9,6": 33,
}
"""Bills by their set of codes, as the log lists them; 115,291 in all."""

NORMAL: Final = 1_000_000
WHOLE_KWH: Final = 20_000
"""Bills of the chargers with whole-kWh meters, which are reported apart."""
OVERLAP: Final = 7
TRIPLE: Final = 3
_PARTNERS: Final = {"7,9,6": ("7", "7,8"), "7,8": ("7,9,6",), "7,8,9": ("7,8,9,6",)}
"""Which sets meet in one overlap, where there is a choice: one wrong only in its vehicle meets a long one."""


class Wanted(msgspec.Struct, frozen=True):
    """How many bills of which set there are to be. `overlaps`: who shares an overlap, two sets each, three once."""

    abnormal: dict[str, int]
    normal: int
    whole_kwh: int
    overlaps: tuple[tuple[str, ...], ...]

    @property
    def bills(self) -> int:
        """All but those with whole-kWh meters."""
        return self.normal + sum(self.abnormal.values())


def codes_of(code_set: str) -> frozenset[int]:
    """The codes of a written set; "" is the set of a normal bill."""
    return frozenset(int(code) for code in code_set.split(",") if code)


def scaled(scale: Fraction | int, logged: Mapping[str, int] = LOGGED) -> Wanted:
    """The table at a scale: from 1 on it divides each count, below 1 it is the share. Rounded up: no set is lost.

    Raises `HistoricError` for a scale of 0 or less.
    """
    if scale <= 0:
        raise HistoricError(f"scale {scale}: it divides the counts (1, 10, 1000) or is their share (0.001)")
    share = 1 / Fraction(scale) if scale >= 1 else Fraction(scale)
    abnormal = {code_set: _share_of(count, share) for code_set, count in logged.items()}
    overlapping = {code_set: n for code_set, n in abnormal.items() if OVERLAP in codes_of(code_set)}
    return Wanted(abnormal, _share_of(NORMAL, share), _share_of(WHOLE_KWH, share), overlap_groups(overlapping))


def overlap_groups(counts: Mapping[str, int]) -> tuple[tuple[str, ...], ...]:
    """Put all bills of the sets with code 7 in pairs, and three into one overlap where their number is odd.

    Raises `HistoricError` for a single bill: nothing overlaps alone.
    """
    left = {code_set: n for code_set, n in counts.items() if n}
    total = sum(left.values())
    if total == 1:
        raise HistoricError("one bill with code 7 alone: an overlap takes two")
    groups: list[tuple[str, ...]] = []
    if total % 2:
        most = max(left, key=lambda code_set: (left[code_set] >= TRIPLE, len(code_set) == 1, left[code_set]))
        groups.append(tuple(_take(left, most if most in left else "") for _ in range(TRIPLE)))
    while left:
        first = max(left, key=lambda code_set: (code_set in _PARTNERS, len(codes_of(code_set)), left[code_set]))
        _take(left, first)
        partner = next((one for one in _PARTNERS.get(first, ()) if one in left), "")
        groups.append((first, _take(left, partner)))
    return tuple(groups)


def _take(left: dict[str, int], code_set: str) -> str:
    """Take one bill of the set, or where none is named one of the set with the most left."""
    chosen = code_set or max(left, key=lambda one: left[one])
    left[chosen] -= 1
    if not left[chosen]:
        del left[chosen]
    return chosen


def _share_of(count: int, share: Fraction) -> int:
    return -(-count * share.numerator // share.denominator)
