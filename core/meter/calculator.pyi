import numpy as np
import numpy.typing as npt

from core.meter.profile import MeterProfile

class MeterCalculator:
    has_reference: bool
    reference_ms: int
    reference_value: int
    baseline_ms: int
    baseline_value: int
    step_from_ms: int
    has_doubt: bool
    count: int
    accepted_e4kwh: int
    segments: int
    unsure_low_e4kwh: int
    unsure_high_e4kwh: int
    frozen_e4kwh: int
    frozen_high_e4kwh: int
    longest_gap_ms: int
    flags: int
    reading_flags: int
    earlier_flags: int
    earlier_index: int
    def __init__(self, profile: MeterProfile, start_ms: int, zero_is_false: bool = False) -> None: ...
    @property
    def power_energy_e4kwh(self) -> int: ...
    def observe(self, event_ms: int, value_e4kwh: int, power_w: int = 0) -> int: ...
    def told_start(self, start_ms: int, value_e4kwh: int) -> None: ...
    def finish(self) -> None: ...
    def run(
        self,
        event_ms: npt.NDArray[np.int64],
        value_e4kwh: npt.NDArray[np.int64],
        state: npt.NDArray[np.uint8],
        power_w: npt.NDArray[np.int64],
        accepted_out: npt.NDArray[np.int64],
        flags_out: npt.NDArray[np.uint32],
    ) -> None: ...
