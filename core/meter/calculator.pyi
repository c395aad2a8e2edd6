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
    overcounted_e4kwh: int
    forgiven: int
    segments: int
    unsure_low_e4kwh: int
    unsure_high_e4kwh: int
    rested_e4kwh: int
    unexplained_e4kwh: int
    frozen_e4kwh: int
    frozen_high_e4kwh: int
    longest_gap_ms: int
    gaps_ms: int
    last_power_w: int
    flags: int
    begin_flags: int
    reopened: int
    reading_flags: int
    earlier_flags: int
    earlier_index: int
    def __init__(self, profile: MeterProfile, start_ms: int, zero_is_false: bool = False) -> None: ...
    @property
    def power_energy_e4kwh(self) -> int: ...
    @property
    def seen_power_energy_e4kwh(self) -> int: ...
    @property
    def power_play_e4kwh(self) -> int: ...
    @property
    def closed_intervals(self) -> list[tuple[int, int, int, int, int, int, int]]: ...
    def observe(self, event_ms: int, value_e4kwh: int, power_w: int = 0, counter_e4kwh: int = -1) -> int: ...
    def observe_end(self, event_ms: int, value_e4kwh: int) -> int: ...
    def told_start(self, start_ms: int, value_e4kwh: int) -> None: ...
    def finish(self) -> None: ...
    def run(
        self,
        event_ms: npt.NDArray[np.int64],
        value_e4kwh: npt.NDArray[np.int64],
        state: npt.NDArray[np.uint8],
        power_w: npt.NDArray[np.int64],
        counter_e4kwh: npt.NDArray[np.int64],
        accepted_out: npt.NDArray[np.int64],
        flags_out: npt.NDArray[np.uint32],
        intervals_out: npt.NDArray[np.int64],
    ) -> int: ...
