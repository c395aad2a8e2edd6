"""A register whose unit changed by a power of ten (metering.md, "unit change")."""

from typing import NamedTuple

import msgspec
import numpy as np

from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import Int64s, ReadingArrays, standing_registers

FACTORS = (10, 100, 1_000)
PARTS = 3
"""One step may lie; a register that is off by a power of ten is so in each part of the charge."""
FEWEST_READINGS = 3 * PARTS
FEWEST_QUANTA = 4


class Scale(NamedTuple):
    """The readings are `times` / `per` of the truth. `is_proven`: the previous session's end bears that out."""

    times: int = 1
    per: int = 1
    is_proven: bool = False


AS_SHOWN = Scale()


def scale_of(readings: ReadingArrays, profile: MeterProfile, begin_e4kwh: int, previous_end_e4kwh: int) -> Scale:
    """By which power of ten the registers of a session are off, by the power that flowed beside them.

    `readings`: charging ones in the order of time. `begin_e4kwh`: where the register stood when the charge began, 0 =
    not known; the scale is proven where that is the previous end in the other unit, to the quantum.
    """
    found = _by_power(readings, profile.quantum_e4kwh)
    if found is None or profile.register_kind != "lifetime":
        return found or AS_SHOWN
    begin = begin_e4kwh or int(readings.counter_e4kwh[readings.counter_e4kwh > 0][0])
    return found._replace(is_proven=_goes_on(begin, previous_end_e4kwh, found, profile, told=begin_e4kwh > 0))


def scaled(readings: ReadingArrays, scale: Scale) -> ReadingArrays:
    """The readings with their registers in the unit of the sessions before."""
    return msgspec.structs.replace(
        readings,
        counter_e4kwh=readings.counter_e4kwh * scale.per // scale.times,
        before_e4kwh=readings.before_e4kwh * scale.per // scale.times,
    )


def profile_in_unit(profile: MeterProfile, readings: ReadingArrays) -> MeterProfile:
    """The meter of readings that are in the unit of the sessions before: it counts in the steps that they show."""
    finest = msgspec.structs.replace(profile, quantum_e4kwh=1, quantum_is_assumed=True)
    quantum = finest.as_counted(standing_registers(readings), flowing=bool(readings.power_w.any())).quantum_e4kwh
    return msgspec.structs.replace(profile, quantum_e4kwh=quantum)


def _by_power(readings: ReadingArrays, quantum: int) -> Scale | None:
    """Each third of the charge agrees on one power of ten, within half to twice; None where they do not."""
    values, power_w = readings.counter_e4kwh, readings.power_w
    shown = values > 0
    if len(values) < FEWEST_READINGS or not power_w.any() or np.count_nonzero(shown) < FEWEST_READINGS:
        return None
    places = np.flatnonzero(shown)
    rough = int(values[places[-1]] - values[places[0]])
    span_ms = int(readings.event_ms[places[-1]] - readings.event_ms[places[0]])
    rough_power = int(power_w[places].sum()) * span_ms // (len(places) * W_MS_PER_E4KWH)
    if rough_power // 4 < rough < rough_power * 4:
        return None
    borders = places[[len(places) * part // PARTS - (part == PARTS) for part in range(PARTS + 1)]]
    risen = np.diff(values[borders]).tolist()
    flowed = _flowed(readings.event_ms, power_w, borders)
    if min(risen) < FEWEST_QUANTA * quantum or min(flowed) <= 0:
        return None
    for factor in FACTORS:
        if all(_is_about(rise, flow * factor) for rise, flow in zip(risen, flowed, strict=True)):
            return Scale(times=factor)
        if all(_is_about(rise * factor, flow) for rise, flow in zip(risen, flowed, strict=True)):
            return Scale(per=factor)
    return None


def _flowed(event_ms: Int64s, power_w: Int64s, borders: Int64s) -> list[int]:
    twice_w_ms = np.cumsum((power_w[1:] + power_w[:-1]) * np.diff(event_ms))
    at_borders = np.concatenate(([0], twice_w_ms))[borders]
    return [int(part) // (2 * W_MS_PER_E4KWH) for part in np.diff(at_borders)]


def _is_about(one: int, other: int) -> bool:
    return other <= 2 * one and one <= 2 * other


def _goes_on(begin: int, previous_end: int, scale: Scale, profile: MeterProfile, *, told: bool) -> bool:
    """The register at the begin is the previous end in the other unit, and is not the previous end as it stands.

    Near 0 both hold of a register, and then the previous end tells nothing about its unit.
    """
    if not previous_end:
        return False
    unheard = 0 if told else profile.energy_at_pmax(profile.gap_ms)
    quanta = 2 * profile.quantum_e4kwh
    in_other_unit = abs(begin * scale.per - previous_end * scale.times)
    as_it_stands = abs(begin - previous_end)
    fits = in_other_unit <= quanta * max(scale.times, scale.per) + unheard * scale.times
    return fits and as_it_stands > quanta + unheard
