"""Whether the story of a charge holds together: what was seen of it, how its energy grew, and what else it could mean.

Computed from the curve and the current revision of a session, for its evidence page and its export. Nothing here
decides a bill. Sources: requirements B04, B09, B20 and S16; metering.md, "late baseline".
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec
import numpy as np

from analytics.session_curve import SessionCurve
from core.meter.flags import Flag
from core.meter.profile import W_MS_PER_E4KWH

BASELINE_RULES: Final = frozenset(
    {"ZERO_BASELINE", "LATE_BASELINE", "BASELINE_PREV_END", "BASELINE_BILL_START", "BASELINE_BACKCAST"}
)
"""Flags of a session whose register has no true reading at its begin."""
FEWEST_FOR_A_LINE: Final = 3
_OUTLIERS: Final = np.uint32(Flag.SPIKE | Flag.ZERO_READ | Flag.DUP | Flag.CONFLICT)

Price = Callable[[int], int | None]
"""What an energy (1e-4 kWh) would cost over the half-hours of the charge, in fen; None = the tariff is not known."""


class ObservedTimes(msgspec.Struct, frozen=True):
    """How long a charge lasted and how much of that was seen (requirement B20); times in epoch ms, lengths in ms.

    From the order, or the start where none is known, to the latest possible end. `silences` are the stretches longer
    than a gap within it, the one before the end included; `observed_ms` is what remains. `charging_ms` lies between the
    first and the last charging reading.
    """

    from_ms: int
    to_ms: int
    charging_ms: int
    silences: tuple[tuple[int, int], ...]

    @property
    def total_ms(self) -> int:
        return self.to_ms - self.from_ms

    @property
    def unobserved_ms(self) -> int:
        return sum(last - first for first, last in self.silences)

    @property
    def observed_ms(self) -> int:
        return self.total_ms - self.unobserved_ms


class Growth(msgspec.Struct, frozen=True):
    """How far the accepted energy grew in a straight line (requirement B09).

    `r_squared`: 1 = a straight line. `residual_e4kwh`: the largest distance from it, of the reading at `residual_ms`,
    negative below the line. `slope_w`: the mean power by the line; `register_w`, `electric_w`: by the register's
    difference and by voltage times current over the same time, 0 = the charger told no power.
    """

    readings: int
    r_squared: float
    residual_e4kwh: int
    residual_ms: int
    slope_w: int
    register_w: int
    electric_w: int


HypothesisName = Literal["first_true", "previous_end", "from_zero", "first_delivered"]


class Hypothesis(msgspec.Struct, frozen=True):
    """One way to understand a register without a true begin, and what it implies (requirement B04, ambiguity Q3).

    `observed_w`: mean power over the time in which the register was read; `total_w`: over the whole charge. `possible`:
    the connector can deliver it in the time in which the register was read.
    """

    name: HypothesisName
    energy_e4kwh: int
    observed_w: int
    total_w: int
    possible: bool
    amount_fen: int | None
    chosen: bool


def observed_times(session: Mapping[str, Any], curve: SessionCurve) -> ObservedTimes | None:
    """What was seen of a charge; None while it goes on, and where neither a reading nor a record tells its times."""
    if session["life"] == "open" or not session["start_ms"]:
        return None
    order_ms = session["order_created_ms"]
    unseen_ms = session["unobserved_start_ms"]
    from_ms = min(session["start_ms"], order_ms) if order_ms else session["start_ms"] - unseen_ms
    to_ms = max(session["end_high_ms"], session["end_ms"])
    silences = [(first, last) for first, last in curve.gaps() if first < to_ms]
    if unseen_ms and not order_ms:
        silences.insert(0, (from_ms, session["start_ms"]))
    if len(curve) and to_ms - session["end_ms"] > curve.gap_ms:
        silences = [(first, last) for first, last in silences if last <= session["end_ms"]]
        silences.append((session["end_ms"], to_ms))
    return ObservedTimes(from_ms, to_ms, session["end_ms"] - session["start_ms"], tuple(silences))


def growth(session: Mapping[str, Any], curve: SessionCurve) -> Growth | None:
    """The line through the accepted charging readings; None for fewer than three, or where nothing was delivered."""
    used = np.flatnonzero(((curve.flags & _OUTLIERS) == 0) & (curve.event_ms <= session["end_ms"]))
    if len(used) < FEWEST_FOR_A_LINE or curve.accepted_e4kwh[used[-1]] <= curve.accepted_e4kwh[used[0]]:
        return None
    times, energy = curve.event_ms[used], curve.accepted_e4kwh[used]
    span_ms = int(times[-1] - times[0])
    if span_ms <= 0:
        return None
    seconds = (times - times[0]) / 1000
    slope, offset = np.polyfit(seconds, energy, 1)
    residuals = energy - (slope * seconds + offset)
    spread = float(np.sum((energy - energy.mean()) ** 2))
    worst = int(np.abs(residuals).argmax())
    powers = curve.power_w[used].astype(np.float64)
    steps = np.diff(seconds)
    heard = steps <= curve.gap_ms / 1000
    told = float(np.sum(((powers[1:] + powers[:-1]) / 2 * steps)[heard]))
    return Growth(
        readings=len(used),
        r_squared=1 - float(np.sum(residuals**2)) / spread,
        residual_e4kwh=round(float(residuals[worst])),
        residual_ms=int(times[worst]),
        slope_w=round(float(slope) * W_MS_PER_E4KWH / 1000),
        register_w=mean_power_w(int(energy[-1] - energy[0]), span_ms),
        electric_w=round(told / float(steps[heard].sum())) if told else 0,
    )


def hypotheses(
    session: Mapping[str, Any], curve: SessionCurve, times: ObservedTimes | None, price: Price
) -> list[Hypothesis]:
    """How a register without a true begin may be read; none where the charger told where it began."""
    is_register = session["register_kind"] in ("lifetime", "boot")
    unsure = is_register and (BASELINE_RULES.intersection(session["flags"]) or not curve.told_start_e4kwh)
    true = np.flatnonzero((curve.reported_e4kwh > 0) & ((curve.flags & np.uint32(Flag.SPIKE)) == 0))
    if not unsure or times is None or not len(true):
        return []
    first = int(curve.reported_e4kwh[true[0]])
    last = session["register_end_e4kwh"] or int(curve.reported_e4kwh[true[-1]])
    before = session["previous_end_e4kwh"]
    found: dict[HypothesisName, int] = {"first_true": last - first}
    if before and before != first:
        found["previous_end"] = last - before
    found["first_delivered"] = first
    found["from_zero"] = last
    read_ms = max(0, times.observed_ms)
    limit = -(-session["pmax_w"] * read_ms // W_MS_PER_E4KWH) + session["quantum_e4kwh"]
    return [
        Hypothesis(
            name=name,
            energy_e4kwh=energy,
            observed_w=mean_power_w(energy, read_ms),
            total_w=mean_power_w(energy, times.total_ms),
            possible=energy <= limit,
            amount_fen=price(energy),
            chosen=energy == session["best_e4kwh"],
        )
        for name, energy in found.items()
        if energy > 0
    ]


def mean_power_w(energy_e4kwh: int, span_ms: int) -> int:
    """The mean power (W) of an energy over a time, 0 for no time."""
    return energy_e4kwh * W_MS_PER_E4KWH // span_ms if span_ms > 0 else 0
