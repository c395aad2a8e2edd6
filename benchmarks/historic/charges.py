"""The charges as columns: when each was, what it took, what its meter, clock, line and record did wrong."""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
FROM_MS: Final = 1_551_369_600_000  # 2019-03-01 in China
DAYS: Final = 322
TO_MS: Final = FROM_MS + DAYS * DAY_MS
PERIOD_MS: Final = 30_000
"""Between two readings of a charge."""
E4_PER_E2: Final = 100
W_MS_PER_E4KWH: Final = 360_000
SINKS_FOR_TENTHS: Final = 3
SINKS_BY_TENTHS: Final = 6
"""In the last 30 % of the flow power sinks in a line to 40 %."""
RISES_BY_E3: Final = 15
"""Until then it rises by so much, in a line: the battery's voltage does, while the current is limited."""


class Charges(msgspec.Struct):
    """One element per charge, in the order of charger, gun and time. All times are true ones.

    - `begin_ms`, `end_ms`: of the record; `first_ms`, `stop_ms`: of the flow, in whose last `rest_ms` nothing flows;
      `record_ms`: the record arrives, 0 = never. `connection`: how often the charger had logged in. `base_e4kwh`: the
      meter when the flow begins.
    - `zeros_first`, `zeros_last`: so many readings are 0. `spike_first_e2kwh`, `spike_last_e2kwh`: added to one
      reading. From `shift_ms` on the meter stands `shift_e4kwh` higher, for ever. In the last `frozen_ms` its value is
      not refreshed.
    - From `away_ms` to `back_ms` nothing is heard of the charger; 0 as `back_ms`: never again. `faulty`: it shows a
      fault when it is back.
    - The clock is `clock_ms` ahead, at the end `clock_end_ms`.
    - `added_e2kwh`, `parts_off`, `zero_record` and `whole_register` (it begins at 0) falsify the record's energy.
    """

    recipe: Ints
    charger: Ints
    gun: Ints
    stretch: Ints
    begin_ms: Ints
    first_ms: Ints
    stop_ms: Ints
    end_ms: Ints
    unplug_ms: Ints
    record_ms: Ints
    connection: Ints
    vehicle: Ints
    power_w: Ints
    rest_ms: Ints
    base_e4kwh: Ints
    zeros_first: Ints
    zeros_last: Ints
    spike_first_e2kwh: Ints
    spike_last_e2kwh: Ints
    shift_ms: Ints
    shift_e4kwh: Ints
    frozen_ms: Ints
    away_ms: Ints
    back_ms: Ints
    clock_ms: Ints
    clock_end_ms: Ints
    added_e2kwh: Ints
    faulty: Bools
    parts_off: Bools
    zero_record: Bools
    whole_register: Bools

    @classmethod
    def blank(cls, size: int) -> "Charges":
        """Charges in which nothing is set and nothing wrong."""
        flags = ("faulty", "parts_off", "zero_record", "whole_register")
        types: dict[str, type[np.generic]] = dict.fromkeys(flags, np.bool_)
        return cls(**{name: np.zeros(size, types.get(name, np.int64)) for name in cls.__struct_fields__})

    def __len__(self) -> int:
        return len(self.charger)

    def take(self, places: npt.NDArray[np.generic]) -> "Charges":
        """The charges at these places (indices or a mask)."""
        return Charges(**{name: getattr(self, name)[places] for name in self.__struct_fields__})

    def joined(self, others: "Charges") -> "Charges":
        """These charges and then the others."""
        names = self.__struct_fields__
        return Charges(**{name: np.concatenate((getattr(self, name), getattr(others, name))) for name in names})

    def energy_e4kwh(self, of: Ints, time_ms: Ints) -> Ints:
        """What the charges `of` (places) had truly taken at these moments, 1e-4 kWh."""
        flow_ms = self._flow_ms(of)
        since = np.clip(time_ms - self.first_ms[of], 0, flow_ms)
        sinking = np.maximum(flow_ms * SINKS_FOR_TENTHS // 10, 1)
        rising = np.maximum(flow_ms - sinking, 1)
        beyond = np.maximum(since - rising, 0)
        risen = np.minimum(since, rising)
        missed = SINKS_BY_TENTHS * beyond * beyond // (20 * sinking)
        missed += RISES_BY_E3 * (risen - risen * risen // (2 * rising)) // 1_000
        energy: Ints = self.power_w[of] * (since - missed) // W_MS_PER_E4KWH
        return energy

    def power_at_w(self, of: Ints, time_ms: Ints) -> Ints:
        """The power at these moments."""
        flow_ms = self._flow_ms(of)
        since = time_ms - self.first_ms[of]
        sinking = np.maximum(flow_ms * SINKS_FOR_TENTHS // 10, 1)
        rising = np.maximum(flow_ms - sinking, 1)
        beyond = np.maximum(since - rising, 0)
        before = np.clip(rising - since, 0, rising)
        strong = self.power_w[of] - self.power_w[of] * RISES_BY_E3 * before // (1_000 * rising)
        power: Ints = np.where(since < flow_ms, strong - strong * SINKS_BY_TENTHS * beyond // (10 * sinking), 0)
        return power

    def register_e4kwh(self, of: Ints, time_ms: Ints) -> Ints:
        """Where the meter stands at these moments, with what it lost or gained by itself."""
        shifted = (self.shift_ms[of] > 0) & (time_ms >= self.shift_ms[of])
        register: Ints = (
            self.base_e4kwh[of] + self.energy_e4kwh(of, time_ms) + np.where(shifted, self.shift_e4kwh[of], 0)
        )
        return register

    def _flow_ms(self, of: Ints) -> Ints:
        flow_ms: Ints = self.stop_ms[of] - self.first_ms[of] - self.rest_ms[of]
        return flow_ms
