import numpy as np
import numpy.typing as npt

from core.meter.profile import MeterProfile
from core.meter.trusted_line import TrustedLine

class MeterCalculator(TrustedLine):
    has_doubt: bool
    def __init__(self, profile: MeterProfile, start_ms: int, zero_is_false: bool = False) -> None: ...
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
