"""The charger's own money: its energy over the half-hours of its tariff, rounded as chargers do."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from benchmarks.fleet.charge import Charge
from benchmarks.fleet.power import IntArray
from core.tariff_version import SLOTS_PER_DAY, TariffVersion

SLOT_MS: Final = 1_800_000
CLASSES: Final = 4


class ChargerBill(msgspec.Struct, frozen=True):
    """Energies and fees by rate class, in the order sharp, peak, flat, valley."""

    class_price_e5yuan: tuple[int, ...]
    class_energy_e4kwh: tuple[int, ...]
    class_fee_e5yuan: tuple[int, ...]


class Meterman:
    """Splits one charge over the slots of one tariff: for the running amount of 0x13 and for the record.

    The fee of a slot is energy x price, rounded half up to 1e-5 yuan (metering.md, "What real chargers do").
    """

    def __init__(self, charge: Charge, tariff: TariffVersion) -> None:
        self._charge = charge
        offset_ms = _offset_ms(charge.pile.zone, charge.charging_ms)
        first_edge_ms = (charge.charging_ms + offset_ms) // SLOT_MS * SLOT_MS - offset_ms
        edges = np.arange(first_edge_ms, charge.stop_ms + SLOT_MS, SLOT_MS, dtype=np.int64)
        slots = ((edges[:-1] + offset_ms) // SLOT_MS) % SLOTS_PER_DAY
        prices = [a + b for a, b in zip(tariff.electricity_price_e5yuan, tariff.service_price_e5yuan, strict=True)]
        self._edges_ms = edges
        self._classes = np.array(tariff.slot_classes, dtype=np.int64)[slots]
        self._prices_e5yuan = np.array(prices, dtype=np.int64)
        self._slot_prices = self._prices_e5yuan[self._classes]
        self._energy_before = charge.energy_at(edges)
        self._slot_fees = _fee_e5yuan(np.diff(self._energy_before), self._slot_prices)
        self._fees_before = np.concatenate(([0], np.cumsum(self._slot_fees)))

    def amount_e4yuan(self, times_ms: IntArray) -> IntArray:
        """The money so far at each moment of the charge."""
        slot = np.clip(np.searchsorted(self._edges_ms, times_ms, side="right") - 1, 0, len(self._slot_prices) - 1)
        inside = self._charge.energy_at(times_ms) - self._energy_before[slot]
        return _e4(self._fees_before[slot] + _fee_e5yuan(inside, self._slot_prices[slot]))

    def bill(self) -> ChargerBill:
        """The whole charge."""
        energy, fees = np.zeros(CLASSES, dtype=np.int64), np.zeros(CLASSES, dtype=np.int64)
        np.add.at(energy, self._classes, np.diff(self._energy_before))
        np.add.at(fees, self._classes, self._slot_fees)
        return ChargerBill(
            tuple(int(price) for price in self._prices_e5yuan),
            tuple(int(value) for value in energy),
            tuple(int(fee) for fee in fees),
        )


def half_hour_of(zone: str, time_ms: int) -> int:
    """The number of the local half-hour, 0 to 47, that a moment falls into."""
    return (time_ms + _offset_ms(zone, time_ms)) // SLOT_MS % SLOTS_PER_DAY


def half_hours_between(zone: str, from_ms: int, to_ms: int) -> IntArray:
    """The beginnings of the local half-hours after `from_ms` and before `to_ms`."""
    offset_ms = _offset_ms(zone, from_ms)
    first_ms = ((from_ms + offset_ms) // SLOT_MS + 1) * SLOT_MS - offset_ms
    return np.arange(first_ms, to_ms, SLOT_MS, dtype=np.int64)


def _fee_e5yuan(energy_e4kwh: IntArray, price_e5yuan: IntArray) -> IntArray:
    return (energy_e4kwh * price_e5yuan + 5_000) // 10_000


def _e4(fee_e5yuan: IntArray) -> IntArray:
    return (fee_e5yuan + 5) // 10


def _offset_ms(zone: str, time_ms: int) -> int:
    offset = datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) * 1000 if offset else 0
