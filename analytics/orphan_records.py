"""Which record that came under a number of its own belongs to a charge without one (anomaly-codes.md, code 1).

A record whose number no reading and no order knows is an orphan: chargers upload a record under another number than
their readings (AAF5: a 202 without the serial that the 104 had, or the other way round; after a restart a number of the
charger's own). It is taken for the record of the charge of the same connector whose begin and end lie within two
minutes of its own, if that has no record, no other charge fits it and no other orphan fits that charge. What is not
that plain waits: the orphan is a charge of its own that nobody measured; `anomalies --orphans` lists it. An
orphan that says word for word what another record of the same connector says is that record once more, and no charge,
whether the other belongs to a charge or is an orphan too: then the one that came first stays.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from clickhouse_driver import Client

from analytics.overlap_facts import LONGEST_RECORD_MS
from analytics.session_facts import CHARGING, LONGEST_KEPT_MS, SessionFacts, SessionKey, wanted_table
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, MINUTE_MS
from core.start_commands import START_COMMANDS

ReadCharges = Callable[[Mapping[SessionKey, int]], list[SessionFacts]]
"""Gives readings, in their time, and records of sessions; the values say from when on there may be readings."""

APART_MS = 2 * MINUTE_MS
"""Between begin, or end, of a charge and of a record that may be its own (anomaly-codes.md, code 1)."""
_EARLY_MS = 24 * HOUR_MS
"""So far may the end of a record lie after its arrival, by a clock that is wrong."""
_REACH_MS = HOUR_MS
"""A charger whose clock is further off than this tells of another time, as far as can be seen."""

_Charges = dict[SessionKey, SessionFacts]


class OrphanRecordReader:
    """Gives a charge without a record the one of the same connector that fits it in time."""

    def __init__(self, client: Client, read_charges: ReadCharges) -> None:
        self._client = client
        self._read_charges = read_charges

    def add(self, facts: Sequence[SessionFacts]) -> None:
        """Sets `bill` and `bill_number` of charges, and `has_other_number` of the orphans that belong to one.

        From stored facts alone: who fits whom does not depend on which of them was looked at first, and each is
        `touched` by those that fit it.
        """
        charges = {one.key: one for one in facts if _lacks_record(one)}
        orphans = self._unordered({one.key: one for one in facts if _is_unknown(one)})
        if not charges and not orphans:
            return
        neighbours = _Neighbours(self, charges, orphans)
        for orphan in orphans.values():
            fitting = neighbours.charges_of(orphan)
            orphan.touched |= {charge.key: _begin_ms(charge) for charge in fitting}
            orphan.has_other_number = len(fitting) == 1 and len(_different(neighbours.orphans_of(fitting[0]))) == 1
        for charge in charges.values():
            fitting = neighbours.orphans_of(charge)
            charge.touched |= {orphan.key: _begin_ms(charge) for orphan in fitting}
            different = _different(fitting)
            if len(different) == 1 and len(neighbours.charges_of(different[0])) == 1:
                charge.bill, charge.bill_number = different[0].bill, different[0].key.trade_no

    def add_repeated(self, facts: Sequence[SessionFacts]) -> None:
        """Sets `has_other_number` of orphans that are another record once more, under no number that it has.

        A charger uploads a record again without its serial (AAF5 202). Of several orphans that say the same the first
        that came is no repetition. `same_records` must be known.
        """
        orphans = self._unordered({one.key: one for one in facts if one.same_records and _is_unknown(one)})
        hints = {key: one.bill.start_ms - _REACH_MS for one in orphans.values() if one.bill for key in one.same_records}
        others = {one.key: one for one in self._read(hints)}
        unknown = self._unordered({key: one for key, one in others.items() if _is_unknown(one)})
        for orphan in orphans.values():
            known = any(key in others and key not in unknown for key in orphan.same_records)
            if known or any(_came(unknown[key]) < _came(orphan) for key in orphan.same_records if key in unknown):
                orphan.has_other_number = True
                orphan.overlaps = ()

    def orphans_near(self, charges: Iterable[SessionFacts]) -> _Charges:
        """The orphans that may belong to these charges."""
        spans = {one.key: _own_times(one) for one in charges}
        if not spans:
            return {}
        starts, ends = zip(*spans.values(), strict=True)
        rows = self._client.execute(
            sql_text("orphan_records"),
            {"from_ms": min(ends) - _EARLY_MS, "to_ms": max(ends) + LONGEST_KEPT_MS, "apart_ms": APART_MS},
            external_tables=wanted_table(list(spans), starts, start_ms=starts, end_ms=ends),
        )
        found = self._read({SessionKey(*row): min(starts) - _REACH_MS for row in rows})
        return self._unordered({one.key: one for one in found if _is_unknown(one)})

    def charges_near(self, orphans: Iterable[SessionFacts]) -> _Charges:
        """The charges without a record to which these orphans may belong."""
        spans = {one.key: (one.bill.start_ms, one.bill.end_ms) for one in orphans if one.bill}
        if not spans:
            return {}
        starts, ends = zip(*spans.values(), strict=True)
        rows = self._client.execute(
            sql_text("orphan_charges"),
            {"from_ms": min(starts), "to_ms": max(ends), "reach_ms": _REACH_MS},
            external_tables=wanted_table(list(spans), starts, start_ms=starts, end_ms=ends),
        )
        found = self._read({SessionKey(*key): since_ms for *key, since_ms in rows})
        return {one.key: one for one in found if _lacks_record(one)}

    def _read(self, hints: dict[SessionKey, int]) -> list[SessionFacts]:
        return self._read_charges(hints) if hints else []

    def _unordered(self, orphans: _Charges) -> _Charges:
        """Those whose number the platform did not give: a record under a number of its own is not astray."""
        if not orphans:
            return {}
        keys = list(orphans)
        rows = self._client.execute(
            sql_text("orphan_ordered"),
            {"start_commands": START_COMMANDS},
            external_tables=wanted_table(keys, [0] * len(keys)),
        )
        ordered = {keys[number] for (number,) in rows}
        return {key: one for key, one in orphans.items() if key not in ordered}


class _Neighbours:
    """Which charges and orphans fit each other, complete for those given and for whoever fits them."""

    def __init__(self, reader: OrphanRecordReader, charges: _Charges, orphans: _Charges) -> None:
        all_charges = {**reader.charges_near(orphans.values()), **charges}
        all_orphans = {**reader.orphans_near(all_charges.values()), **orphans}
        further = [one for key, one in all_orphans.items() if key not in orphans]
        all_charges = {**reader.charges_near(further), **all_charges}
        self._orphans: dict[SessionKey, list[SessionFacts]] = defaultdict(list)
        self._charges: dict[SessionKey, list[SessionFacts]] = defaultdict(list)
        of_connector: dict[tuple[int, int], list[SessionFacts]] = defaultdict(list)
        for orphan in all_orphans.values():
            of_connector[orphan.key[:2]].append(orphan)
        for charge in all_charges.values():
            times = _own_times(charge)
            for orphan in of_connector[charge.key[:2]]:
                if _fits(orphan, *times):
                    self._orphans[charge.key].append(orphan)
                    self._charges[orphan.key].append(charge)

    def orphans_of(self, charge: SessionFacts) -> list[SessionFacts]:
        return self._orphans[charge.key]

    def charges_of(self, orphan: SessionFacts) -> list[SessionFacts]:
        return self._charges[orphan.key]


def _different(orphans: Sequence[SessionFacts]) -> list[SessionFacts]:
    """Those that say different things; of several that say the same (`OverlapFactsReader`), the first that came."""
    first: dict[object, SessionFacts] = {}
    for orphan in sorted(orphans, key=_came):
        bill = orphan.bill
        counts = bill is not None and bill.meter_end_e4kwh > 0
        said = (
            (bill.start_ms, bill.end_ms, bill.energy_e4kwh, bill.meter_start_e4kwh, bill.meter_end_e4kwh)
            if bill
            else ()
        )
        first.setdefault(said if counts else orphan.key, orphan)
    return list(first.values())


def _came(orphan: SessionFacts) -> tuple[int, str]:
    return (orphan.bill.receive_ms if orphan.bill else 0), orphan.key.trade_no


def _lacks_record(facts: SessionFacts) -> bool:
    return facts.bill is None and bool(facts.last_charging_ms)


def _is_unknown(facts: SessionFacts) -> bool:
    """A record under a number of which no reading tells, with times that can be those of a charge."""
    bill = facts.bill
    if bill is None or facts.readings["event_ms"].size:
        return False
    return bill.start_ms > 0 and 0 <= bill.end_ms - bill.start_ms <= LONGEST_RECORD_MS


def _begin_ms(charge: SessionFacts) -> int:
    return int(charge.readings["event_ms"][charge.readings["state"] == CHARGING].min())


def _own_times(charge: SessionFacts) -> tuple[int, int]:
    """First and last charging reading by the charger's clock, as far as the readings showed it."""
    behind_ms = charge.clock_behind_ms[0] if len(charge.clock_behind_ms) == 1 else 0
    if abs(behind_ms) + APART_MS > _REACH_MS:
        behind_ms = 0
    return _begin_ms(charge) - behind_ms, charge.last_charging_ms - behind_ms


def _fits(orphan: SessionFacts, start_ms: int, end_ms: int) -> bool:
    bill = orphan.bill
    return bill is not None and max(abs(bill.start_ms - start_ms), abs(bill.end_ms - end_ms)) <= APART_MS
