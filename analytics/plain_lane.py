"""The lane for ordinary charges: from columns of facts to columns of `session_revisions`, with no object per reading.

`core.plain_session` decides which charges are plain; of those `analytics.plain_columns` gives what
`analytics.session_rows.session_row` gives, to the last unit, flag and digest. All others are left to that one.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np

from analytics.biller_decision import Decision
from analytics.lane_facts import Int64s, LaneFacts
from analytics.plain_columns import NO_ROWS, Meters, PlainColumns, PlainRows
from analytics.session_facts import SessionKey
from analytics.session_revision import CurrentRevision
from analytics.tariff_tables import TariffTables
from analytics.threshold_book import ThresholdBook
from analytics.thresholds import HOUR_MS, Thresholds
from core.directory import Pile
from core.plain_session import GIVEN, decide_plain
from core.session_after import AFTER_COLUMNS
from core.tariff_version import TariffVersion

_AROUND_MS: Final = 48 * HOUR_MS
"""So far from their readings may records tell of a charge, to be plain."""


class PlainLane:
    """Decides plain charges. `versions`: all tariff versions of the platform by their number."""

    def __init__(self, book: ThresholdBook, versions: Mapping[int, TariffVersion]) -> None:
        self._book = book
        self._versions = versions

    def rows(
        self,
        facts: LaneFacts,
        current: Mapping[SessionKey, CurrentRevision],
        decision: Decision,
        priced: frozenset[int],
    ) -> PlainRows:
        """The revisions of those that are plain and have prices (numbers of tariff versions) in ClickHouse.

        The digest of one may be that of the revision that stands: then there is nothing new.
        """
        if not len(facts):
            return NO_ROWS
        first_ms = int(facts.rows["receive_ms"][facts.row_from].min())
        last_ms = int(facts.rows["receive_ms"][facts.row_to - 1].max())
        chargers = {pile.pile_id: pile for pile in facts.piles}
        limits = {pile_id: self._limits(pile, first_ms, last_ms) for pile_id, pile in chargers.items()}
        tables = TariffTables(
            ((pile, facts.of_pile[pile_id].tariff_acks) for pile_id, pile in chargers.items()),
            self._versions,
            first_ms - _AROUND_MS,
            last_ms + _AROUND_MS,
        )
        apt = [
            place
            for place, (key, pile) in enumerate(zip(facts.keys, facts.piles, strict=True))
            if limits[pile.pile_id] is not None
            and pile.pile_id in tables.row_of
            and _is_decided_now(current.get(key), decision)
        ]
        if not apt:
            return NO_ROWS
        sets = {pile_id: found for pile_id, found in limits.items() if found is not None}
        meters = Meters(facts, sets)
        places = np.array(apt, np.int64)
        given = _given(facts, places, meters, tables, sets)
        rows = facts.rows
        taken, found, slots = decide_plain(
            meters.calculators,
            rows["receive_ms"],
            rows["counter_e4kwh"],
            rows["state"],
            rows["power_w"],
            rows["charge_minutes"],
            rows["seq"],
            given,
            tables.first_slot,
            tables.version,
            tables.acknowledged,
            tables.stale,
            tables.slot_of_day,
            tables.classes,
            tables.prices,
        )
        plain = np.flatnonzero(taken)
        priced_rows = np.array([version.tariff_version_id in priced for version in tables.versions], np.bool_)
        rows_of = given[plain, GIVEN.index("timeline")]
        if not priced_rows.all():
            used = [
                all(priced_rows[tables.version[row][slots[place, : found[place, -1], 0]]])
                for place, row in zip(plain.tolist(), rows_of.tolist(), strict=True)
            ]
            plain, rows_of = plain[used], rows_of[used]
        if not len(plain):
            return NO_ROWS
        return PlainColumns(
            facts, places[plain], found[plain], slots[plain], rows_of, tables, meters, sets, current, decision
        ).rows()

    def _limits(self, pile: Pile, from_ms: int, to_ms: int) -> Thresholds | None:
        """The thresholds of all charges of a charger in that time; None where they, or its owner, may differ."""
        owner = next((one for one in pile.owners if one.from_ms <= from_ms and to_ms < one.to_ms), None)
        if (
            owner is None
            or pile.operator_at(from_ms) != owner.operator_id
            or pile.operator_at(to_ms) != owner.operator_id
        ):
            return None
        limits = self._book.of(pile, to_ms)
        return limits if limits.efficiency_e4 == 0 else None


def _is_decided_now(before: CurrentRevision | None, decision: Decision) -> bool:
    return before is None or decision.stays_since_ms is not None or not before.stays_since_ms


def _given(
    facts: LaneFacts, places: Int64s, meters: Meters, tables: TariffTables, sets: Mapping[int, Thresholds]
) -> Int64s:
    bills = facts.bills
    energy, loss = bills["energy_e4kwh"][places], bills["loss_energy_e4kwh"][places]
    pile_ids = [facts.keys[place].pile_id for place in places.tolist()]
    limits = {
        pile_id: (
            meters.of_pile[pile_id],
            tables.row_of[pile_id],
            one.energy_tolerance_e4kwh,
            one.energy_tolerance_share_e4,
            one.part_margin_ms,
        )
        for pile_id, one in sets.items()
        if pile_id in tables.row_of
    }
    meter, timeline, tolerance, share, margin = np.array([limits[one] for one in pile_ids], np.int64).T
    columns = {
        "row_from": facts.row_from[places],
        "row_to": facts.row_to[places],
        "meter": meter,
        "timeline": timeline,
        "after_ms": facts.after[places, AFTER_COLUMNS.index("after_ms")],
        "bill_receive_ms": bills["bill_receive_ms"][places],
        "bill_start_ms": bills["start_ms"][places],
        "bill_end_ms": bills["end_ms"][places],
        "bill_net_e4kwh": np.where(loss > 0, np.minimum(energy, loss), energy),
        **{
            f"{name}_{part}": bills[f"{name}_{part}"][places]
            for name in ("class_energy", "class_price")
            for part in range(4)
        },
        "tolerance_e4kwh": tolerance,
        "tolerance_share_e4": share,
        "part_margin_ms": margin,
    }
    return np.ascontiguousarray(np.stack([columns[name] for name in GIVEN], axis=1))
