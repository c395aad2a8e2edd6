"""From a story to what arrives: each reading that reaches the platform, when, and over which connection."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.evaluation.meter import Meter
from benchmarks.evaluation.story import LOGIN_TAKES_MS, Silence, Story
from benchmarks.fleet.power import IntArray

KEPT_SPACING_MS: Final = 40
GAIN_ONE_E4: Final = 10_000


class ToldReadings(msgspec.Struct, frozen=True):
    """The readings of one charge in the order of sending, one element each; energies in 1e-4 kWh.

    `original`: the place of the reading that this one repeats, its own where it is none. `register`: the meter's word.
    `energy`: the energy of the charge as the charger tells it (AAF5). `energized_ms`: time since the charge began.
    """

    taken_ms: IntArray
    sent_ms: IntArray
    receive_ms: IntArray
    original: IntArray
    register: IntArray
    energy: IntArray
    power_w: IntArray
    soc: IntArray

    def __len__(self) -> int:
        return len(self.taken_ms)


def meter_of(story: Story) -> Meter:
    """The meter of the charge, with what happened to it."""
    return Meter(story.charger.model, story.charge, story.base_e4kwh, tuple(story.moved), tuple(story.misread))


def told_begin(story: Story, meter: Meter) -> int:
    """Where an absolute register stood at the begin, by the charger's word."""
    if story.told_begin_is_zero:
        return 0
    sure = Meter(
        story.charger.model,
        story.charge,
        story.base_e4kwh,
        tuple(story.moved),
        tuple(one for one in story.misread if one.kind == "scale"),
    )
    return int(sure.shown_at(np.array([story.charge.start_ms], dtype=np.int64))[0])


def told_readings(story: Story, meter: Meter, random: np.random.Generator) -> ToldReadings:
    """What reaches the platform of the charge's readings."""
    places, sent_ms = _sent(story, random)
    receive_ms = sent_ms + story.delay_ms[places]
    if "out_of_order" not in story.faults:
        # One connection delivers in the order of sending: what follows a late frame is late, too.
        in_order = np.argsort(sent_ms, kind="stable")
        receive_ms[in_order] = np.maximum.accumulate(receive_ms[in_order])
    original = np.arange(len(places), dtype=np.int64)
    at = {int(place): number for number, place in enumerate(places.tolist())}
    again = [(at[place], late_ms) for place, late_ms in story.copies if place in at]
    again = [(number, late_ms) for number, late_ms in again if not story.is_away(int(receive_ms[number]) + late_ms)]
    if again:
        numbers = np.array([number for number, _ in again], dtype=np.int64)
        late_ms = np.array([late for _, late in again], dtype=np.int64)
        places = np.concatenate((places, places[numbers]))
        sent_ms = np.concatenate((sent_ms, sent_ms[numbers] + late_ms))
        receive_ms = np.concatenate((receive_ms, receive_ms[numbers] + late_ms))
        original = np.concatenate((original, numbers))
    return _shown(story, meter, places, sent_ms, receive_ms, original)


def _shown(
    story: Story, meter: Meter, places: IntArray, sent_ms: IntArray, receive_ms: IntArray, original: IntArray
) -> ToldReadings:
    charge, model = story.charge, story.charger.model
    taken_ms = story.taken_ms[places]
    register = meter.shown_at(taken_ms)
    if model.counts_energy:
        times, by = story.count_factor
        energy = charge.energy_at(taken_ms) * times // by // model.wire_e4kwh * model.wire_e4kwh
    else:
        energy = np.maximum(register - told_begin(story, meter), 0)
    # The last reading is taken while the current falls; it shows the power just before.
    true_power = charge.power_at(np.minimum(taken_ms, charge.stop_ms - 1))
    # A counter of its own is no word of the meter that is mute.
    if story.mute_power and not (model.counts_energy and model.register == "session"):
        true_power = np.where(register == 0, 0, true_power)
    return ToldReadings(
        taken_ms=taken_ms,
        sent_ms=sent_ms,
        receive_ms=receive_ms,
        original=original,
        register=register,
        energy=energy,
        power_w=true_power * (GAIN_ONE_E4 + story.charger.power_gain_e4) // GAIN_ONE_E4,
        soc=charge.soc_at(taken_ms),
    )


def _sent(story: Story, random: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Which readings go out, and when each does."""
    heard = story.told.copy()
    late: list[tuple[IntArray, IntArray]] = []
    for silence in story.silences:
        away = (story.taken_ms >= silence.from_ms) & (story.taken_ms < silence.to_ms + LOGIN_TAKES_MS)
        if silence.keeps:
            late.append(_kept(silence, np.flatnonzero(away & story.told), random))
        heard &= ~away
    places = np.concatenate([np.flatnonzero(heard), *(kept for kept, _ in late)]).astype(np.int64)
    sent_ms = np.concatenate([story.taken_ms[heard], *(sent for _, sent in late)]).astype(np.int64)
    order = np.argsort(sent_ms, kind="stable")
    return places[order], sent_ms[order]


def _kept(silence: Silence, places: IntArray, random: np.random.Generator) -> tuple[IntArray, IntArray]:
    """What the charger kept while it was away, sent after its next login."""
    if silence.shuffled:
        places = random.permutation(places)
    return places, silence.to_ms + LOGIN_TAKES_MS + KEPT_SPACING_MS * np.arange(1, len(places) + 1, dtype=np.int64)
