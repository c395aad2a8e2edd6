"""The facts of a set of sessions, read with one query per table for the whole set."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from clickhouse_driver import Client

from analytics.meter_profiles import MeterProfileReader
from analytics.order_facts import OrderFactsReader
from analytics.orphan_records import OrphanRecordReader
from analytics.overlap_facts import OverlapFactsReader
from analytics.register_facts import RegisterFactsReader, reads_register
from analytics.session_facts import (
    DEVICE_COLUMNS,
    READING_COLUMNS,
    AfterFacts,
    BillFacts,
    SessionFacts,
    SessionKey,
    merge_spans,
    wanted_table,
)
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, Thresholds
from core.directory import Pile, PileDirectory
from core.meter.device_times import clocks_behind
from core.meter.reading_times import LONGEST_CHARGE_MINUTES, at_times_taken
from core.meter.readings import ReadingArrays

logger = logging.getLogger(__name__)

_MARGIN_MS = HOUR_MS
_BILL_CONTENT = 11
"""So many fields of `BillFacts` stand before those that no record carries."""
_HINT_MARGIN_MS = LONGEST_CHARGE_MINUTES * 60_000
"""A stored `event_ms` is what a gateway could tell at that moment; it lies within the charge, so never further off."""
MOST_READINGS = 500_000
"""Of one session: more than 36 hours of three readings a second. A charger that sends more is not metering."""


class FactsReader:
    """Reads the facts of sessions; a session of a pile that the directory does not know is left out and counted."""

    def __init__(self, client: Client, directory: PileDirectory, thresholds: Thresholds) -> None:
        self._client = client
        self._directory = directory
        self._thresholds = thresholds
        self._registers = RegisterFactsReader(client)
        self._orders = OrderFactsReader(client, self.read_charges)
        self._orphans = OrphanRecordReader(client, self.read_charges)
        self._overlaps = OverlapFactsReader(client, thresholds)
        self._meters = MeterProfileReader(client)
        self.unknown_piles: set[int] = set()

    def read(self, hints: Mapping[SessionKey, int], need_heard: frozenset[SessionKey]) -> list[SessionFacts]:
        """The facts of the sessions in `hints`; its values say from when on there may be readings.

        When a charger was heard is read only for the piles of `need_heard` (and of sessions without a bill among
        `hints` that are in it).
        """
        known = self._known(hints)
        if not known:
            return []
        facts, wanted, from_ms = self._charges(known)
        self._registers.add(facts, wanted, from_ms)
        self._orders.add(facts, from_ms)
        self._orphans.add(facts, from_ms)
        self._overlaps.add(facts)
        self._meters.add(facts)
        self._add_after(facts)
        self._add_pile_facts(facts, wanted, from_ms)
        self._add_heard([one for one in facts if one.key in need_heard and one.bill is None])
        return facts

    def read_charges(self, hints: Mapping[SessionKey, int]) -> list[SessionFacts]:
        """Readings, in their time, and records alone."""
        known = self._known(hints)
        return self._charges(known)[0] if known else []

    def _known(self, hints: Mapping[SessionKey, int]) -> list[tuple[SessionKey, int, Pile]]:
        known: list[tuple[SessionKey, int, Pile]] = []
        for key, since in hints.items():
            pile = self._directory.by_id(key.pile_id)
            if pile is None:
                self.unknown_piles.add(key.pile_id)
            else:
                self.unknown_piles.discard(key.pile_id)
                known.append((key, since, pile))
        return known

    def _charges(
        self, known: list[tuple[SessionKey, int, Pile]]
    ) -> tuple[list[SessionFacts], list[dict[str, Any]], int]:
        """The sessions with their readings and records, the table of them, and since when there may be readings."""
        from_ms = min(since for _key, since, _pile in known) - _MARGIN_MS
        absolute = frozenset(key for key, _since, pile in known if reads_register(pile))
        wanted = wanted_table([key for key, _since, _pile in known], [since for _key, since, _pile in known], absolute)
        facts = [SessionFacts(key=key, pile=pile, readings={}) for key, _since, pile in known]
        self._add_readings(facts, wanted, from_ms)
        self._add_bills(facts, wanted)
        for one in facts:
            _put_readings_in_time(one)
        return facts, wanted, from_ms

    def _add_readings(self, facts: list[SessionFacts], wanted: list[dict[str, Any]], from_ms: int) -> None:
        columns = self._client.execute(
            sql_text("session_readings"),
            {"from_ms": from_ms - _HINT_MARGIN_MS, "most_readings": MOST_READINGS},
            external_tables=wanted,
            columnar=True,
        )
        arrays = [np.asarray(column, dtype=np.int64) for column in columns]
        names = (*READING_COLUMNS, *DEVICE_COLUMNS, "start_mode")
        if not arrays:
            arrays = [np.empty(0, dtype=np.int64) for _ in range(len(names) + 1)]
        borders = np.searchsorted(arrays[0], np.arange(len(facts) + 1))
        for number, one in enumerate(facts):
            own = slice(borders[number], borders[number + 1])
            columns = {name: array[own] for name, array in zip(names, arrays[1:], strict=True)}
            modes = columns.pop("start_mode")
            if one.pile.protocol == "aaf5":
                one.readings = columns
                one.told_start_mode = int(modes[0]) if modes.size else -1
            else:
                one.readings = {name: columns[name] for name in READING_COLUMNS}
        _warn_of_cut_sessions(facts)

    def _add_bills(self, facts: list[SessionFacts], wanted: list[dict[str, Any]]) -> None:
        contents: dict[int, list[tuple[int, tuple[Any, ...]]]] = defaultdict(list)
        for number, _digest, receive_ms, content in self._client.execute(
            sql_text("session_bills"), external_tables=wanted
        ):
            contents[number].append((receive_ms, content))
        for number, found in contents.items():
            receive_ms, content = found[0]
            told, *more = content[:_BILL_CONTENT], *content[_BILL_CONTENT:]
            facts[number].bill = msgspec.convert((*told, receive_ms, len(found) - 1, *more), BillFacts)

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


def _warn_of_cut_sessions(facts: Sequence[SessionFacts]) -> None:
    """What is left out opens a gap before the end, so that the bill waits for a person; the log says why."""
    for one in facts:
        if one.readings["receive_ms"].size >= MOST_READINGS:
            logger.warning("session %s: only its first %d readings are looked at", one.key, MOST_READINGS)


def _put_readings_in_time(facts: SessionFacts) -> None:
    """The record of the charge tells where a backlog lies that came as a whole, so this waits for it."""
    readings = at_times_taken(ReadingArrays.of(**facts.readings), facts.bill.told if facts.bill else None)
    facts.readings["event_ms"] = readings.event_ms
    timed = readings.device_timed
    if timed.any():
        columns = (readings.receive_ms, readings.start_ms, readings.duration_s)
        facts.clock_behind_ms = clocks_behind(*(column[timed] for column in columns))
