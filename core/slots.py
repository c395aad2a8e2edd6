"""Energy over half-hours: integers in, integers out, and the parts always sum to the whole."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from core.errors import CoreError


def split_over_slots(times_ms: Sequence[int], running_e4kwh: Sequence[int], slot_starts_ms: Sequence[int]) -> list[int]:
    """The energy of each half-hour, from a running total read at `times_ms`, linear in time between two readings.

    `times_ms` and `slot_starts_ms` ascend. The first slot takes what lies before the second slot's start, the last
    one all that follows its own, so the parts sum to the difference of the last and the first total.
    """
    if len(times_ms) != len(running_e4kwh) or not times_ms or not slot_starts_ms:
        raise CoreError(
            f"{len(times_ms)} times, {len(running_e4kwh)} totals and {len(slot_starts_ms)} slots do not fit"
        )
    borders = [running_e4kwh[0]]
    borders += [_total_at(border_ms, times_ms, running_e4kwh) for border_ms in slot_starts_ms[1:]]
    borders.append(running_e4kwh[-1])
    return [after - before for before, after in pairwise(borders)]


def _total_at(at_ms: int, times_ms: Sequence[int], running_e4kwh: Sequence[int]) -> int:
    after = bisect_left(times_ms, at_ms)
    if after == 0:
        return running_e4kwh[0]
    if after == len(times_ms):
        return running_e4kwh[-1]
    from_ms, from_total = times_ms[after - 1], running_e4kwh[after - 1]
    gained = running_e4kwh[after] - from_total
    return from_total + gained * (at_ms - from_ms) // (times_ms[after] - from_ms)


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """`total` in whole parts in proportion to `weights`, summing to it exactly.

    Each part is its share rounded down; what is left goes one each to the largest remainders, the earlier part first
    among equals. CoreError when a number is negative, or all weights are 0 while `total` is not.
    """
    whole = sum(weights)
    if total < 0 or any(weight < 0 for weight in weights):
        raise CoreError(f"cannot share out {total} over {list(weights)}: negative numbers")
    if whole == 0:
        if total:
            raise CoreError(f"cannot share out {total}: all {len(weights)} weights are 0")
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(total * weights[place] % whole), place))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def scale_to_classes(
    weights: Sequence[int], slot_classes: Sequence[int], class_energy_e4kwh: Sequence[int]
) -> list[int] | None:
    """Slots scaled so that those of each rate class sum to that class's energy, by largest remainder.

    None when a class has energy but no slot with a weight above 0.
    """
    scaled = [0] * len(weights)
    for rate_class, energy in enumerate(class_energy_e4kwh):
        places = [place for place, of_class in enumerate(slot_classes) if of_class == rate_class]
        if energy and not any(weights[place] for place in places):
            return None
        parts = largest_remainder(energy, [weights[place] for place in places])
        for place, part in zip(places, parts, strict=True):
            scaled[place] = part
    return scaled
