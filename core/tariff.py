"""Which tariff version holds for a half-hour, and what its energy costs: the integer twin of the bill's SQL."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from core.errors import CoreError
from core.half_hours import SLOT_MS, HalfHour, half_hour_starts
from core.slots import largest_remainder, scale_to_classes, split_over_slots
from core.tariff_version import SLOTS_PER_DAY, TariffVersion

__all__ = [
    "DayPrices",
    "HalfHour",
    "Priced",
    "TariffTimeline",
    "day_prices",
    "half_hour_starts",
    "largest_remainder",
    "price_slots",
    "scale_to_classes",
    "split_over_slots",
]


class TariffTimeline(msgspec.Struct, frozen=True):
    """The versions valid by date for a charger, and what the charger itself acknowledged.

    `by_date`: in the order of `from_ms`. `acks`: (ack_ms, tariff_version_id), in any order. `others`: versions that
    were never valid by date here but that a charger may hold all the same.
    """

    by_date: tuple[TariffVersion, ...]
    acks: tuple[tuple[int, int], ...] = ()
    others: tuple[TariffVersion, ...] = ()

    def version_for_slot(self, slot_start_ms: int) -> tuple[TariffVersion | None, bool]:
        """The version that prices the half-hour which begins then, and whether the charger's one is stale.

        It is the version that the charger last acknowledged before the slot began, else the one valid by date; stale
        means that both are known and differ. An acknowledged number that is no known version cannot be priced: the
        version by date stands in, and is stale. None when no version was valid yet.
        """
        dated = self._dated(slot_start_ms)
        held_id = self._acknowledged(slot_start_ms) if self.acks else None
        if held_id is None:
            return dated, False
        held = next((v for v in (*self.by_date, *self.others) if v.tariff_version_id == held_id), None)
        stale = dated is not None and held_id != dated.tariff_version_id
        return held or dated, stale

    def _dated(self, at_ms: int) -> TariffVersion | None:
        if len(self.by_date) == 1:  # most stations have one tariff, and each start of a charge asks 48 times
            return self.by_date[0] if self.by_date[0].from_ms <= at_ms else None
        position = bisect_right([version.from_ms for version in self.by_date], at_ms)
        return self.by_date[position - 1] if position else None

    def _acknowledged(self, before_ms: int) -> int | None:
        acks = sorted(self.acks)
        position = bisect_left([ack_ms for ack_ms, _ in acks], before_ms)
        return acks[position - 1][1] if position else None


class DayPrices(NamedTuple):
    """The prices of 48 half-hours in a row, 1e-5 yuan per kWh, for `core.connector.ConnectorCycle.set_prices`."""

    first_slot_ms: int
    electricity_e5yuan: tuple[int, ...]
    service_e5yuan: tuple[int, ...]


def day_prices(timeline: TariffTimeline, from_ms: int, zone: str) -> DayPrices:
    """The prices of the 24 h from the half-hour that holds `from_ms`; 0 where no version is valid."""
    first_ms = half_hour_starts(from_ms, from_ms, zone)[0].slot_start_ms
    return _prices_from(_told_by_slot(timeline, first_ms), first_ms, zone)


def _told_by_slot(timeline: TariffTimeline, first_ms: int) -> TariffTimeline:
    """The same timeline for the half-hours from `first_ms` on, with acks moved to the begin of theirs.

    A version holds from the half-hour after its ack: chargers that took it in the same one have the same prices.
    """
    if not timeline.acks:
        return timeline
    told: dict[int, int] = {}
    for ack_ms, version_id in sorted(timeline.acks):
        told[first_ms + max(-1, (ack_ms - first_ms) // SLOT_MS) * SLOT_MS] = version_id
    return TariffTimeline(timeline.by_date, tuple(told.items()), timeline.others)


@lru_cache(maxsize=4_096)
def _prices_from(timeline: TariffTimeline, first_ms: int, zone: str) -> DayPrices:
    """All chargers of a station that begin to charge in the same half-hour ask for the same prices."""
    slots = half_hour_starts(first_ms, first_ms + SLOTS_PER_DAY * SLOT_MS, zone)
    electricity, service = [], []
    for slot in slots:
        version, _ = timeline.version_for_slot(slot.slot_start_ms)
        electricity.append(version.electricity_price_e5yuan[version.slot_classes[slot.slot_of_day]] if version else 0)
        service.append(version.service_price_e5yuan[version.slot_classes[slot.slot_of_day]] if version else 0)
    return DayPrices(first_ms, tuple(electricity), tuple(service))


class Priced(NamedTuple):
    """What energy costs. Fees in 1e-5 yuan, what is settled in fen."""

    slot_electricity_e5yuan: tuple[int, ...]
    slot_service_e5yuan: tuple[int, ...]
    electricity_e5yuan: int
    service_e5yuan: int
    amount_fen: int
    electricity_fen: int
    service_fen: int


def price_slots(
    slot_energy_e4kwh: Sequence[int], electricity_price_e5yuan: Sequence[int], service_price_e5yuan: Sequence[int]
) -> Priced:
    """The fees of slots, one price of each kind per slot (DESIGN invariant 5, D25).

    A fee is energy x price, rounded half up to 1e-5 yuan per slot. The total is rounded half up to fen once; the
    electricity fee likewise, and the service fee is what remains. CoreError when lengths differ or a number is
    negative.
    """
    if not len(slot_energy_e4kwh) == len(electricity_price_e5yuan) == len(service_price_e5yuan):
        raise CoreError(
            f"{len(slot_energy_e4kwh)} slots, {len(electricity_price_e5yuan)} electricity prices and "
            f"{len(service_price_e5yuan)} service prices do not fit"
        )
    if any(
        number < 0
        for column in (slot_energy_e4kwh, electricity_price_e5yuan, service_price_e5yuan)
        for number in column
    ):
        raise CoreError("energy and prices of a slot cannot be negative")
    electricity = _fees(slot_energy_e4kwh, electricity_price_e5yuan)
    service = _fees(slot_energy_e4kwh, service_price_e5yuan)
    electricity_total, service_total = sum(electricity), sum(service)
    amount_fen = _to_fen(electricity_total + service_total)
    electricity_fen = _to_fen(electricity_total)
    return Priced(
        slot_electricity_e5yuan=electricity,
        slot_service_e5yuan=service,
        electricity_e5yuan=electricity_total,
        service_e5yuan=service_total,
        amount_fen=amount_fen,
        electricity_fen=electricity_fen,
        service_fen=amount_fen - electricity_fen,
    )


def _fees(energy_e4kwh: Sequence[int], price_e5yuan: Sequence[int]) -> tuple[int, ...]:
    return tuple((energy * price + 5000) // 10_000 for energy, price in zip(energy_e4kwh, price_e5yuan, strict=True))


def _to_fen(fee_e5yuan: int) -> int:
    return (fee_e5yuan + 500) // 1000
