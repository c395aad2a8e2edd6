"""A session's final energy over the half-hours of its station's local time, each with the tariff that prices it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from core.half_hours import LONGEST_SPAN_MS, SLOT_MS, HalfHour, half_hour_starts
from core.meter.measurement import Measurement
from core.slots import largest_remainder, scale_to_classes, split_over_slots
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion

SlotMethod = Literal["bill_half_hours", "bill_classes", "measured", "linear", "none"]
NO_CLASS = -1
PARTS_E4KWH = 100  # the parts of a bill may differ from its total by max(0.01 kWh, 0.05 %): anomaly-codes.md, code 4
PARTS_SHARE = 2_000
PART_MARGIN_MS = SLOT_MS  # a part may lie that much outside of the charge: anomaly-codes.md, code 4


class BillParts(NamedTuple):
    """How the charger's record shares out its energy: over the four rate classes, or over the half-hours of the day.

    `half_hour_e4kwh`: 48 energies by the charger's clock, or none. `window`: begin and end of the charge by the record,
    None where they are unusable.
    """

    class_energy_e4kwh: Sequence[int]
    half_hour_e4kwh: Sequence[int] = ()
    window: tuple[int, int] | None = None


class SessionSlots(NamedTuple):
    """The half-hours that hold energy. Energies sum to the final energy; version 0 = no tariff is known.

    `method`: "bill_half_hours" the bill's own half-hours, "bill_classes" its class energies over the measured
    half-hours, "measured" the measured half-hours scaled to the final energy, "linear" in proportion to time, "none"
    there is no energy to share out.
    """

    slot_start_ms: list[int]
    slot_of_day: list[int]
    energy_e4kwh: list[int]
    tariff_version_ids: list[int]
    method: SlotMethod
    tariff_stale: bool


def share_out(
    measured: Measurement,
    final_e4kwh: int | None,
    *,
    window: tuple[int, int],
    parts: BillParts | None,
    zone: str,
    timeline: TariffTimeline,
) -> SessionSlots:
    """Share the final energy out over the half-hours of `window` (begin and end of the charge, ms).

    `parts`: the bill's own where the bill decides, else None.
    """
    if not final_e4kwh:
        return SessionSlots([], [], [], [], "none", False)
    start_ms, end_ms = window
    counted = np.flatnonzero(measured.trusted)  # the counter may supply its end after the last charging reading
    end_ms = max(end_ms, int(measured.event_ms[counted[-1]]) if len(counted) else 0)
    if parts and any(parts.half_hour_e4kwh):
        start_ms, end_ms = _with_the_bills_own((start_ms, end_ms), parts.window)
    # A wrong clock can make a charge of months: what lies further back goes to the first half-hour that is kept.
    start_ms = max(start_ms, end_ms - LONGEST_SPAN_MS)
    slots = half_hour_starts(start_ms, end_ms, zone)
    versions = [timeline.version_for_slot(slot.slot_start_ms) for slot in slots]
    by_time = _milliseconds_in(slots, start_ms, end_ms)
    by_meter = _measured(measured, slots)
    energies, method = _shared(final_e4kwh, by_meter, by_time, slots, _classes(slots, [v for v, _ in versions]), parts)
    filled = [place for place, energy in enumerate(energies) if energy]
    return SessionSlots(
        slot_start_ms=[slots[place].slot_start_ms for place in filled],
        slot_of_day=[slots[place].slot_of_day for place in filled],
        energy_e4kwh=[energies[place] for place in filled],
        tariff_version_ids=[version.tariff_version_id if (version := versions[place][0]) else 0 for place in filled],
        method=method,
        tariff_stale=any(versions[place][1] for place in filled),
    )


def _with_the_bills_own(window: tuple[int, int], told: tuple[int, int] | None) -> tuple[int, int]:
    """The charge with the half-hours that only its record touches: its clock may be seconds ahead or behind."""
    start_ms, end_ms = window
    if told is None or told[0] < start_ms - PART_MARGIN_MS or told[1] > end_ms + PART_MARGIN_MS:
        return window
    return min(start_ms, told[0]), max(end_ms, told[1])


def _shared(
    final: int,
    by_meter: list[int],
    by_time: list[int],
    slots: list[HalfHour],
    classes: list[int],
    parts: BillParts | None,
) -> tuple[list[int], SlotMethod]:
    own: list[tuple[SlotMethod, list[int], Sequence[int]]] = []
    if parts:
        own = [
            ("bill_half_hours", [slot.slot_of_day for slot in slots], parts.half_hour_e4kwh),
            ("bill_classes", classes, parts.class_energy_e4kwh),
        ]
    for method, groups, energies in own:
        fitting = _fitting_parts(final, energies)
        if fitting is not None:
            scaled = scale_to_classes(_with_time_where_not_measured(by_meter, by_time, groups), groups, fitting)
            if scaled is not None:
                return scaled, method
    if any(by_meter):
        return largest_remainder(final, by_meter), "measured"
    return largest_remainder(final, by_time), "linear"


def _fitting_parts(final: int, parts: Sequence[int]) -> list[int] | None:
    """The bill's parts brought to its total, None when they are absent or do not fit it."""
    if not sum(parts):
        return None
    if abs(sum(parts) - final) > max(PARTS_E4KWH, final // PARTS_SHARE):
        return None
    return largest_remainder(final, parts)


def _with_time_where_not_measured(by_meter: list[int], by_time: list[int], classes: list[int]) -> list[int]:
    """A class (or place of the day) that the meter did not see is shared out by the time its half-hours have."""
    seen = {rate_class for energy, rate_class in zip(by_meter, classes, strict=True) if energy}
    return [
        energy if rate_class in seen else time
        for energy, time, rate_class in zip(by_meter, by_time, classes, strict=True)
    ]


def _classes(slots: list[HalfHour], versions: list[TariffVersion | None]) -> list[int]:
    return [
        version.slot_classes[slot.slot_of_day] if version else NO_CLASS
        for slot, version in zip(slots, versions, strict=True)
    ]


def _milliseconds_in(slots: list[HalfHour], start_ms: int, end_ms: int) -> list[int]:
    """How much of the charge lies in each half-hour; a charge without length lies in the first one."""
    times = [max(0, min(end_ms, slot.slot_start_ms + SLOT_MS) - max(start_ms, slot.slot_start_ms)) for slot in slots]
    return times if any(times) else [1] + [0] * (len(slots) - 1)


def _measured(measured: Measurement, slots: list[HalfHour]) -> list[int]:
    """The accepted energy of each half-hour, from the trusted readings, linear between them."""
    places = np.flatnonzero(measured.trusted)
    if not len(places):
        return [0] * len(slots)
    times = [measured.began_ms, *measured.event_ms[places].tolist()]
    running = [0, *measured.accepted_e4kwh[places].tolist()]
    return split_over_slots(times, running, [slot.slot_start_ms for slot in slots])
