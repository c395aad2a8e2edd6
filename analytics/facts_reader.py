"""The facts of a set of sessions, read with one query per table for the whole set."""

import logging
from bisect import bisect_left, bisect_right
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
from analytics.session_spans import FOREVER_MS, SessionSpan
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, MINUTE_MS, Thresholds
from core.directory import Pile, PileDirectory
from core.meter.device_times import clocks_behind
from core.meter.reading_times import LONGEST_CHARGE_MINUTES, at_times_taken
from core.meter.readings import ReadingArrays

logger = logging.getLogger(__name__)

_MARGIN_MS = HOUR_MS
_BILL_CONTENT = 11
"""So many fields of `BillFacts` stand before those that no record carries."""
_HINT_MARGIN_MS = LONGEST_CHARGE_MINUTES * 60_000 + HOUR_MS
"""A stored `event_ms` is what a gateway could tell at that moment; it lies within the charge, so never further off."""
_BEGIN_TOLD_MS = 10 * MINUTE_MS
"""So long after it was first heard a charge still tells when it began (`session_after.sql`)."""
MOST_READINGS = 500_000
"""Of one session: more than 36 hours of three readings a second. A charger that sends more is not metering."""


_Known = tuple[SessionKey, SessionSpan, Pile]


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

    def read(
        self,
        spans: Mapping[SessionKey, SessionSpan],
        need_heard: frozenset[SessionKey],
        kept_meters: Mapping[SessionKey, int],
        among: Mapping[SessionKey, SessionSpan] | None = None,
    ) -> list[SessionFacts]:
        """The facts of the sessions in `spans`, which say where they may lie.

        When a charger was heard is read only for the piles of sessions in `need_heard` that have no bill.
        `kept_meters`: by which row of `meter_profiles` sessions stay measured; the others go by the one in force.
        `among`: these and others of the same connectors, as far as they are known: what comes after the begin of the
        next one need not be read.
        """
        known = self._known(spans)
        if not known:
            return []
        facts = self._charges(known)
        self._meters.add(facts, kept_meters)
        self._registers.add(facts)
        self._orders.add(facts)
        self._orphans.add(facts)
        for one in facts:
            if one.bill_number:
                _put_readings_in_time(
                    one
                )  # a record tells where a backlog lies, also when it came under another number
        self._overlaps.add(facts)
        self._orphans.add_repeated(facts)
        self._add_after(facts, spans if among is None else among)
        self._add_pile_facts(facts)
        self._add_heard([one for one in facts if one.key in need_heard and one.bill is None])
        return facts

    def read_charges(self, hints: Mapping[SessionKey, int]) -> list[SessionFacts]:
        """Readings, in their time, and records alone; the values say from when on there may be readings."""
        known = self._known({key: SessionSpan(since) for key, since in hints.items()})
        return self._charges(known) if known else []

    def _known(self, spans: Mapping[SessionKey, SessionSpan]) -> list[_Known]:
        known: list[_Known] = []
        for key, span in spans.items():
            pile = self._directory.by_id(key.pile_id)
            if pile is None:
                self.unknown_piles.add(key.pile_id)
            else:
                self.unknown_piles.discard(key.pile_id)
                known.append((key, span, pile))
        return known

    def _charges(self, known: list[_Known]) -> list[SessionFacts]:
        """The sessions with their readings and records."""
        facts = [SessionFacts(key=key, pile=pile, readings={}) for key, _span, pile in known]
        self._add_readings(facts, [span for _key, span, _pile in known])
        self._add_bills(facts, [span for _key, span, _pile in known])
        for one in facts:
            _put_readings_in_time(one)
        return facts

    def _add_readings(self, facts: list[SessionFacts], spans: list[SessionSpan]) -> None:
        absolute = frozenset(one.key for one in facts if reads_register(one.pile))
        columns = self._client.execute(
            sql_text("session_readings"),
            {
                "from_ms": min(span.from_ms - (0 if span.is_known else _HINT_MARGIN_MS) for span in spans),
                "to_ms": max(span.to_ms for span in spans),
                "most_readings": MOST_READINGS,
            },
            external_tables=wanted_table([one.key for one in facts], [span.from_ms for span in spans], absolute),
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

    def _add_bills(self, facts: list[SessionFacts], spans: list[SessionSpan]) -> None:
        contents: dict[int, list[tuple[int, tuple[Any, ...]]]] = defaultdict(list)
        for number, _digest, receive_ms, content in self._client.execute(
            sql_text("session_bills"),
            {
                "from_ms": min((span.bill_from_ms for span in spans if span.bill_to_ms), default=0),
                "to_ms": max(span.bill_to_ms for span in spans),
            },
            external_tables=wanted_table([one.key for one in facts], [0] * len(facts)),
        ):
            contents[number].append((receive_ms, content))
        for number, found in contents.items():
            receive_ms, content = found[0]
            told, *more = content[:_BILL_CONTENT], *content[_BILL_CONTENT:]
            facts[number].bill = msgspec.convert((*told, receive_ms, len(found) - 1, *more), BillFacts)

    def _add_after(self, facts: list[SessionFacts], spans: Mapping[SessionKey, SessionSpan]) -> None:
        # a session whose end nobody knows must not collect the whole history of its connector
        ended = [one for one in facts if one.end_hint_ms]
        if not ended:
            return
        begins = _known_begins(spans)
        ends = [one.end_hint_ms for one in ended]
        until = [
            min(end + self._thresholds.occupancy_max_wait_ms, _next_begin(begins, one.key, end))
            for one, end in zip(ended, ends, strict=True)
        ]
        rows = self._client.execute(
            sql_text("session_after"),
            {
                "from_ms": min(ends),
                "to_ms": max(until),
                "balancing_w": self._thresholds.balancing_w,
                "longest_charge_ms": LONGEST_CHARGE_MINUTES * MINUTE_MS,
            },
            external_tables=wanted_table([one.key for one in ended], ends, to_ms=until),
        )
        for number, *after in rows:
            ended[number].after = msgspec.convert(after, AfterFacts)

    def _add_pile_facts(self, facts: list[SessionFacts]) -> None:
        windows = [one.told_window for one in facts]
        told = [window for window in windows if window]
        if not told:
            return
        from_ms = min(first for first, _last in told) - _MARGIN_MS
        to_ms = max(last for _first, last in told) + _MARGIN_MS
        offsets = self._by_pile("session_clock", facts, from_ms=from_ms, to_ms=to_ms)
        acks = self._by_pile("session_tariff_acks", facts, from_ms=from_ms, to_ms=to_ms)
        for held in acks.values():
            held.sort()
        outages = merge_spans(self._client.execute(sql_text("session_outages"), {"from_ms": from_ms}))
        for one, window in zip(facts, windows, strict=True):
            if window:
                since, until = (window[0] - _MARGIN_MS,), (window[1] + _MARGIN_MS + 1,)
                seen, held = offsets[one.key.pile_id], acks[one.key.pile_id]
                one.clock_offsets = seen[bisect_left(seen, since) : bisect_left(seen, until)]
                one.tariff_acks = held[max(0, bisect_left(held, since) - 1) : bisect_left(held, until)]
            one.outages = outages

    def _add_heard(self, waiting: list[SessionFacts]) -> None:
        if not waiting:
            return
        heard = self._by_pile(
            "session_heard",
            waiting,
            from_ms=min(one.end_hint_ms for one in waiting),
            silence_ms=self._thresholds.silence_ms,
        )
        for one in waiting:
            one.heard = heard[one.key.pile_id]

    def _by_pile(self, name: str, facts: list[SessionFacts], **parameters: int) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        wanted = wanted_table([one.key for one in facts], [0] * len(facts))
        for pile_id, first, second in self._client.execute(sql_text(name), parameters, external_tables=wanted):
            found[pile_id].append((first, second))
        return found


def _known_begins(spans: Mapping[SessionKey, SessionSpan]) -> dict[tuple[int, int], list[tuple[int, SessionKey]]]:
    """When the charges of each connector began, as far as that was looked for."""
    begins: dict[tuple[int, int], list[tuple[int, SessionKey]]] = defaultdict(list)
    for key, span in spans.items():
        if span.charging_ms:
            begins[key[:2]].append((span.charging_ms, key))
    for charges in begins.values():
        charges.sort()
    return begins


def _next_begin(begins: Mapping[tuple[int, int], list[tuple[int, SessionKey]]], own: SessionKey, after_ms: int) -> int:
    """Until when the next known charge of the same connector must be looked at to say when it began."""
    charges = begins.get(own[:2], [])
    place = bisect_right(charges, after_ms, key=lambda charge: charge[0])
    following = (begin_ms for begin_ms, key in charges[place : place + 2] if key != own)
    return next(following, FOREVER_MS) + _BEGIN_TOLD_MS


def _warn_of_cut_sessions(facts: Sequence[SessionFacts]) -> None:
    """What is left out opens a gap before the end, so that the bill waits for a person; the log says why."""
    for one in facts:
        if one.readings["receive_ms"].size >= MOST_READINGS:
            logger.warning("session %s: only its first %d readings are looked at", one.key, MOST_READINGS)


def _put_readings_in_time(facts: SessionFacts) -> None:
    """The record of the charge tells where a backlog lies that came as a whole, so this waits for it."""
    readings = at_times_taken(ReadingArrays.of(**facts.readings), facts.bill.told if facts.bill else None)
    facts.readings = {**facts.readings, "event_ms": readings.event_ms}
    facts.stored = readings.stored
    timed = readings.device_timed
    if timed.any():
        columns = (readings.receive_ms, readings.start_ms, readings.duration_s)
        facts.clock_behind_ms = clocks_behind(*(column[timed] for column in columns))
