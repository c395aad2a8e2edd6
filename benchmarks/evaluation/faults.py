"""The faults of an evaluation: each changes one charge's story, as the incidents and metering.md tell it.

No fault is drawn smaller than what its description says. A record's error is drawn large enough to be one: less than
three quanta, 3 % or 0.2 kWh cannot be told from a right record by the register that it is compared with.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.evaluation.charges import HOUR_MS, KWH_E4, MINUTE_MS, SECOND_MS
from benchmarks.evaluation.meter import ENDLESS_MS, Misread, Moved
from benchmarks.evaluation.plausible_rises import not_reset, risen_at_end
from benchmarks.evaluation.record_faults import count_off, end_claimed, mute_end
from benchmarks.evaluation.story import Silence, Story
from benchmarks.fleet.power import W_MS_PER_E4KWH, IntArray

FEWEST_READINGS: Final = 8
DAY_MS: Final = 24 * HOUR_MS
YEARS_MS: Final = 9_000 * DAY_MS
ONE_MS: Final = 1
MOST_SILENCES: Final = 20
LEAST_POWER_W: Final = 1_000

Random = np.random.Generator
FaultRule = Callable[[Story, Random], bool]
"""Changes the story; False where the charge cannot have the fault (too short, another kind of register)."""


def none(story: Story, random: Random) -> bool:
    """Everything as it should be."""
    return True


def zero_before(story: Story, random: Random) -> bool:
    """The register reads 0 until the meter answers (incidents C5a, C7); in three of ten charges power does, too."""
    count = min(1 + int(random.geometric(0.3)), len(story.taken_ms) - 4)
    story.misread.append(Misread("zero", 0, int(story.taken_ms[count])))
    story.told_begin_is_zero = bool(random.random() < 0.7)
    story.mute_power = bool(random.random() < 0.3)
    return True


def zero_mid(story: Story, random: Random) -> bool:
    """Lost answers of the meter: single zeros and short runs, sometimes the last ones; the record has its register.

    In half of the charges the power is of the same answer, and 0 as well.
    """
    story.mute_power = bool(random.random() < 0.5)
    readings = len(story.taken_ms)
    places = set(random.integers(1, readings, size=random.integers(1, 5)).tolist())
    if random.random() < 0.3:
        first = int(random.integers(1, readings - 4))
        places |= set(range(first, first + int(random.integers(2, 5))))
    for place in sorted(places):
        at_ms = int(story.taken_ms[place])
        story.misread.append(Misread("zero", at_ms, at_ms + ONE_MS))
    if random.random() < 0.15:
        last_ms = int(story.taken_ms[readings - int(random.integers(1, 4))])
        story.misread.append(Misread("zero", last_ms, story.charge.stop_ms + ONE_MS))
    return True


def late_baseline(story: Story, random: Random) -> bool:
    """The first readings never come; one record in five neither."""
    charge = story.charge
    longest_ms = min(15 * MINUTE_MS, (charge.stop_ms - charge.charging_ms) * 6 // 10)
    if longest_ms <= 75 * SECOND_MS:
        return False
    late_ms = _uniform(random, 70 * SECOND_MS, longest_ms)
    story.told &= story.taken_ms >= charge.charging_ms + late_ms
    story.has_record = bool(random.random() < 0.8)
    return True


def spike(story: Story, random: Random) -> bool:
    """One or two words far off, up or down, between right ones."""
    for place in random.integers(1, len(story.taken_ms), size=random.integers(1, 3)).tolist():
        size = _log_uniform(random, KWH_E4, 60_000 * KWH_E4)
        if random.random() < 0.2:
            size = -size
        at_ms = int(story.taken_ms[place])
        story.misread.append(Misread("spike", at_ms, at_ms + ONE_MS, size))
    return True


def jump(story: Story, random: Random) -> bool:
    """The register jumps by tens to tens of thousands of kWh and stays there."""
    story.moved.append(
        Moved("add", _moment(story, random, 0.1, 0.9), size_e4kwh=_log_uniform(random, 20 * KWH_E4, 60_000 * KWH_E4))
    )
    return True


def jitter(story: Story, random: Random) -> bool:
    """Words that fall back by one or two quanta, and the next is right again."""
    quantum = story.charger.model.quantum_e4kwh
    share = random.uniform(0.05, 0.3)
    hit = story.taken_ms[1:-1][random.random(len(story.taken_ms) - 2) < share].tolist()
    for at_ms in hit:
        story.misread.append(Misread("spike", at_ms, at_ms + ONE_MS, -quantum * (1 if random.random() < 0.7 else 2)))
    return bool(hit)


def rollback(story: Story, random: Random) -> bool:
    """The meter lost its supply and goes on from what it had saved: three quanta to 30 kWh less."""
    least = max(3 * story.charger.model.quantum_e4kwh, KWH_E4 // 2)
    at_ms = _moment(story, random, 0.3, 0.9)
    counted = int(story.charge.energy_at(np.array([at_ms]))[0])
    most = min(30 * KWH_E4, counted if story.charger.model.register == "session" else counted + story.base_e4kwh)
    if most <= least:
        return False
    story.moved.append(Moved("add", at_ms, size_e4kwh=-_log_uniform(random, least, most)))
    return True


def reset(story: Story, random: Random) -> bool:
    """The register counts from 0 again in the middle of the charge."""
    start = story.base_e4kwh if story.charger.model.register == "session" else 0
    story.moved.append(Moved("restart", _moment(story, random, 0.2, 0.9), size_e4kwh=start))
    return True


def register_replaced(story: Story, random: Random) -> bool:
    """Another meter: mostly since before the charge, sometimes in the middle of it."""
    if story.charger.model.register == "session":
        return False
    other = (
        int(random.integers(0, 5 * KWH_E4)) if random.random() < 0.5 else _log_uniform(random, KWH_E4, 50_000 * KWH_E4)
    )
    at_ms = 0 if random.random() < 0.8 else _moment(story, random, 0.2, 0.8)
    story.moved.append(Moved("restart", at_ms, size_e4kwh=other))
    return True


def rollover(story: Story, random: Random) -> bool:
    """The register runs over its last digit; the charges before brought it there."""
    modulus = modulus_e4kwh(story)
    return modulus > 0 and story.base_e4kwh // modulus != (story.base_e4kwh + story.charge.energy_e4kwh) // modulus


def frozen(story: Story, random: Random) -> bool:
    """The register rests for six minutes or longer: it catches up, or goes on from where it stood, or never moves."""
    charge = story.charge
    length_ms = charge.stop_ms - charge.charging_ms
    if length_ms < 12 * MINUTE_MS:
        return False
    from_ms = charge.charging_ms + int(length_ms * random.uniform(0.1, 0.4))
    to_ms = from_ms + _uniform(random, 6 * MINUTE_MS, max(7 * MINUTE_MS, (charge.stop_ms - from_ms) * 8 // 10))
    how = random.random()
    if how < 0.35:
        story.moved.append(Moved("rest", from_ms, to_ms))
    elif how < 0.7:
        story.moved.append(Moved("lose", from_ms, to_ms))
    else:
        story.moved.append(Moved("rest", from_ms, ENDLESS_MS))
    return True


def gap_inside(story: Story, random: Random) -> bool:
    """The link is away for minutes and comes back before the end; what was read then is lost, or kept and sent late."""
    charge = story.charge
    length_ms = charge.stop_ms - charge.charging_ms
    longest_ms = min(25 * MINUTE_MS, length_ms * 5 // 10)
    if longest_ms <= 80 * SECOND_MS:
        return False
    silent_ms = _uniform(random, 75 * SECOND_MS, longest_ms)
    from_ms = charge.charging_ms + _uniform(
        random, length_ms // 10, max(length_ms * 9 // 10 - silent_ms, length_ms // 10 + 1)
    )
    keeps = bool(random.random() < 0.4)
    story.silences.append(Silence(from_ms, from_ms + silent_ms, keeps, keeps and bool(random.random() < 0.25)))
    return True


def risen_in_silence(story: Story, random: Random) -> bool:
    """The register makes up energy in a silence: a fifth more than twice the power of its ends can bring, at least.

    Never more than the charger could have given. The power of both ends is alike, so that it speaks for the silence.
    """
    for _ in range(MOST_SILENCES):
        story.silences.clear()
        if not gap_inside(story, random):
            return False
        away = story.silences.pop()
        story.silences.append(Silence(away.from_ms, away.to_ms))
        heard_ms = story.taken_ms[~story.lost]
        after = int(np.searchsorted(heard_ms, away.to_ms))
        if 0 < after < len(heard_ms) and _rises_unseen(story, heard_ms[after - 1 : after + 1], random):
            return True
    return False


def _rises_unseen(story: Story, ends_ms: IntArray, random: Random) -> bool:
    charge, model = story.charge, story.charger.model
    ends_w = charge.power_at(np.minimum(ends_ms, charge.stop_ms - 1))
    peak_w, silent_ms = int(ends_w.max()), int(ends_ms[1] - ends_ms[0])
    if peak_w * 2 > int(ends_w.min()) * 3 or peak_w < LEAST_POWER_W:
        return False
    true = int(np.diff(charge.energy_at(ends_ms))[0])
    late_ms = 30 * SECOND_MS
    least = peak_w * (silent_ms + late_ms) * 24 // (10 * W_MS_PER_E4KWH) - true + 3 * model.quantum_e4kwh
    most = model.rated_power_w * silent_ms // W_MS_PER_E4KWH - true
    if least >= most:
        return False
    at_ms = int(random.integers(ends_ms[0] + ONE_MS, ends_ms[1]))
    story.moved.append(Moved("add", at_ms, size_e4kwh=int(random.integers(least, most))))
    return True


def gap_tail(story: Story, random: Random) -> bool:
    """The link is lost and the charge ends meanwhile; the record comes afterwards, or never (incident C5a)."""
    charge = story.charge
    from_ms = _moment(story, random, 0.2, 0.97)
    back_ms = charge.end_ms + _uniform(random, 20 * SECOND_MS, max(charge.unplug_ms - charge.end_ms, 30 * SECOND_MS))
    story.silences.append(Silence(from_ms, back_ms, keeps=bool(random.random() < 0.2)))
    story.has_record = bool(random.random() < 0.75)
    return True


def duplicate(story: Story, random: Random) -> bool:
    """Frames are sent twice, at once or later, and the record up to four times."""
    for place in np.flatnonzero(random.random(len(story.taken_ms)) < random.uniform(0.1, 0.6)).tolist():
        late = random.random() < 0.2
        story.copies.append((place, _uniform(random, 6_000, 60_000) if late else _uniform(random, 0, 3_000)))
    story.record_copies = int(random.integers(1 if story.copies else 2, 5))
    return True


def out_of_order(story: Story, random: Random) -> bool:
    """Readings are under way for so long that later ones overtake them."""
    late = random.random(len(story.taken_ms)) < random.uniform(0.05, 0.2)
    late[-1] = False
    story.delay_ms[late] += random.integers(2_000, 29_000, size=int(late.sum()))
    return bool(late.any())


def scale(story: Story, random: Random) -> bool:
    """The register is told in another unit than in the charge before."""
    factor = int(random.choice((10, 100, 1_000)))
    up = random.random() < 0.6
    story.misread.append(Misread("scale", 0, ENDLESS_MS, 0, factor if up else 1, 1 if up else factor))
    return True


def no_bill(story: Story, random: Random) -> bool:
    """The record never comes."""
    story.has_record = False
    return True


def no_readings(story: Story, random: Random) -> bool:
    """The charger is away for the whole charge; only its record tells of it."""
    charge = story.charge
    back_ms = charge.end_ms + _uniform(random, 20 * SECOND_MS, max(charge.unplug_ms - charge.end_ms, 30 * SECOND_MS))
    story.silences.append(Silence(charge.order_ms + SECOND_MS, back_ms))
    return True


def bill_wrong(story: Story, random: Random) -> bool:
    """The record's energy is off by a power of ten or tens of thousands of kWh, too low, 0, or the register."""
    energy, quantum = story.charge.energy_e4kwh, story.charger.model.quantum_e4kwh
    lie = str(random.choice(("scaled", "huge", "low", "zero", "zero_begin"), p=(0.25, 0.15, 0.25, 0.2, 0.15)))
    if lie == "zero_begin" and story.charger.model.register == "session":
        lie = "scaled"
    if lie == "scaled":
        if energy < max(4 * quantum, KWH_E4 // 4):
            return False
        factor = int(random.choice((10, 100, 1_000)))
        story.record_factor = (factor, 1) if random.random() < 0.7 else (1, factor)
    elif lie == "low":
        visible = max(3 * quantum, energy * 3 // 100, KWH_E4 // 5) / max(energy, 1)
        if visible > 0.6:
            return False
        story.record_factor = (int(1_000 * (1 - random.uniform(visible, 0.6))), 1_000)
    elif lie == "zero":
        if energy < max(2 * quantum, KWH_E4):
            return False
        story.record_factor = (0, 1)
    elif lie == "huge":
        story.record_extra_e4kwh = int(random.integers(10_000, 40_000)) * KWH_E4
    story.record_lie = lie  # type: ignore[assignment]
    return True


def clock_off(story: Story, random: Random) -> bool:
    """The charger's clock is minutes, hours or years wrong."""
    size_ms = _log_uniform(random, 4 * MINUTE_MS, 12 * HOUR_MS)
    if random.random() < 0.15:
        story.clock_error_ms = -YEARS_MS
    else:
        story.clock_error_ms = size_ms if random.random() < 0.5 else -size_ms
    return True


def missing_reads(story: Story, random: Random) -> bool:
    """A bad link loses frames, one here and two there."""
    story.told &= random.random(len(story.taken_ms)) >= random.uniform(0.15, 0.5)
    story.told[int(random.integers(0, len(story.told)))] = True
    return not story.told.all()


def mixed(story: Story, random: Random) -> bool:
    """Two or three faults at once, of the meter, the line and the record."""
    groups = [_OF_METER, _OF_LINE, _OF_RECORD]
    random.shuffle(groups)
    happened: list[str] = []
    for group in groups[: int(random.integers(2, 4))]:
        name = group[int(random.integers(len(group)))]
        if FAULTS[name](story, random):
            happened.append(name)
    story.faults = tuple(happened)
    return len(happened) > 1 and _can_be_seen(story)


def _can_be_seen(story: Story) -> bool:
    """Whether what happened leaves a trace: nobody can know of a register what moved it while it was not read.

    Nor can anybody tell a wrong record from a right one by less than what may have flowed while nothing was heard.
    """
    charge, model = story.charge, story.charger.model
    heard_ms = story.taken_ms[story.told & ~story.lost]
    if not len(heard_ms):
        return False
    if any(one.from_ms > 0 and not heard_ms[0] < one.from_ms < heard_ms[-1] for one in story.moved):
        return False
    if not story.record_lie or not story.has_record:
        return True
    unheard_ms = int(heard_ms[0] - charge.charging_ms + charge.stop_ms - heard_ms[-1])
    play = unheard_ms * model.rated_power_w * 11 // 10 // W_MS_PER_E4KWH
    times, by = story.record_factor
    error = abs(charge.energy_e4kwh * times // by + story.record_extra_e4kwh - charge.energy_e4kwh)
    return story.record_lie == "zero_begin" or error > play + 3 * model.quantum_e4kwh + charge.energy_e4kwh * 3 // 100


FAULTS: Final[dict[str, FaultRule]] = {
    rule.__name__: rule
    for rule in (
        *(
            none,
            zero_before,
            zero_mid,
            late_baseline,
            spike,
            jump,
            jitter,
            rollback,
            reset,
            register_replaced,
            rollover,
        ),
        *(frozen, gap_inside, gap_tail, duplicate, out_of_order, scale, no_bill, no_readings, bill_wrong, clock_off),
        *(missing_reads, risen_in_silence, risen_at_end, not_reset, end_claimed, mute_end, count_off, mixed),
    )
}
_OF_METER: Final = ("zero_before", "zero_mid", "spike", "jump", "jitter", "rollback", "reset", "frozen", "scale")
_OF_LINE: Final = ("late_baseline", "gap_inside", "gap_tail", "duplicate", "out_of_order", "missing_reads")
_OF_RECORD: Final = ("no_bill", "bill_wrong", "clock_off")
ALSO_IN_SHORT_ONES: Final = frozenset({"none", "duplicate", "no_bill", "no_readings", "bill_wrong", "clock_off"})
"""A charge of a few readings can have these, too."""
MOVES_THE_REGISTER: Final = frozenset(
    {"jump", "rollback", "reset", "register_replaced", "frozen", "risen_in_silence", "risen_at_end", "mixed"}
)
"""After these the register stands elsewhere than the energy of the charges says."""


def modulus_e4kwh(story: Story) -> int:
    """Where the register starts again, 0 = nowhere."""
    digits = story.charger.model.wraps_at_digits
    return 10 ** (digits + 4) if digits else 0


def _moment(story: Story, random: Random, low: float, high: float) -> int:
    charge = story.charge
    return charge.charging_ms + int((charge.stop_ms - charge.charging_ms) * random.uniform(low, high))


def _uniform(random: Random, low: int, high: int) -> int:
    return int(random.integers(low, high))


def _log_uniform(random: Random, low: int, high: int) -> int:
    return int(np.exp(random.uniform(np.log(low), np.log(high))))
