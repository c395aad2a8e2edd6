"""Which tariff holds for a charger in each half-hour of a time, as tables for `core.plain_session`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from core.directory import Pile
from core.half_hours import SLOT_MS, half_hour_starts
from core.tariff_version import SLOTS_PER_DAY, TariffVersion

NO_VERSION: Final = -1
MOST_SLOTS: Final = 400 * SLOTS_PER_DAY
"""For a longer time the tables would be larger than what they save."""
_AT_ONCE: Final = 24 * SLOTS_PER_DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Acks = Sequence[tuple[int, int]]


class TariffTables:
    """The half-hours from `from_ms` to `to_ms` for chargers with what each acknowledged.

    `row_of`: the row of each charger in `version`, `acknowledged`, `stale` and `slot_of_day`; a charger is left out
    where its zone has no half-hours of the hour. `versions`: the tariff versions, in the order of `classes`, `prices`.
    """

    def __init__(
        self, chargers: Iterable[tuple[Pile, Acks]], known: Mapping[int, TariffVersion], from_ms: int, to_ms: int
    ) -> None:
        self.first_slot = from_ms // SLOT_MS
        self.slots = to_ms // SLOT_MS + 1 - self.first_slot
        self.versions: list[TariffVersion] = []
        self.row_of: dict[int, int] = {}
        self._place: dict[int, int] = {}
        self._rows: list[tuple[npt.NDArray[Any], ...]] = []
        self._alike: dict[tuple[Any, ...], int] = {}
        if self.slots <= MOST_SLOTS:
            for pile, acks in chargers:
                self._add(pile, acks, known)
        nothing = np.zeros((0, max(self.slots, 0)), np.uint8)
        columns = [np.stack(column) for column in zip(*self._rows, strict=True)] or [
            nothing.astype(np.int16),
            nothing,
            nothing,
            nothing,
        ]
        self.version, self.acknowledged, self.stale, self.slot_of_day = columns
        self.classes = np.array([one.slot_classes for one in self.versions], np.uint8).reshape(-1, SLOTS_PER_DAY)
        prices = [
            [sum(both) for both in zip(one.electricity_price_e5yuan, one.service_price_e5yuan, strict=True)]
            for one in self.versions
        ]
        self.prices = np.array(prices, np.int64).reshape(-1, 4)

    def _add(self, pile: Pile, acks: Acks, known: Mapping[int, TariffVersion]) -> None:
        alike = (pile.zone, tuple(version.tariff_version_id for version in pile.tariffs), tuple(acks))
        if alike not in self._alike:
            of_day = places_of_day(pile.zone, self.first_slot, self.slots)
            if of_day is None:
                return
            self._alike[alike] = len(self._rows)
            self._rows.append((*self._held(pile, acks, known), of_day))
        self.row_of[pile.pile_id] = self._alike[alike]

    def _held(
        self, pile: Pile, acks: Acks, known: Mapping[int, TariffVersion]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """As `TariffTimeline.version_for_slot` says: the version, whether it was acknowledged, whether it is stale."""
        own = {version.tariff_version_id: version for version in pile.tariffs}
        starts_ms = (self.first_slot + np.arange(self.slots)) * SLOT_MS
        dated = np.searchsorted([version.from_ms for version in pile.tariffs], starts_ms, side="right") - 1
        last_ack = np.searchsorted([at_ms for at_ms, _number in acks], starts_ms, side="left") - 1
        version = np.full(self.slots, NO_VERSION, np.int16)
        acknowledged, stale = np.zeros(self.slots, np.uint8), np.zeros(self.slots, np.uint8)
        borders = np.flatnonzero(np.diff(dated) | np.diff(last_ack)) + 1
        for first, last in zip([0, *borders.tolist()], [*borders.tolist(), self.slots], strict=True):
            by_date = pile.tariffs[dated[first]] if dated[first] >= 0 else None
            held_id = acks[last_ack[first]][1] if last_ack[first] >= 0 else None
            held = own.get(held_id, known.get(held_id)) if held_id is not None else None
            decides = held or by_date
            if decides is not None:
                version[first:last] = self._place_of(decides)
                acknowledged[first:last] = held_id == decides.tariff_version_id
            stale[first:last] = by_date is not None and held_id not in (None, by_date.tariff_version_id)
        return version, acknowledged, stale

    def _place_of(self, version: TariffVersion) -> int:
        place = self._place.setdefault(version.tariff_version_id, len(self.versions))
        if place == len(self.versions):
            self.versions.append(version)
        return place


@lru_cache(maxsize=64)
def places_of_day(zone: str, first_slot: int, slots: int) -> npt.NDArray[np.uint8] | None:
    """The places 0..47 of half-hours in the local day; None for a zone whose half-hours begin at other moments."""
    places: list[int] = []
    while len(places) < slots:
        begin_ms = (first_slot + len(places)) * SLOT_MS
        end_ms = min(begin_ms + _AT_ONCE * SLOT_MS, (first_slot + slots) * SLOT_MS)
        found = half_hour_starts(begin_ms, end_ms, zone)
        if found[0].slot_start_ms != begin_ms:
            return None
        places += [one.slot_of_day for one in found]
    return np.array(places, np.uint8)


@lru_cache(maxsize=65_536)
def local_day(slot: int, zone: str) -> date:
    """The local day of a half-hour, counted since the epoch."""
    return (_EPOCH + timedelta(milliseconds=slot * SLOT_MS)).astimezone(ZoneInfo(zone)).date()
