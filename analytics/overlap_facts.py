"""Which other charges lie in the time of a session: on the same connector, or of the same vehicle or card elsewhere.

Both charges of a pair are told of each other, from the stored records alone: neither the order in which the records
came nor what was made of them before matters (anomaly-codes.md, code 7). How long an overlap must be to count is the
matter of the thresholds, which `codes.sql` applies.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from clickhouse_driver import Client

from analytics.session_facts import LONGEST_KEPT_MS, Overlap, SessionFacts, SessionKey, wanted_table
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, Thresholds

LONGEST_RECORD_MS = 36 * HOUR_MS
"""What is told to have lasted longer is not the time of one charge (anomaly-codes.md, code 5); code 5 says so."""
EARLIEST_MS = 24 * HOUR_MS
"""So far may the end on a record lie after its arrival: beyond, its clock tells of no time that others could share."""
DUAL_GUN_ENDS_MS = 120_000
"""One vehicle at two guns of a charger: the ends lie that close together (anomaly-codes.md, code 7)."""
MOST_OVERLAPS = 1_000
"""Of one session: ten times what a connector can have in 36 h. A charger that sends more is not billing."""
BY_CLOCK = "_clock"
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
"""ISO 3779: no I, O and Q."""
_NO_CARD = re.compile(r"0*")


class _Record(NamedTuple):
    """What a record says of when it charged whom, by the charger's clock, and when it came first."""

    start_ms: int
    end_ms: int
    receive_ms: int
    vin: str
    card: str

    @property
    def shares_time(self) -> bool:
        """Its times can be those of one charge about when it came."""
        is_span = self.start_ms > 0 and 0 < self.end_ms - self.start_ms <= LONGEST_RECORD_MS
        return is_span and -EARLIEST_MS <= self.receive_ms - self.end_ms <= LONGEST_KEPT_MS

    def overlap_ms(self, other: "_Record") -> int:
        """How long both charged by what they say."""
        return min(self.end_ms, other.end_ms) - max(self.start_ms, other.start_ms)

    def can_overlap(self, other: "_Record") -> bool:
        """Whether they still overlap where each ended before its record came: no charger sends it before."""
        ends = (min(self.end_ms, self.receive_ms), min(other.end_ms, other.receive_ms))
        return min(ends) > max(self.start_ms, other.start_ms)


class OverlapFactsReader:
    """Adds to sessions with a record the overlapping records of others (anomaly-codes.md, code 7)."""

    def __init__(self, client: Client, thresholds: Thresholds) -> None:
        self._client = client
        self._cards = thresholds.card_overlap_ms >= 0

    def add(self, facts: Sequence[SessionFacts]) -> None:
        """Sets `overlaps` of each, from stored records alone, so that equal facts give equal overlaps.

        The charges of the other records are `touched` by these sessions.
        """
        asking = []
        for one in facts:
            record = _own_record(one, self._cards)
            if record is not None and record.shares_time:
                asking.append((one, record))
        if not asking:
            return
        pairs = self._pairs(asking)
        records = self._records(sorted({key for keys in pairs.values() for key in keys}))
        for number, keys in pairs.items():
            one, own = asking[number]
            overlaps = []
            for key in sorted(keys):
                other = records[key]
                kind = _kind(one.key, own, key, other) if other.shares_time else ""
                if kind:
                    overlaps.append(Overlap(*key, own.overlap_ms(other), kind))
                    one.touched[key] = other.start_ms
            one.overlaps = overlaps

    def _pairs(self, asking: Sequence[tuple[SessionFacts, _Record]]) -> dict[int, set[SessionKey]]:
        """The numbers of records that may overlap, by the place of the session in `asking`."""
        structure = [
            ("number", "UInt32"),
            ("pile_id", "UInt32"),
            ("connector", "UInt8"),
            ("trade_no", "String"),
            ("start_ms", "Int64"),
            ("end_ms", "Int64"),
            ("shares", "Array(String)"),
        ]
        rows = [
            (number, *_record_key(one), own.start_ms, own.end_ms, _shares(one.key, own))
            for number, (one, own) in enumerate(asking)
        ]
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
        if not keys:
            return {}
        rows = self._client.execute(sql_text("overlap_records"), external_tables=wanted_table(keys, [0] * len(keys)))
        return {keys[number]: _record(*told, cards=self._cards) for number, told in rows}


def _own_record(facts: SessionFacts, cards: bool) -> _Record | None:
    bill = facts.bill
    if bill is None or facts.has_other_number:
        return None
    return _record(bill.start_ms, bill.end_ms, bill.receive_ms, bill.vin, bill.physical_card, cards=cards)


def _shares(key: SessionKey, record: _Record) -> list[str]:
    """What no other charge may use at the same time, as `overlap_candidates.sql` writes it."""
    named = (record.vin, f"card {record.card}" if record.card else "")
    return [f"{key.pile_id}/{key.connector}", *filter(None, named)]


def _record_key(facts: SessionFacts) -> SessionKey:
    """Under which number its record came: that one is no other charge."""
    return facts.key._replace(trade_no=facts.bill_number or facts.key.trade_no)


def _record(start_ms: int, end_ms: int, receive_ms: int, vin: str, card: str, *, cards: bool) -> _Record:
    names_card = cards and not _NO_CARD.fullmatch(card)
    return _Record(start_ms, end_ms, receive_ms, valid_vin(vin), card if names_card else "")


def valid_vin(vin: str) -> str:
    """The vehicle's number in capitals, empty where it is none: 17 characters of ISO 3779, not all the same."""
    capitals = vin.upper()
    return capitals if _VIN.fullmatch(capitals) and len(set(capitals)) > 1 else ""


def _kind(own_key: SessionKey, own: _Record, key: SessionKey, other: _Record) -> str:
    """What the two charges share and may not, empty for nothing; with `BY_CLOCK` where only a wrong clock says so."""
    if own.overlap_ms(other) <= 0:
        return ""
    by_clock = "" if own.can_overlap(other) else BY_CLOCK
    same_pile = own_key.pile_id == key.pile_id
    if same_pile and own_key.connector == key.connector:
        return f"connector{by_clock}"
    if own.vin and own.vin == other.vin:
        if not same_pile:
            return f"vin{by_clock}"
        if abs(own.end_ms - other.end_ms) <= DUAL_GUN_ENDS_MS:
            return "dual_gun"
    return f"card{by_clock}" if own.card and own.card == other.card else ""
