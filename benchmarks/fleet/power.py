"""The true physics of one charge: power over time, and the energy that follows from it, in integers."""

from typing import Final

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

STEP_MS: Final = 5_000
W_MS_PER_E4KWH: Final = 360_000
RAMP_MS: Final = 20_000
TAPER_FROM_SOC: Final = 80


class PowerCurve:
    """Power in watts, constant within steps of 5 s; energy is its exact integral, floored to 1e-4 kWh.

    Times are milliseconds since the first charging moment, arrays of int64. Before 0 and after `duration_ms` no power
    flows and the energy stands still.
    """

    def __init__(self, steps_w: IntArray, duration_ms: int) -> None:
        self._steps_w = steps_w
        self._before_w_ms = np.concatenate(([0], np.cumsum(steps_w * STEP_MS)))
        self.duration_ms = duration_ms
        self.total_e4kwh = int(self.energy_e4kwh(np.array([duration_ms]))[0])

    def cut(self, duration_ms: int) -> "PowerCurve":
        """The same curve, ended early."""
        return PowerCurve(self._steps_w, min(duration_ms, self.duration_ms))

    def until(self, energy_e4kwh: int) -> "PowerCurve":
        """The same curve, ended when that much energy is delivered, if it ever is."""
        steps = int(np.searchsorted(self._before_w_ms // W_MS_PER_E4KWH, energy_e4kwh))
        return self.cut(steps * STEP_MS)

    def power_w(self, elapsed_ms: IntArray) -> IntArray:
        """Power at each moment."""
        step = np.clip(elapsed_ms // STEP_MS, 0, len(self._steps_w) - 1)
        flowing = (elapsed_ms >= 0) & (elapsed_ms < self.duration_ms)
        return np.where(flowing, self._steps_w[step], 0)

    def energy_e4kwh(self, elapsed_ms: IntArray) -> IntArray:
        """Energy delivered up to each moment."""
        inside = np.clip(elapsed_ms, 0, self.duration_ms)
        step = np.minimum(inside // STEP_MS, len(self._steps_w) - 1)
        delivered: IntArray = self._before_w_ms[step] + self._steps_w[step] * (inside - step * STEP_MS)
        return delivered // W_MS_PER_E4KWH


def charge_curve(
    random: np.random.Generator, *, peak_w: int, capacity_e4kwh: int, soc_start: int, duration_ms: int, pause: bool
) -> PowerCurve:
    """A charge as a battery takes it: a ramp of 20 s, full power to 80 %, then less and less; a ripple of 1.5 %.

    `pause`: the battery management stops the current for some minutes in the middle. The state of charge never passes
    100 %: power fades towards it.
    """
    middles_ms = np.arange(0, max(duration_ms, 1), STEP_MS) + STEP_MS / 2
    until_taper_e4kwh = max(TAPER_FROM_SOC - soc_start, 0) * capacity_e4kwh / 100
    after_taper_e4kwh = (100 - max(TAPER_FROM_SOC, soc_start)) * capacity_e4kwh / 100
    taper_from_ms = until_taper_e4kwh * W_MS_PER_E4KWH / peak_w
    fade_ms = max(after_taper_e4kwh * W_MS_PER_E4KWH / peak_w * 0.95, 1.0)
    shape = np.minimum(middles_ms / RAMP_MS, 1.0)
    shape *= np.exp(-np.maximum(middles_ms - taper_from_ms, 0.0) / fade_ms)
    shape *= 1.0 + random.uniform(-0.015, 0.015, len(middles_ms))
    if pause:
        first = int(len(shape) * random.uniform(0.3, 0.6))
        shape[first : first + int(random.uniform(24, 60))] = 0.0
    return PowerCurve(np.rint(shape * peak_w).astype(np.int64), duration_ms)
