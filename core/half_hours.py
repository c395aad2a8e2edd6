"""The half-hours of local time that a span of UTC milliseconds touches."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.errors import CoreError

SLOT_MS = 1_800_000
LONGEST_SPAN_MS = 31 * 24 * 3_600_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HalfHour(NamedTuple):
    """One half-hour: when it begins (UTC) and its place 0..47 in the local day."""

    slot_start_ms: int
    slot_of_day: int


def half_hour_starts(start_ms: int, end_ms: int, zone: str) -> list[HalfHour]:
    """The half-hours of `zone` that touch [start_ms, end_ms), at least the one that holds `start_ms`.

    Where the zone's clock is put back or forward by half an hour or more, places of the day repeat or are left out,
    while every half-hour still lasts 30 minutes of real time. CoreError when the span is longer than 31 days: no
    charge is, so a time in it is wrong.
    """
    if end_ms - start_ms > LONGEST_SPAN_MS:
        raise CoreError(f"a charge from {start_ms} to {end_ms} ms would last {(end_ms - start_ms) // 3_600_000} h")
    local_zone = ZoneInfo(zone)
    slots = [_half_hour_of(start_ms, local_zone)]
    while (next_ms := slots[-1].slot_start_ms + SLOT_MS) < end_ms:
        # Offsets change by multiples of half an hour in every zone that has chargers, so this is a border again.
        slots.append(HalfHour(next_ms, _slot_of_border(next_ms, local_zone)))
    return slots


@lru_cache(maxsize=65_536)
def _slot_of_border(border_ms: int, local_zone: ZoneInfo) -> int:
    """The charges of a network meet at the same few borders again and again."""
    return _half_hour_of(border_ms, local_zone).slot_of_day


def _half_hour_of(at_ms: int, local_zone: ZoneInfo) -> HalfHour:
    local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(local_zone)
    minutes = local.hour * 60 + local.minute
    into_slot_ms = (minutes % 30) * 60_000 + local.second * 1000 + local.microsecond // 1000
    return HalfHour(at_ms - into_slot_ms, minutes // 30)
