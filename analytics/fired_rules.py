"""Which rules of the calculator fired in a session, when, and what each did to the energy."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
import numpy as np

from analytics.session_curve import SessionCurve
from core.meter.flags import flag_names

MANY_TIMES: Final = frozenset({"DUP", "OUT_OF_ORDER", "STORED", "CONFLICT", "JITTER", "GAP"})
"""Rules that may fire all along a charge and change nothing by themselves: each is told once, with how often."""
MOST_ROWS: Final = 40
"""Where more stretches than that fired, a session is told rule by rule instead of stretch by stretch."""


class FiredRules(msgspec.Struct, frozen=True):
    """What fired together in one stretch of readings, or `times` times over.

    From the trusted reading before the stretch to the one behind it; both 0 = of the session as a whole. The readings
    said `reported_e4kwh`: at the begin, at the end, and the one between that is farthest from both where any is beyond
    them. `accepted_e4kwh` is what of that counts, [low, high] where the truth of the stretch lies. None where it is not
    known, or where the same fired in many places.
    """

    rules: tuple[str, ...]
    from_ms: int = 0
    to_ms: int = 0
    times: int = 1
    reported_e4kwh: tuple[int | None, int | None, int | None] = (None, None, None)
    accepted_e4kwh: int | None = None
    low_e4kwh: int | None = None
    high_e4kwh: int | None = None


def fired_rules(session: Mapping[str, Any], curve: SessionCurve) -> list[FiredRules]:
    """Every rule that fired, in the order of time; those of the whole session stand behind."""
    found = _stretches(curve)
    if len(found) > MOST_ROWS:
        found = _by_rules(found, lambda one: True)
    else:
        found = _by_rules(found, lambda one: MANY_TIMES.issuperset(one.rules))
    told = {rule for one in found for rule in one.rules}
    rest = [FiredRules((flag,)) for flag in session["flags"] if flag not in told]
    return [*sorted(found, key=lambda one: (one.from_ms, one.to_ms, one.rules)), *rest]


def _stretches(curve: SessionCurve) -> list[FiredRules]:
    """Intervals side by side under the same rules as one."""
    intervals = curve.intervals
    flags = intervals.flags
    borders = np.flatnonzero(np.diff(flags, prepend=np.uint32(0), append=np.uint32(0)) != 0).tolist()
    found = []
    for first, after in pairwise(borders):
        if flags[first]:
            part = slice(first, after)
            found.append(
                FiredRules(
                    rules=tuple(flag_names(int(flags[first]))),
                    from_ms=int(intervals.from_ms[first]),
                    to_ms=int(intervals.to_ms[after - 1]),
                    times=after - first,
                    reported_e4kwh=_reported(curve, int(intervals.from_ms[first]), int(intervals.to_ms[after - 1])),
                    accepted_e4kwh=int(intervals.accepted_e4kwh[part].sum() + intervals.estimated_e4kwh[part].sum()),
                    low_e4kwh=int(intervals.low_e4kwh[part].sum()),
                    high_e4kwh=int(intervals.high_e4kwh[part].sum()),
                )
            )
    return found


def _reported(curve: SessionCurve, from_ms: int, to_ms: int) -> tuple[int | None, int | None, int | None]:
    """What the readings of a stretch said at its begin, at its end, and farthest from both in between."""
    first, last = np.searchsorted(curve.event_ms, [from_ms, to_ms])
    begins = first < len(curve) and curve.event_ms[first] == from_ms
    ends = last < len(curve) and curve.event_ms[last] == to_ms
    begin = int(curve.reported_e4kwh[first]) if begins else None
    end = int(curve.reported_e4kwh[last]) if ends else None
    between = curve.reported_e4kwh[first + int(begins) : last]
    known = [value for value in (begin, end) if value is not None]
    if not len(between) or not known:
        return begin, end, int(between[0]) if len(between) else None
    away = np.maximum(min(known) - between, between - max(known))
    return begin, end, int(between[away.argmax()]) if away.max() > 0 else None


def _by_rules(found: Sequence[FiredRules], joins: Callable[[FiredRules], bool]) -> list[FiredRules]:
    """Those that `joins` picks as one for each set of rules, the others as they are."""
    result = [one for one in found if not joins(one)]
    together: dict[tuple[str, ...], list[FiredRules]] = {}
    for one in found:
        if joins(one):
            together.setdefault(one.rules, []).append(one)
    for rules, parts in together.items():
        result.append(
            FiredRules(
                rules=rules,
                from_ms=min(part.from_ms for part in parts),
                to_ms=max(part.to_ms for part in parts),
                times=sum(part.times for part in parts),
                accepted_e4kwh=sum(part.accepted_e4kwh or 0 for part in parts),
            )
            if len(parts) > 1
            else parts[0]
        )
    return result
