"""When a process that must answer within milliseconds looks through all of its objects for circles.

CPython looks through all of them whenever a quarter more have lived for a while, in one go: 150 ms with 5,000 charging
connections, in which no charger is answered. Circles that are young are found in a look through the young ones.
"""

import gc
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 60.0
FEW: Final = 10
MANY: Final = 100
"""Looks through the middle generation since the last full one; between two of them some 7,000 objects were added."""
_NEVER: Final = 2**31 - 1


class FullCollections:
    """Full collections by a clock; from its making on there are no others. One for a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        youngest, middle, _oldest = gc.get_threshold()
        gc.set_threshold(youngest, middle, _NEVER)
        gc.collect()
        gc.freeze()  # modules and what they hold stay for good
        self._last_s = clock()

    def collect_if_due(self) -> bool:
        """Collect where much was added since the last time, or something and that is a minute ago."""
        looks = gc.get_count()[2]
        if looks < MANY and (looks < FEW or self._clock() - self._last_s < EVERY_S):
            return False
        gc.collect()
        self._last_s = self._clock()
        return True
