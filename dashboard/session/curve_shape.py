"""What the chart of a session shows, whoever draws it: which readings, up to where, and where energy is uncertain."""

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from analytics.session_curve import SessionCurve

MOST_POINTS = 2_000
HEADROOM = 1.12
FINEST_WEDGE = 300  # part of the energy axis: what is narrower is thinner than a line


class Wedge(NamedTuple):
    """A stretch in which more or less than what counts may have flowed: from one figure to a range of figures."""

    from_ms: int
    to_ms: int
    from_e4kwh: int
    low_e4kwh: int
    high_e4kwh: int


class CurveShape(msgspec.Struct, frozen=True, eq=False):
    """`chosen` are the readings to draw, `top_e4kwh` the end of the energy axis; those beyond are marked there."""

    chosen: npt.NDArray[np.intp]
    top_e4kwh: int
    wedges: list[Wedge]


def curve_shape(curve: SessionCurve, high_e4kwh: int) -> CurveShape:
    """The shape of a curve; `high_e4kwh` is the upper bound of the session's energy."""
    top_e4kwh = _top_e4kwh(curve, high_e4kwh)
    return CurveShape(thinned(curve), top_e4kwh, wedges_of(curve, top_e4kwh // FINEST_WEDGE))


def wedges_of(curve: SessionCurve, least_e4kwh: int = 0) -> list[Wedge]:
    """The stretches whose interval is wider than the resolution of the meter, by more than `least_e4kwh`."""
    intervals = curve.intervals
    base = np.concatenate(([0], np.cumsum(intervals.accepted_e4kwh + intervals.estimated_e4kwh)))
    wide = np.flatnonzero(intervals.high_e4kwh - intervals.low_e4kwh > 2 * curve.quantum_e4kwh + least_e4kwh)
    return [
        Wedge(
            int(intervals.from_ms[i]),
            int(intervals.to_ms[i]),
            int(base[i]),
            int(base[i] + intervals.low_e4kwh[i]),
            int(base[i] + intervals.high_e4kwh[i]),
        )
        for i in wide
    ]


def _top_e4kwh(curve: SessionCurve, high_e4kwh: int) -> int:
    """The upper end of the energy axis: what is accepted and may be, not one false reading far beyond it."""
    accepted = max(
        int(curve.accepted_e4kwh.max(initial=0)), min(high_e4kwh, 2 * int(curve.accepted_e4kwh.max(initial=0)))
    )
    typical = int(np.percentile(curve.counted_e4kwh, 90)) if len(curve) else 0
    return max(1_000, int(max(accepted, min(typical, accepted * 3)) * HEADROOM))


def thinned(curve: SessionCurve) -> npt.NDArray[np.intp]:
    """Which readings to draw: all, or per bucket of time its ends and extremes, and all flagged ones."""
    count = len(curve)
    if count <= MOST_POINTS:
        return np.arange(count)
    keep = set(curve.marked().tolist()) | {0, count - 1}
    for part in np.array_split(np.arange(count), MOST_POINTS // 4):
        values, power = curve.counted_e4kwh[part], curve.power_w[part]
        keep |= {int(part[0]), int(part[-1]), int(part[values.argmax()]), int(part[values.argmin()])}
        keep |= {int(part[power.argmax()]), int(part[power.argmin()])}
    return np.array(sorted(keep), dtype=np.intp)
