"""Which other charges lie in the time of a session: on the same connector, or of the same vehicle or card elsewhere.

Both charges of a pair are told of each other, from stored facts alone: neither the order in which the records came nor
what was made of them before matters (anomaly-codes.md, code 7). Records tell their times by the clocks of chargers: the
overlap that they tell is the raw one, and what is left of it where readings show when a charge really was is the
corrected one. How long an overlap must be to count is the matter of the thresholds, which `codes.sql` applies.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from clickhouse_driver import Client

from analytics.session_facts import LONGEST_KEPT_MS, Overlap, SessionFacts, SessionKey, wanted_table
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, MINUTE_MS, Thresholds

LONGEST_RECORD_MS = 36 * HOUR_MS
"""What is told to have lasted longer is not the time of one charge (anomaly-codes.md, code 5); code 5 says so."""
EARLIEST_MS = 24 * HOUR_MS
"""So far may the end on a record lie after its arrival: beyond, its clock tells of no time that others could share."""
DUAL_GUN_ENDS_MS = 120_000
"""One vehicle at two guns of a charger: the ends lie that close together (anomaly-codes.md, code 7)."""
MOST_OVERLAPS = 1_000
"""Of one session: ten times what a connector can have in 36 h. A charger that sends more is not billing."""
PLACED_MS = 3 * MINUTE_MS
"""A charge was seen from end to end where its record is so much longer or shorter at most (code 9's tolerance)."""
DUAL_GUN = "dual_gun"
BY_CLOCK = "_clock"
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
"""ISO 3779: no I, O and Q."""
_NO_CARD = re.compile(r"0*")

_Span = tuple[int, int]


class _Record(NamedTuple):
    """What a record says of when it charged whom, by the charger's clock, and when it came first."""

    start_ms: int
    end_ms: int
    receive_ms: int
    vin: str
    card: str
    counted: tuple[int, int, int]
    """Energy, and the register before and after."""

    @property
    def shares_time(self) -> bool:
        """Its times can be those of one charge about when it came."""
        is_span = self.start_ms > 0 and 0 < self.end_ms - self.start_ms <= LONGEST_RECORD_MS
        return is_span and -EARLIEST_MS <= self.receive_ms - self.end_ms <= LONGEST_KEPT_MS


class _Charge(NamedTuple):
    """A record, and from when to when its charge was seen to go on: None = it was not."""

    key: SessionKey
    record: _Record
    seen: _Span | None

    @property
    def told(self) -> _Span:
        return self.record.start_ms, self.record.end_ms

    @property
    def is_placed(self) -> bool:
        """It was seen from end to end, so that its readings say when it was, whatever the charger's clock."""
        if self.seen is None:
            return False
        return abs((self.told[1] - self.told[0]) - (self.seen[1] - self.seen[0])) <= PLACED_MS

    @property
    def place(self) -> _Span:
        """When it was, as far as is known; no charger sends a record before the charge is over."""
        if self.seen is not None and self.is_placed:
            return self.seen
        return self.record.start_ms, min(self.record.end_ms, self.record.receive_ms)

    def repeats(self, other: "_Charge") -> bool:
        """One record under two numbers: the same connector, times, energy and registers, which it must tell."""
        same_place = self.key[:2] == other.key[:2] and self.record.counted[2] > 0
        return same_place and self.told == other.told and self.record.counted == other.record.counted

    def shares_with(self, other: "_Charge") -> int:
        """How long both went on by all that is known, from this one's side.

        What was seen from end to end is certain. Against that, another charge holds only with what was seen of it.
        """
        if self.is_placed and other.seen is not None:
            return _common_ms(self.place, other.seen)
        return _common_ms(self.place, other.place)


class OverlapFactsReader:
    """Adds to sessions with a record the overlapping records of others (anomaly-codes.md, code 7)."""

    def __init__(self, client: Client, thresholds: Thresholds) -> None:
        self._client = client
        self._cards = thresholds.card_overlap_ms >= 0

    def add(self, facts: Sequence[SessionFacts]) -> None:
        """Sets `overlaps` and `same_records` of each, from stored facts alone: equal facts give equal overlaps.

        The charges of the other records are `touched` by these sessions.
        """
        asking: list[tuple[SessionFacts, _Record]] = []
        for one in facts:
            record = _own_record(one, self._cards)
            if record is not None and record.shares_time:
                asking.append((one, record))
        pairs = self._pairs([(_record_key(one), record) for one, record in asking]) if asking else {}
        if not pairs:
            return
        records = self._records(sorted({key for keys in pairs.values() for key in keys}))
        own = {asking[number][0].key: asking[number][1] for number in pairs}
        seen = self._seen({**{key: record for key, record in records.items() if record.shares_time}, **own})
        for number, keys in pairs.items():
            one, record = asking[number]
            charge = _Charge(one.key, record, seen.get(one.key))
            others = [_Charge(key, records[key], seen.get(key)) for key in sorted(keys) if records[key].shares_time]
            one.same_records = [other.key for other in others if charge.repeats(other)]
            one.overlaps = [overlap for other in others for overlap in _overlaps(charge, other)]
            for other in others:
                if _shared(charge, other):
                    one.touched[other.key] = other.record.start_ms

    def beset(self, keys: Sequence[SessionKey], told: Iterable[tuple[int, int, int, str, str]]) -> set[int]:
        """The places of those of these charges in whose time another record may lie.

        `told` of each: begin, end and arrival of its record, vehicle and card.
        """
        records = [
            _record(start_ms, end_ms, receive_ms, vin, card, 0, 0, 0, cards=self._cards)
            for start_ms, end_ms, receive_ms, vin, card in told
        ]
        asking = [number for number, record in enumerate(records) if record.shares_time]
        pairs = self._pairs([(keys[number], records[number]) for number in asking]) if asking else {}
        return {asking[place] for place in pairs}

    def _pairs(self, asking: Sequence[tuple[SessionKey, _Record]]) -> dict[int, set[SessionKey]]:
        """The numbers of records that may overlap, by the place in `asking` of a record and its own number."""
        structure = [
            ("number", "UInt32"),
            ("pile_id", "UInt32"),
            ("connector", "UInt8"),
            ("trade_no", "String"),
            ("start_ms", "Int64"),
            ("end_ms", "Int64"),
            ("shares", "Array(String)"),
        ]
        rows = [(number, *key, own.start_ms, own.end_ms, _shares(key, own)) for number, (key, own) in enumerate(asking)]
        found: dict[int, set[SessionKey]] = defaultdict(set)
        for number, *key in self._client.execute(
            sql_text("overlap_candidates"),
            {
                "from_ms": min(own.start_ms for _one, own in asking),
                "to_ms": max(own.end_ms for _one, own in asking),
                "early_ms": EARLIEST_MS,
                "kept_ms": LONGEST_KEPT_MS,
                "longest_ms": LONGEST_RECORD_MS,
                "cards": int(self._cards),
                "most": MOST_OVERLAPS,
            },
            external_tables=[{"name": "wanted", "structure": structure, "data": rows}],
        ):
            found[number].add(SessionKey(*key))
        return found

    def _records(self, keys: Sequence[SessionKey]) -> dict[SessionKey, _Record]:
        rows = self._client.execute(sql_text("overlap_records"), external_tables=wanted_table(keys, [0] * len(keys)))
        return {keys[number]: _record(*told, cards=self._cards) for number, told in rows}

    def _seen(self, records: Mapping[SessionKey, _Record]) -> dict[SessionKey, _Span]:
        """From when to when these charges were seen: about when they say that they were, and before the record came."""
        keys = list(records)
        since = [min(one.start_ms - HOUR_MS, one.receive_ms - LONGEST_RECORD_MS) for one in records.values()]
        until = [max(one.end_ms + HOUR_MS, one.receive_ms) for one in records.values()]
        rows = self._client.execute(
            sql_text("overlap_observed"),
            {"from_ms": min(since), "to_ms": max(until)},
            external_tables=wanted_table(keys, since, to_ms=until),
        )
        return {keys[number]: (first_ms, last_ms) for number, first_ms, last_ms in rows}


def _own_record(facts: SessionFacts, cards: bool) -> _Record | None:
    bill = facts.bill
    if bill is None or facts.has_other_number:
        return None
    counted = (bill.energy_e4kwh, bill.meter_start_e4kwh, bill.meter_end_e4kwh)
    return _record(bill.start_ms, bill.end_ms, bill.receive_ms, bill.vin, bill.physical_card, *counted, cards=cards)


def _shares(key: SessionKey, record: _Record) -> list[str]:
    """What no other charge may use at the same time, as `overlap_candidates.sql` writes it."""
    named = (record.vin, f"card {record.card}" if record.card else "")
    return [f"{key.pile_id}/{key.connector}", *filter(None, named)]


def _record_key(facts: SessionFacts) -> SessionKey:
    """Under which number its record came: that one is no other charge."""
    return facts.key._replace(trade_no=facts.bill_number or facts.key.trade_no)


def _record(start_ms: int, end_ms: int, receive_ms: int, vin: str, card: str, *counted: int, cards: bool) -> _Record:
    energy_e4kwh, meter_start_e4kwh, meter_end_e4kwh = counted
    names_card = cards and not _NO_CARD.fullmatch(card)
    return _Record(
        start_ms,
        end_ms,
        receive_ms,
        valid_vin(vin),
        card if names_card else "",
        (energy_e4kwh, meter_start_e4kwh, meter_end_e4kwh),
    )


def valid_vin(vin: str) -> str:
    """The vehicle's number in capitals, empty where it is none: 17 characters of ISO 3779, not all the same."""
    capitals = vin.upper()
    return capitals if _VIN.fullmatch(capitals) and len(set(capitals)) > 1 else ""


def _common_ms(one: _Span, other: _Span) -> int:
    return min(one[1], other[1]) - max(one[0], other[0])


def _overlaps(charge: _Charge, other: _Charge) -> list[Overlap]:
    """What the records say, with `BY_CLOCK` where that is not so, and what is left of it by all that is known."""
    kind, told_ms = _shared(charge, other), _common_ms(charge.told, other.told)
    if not kind or charge.repeats(other):
        return []
    known_ms = told_ms if kind == DUAL_GUN else min(told_ms, charge.shares_with(other))
    if known_ms > 0 and told_ms - known_ms <= PLACED_MS:
        return [Overlap(*other.key, told_ms, kind)]
    by_clock = [Overlap(*other.key, told_ms, f"{kind}{BY_CLOCK}")]
    return [*by_clock, Overlap(*other.key, known_ms, kind)] if known_ms > 0 else by_clock


def _shared(charge: _Charge, other: _Charge) -> str:
    """What the two use at the same time by their records and may not, empty for nothing."""
    if _common_ms(charge.told, other.told) <= 0:
        return ""
    same_pile = charge.key.pile_id == other.key.pile_id
    if same_pile and charge.key.connector == other.key.connector:
        return "connector"
    own, its = charge.record, other.record
    if own.vin and own.vin == its.vin:
        if not same_pile:
            return "vin"
        if abs(own.end_ms - its.end_ms) <= DUAL_GUN_ENDS_MS:
            return DUAL_GUN
    return "card" if own.card and own.card == its.card else ""
