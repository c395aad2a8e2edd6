"""Faults of what a charger tells beside its register: a record of an end that nobody read, a count of its own.

As with `faults`, none is drawn smaller than its description says.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.evaluation.charges import KWH_E4, MINUTE_MS, SECOND_MS
from benchmarks.evaluation.meter import Misread
from benchmarks.evaluation.story import Silence, Story
from benchmarks.fleet.power import W_MS_PER_E4KWH, IntArray

Random = np.random.Generator

CLOCK_PLAY_MS: Final = MINUTE_MS
TWICE: Final = 2
FEWEST_HEARD: Final = 4


def end_claimed(story: Story, random: Random) -> bool:
    """The link is lost before the end, and the record claims more than twice what the last power would have brought.

    Never more than the charger could have given: no other rule refutes it.
    """
    charge, model = story.charge, story.charger.model
    heard = int(len(story.taken_ms) * random.uniform(0.3, 0.95))
    if heard < FEWEST_HEARD:
        return False
    last_ms = int(story.taken_ms[heard - 1])
    unheard_ms = charge.end_ms + CLOCK_PLAY_MS - last_ms
    read, power_w = _at(charge.energy_at, last_ms), _at(charge.power_at, last_ms)
    expected = read + TWICE * power_w * unheard_ms // W_MS_PER_E4KWH
    least = max(expected, charge.energy_e4kwh) * 105 // 100 + 3 * model.quantum_e4kwh + KWH_E4 // 2
    most = read + model.rated_power_w * (charge.end_ms - last_ms) // W_MS_PER_E4KWH
    if least >= most:
        return False
    back_ms = charge.end_ms + int(random.integers(20 * SECOND_MS, 2 * MINUTE_MS))
    story.silences.append(Silence(last_ms + 1, back_ms))
    record_tells(story, int(random.integers(least, most)))
    return True


def mute_end(story: Story, random: Random) -> bool:
    """The meter answers no more before the end, while power is told on; half of the records lack what it missed."""
    charge = story.charge
    last = len(story.taken_ms) - 1 - int(random.integers(2, 9))
    if last < FEWEST_HEARD:
        return False
    story.misread.append(Misread("zero", int(story.taken_ms[last]) + 1, charge.stop_ms + 1))
    read = _at(charge.energy_at, int(story.taken_ms[last]))
    if random.random() < 0.5 and _is_visible(story, read):
        record_tells(story, read)
    return True


def count_off(story: Story, random: Random) -> bool:
    """The charger's own count beside its register is 2 to 10 % off; the record follows it, or never comes."""
    off_e3 = int(random.integers(20, 101)) * (1 if random.random() < 0.5 else -1)
    told = story.charge.energy_e4kwh * (1_000 + off_e3) // 1_000
    if not _is_visible(story, told):
        return False
    story.count_factor = (1_000 + off_e3, 1_000)
    story.has_record = bool(random.random() < 0.5)
    record_tells(story, told)
    return True


def record_tells(story: Story, energy_e4kwh: int) -> None:
    """Let the record say so."""
    story.record_lie = "scaled"
    story.record_factor = (energy_e4kwh, max(story.charge.energy_e4kwh, 1))


def _is_visible(story: Story, energy_e4kwh: int) -> bool:
    return abs(energy_e4kwh - story.charge.energy_e4kwh) > visible_e4kwh(story)


def visible_e4kwh(story: Story) -> int:
    """An error of less cannot be told from a right figure."""
    return max(3 * story.charger.model.quantum_e4kwh, story.charge.energy_e4kwh * 3 // 100, KWH_E4 // 5)


def _at(curve: Callable[[IntArray], IntArray], time_ms: int) -> int:
    return int(curve(np.array([time_ms], dtype=np.int64))[0])
