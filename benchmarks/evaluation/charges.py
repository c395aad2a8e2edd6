"""What truly happens in a charge: who plugs in when, and how much energy flows at every moment."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.evaluation.chargers import CHANGE_DAY, Charger
from benchmarks.fleet.power import IntArray, PowerCurve, charge_curve

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
KWH_E4: Final = 10_000
SHARE_PAUSED: Final = 0.1
SHARE_SHORT: Final = 0.04
PAUSE_MS: Final = (2 * MINUTE_MS, 30 * MINUTE_MS)
PAUSE_OF_DAYS_MS: Final = (3 * HOUR_MS, 9 * HOUR_MS)
"""What is to be learned of a meter takes closed days: the charges of such a charger lie on several."""
FIRST_PLUG_BEFORE_CHANGE_MS: Final = 30 * HOUR_MS
CHANGE_MS: Final = round(CHANGE_DAY.timestamp()) * SECOND_MS


class TrueCharge(msgspec.Struct, frozen=True):
    """One charge. Times are UTC epoch milliseconds and ascend in the order of the fields.

    `order_ms`: the driver asks for it. `start_ms`, `end_ms`: the charger executes it, as on its record.
    `charging_ms`, `stop_ms`: energy flows. `record_ms`: the record is ready.
    """

    number: int
    plug_ms: int
    order_ms: int
    start_ms: int
    charging_ms: int
    stop_ms: int
    end_ms: int
    record_ms: int
    unplug_ms: int
    curve: PowerCurve
    capacity_e4kwh: int
    soc_start: int
    by_app: bool

    @property
    def energy_e4kwh(self) -> int:
        """The energy truly delivered."""
        return self.curve.total_e4kwh

    def energy_at(self, times_ms: IntArray) -> IntArray:
        """The energy truly delivered up to each moment, 1e-4 kWh."""
        return self.curve.energy_e4kwh(times_ms - self.charging_ms)

    def power_at(self, times_ms: IntArray) -> IntArray:
        """The true power at each moment, W."""
        return self.curve.power_w(times_ms - self.charging_ms)

    def soc_at(self, times_ms: IntArray) -> IntArray:
        """State of charge, percent."""
        return np.minimum(self.soc_start + self.energy_at(times_ms) * 100 // self.capacity_e4kwh, 100)


def draw_charges(charger: Charger, random: np.random.Generator) -> list[TrueCharge]:
    """The charges of a charger, one after the other, around the day on which its tariff changes."""
    charges: list[TrueCharge] = []
    pause_ms = PAUSE_OF_DAYS_MS if charger.model.learns else PAUSE_MS
    plug_ms = CHANGE_MS - int(random.integers(0, FIRST_PLUG_BEFORE_CHANGE_MS))
    for number in range(charger.charges):
        charges.append(_draw(charger, random, number, plug_ms))
        plug_ms = charges[-1].unplug_ms + _between(random, *pause_ms)
    return charges


def _draw(charger: Charger, random: np.random.Generator, number: int, plug_ms: int) -> TrueCharge:
    model = charger.model
    is_dc = model.current == "dc"
    is_bus = is_dc and model.rated_kw >= 120 and random.random() < 0.4
    capacity_kwh = random.uniform(160, 350) if is_bus else random.uniform(35, 110)
    soc_start = int(random.integers(8, 70))
    peak_w = int(model.rated_power_w * random.uniform(0.35, 1.0))
    low_ms, high_ms = (6 * MINUTE_MS, 60 * MINUTE_MS) if is_dc else (25 * MINUTE_MS, 150 * MINUTE_MS)
    if random.random() < SHARE_SHORT:
        low_ms, high_ms = MINUTE_MS, 5 * MINUTE_MS
    duration_ms = int(np.exp(random.uniform(np.log(low_ms), np.log(high_ms))))
    curve = charge_curve(
        random,
        peak_w=peak_w,
        capacity_e4kwh=int(capacity_kwh * KWH_E4),
        soc_start=soc_start,
        duration_ms=duration_ms,
        pause=duration_ms > 10 * MINUTE_MS and bool(random.random() < SHARE_PAUSED),
    )
    order_ms = plug_ms + _between(random, 5 * SECOND_MS, MINUTE_MS)
    start_ms = order_ms + _between(random, 2 * SECOND_MS, 20 * SECOND_MS)
    charging_ms = start_ms + _between(random, 5 * SECOND_MS, 25 * SECOND_MS)
    stop_ms = charging_ms + duration_ms
    end_ms = stop_ms + _between(random, 3 * SECOND_MS, 20 * SECOND_MS)
    record_ms = end_ms + _between(random, SECOND_MS, 10 * SECOND_MS)
    return TrueCharge(
        number=number,
        plug_ms=plug_ms,
        order_ms=order_ms,
        start_ms=start_ms,
        charging_ms=charging_ms,
        stop_ms=stop_ms,
        end_ms=end_ms,
        record_ms=record_ms,
        unplug_ms=record_ms + _between(random, MINUTE_MS, 14 * MINUTE_MS),
        curve=curve,
        capacity_e4kwh=int(capacity_kwh * KWH_E4),
        soc_start=soc_start,
        by_app=bool(random.random() < 0.7),
    )


def _between(random: np.random.Generator, low_ms: int, high_ms: int) -> int:
    return int(random.integers(low_ms, high_ms))
