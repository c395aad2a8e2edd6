"""Faults that move a register by no more than the charger could have given: only the power beside it tells of them.

As with `faults`, none is drawn smaller than its description says.
"""

from typing import Final

import numpy as np

from benchmarks.evaluation.charges import KWH_E4, MINUTE_MS, SECOND_MS
from benchmarks.evaluation.meter import ENDLESS_MS, Misread, Moved
from benchmarks.evaluation.record_faults import record_tells, visible_e4kwh
from benchmarks.evaluation.story import Story
from benchmarks.fleet.power import W_MS_PER_E4KWH

Random = np.random.Generator

PLAY_MS: Final = 5 * SECOND_MS
LATE_MS: Final = 30 * SECOND_MS
MOST_FROM_THE_END: Final = 6
LONGEST_LATE_MS: Final = 10 * MINUTE_MS
MOST_LEFT_E4KWH: Final = 30 * KWH_E4


def risen_at_end(story: Story, random: Random) -> bool:
    """Between two of the last readings, or after the last, the register rises further than power can have brought it.

    By three quanta, 3 % or 0.2 kWh at least, and never by more than the charger could have given in that step and half
    a minute. Now and then the meter reads 0 right before.
    """
    charge, model = story.charge, story.charger.model
    moments = np.unique(np.append(story.taken_ms, charge.stop_ms))
    after = len(moments) - 1 - int(random.integers(0, MOST_FROM_THE_END))
    ends_ms = moments[after - 1 : after + 1]
    step_ms = int(ends_ms[1] - ends_ms[0])
    peak_w = int(charge.power_at(np.minimum(moments[after - 2 : after + 1], charge.stop_ms - 1)).max())
    true = int(np.diff(charge.energy_at(ends_ms))[0])
    least = peak_w * (step_ms + PLAY_MS) * 11 // (10 * W_MS_PER_E4KWH) - true + visible_e4kwh(story)
    most = model.rated_power_w * (step_ms + LATE_MS) // W_MS_PER_E4KWH - true
    if least >= most:
        return False
    at_ms = int(random.integers(ends_ms[0] + 1, ends_ms[1] + 1))
    story.moved.append(Moved("add", at_ms, ENDLESS_MS, int(random.integers(least, most))))
    if random.random() < 0.2:
        story.misread.append(Misread("zero", int(ends_ms[0]), int(ends_ms[0]) + 1))
    story.has_record = bool(random.random() < 0.7)
    return True


def not_reset(story: Story, random: Random) -> bool:
    """A session counter goes on from where the charge before left it, up to 30 kWh; the record takes it over, or not.

    Three in ten are heard up to ten minutes late. What was left is more than twice the highest power could have
    brought until then.
    """
    charge, model = story.charge, story.charger.model
    if random.random() < 0.3:
        late_ms = min(int(random.integers(MINUTE_MS, LONGEST_LATE_MS)), (charge.stop_ms - charge.charging_ms) // 2)
        story.told &= story.taken_ms >= charge.charging_ms + late_ms
    first_ms = int(story.taken_ms[story.told][0])
    unheard_ms = first_ms - charge.charging_ms + MINUTE_MS + LATE_MS
    peak_w = int(charge.power_at(story.taken_ms).max())
    least = 2 * peak_w * unheard_ms // W_MS_PER_E4KWH + 3 * model.quantum_e4kwh
    least = max(least, charge.energy_e4kwh * 3 // 100)
    if least >= MOST_LEFT_E4KWH:
        return False
    left = int(np.exp(random.uniform(np.log(least), np.log(MOST_LEFT_E4KWH))))
    story.moved.append(Moved("add", 0, ENDLESS_MS, left))
    story.has_record = bool(random.random() < 0.7)
    if random.random() < 0.6:
        record_tells(story, charge.energy_e4kwh + left)
    return True
