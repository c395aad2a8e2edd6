"""The ordinary charge in one pass over its columns: what `evaluate_session` says where nothing is amiss."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from core.meter.calculator import MeterCalculator

GIVEN: Final[tuple[str, ...]]
"""What must be known of a charge, a column each. `row_from`, `row_to`: its rows; `meter`: place in `calculators`;
`timeline`: row of `slot_version`; `bill_net_e4kwh` is `PileBill.net_energy_e4kwh`."""
FOUND: Final[tuple[str, ...]]
"""What comes out. `life`: 0 ended, 1 ended_offline; `slot_method`: a place in `SLOT_METHODS`; `slots`: their number."""
SLOT_METHODS: Final[tuple[str, ...]]
SLOTS_AT_MOST: Final[int]

def decide_plain(
    calculators: Sequence[MeterCalculator],
    at_ms: npt.NDArray[np.int64],
    value_e4kwh: npt.NDArray[np.int64],
    state: npt.NDArray[np.uint8],
    power_w: npt.NDArray[np.int32],
    minutes: npt.NDArray[np.uint16],
    seq: npt.NDArray[np.uint16],
    given: npt.NDArray[np.int64],
    first_slot: int,
    slot_version: npt.NDArray[np.int16],
    slot_acknowledged: npt.NDArray[np.uint8],
    slot_stale: npt.NDArray[np.uint8],
    slot_of_day: npt.NDArray[np.uint8],
    version_classes: npt.NDArray[np.uint8],
    version_prices: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Decide what is plain: (taken, found, slots), a row a charge.

    `calculators`: `MeterCalculator`s, one for each meter; they are used over. The columns hold the readings, those of a
    charge one behind the other. `given`: `GIVEN` of each charge. `slot_version`: for each timeline and half-hour, from
    `first_slot` (counted since the epoch) on, the row of `version_classes` (48) and `version_prices` (4, electricity
    and service) that prices it, -1 = none; `slot_acknowledged`, `slot_stale`, `slot_of_day` likewise.

    `taken` is 1 where `found` (`FOUND`) and `slots` (half-hour, its place in the day, energy) stand for what
    `evaluate_session` says, every flag and unit of it; 0 where that has to be asked. Raises ValueError where shapes or
    places do not fit.
    """
