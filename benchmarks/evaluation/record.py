"""The charger's record of a charge: its energy and how that is shared out, its registers, its times, true or not."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from benchmarks.evaluation.chargers import TARIFFS, ZONE
from benchmarks.evaluation.charges import TrueCharge
from benchmarks.evaluation.meter import Meter
from benchmarks.evaluation.story import Story
from benchmarks.evaluation.telling import told_begin
from benchmarks.fleet.power import IntArray
from core.tariff_version import SLOTS_PER_DAY, TariffVersion

HALF_HOUR_MS: Final = 1_800_000
CLASSES: Final = 4
ONE_KWH_E4: Final = 10_000
RECORD_AGAIN_MS: Final = 10_000


class ToldRecord(msgspec.Struct, frozen=True):
    """A record; energies in 1e-4 kWh. `sent_ms`: every time it goes out. Times by the charger's clock.

    `half_hours`: the 48 of the day with what each holds; `classes`: the same by rate class.
    """

    sent_ms: tuple[int, ...]
    start_ms: int
    end_ms: int
    energy: int
    half_hours: tuple[int, ...]
    classes: tuple[int, ...]
    register_begin: int
    register_end: int
    amount_e5yuan: int


class Borders(msgspec.Struct, frozen=True):
    """The half-hours that a charge touches: `edges_ms` around them, `slots` the place of each in the day."""

    edges_ms: IntArray
    slots: IntArray
    versions: tuple[TariffVersion, ...]

    @property
    def classes(self) -> list[int]:
        """The rate class of each."""
        return [version.slot_classes[slot] for version, slot in zip(self.versions, self.slots.tolist(), strict=True)]

    @property
    def prices(self) -> list[tuple[int, int]]:
        """Electricity and service price of each, 1e-5 yuan per kWh."""
        return [
            (version.electricity_price_e5yuan[number], version.service_price_e5yuan[number])
            for version, number in zip(self.versions, self.classes, strict=True)
        ]


def borders_of(from_ms: int, to_ms: int) -> Borders:
    """The half-hours of the station's time that touch this span, each with the tariff valid when it begins."""
    offset_ms = _offset_ms(from_ms)
    first = (from_ms + offset_ms) // HALF_HOUR_MS
    last = max((to_ms + offset_ms - 1) // HALF_HOUR_MS, first)
    numbers = np.arange(first, last + 2, dtype=np.int64)
    edges_ms = numbers * HALF_HOUR_MS - offset_ms
    versions = tuple(tariff_at(int(edge_ms)) for edge_ms in edges_ms[:-1])
    return Borders(edges_ms, numbers[:-1] % SLOTS_PER_DAY, versions)


def tariff_at(time_ms: int) -> TariffVersion:
    """The version valid by date."""
    return [version for version in TARIFFS if version.from_ms <= time_ms][-1]


def told_record(story: Story, meter: Meter) -> ToldRecord | None:
    """What the charger uploads after the charge, None where it never does."""
    if not story.has_record:
        return None
    charge = story.charge
    borders = borders_of(charge.charging_ms, charge.stop_ms)
    parts, begin, end = _parts(story, meter, borders)
    times, by = story.record_factor
    parts = parts * times // by
    energy = max(int(parts.sum()), 0) + story.record_extra_e4kwh
    if story.record_lie == "zero_begin":
        begin, energy = 0, end
    prices = [electricity + service for electricity, service in borders.prices]
    amount = sum(max(part, 0) * price // 10_000 for part, price in zip(parts.tolist(), prices, strict=True))
    half_hours, classes = [0] * SLOTS_PER_DAY, [0] * CLASSES
    for part, slot, of_class in zip(parts.tolist(), borders.slots.tolist(), borders.classes, strict=True):
        half_hours[slot] += part
        classes[of_class] += max(part, 0)
    first_ms = story.online_from(charge.record_ms) + (2_500 if story.is_away(charge.record_ms) else 0)
    return ToldRecord(
        sent_ms=tuple(first_ms + RECORD_AGAIN_MS * copy for copy in range(story.record_copies)),
        start_ms=charge.start_ms + story.clock_error_ms,
        end_ms=charge.end_ms + story.clock_error_ms,
        energy=energy,
        half_hours=tuple(half_hours),
        classes=tuple(classes),
        register_begin=begin,
        register_end=end + story.record_extra_e4kwh,
        amount_e5yuan=amount,
    )


def true_amount_fen(charge: TrueCharge) -> int:
    """What the charge should cost: each half-hour's energy at its prices, rounded as the platform rounds."""
    borders = borders_of(charge.charging_ms, charge.stop_ms)
    energies = np.diff(charge.energy_at(borders.edges_ms)).tolist()
    fees = [
        ((energy * electricity + 5_000) // 10_000, (energy * service + 5_000) // 10_000)
        for energy, (electricity, service) in zip(energies, borders.prices, strict=True)
    ]
    total_e5yuan = sum(electricity + service for electricity, service in fees)
    return int(total_e5yuan + 500) // 1_000


def _parts(story: Story, meter: Meter, borders: Borders) -> tuple[IntArray, int, int]:
    """The energy of each half-hour by the record, and its two registers."""
    charge, model = story.charge, story.charger.model
    inside = np.clip(borders.edges_ms, charge.charging_ms, charge.end_ms)
    inside[-1] = charge.end_ms
    wire = model.wire_e4kwh
    if model.register == "session":
        # The meter behind a session counter has a register of its own, which the record alone shows.
        quantum = model.quantum_e4kwh
        begin = story.base_e4kwh // quantum * quantum
        end = (story.base_e4kwh + charge.energy_e4kwh) // quantum * quantum
        shown = meter.shown_at(inside)
        counted = shown - shown[0]
    else:
        begin, end = told_begin(story, meter), int(meter.shown_at(inside[-1:])[0])
        counted = _from_the_begin(meter.shown_at(inside), begin, end, int(10 ** (model.wraps_at_digits + 4)))
    if model.counts_record:
        counted = charge.energy_at(inside) // wire * wire
    return np.diff(counted), begin, end


def _from_the_begin(shown: IntArray, begin: int, end: int, modulus: int) -> IntArray:
    """Registers less the first: the charger knows how many digits its meter has, and that energy is not negative."""
    wraps = modulus > ONE_KWH_E4 and begin > modulus * 9 // 10 and end < modulus // 10
    risen = shown - begin
    if wraps:
        risen = np.where(risen < 0, risen + modulus, risen)
    risen[0] = 0
    return risen if risen[-1] >= 0 else np.zeros_like(risen)


def _offset_ms(time_ms: int) -> int:
    offset = datetime.fromtimestamp(time_ms // 1_000, UTC).astimezone(ZoneInfo(ZONE)).utcoffset()
    return int(offset.total_seconds()) * 1_000 if offset else 0
