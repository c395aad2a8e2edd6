"""What is stored about a set of sessions, read with one query per table for the whole set."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from clickhouse_driver import Client

from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, Thresholds
from core.directory import Pile, PileDirectory
from core.meter.reading_times import LONGEST_CHARGE_MINUTES, ToldSpan, at_times_taken, told_span
from core.meter.readings import ReadingArrays
from core.session_number import session_halves

logger = logging.getLogger(__name__)

Int64Array = npt.NDArray[np.int64]
READING_COLUMNS = ("event_ms", "receive_ms", "counter_e4kwh", "state", "plugged", "power_w", "charge_minutes", "seq")
CHARGING = 3
LONGEST_KEPT_MS = 31 * 24 * HOUR_MS
NO_TRADE_NO = "0" * 32
_MARGIN_MS = HOUR_MS
_COMMAND_MARGIN_MS = 24 * HOUR_MS
_HINT_MARGIN_MS = LONGEST_CHARGE_MINUTES * 60_000
"""A stored `event_ms` is what a gateway could tell at that moment; it lies within the charge, so never further off."""
MOST_READINGS = 500_000
"""Of one session: more than 36 hours of three readings a second. A charger that sends more is not metering."""


class SessionKey(NamedTuple):
    """What names a session."""

    pile_id: int
    connector: int
    trade_no: str


class BillFacts(msgspec.Struct, frozen=True, array_like=True):
    """The first of the bills that a charger uploaded under one number; the fields are those of `pile_bill_uploads`."""

    start_ms: int
    end_ms: int
    energy_e4kwh: int
    amount_e4yuan: int
    class_energy_e4kwh: tuple[int, ...]
    meter_start_e4kwh: int
    meter_end_e4kwh: int
    stop_reason: int
    start_mode: int
    vin: str
    physical_card: str
    receive_ms: int
    different_bills: int
    class_price_e5yuan: tuple[int, ...] = ()

    @property
    def told(self) -> ToldSpan | None:
        """Its times where they can be true of one charge before it arrived."""
        return told_span(self.start_ms, self.end_ms, self.receive_ms)

    @property
    def plausible_end_ms(self) -> int:
        """The end on the bill, or its arrival where that cannot be: a bill is not sent before, nor kept for ever."""
        return self.end_ms if 0 <= self.receive_ms - self.end_ms <= LONGEST_KEPT_MS else self.receive_ms


class AfterFacts(msgspec.Struct, frozen=True, array_like=True):
    """What a connector showed after the last charging reading of a session, 0 = not seen (`session_after.sql`)."""

    after_ms: int = 0
    after_state: int = 0
    next_start_ms: int = 0
    unplugged_ms: int = 0
    plugged_until_ms: int = 0
    power_until_ms: int = 0
    fault: int = 0


class SessionFacts(msgspec.Struct):
    """Everything stored about one session. `readings` holds one int64 array per name in `READING_COLUMNS`.

    Their `event_ms` is found from the whole session, not what the gateway stored.
    """

    key: SessionKey
    pile: Pile
    readings: dict[str, Int64Array]
    bill: BillFacts | None = None
    start_command_ms: int = 0
    start_acked: bool = False
    after: AfterFacts = AfterFacts()
    clock_offsets: Sequence[tuple[int, int]] = ()
    tariff_acks: Sequence[tuple[int, int]] = ()
    outages: Sequence[tuple[int, int]] = ()
    heard: Sequence[tuple[int, int]] = ()

    @property
    def last_charging_ms(self) -> int:
        """Event time of the last charging reading, 0 without one."""
        charging = self.readings["event_ms"][self.readings["state"] == CHARGING]
        return int(charging.max()) if charging.size else 0

    @property
    def last_fact_ms(self) -> int:
        """When anything that bears on this session was received last, as far as it was read."""
        readings = self.readings["receive_ms"]
        seen = (
            int(readings.max()) if readings.size else 0,
            self.bill.receive_ms if self.bill else 0,
            self.after.after_ms,
            self.after.unplugged_ms,
            self.after.plugged_until_ms,
            self.after.next_start_ms,
            self.heard[-1][1] if self.heard else 0,
        )
        return max(seen)

    @property
    def end_hint_ms(self) -> int:
        """About when the charge ended: the last charging reading, else the bill, else when it was ordered or named.

        0 = not known.
        """
        if self.last_charging_ms or self.bill:
            return self.last_charging_ms or (self.bill.plausible_end_ms if self.bill else 0)
        return self.ordered_ms

    @property
    def ordered_ms(self) -> int:
        """When the charge was ordered, or first named by the connector before it charged; 0 = neither is known."""
        named = self.readings["event_ms"]
        return self.start_command_ms or (int(named.min()) if named.size else 0)


def wanted_table(keys: Sequence[SessionKey], from_ms: Sequence[int]) -> list[dict[str, Any]]:
    """`keys` as the external table `wanted` of the session queries; `number` is the position in `keys`."""
    rows = [
        {
            "number": number,
            "pile_id": key.pile_id,
            "connector": key.connector,
            "trade_no": key.trade_no,
            "trade_hi": high,
            "trade_lo": low,
            "from_ms": since,
        }
        for number, (key, since) in enumerate(zip(keys, from_ms, strict=True))
        for high, low in (session_halves(key.trade_no),)
    ]
    structure = [
        ("number", "UInt32"),
        ("pile_id", "UInt32"),
        ("connector", "UInt8"),
        ("trade_no", "String"),
        ("trade_hi", "UInt64"),
        ("trade_lo", "UInt64"),
        ("from_ms", "Int64"),
    ]
    return [{"name": "wanted", "structure": structure, "data": rows}]


class FactsReader:
    """Reads the facts of sessions; a session of a pile that the directory does not know is left out and counted."""

    def __init__(self, client: Client, directory: PileDirectory, thresholds: Thresholds) -> None:
        self._client = client
        self._directory = directory
        self._thresholds = thresholds
        self.unknown_piles: set[int] = set()

    def read(self, hints: Mapping[SessionKey, int], need_heard: frozenset[SessionKey]) -> list[SessionFacts]:
        """The facts of the sessions in `hints`; its values say from when on there may be readings.

        When a charger was heard is read only for the piles of `need_heard` (and of sessions without a bill among
        `hints` that are in it).
        """
        known: list[tuple[SessionKey, int, Pile]] = []
        for key, since in hints.items():
            pile = self._directory.by_id(key.pile_id)
            if pile is None:
                self.unknown_piles.add(key.pile_id)
            else:
                self.unknown_piles.discard(key.pile_id)
                known.append((key, since, pile))
        if not known:
            return []
        keys = [key for key, _since, _pile in known]
        from_ms = min(since for _key, since, _pile in known) - _MARGIN_MS
        wanted = wanted_table(keys, [since for _key, since, _pile in known])
        readings = self._readings(wanted, from_ms, len(keys))
        _warn_of_cut_sessions(keys, readings)
        facts = [
            SessionFacts(key=key, pile=pile, readings=own)
            for (key, _since, pile), own in zip(known, readings, strict=True)
        ]
        self._add_bills(facts, wanted)
        for one in facts:
            _put_readings_in_time(one)
        self._add_commands(facts, wanted, from_ms - _COMMAND_MARGIN_MS)
        self._add_after(facts)
        self._add_pile_facts(facts, wanted, from_ms)
        self._add_heard([one for one in facts if one.key in need_heard and one.bill is None])
        return facts

    def _readings(self, wanted: list[dict[str, Any]], from_ms: int, count: int) -> list[dict[str, Int64Array]]:
        columns = self._client.execute(
            sql_text("session_readings"),
            {"from_ms": from_ms - _HINT_MARGIN_MS, "most_readings": MOST_READINGS},
            external_tables=wanted,
            columnar=True,
        )
        arrays = [np.asarray(column, dtype=np.int64) for column in columns]
        if not arrays:
            arrays = [np.empty(0, dtype=np.int64) for _ in range(len(READING_COLUMNS) + 1)]
        borders = np.searchsorted(arrays[0], np.arange(count + 1))
        return [
            {
                name: array[borders[number] : borders[number + 1]]
                for name, array in zip(READING_COLUMNS, arrays[1:], strict=True)
            }
            for number in range(count)
        ]

    def _add_bills(self, facts: list[SessionFacts], wanted: list[dict[str, Any]]) -> None:
        contents: dict[int, list[tuple[int, tuple[Any, ...]]]] = defaultdict(list)
        for number, _digest, receive_ms, content in self._client.execute(
            sql_text("session_bills"), external_tables=wanted
        ):
            contents[number].append((receive_ms, content))
        for number, found in contents.items():
            receive_ms, (*content, class_price) = found[0]
            facts[number].bill = msgspec.convert((*content, receive_ms, len(found) - 1, class_price), BillFacts)

    def _add_commands(self, facts: list[SessionFacts], wanted: list[dict[str, Any]], from_ms: int) -> None:
        for number, sent_ms, acked in self._client.execute(
            sql_text("session_commands"), {"from_ms": from_ms}, external_tables=wanted
        ):
            facts[number].start_command_ms = sent_ms
            facts[number].start_acked = bool(acked)

    def _add_after(self, facts: list[SessionFacts]) -> None:
        ends = [one.end_hint_ms for one in facts]
        ended = [end for end in ends if end]
        if not ended:
            return
        parameters = {
            "from_ms": min(ended),
            "balancing_w": self._thresholds.balancing_w,
            "occupancy_max_wait_ms": self._thresholds.occupancy_max_wait_ms,
        }
        # a session whose end nobody knows must not collect the whole history of its connector
        wanted = wanted_table([one.key for one in facts], [end or 2**62 for end in ends])
        for number, *after in self._client.execute(sql_text("session_after"), parameters, external_tables=wanted):
            facts[number].after = msgspec.convert(after, AfterFacts)

    def _add_pile_facts(self, facts: list[SessionFacts], wanted: list[dict[str, Any]], from_ms: int) -> None:
        offsets = self._by_pile("session_clock", from_ms, wanted)
        acks = self._by_pile("session_tariff_acks", from_ms, wanted)
        outages = merge_spans(self._client.execute(sql_text("session_outages"), {"from_ms": from_ms}))
        for one in facts:
            one.clock_offsets = offsets[one.key.pile_id]
            one.tariff_acks = sorted(acks[one.key.pile_id])
            one.outages = outages

    def _add_heard(self, waiting: list[SessionFacts]) -> None:
        if not waiting:
            return
        from_ms = min(one.end_hint_ms for one in waiting)
        wanted = wanted_table([one.key for one in waiting], [0] * len(waiting))
        heard = self._by_pile("session_heard", from_ms, wanted)
        for one in waiting:
            one.heard = heard[one.key.pile_id]

    def _by_pile(self, name: str, from_ms: int, wanted: list[dict[str, Any]]) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for pile_id, first, second in self._client.execute(
            sql_text(name), {"from_ms": from_ms}, external_tables=wanted
        ):
            found[pile_id].append((first, second))
        return found


def _warn_of_cut_sessions(keys: Sequence[SessionKey], readings: Sequence[dict[str, Int64Array]]) -> None:
    """What is left out opens a gap before the end, so that the bill waits for a person; the log says why."""
    for key, own in zip(keys, readings, strict=True):
        if own["receive_ms"].size >= MOST_READINGS:
            logger.warning("session %s: only its first %d readings are looked at", key, MOST_READINGS)


def _put_readings_in_time(facts: SessionFacts) -> None:
    """The record of the charge tells where a backlog lies that came as a whole, so this waits for it."""
    readings = at_times_taken(ReadingArrays.of(**facts.readings), facts.bill.told if facts.bill else None)
    facts.readings["event_ms"] = readings.event_ms


def merge_spans(spans: Iterable[tuple[int, int]], silence_ms: int = 0) -> list[tuple[int, int]]:
    """`spans`, sorted by start, with those joined that overlap or lie at most `silence_ms` apart."""
    merged: list[tuple[int, int]] = []
    for first, last in spans:
        if merged and first - merged[-1][1] <= silence_ms:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def overlap_ms(from_ms: int, to_ms: int, spans: Iterable[tuple[int, int]]) -> int:
    """How much of [from_ms, to_ms] lies in `spans` (disjoint)."""
    return sum(max(0, min(to_ms, last) - max(from_ms, first)) for first, last in spans)
