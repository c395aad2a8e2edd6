"""In which parts of a day can a charger's record hold energy? (anomaly-codes.md, code 4: a part outside of the charge)

A YKC record shares its energy out over the rate classes, an AAF5 record over the half-hours of the local day.
"""

from bisect import bisect_left
from collections.abc import Sequence

from analytics.thresholds import HOUR_MS
from core.half_hours import half_hour_starts
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion

ALL_CLASSES = 15
ALL_HALF_HOURS = 2**48 - 1
_LONGEST_MASKED_MS = 23 * HOUR_MS
_LAST_MS = 2**42
"""A moment in the year 2109: a time beyond it is none of a charge."""


def bill_class_mask(
    start_ms: int,
    end_ms: int,
    class_price_e5yuan: Sequence[int],
    zone: str,
    timeline: TariffTimeline,
    margin_ms: int,
) -> int:
    """The rate classes of the half-hours that a record touches, with `margin_ms` either side, one bit each.

    `ALL_CLASSES` unless the tariff in the charger is known for each half-hour: the charger acknowledged it, or the
    four prices on its record (electricity and service) are those of the version that is valid by date; and prices on
    the record do not contradict.
    """
    if not 0 < start_ms <= end_ms <= min(start_ms + _LONGEST_MASKED_MS, _LAST_MS):
        return ALL_CLASSES
    mask = 0
    judged: tuple[TariffVersion, bool] | None = None
    for slot in half_hour_starts(start_ms - margin_ms, end_ms + margin_ms, zone):
        version, _stale = timeline.version_for_slot(slot.slot_start_ms)
        if version is None:
            return ALL_CLASSES
        acknowledged = _last_acknowledged(timeline, slot.slot_start_ms) == version.tariff_version_id
        if judged is None or judged[0] is not version or judged[1] != acknowledged:
            if not _is_in_the_charger(version, class_price_e5yuan, acknowledged):
                return ALL_CLASSES
            judged = version, acknowledged
        mask |= 1 << version.slot_classes[slot.slot_of_day]
    return mask


def bill_half_hour_mask(start_ms: int, end_ms: int, zone: str, margin_ms: int) -> int:
    """The half-hours of the local day that a record touches, with `margin_ms` either side, one bit each.

    `ALL_HALF_HOURS` when its times are unusable or touch them all.
    """
    if not 0 < start_ms <= end_ms <= min(start_ms + _LONGEST_MASKED_MS, _LAST_MS):
        return ALL_HALF_HOURS
    mask = 0
    for slot in half_hour_starts(start_ms - margin_ms, end_ms + margin_ms, zone):
        mask |= 1 << slot.slot_of_day
    return mask


def _last_acknowledged(timeline: TariffTimeline, before_ms: int) -> int | None:
    acks = sorted(timeline.acks)
    place = bisect_left([ack_ms for ack_ms, _version_id in acks], before_ms)
    return acks[place - 1][1] if place else None


def _is_in_the_charger(version: TariffVersion, class_price_e5yuan: Sequence[int], acknowledged: bool) -> bool:
    """Whether the record was made by this version.

    A charger acknowledges by a number of four digits, which another platform may have given to another tariff: prices
    on its record that differ prove more. Equal prices in all classes say nothing of the day's layout, which is what
    the mask is made of.
    """
    prices = zip(version.electricity_price_e5yuan, version.service_price_e5yuan, strict=True)
    own = [electricity + service for electricity, service in prices]
    shown = list(class_price_e5yuan)
    if any(shown) and shown != own:
        return False
    return acknowledged or (shown == own and len(set(own)) > 1)
