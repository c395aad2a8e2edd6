"""The facts of many charges as columns, where they are of the ordinary kind: each table is read once for all of them.

What is read here is what `FactsReader` would give for the same charge, or the charge is left out and read by that one:
YKC chargers with a counter of the session whose meter is known, one record under the charge's own number, readings that
came while they were taken, and no other record in its time.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from clickhouse_driver import Client

from analytics.column_answers import Columns, ask_columns
from analytics.meter_profiles import MeterInForce, meter_of
from analytics.overlap_facts import OverlapFactsReader
from analytics.session_facts import (
    NOTHING_LEARNED,
    READING_COLUMNS,
    AfterFacts,
    BillFacts,
    SessionFacts,
    SessionKey,
    merge_spans,
)
from analytics.session_spans import SessionSpan
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, Thresholds
from core.directory import Pile, PileDirectory
from core.errors import CoreError
from core.meter.reading_times import LONGEST_CHARGE_MINUTES, at_times_taken
from core.meter.readings import ReadingArrays
from core.session_after import AFTER_COLUMNS, look_after
from core.session_number import is_packed
from core.start_commands import START_COMMANDS

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_ROWS: Final = 12_000_000
"""Readings of connectors at a time, some fifty bytes each: with more, idle ones mostly, charges are read one by one."""
FEWEST: Final = 64
"""For fewer charges it does not pay to read what their connectors said."""
_LONGEST_MS: Final = LONGEST_CHARGE_MINUTES * 60_000
_ORDER_MARGIN_MS: Final = 24 * HOUR_MS
_MARGIN_MS: Final = HOUR_MS
_FAR_MS: Final = 2**62


ROW_OF: Final = {
    "event_ms": "receive_ms",
    "receive_ms": "receive_ms",
    **{name: name for name in ("counter_e4kwh", "state", "plugged", "power_w", "charge_minutes", "seq")},
}
"""Where `READING_COLUMNS` stand in the rows of a connector: what came while it was taken was taken when it came."""
_ORDER: Final = ("receive_ms", "charge_minutes", "counter_e4kwh", "seq", "state", "plugged", "power_w")
"""Of `session_readings.sql`."""
_BILL_NUMBERS: Final = (
    *("start_ms", "end_ms", "energy_e4kwh", "amount_e4yuan", "meter_start_e4kwh", "meter_end_e4kwh", "stop_reason"),
    *("start_mode", "duration_s", "stored", "loss_energy_e4kwh"),
)


class PileFacts(msgspec.Struct, frozen=True):
    """What was heard of a charger as a whole, by its clock and tariffs, in the time of its charges."""

    clock_offsets: list[tuple[int, int]]
    tariff_acks: list[tuple[int, int]]


class LaneFacts(msgspec.Struct, frozen=True):
    """Charges of which all facts are known, one element each.

    `rows`: what their connectors said, all of it; those of a charge stand from `row_from` to `row_to`. `after`: the
    `AFTER_COLUMNS`. `bills`: columns of `lane_bills.sql`. `ordered_ms`: 0 = by nobody.
    """

    keys: list[SessionKey]
    piles: list[Pile]
    meters: Mapping[int, MeterInForce]
    rows: Columns
    row_from: Int64s
    row_to: Int64s
    after: Int64s
    bills: Columns
    ordered_ms: Int64s
    order_accepted: npt.NDArray[np.uint8]
    of_pile: Mapping[int, PileFacts]
    outages: list[tuple[int, int]]

    def __len__(self) -> int:
        return len(self.keys)

    def of_one(self, place: int) -> SessionFacts | None:
        """All facts of one charge as `FactsReader` gives them; None where its readings were kept by the charger."""
        key, told = self.keys[place], self.bills
        own = slice(int(self.row_from[place]), int(self.row_to[place]))
        columns = {name: self.rows[row][own].astype(np.int64) for name, row in ROW_OF.items()}
        order = np.lexsort([columns[name] for name in reversed(_ORDER)])
        fields: dict[str, Any] = {name: int(told[name][place]) for name in _BILL_NUMBERS}
        bill = BillFacts(
            **fields,
            class_energy_e4kwh=tuple(int(told[f"class_energy_{part}"][place]) for part in range(4)),
            class_price_e5yuan=tuple(int(told[f"class_price_{part}"][place]) for part in range(4)),
            vin=told["vin"][place],
            physical_card=told["physical_card"][place],
            receive_ms=int(told["bill_receive_ms"][place]),
            different_bills=0,
        )
        readings = at_times_taken(
            ReadingArrays.of(**{name: values[order] for name, values in columns.items()}), bill.told
        )
        if readings.stored.any():
            return None
        facts = SessionFacts(
            key=key,
            pile=self.piles[place],
            readings={name: np.asarray(getattr(readings, name), np.int64) for name in READING_COLUMNS},
            bill=bill,
            start_command_ms=int(self.ordered_ms[place]),
            start_acked=bool(self.order_accepted[place]),
            after=AfterFacts(*self.after[place].tolist()),
            outages=self.outages,
            stored=readings.stored,
        )
        first_ms, last_ms = facts.told_window or (0, 0)
        since, until = (first_ms - _MARGIN_MS,), (last_ms + _MARGIN_MS + 1,)
        offsets, acks = self.of_pile[key.pile_id].clock_offsets, self.of_pile[key.pile_id].tariff_acks
        facts.clock_offsets = offsets[bisect_left(offsets, since) : bisect_left(offsets, until)]
        facts.tariff_acks = acks[max(0, bisect_left(acks, since) - 1) : bisect_left(acks, until)]
        return facts


class LaneFactsReader:
    """Reads `LaneFacts`. `thresholds`: those that decide what is read."""

    def __init__(self, client: Client, directory: PileDirectory, thresholds: Thresholds) -> None:
        self._client = client
        self._directory = directory
        self._thresholds = thresholds
        self._overlaps = OverlapFactsReader(client, thresholds)

    def read(self, spans: Mapping[SessionKey, SessionSpan]) -> LaneFacts | None:
        """The charges among these that are of the ordinary kind; None where there are too few, or too much to read."""
        meters = self._meters({key.pile_id for key in spans})
        keys = [
            key
            for key, span in spans.items()
            if key.pile_id in meters and span.is_known and span.readings and is_packed(key.trade_no)
        ]
        if len(keys) < FEWEST:
            return None
        known = [spans[key] for key in keys]
        from_ms, to_ms = min(span.from_ms for span in known), max(span.to_ms for span in known)
        piles = [{"name": "piles", "structure": [("pile_id", "UInt32")], "data": [(one,) for one in sorted(meters)]}]
        rows = ask_columns(
            self._client,
            sql_text("lane_readings"),
            {
                "from_ms": from_ms - _LONGEST_MS,
                "to_ms": to_ms + self._thresholds.occupancy_max_wait_ms,
                "most_rows": MOST_ROWS + 1,
            },
            piles,
        )
        if not 0 < len(rows["pile_id"]) <= MOST_ROWS:
            return None
        bills = ask_columns(
            self._client,
            sql_text("lane_bills"),
            {
                "from_ms": min((span.bill_from_ms for span in known if span.bill_to_ms), default=0),
                "to_ms": max(span.bill_to_ms for span in known),
            },
            piles,
        )
        runs = _runs(rows)
        places, run = _matched(keys, known, runs)
        bill_of = _places_of(bills)
        bill = np.array([bill_of.get(keys[place], -1) for place in places.tolist()], np.int64)
        keep = bill >= 0
        keep[keep] &= bills["plain"][bill[keep]] == 1 if keep.any() else False
        places, run, bill = places[keep], run[keep], bill[keep]
        after, is_known = self._after(rows, runs, run)
        keep = is_known & self._alone([keys[place] for place in places.tolist()], bills, bill)
        places, run, bill, after = places[keep], run[keep], bill[keep], after[keep]
        told = {name: _taken(values, bill) for name, values in bills.items()}
        row_from, row_to = runs["first"][run], runs["last"][run] + 1
        first_ms, last_ms = rows["receive_ms"][row_from], rows["receive_ms"][row_to - 1]
        own = [keys[place] for place in places.tolist()]
        ordered_ms, accepted, is_plain = self._orders(own, piles, first_ms, last_ms, told)
        facts = LaneFacts(
            keys=own,
            piles=[self._pile(key) for key in own],
            meters=meters,
            rows=rows,
            row_from=row_from,
            row_to=row_to,
            after=after,
            bills=told,
            ordered_ms=ordered_ms,
            order_accepted=accepted,
            **self._of_piles(piles, own, from_ms, to_ms, told),
        )
        return facts if is_plain.all() else _only(facts, is_plain)

    def _pile(self, key: SessionKey) -> Pile:
        pile = self._directory.by_id(key.pile_id)
        assert pile is not None
        return pile

    def _meters(self, pile_ids: set[int]) -> dict[int, MeterInForce]:
        """The meters of YKC chargers that count the session and of which nothing is learned."""
        found = {}
        for pile_id in pile_ids:
            pile = self._directory.by_id(pile_id)
            if pile is None or pile.protocol != "ykc" or pile.learns:
                continue
            try:
                meter = meter_of(pile, NOTHING_LEARNED)
            except CoreError:
                continue  # its sessions fail one by one, each with its number in the log
            if meter.profile.register_kind == "session" and meter.profile.is_certain:
                found[pile_id] = meter
        return found

    def _after(self, rows: Columns, runs: Columns, run: Int64s) -> tuple[Int64s, Bools]:
        found = np.zeros((len(run), len(AFTER_COLUMNS)), np.int64)
        known = np.zeros(len(run), np.uint8)
        last, end = runs["last"][run], runs["connector_end"][run]
        look_after(
            rows["receive_ms"],
            rows["trade_hi"],
            rows["trade_lo"],
            rows["state"],
            rows["plugged"],
            rows["power_w"],
            rows["charge_minutes"],
            last,
            end,
            self._thresholds.occupancy_max_wait_ms,
            self._thresholds.balancing_w,
            found,
            known,
        )
        is_known = known == 1
        late = np.flatnonzero(rows["live"] == 0)
        if len(late):  # they do not stand in the order of their receipt
            connector = rows["pile_id"].astype(np.int64) << 8 | rows["connector"]
            came = defaultdict(list)
            for place, at_ms in zip(connector[late].tolist(), rows["receive_ms"][late].tolist(), strict=True):
                came[place].append(at_ms)
            from_ms = rows["receive_ms"][last]
            for one in np.flatnonzero(np.isin(connector[last], list(came))).tolist():
                until_ms = from_ms[one] + self._thresholds.occupancy_max_wait_ms
                if any(from_ms[one] < at_ms <= until_ms for at_ms in came[int(connector[last[one]])]):
                    is_known[one] = False
        return found, is_known

    def _alone(self, keys: Sequence[SessionKey], bills: Columns, bill: Int64s) -> Bools:
        """Whether no other record lies in the time of the charge."""
        told = (
            bills["start_ms"][bill].tolist(),
            bills["end_ms"][bill].tolist(),
            bills["bill_receive_ms"][bill].tolist(),
            [bills["vin"][place] for place in bill.tolist()],
            [bills["physical_card"][place] for place in bill.tolist()],
        )
        alone = np.ones(len(keys), np.bool_)
        alone[list(self._overlaps.beset(keys, zip(*told, strict=True)))] = False
        return alone

    def _orders(
        self, keys: Sequence[SessionKey], piles: list[dict[str, Any]], first_ms: Int64s, last_ms: Int64s, told: Columns
    ) -> tuple[Int64s, npt.NDArray[np.uint8], Bools]:
        """When each was ordered, whether the charger agreed, and whether that is all there is to say."""
        since, until = first_ms.copy(), last_ms.copy()
        for name in ("start_ms", "end_ms", "bill_receive_ms"):
            since = np.where(told[name] > 0, np.minimum(since, told[name]), since)
            until = np.where(told[name] > 0, np.maximum(until, told[name]), until)
        since, until = since - _ORDER_MARGIN_MS, until + _ORDER_MARGIN_MS
        orders = ask_columns(
            self._client,
            sql_text("lane_orders"),
            {
                "from_ms": int(since.min(initial=_FAR_MS)),
                "to_ms": int(until.max(initial=0)),
                "start_commands": START_COMMANDS,
            },
            piles,
        )
        order_of = _places_of(orders)
        place = np.array([order_of.get(key, -1) for key in keys], np.int64)
        is_ordered = place >= 0
        ordered_ms = np.zeros(len(keys), np.int64)
        accepted = np.zeros(len(keys), np.uint8)
        if is_ordered.any():
            ordered_ms[is_ordered] = orders["first_sent_ms"][place[is_ordered]]
            accepted[is_ordered] = orders["accepted"][place[is_ordered]]
            last_sent = np.where(is_ordered, orders["last_sent_ms"][place], 0)
            inside = (ordered_ms >= since) & (last_sent <= until)
        else:
            inside = is_ordered
        return ordered_ms, accepted, ~is_ordered | inside

    def _of_piles(
        self, piles: list[dict[str, Any]], keys: Sequence[SessionKey], from_ms: int, to_ms: int, told: Columns
    ) -> dict[str, Any]:
        """What was heard of the chargers, an hour either side of all that their charges tell of."""
        span = {
            "from_ms": min(from_ms, int(told["start_ms"].min(initial=_FAR_MS))) - _ORDER_MARGIN_MS - _MARGIN_MS,
            "to_ms": max(to_ms, int(told["bill_receive_ms"].max(initial=0)), int(told["end_ms"].max(initial=0)))
            + _MARGIN_MS,
        }
        wanted = [{**piles[0], "name": "wanted"}]
        found: dict[str, dict[int, list[tuple[int, int]]]] = {}
        for name in ("session_clock", "session_tariff_acks"):
            found[name] = defaultdict(list)
            for pile_id, at_ms, value in self._client.execute(sql_text(name), span, external_tables=wanted):
                found[name][pile_id].append((at_ms, value))
        outages = self._client.execute(sql_text("session_outages"), {"from_ms": span["from_ms"]})
        return {
            "of_pile": {
                pile_id: PileFacts(found["session_clock"][pile_id], sorted(found["session_tariff_acks"][pile_id]))
                for pile_id in {key.pile_id for key in keys}
            },
            "outages": merge_spans(outages),
        }


def _runs(rows: Columns) -> Columns:
    """The stretches of rows of one connector and one number, and where the rows of their connector end."""
    size = len(rows["pile_id"])
    other_connector = np.ones(size, np.bool_)
    other_connector[1:] = (np.diff(rows["pile_id"].astype(np.int64)) != 0) | (
        rows["connector"][1:] != rows["connector"][:-1]
    )
    begins = other_connector.copy()
    for half in ("trade_hi", "trade_lo"):
        begins[1:] |= rows[half][1:] != rows[half][:-1]
    first = np.flatnonzero(begins)
    is_own = (rows["state"] == 3) & (rows["live"] == 1)
    ends = np.append(np.flatnonzero(other_connector)[1:], size)
    return {
        "first": first,
        "last": np.append(first[1:], size) - 1,
        "own": np.add.reduceat(is_own.astype(np.int64), first),
        "connector_end": ends[np.searchsorted(ends, first, side="right")],
        **{name: rows[name][first] for name in ("pile_id", "connector", "trade_hi", "trade_lo")},
    }


def _matched(keys: Sequence[SessionKey], spans: Sequence[SessionSpan], runs: Columns) -> tuple[Int64s, Int64s]:
    """The places of the charges whose readings are one stretch, all of it charging and live, and those stretches.

    Their numbers are packed (`core.session_number`).
    """
    named = np.flatnonzero((runs["trade_hi"] != 0) | (runs["trade_lo"] != 0))
    sizes = runs["last"] - runs["first"] + 1
    stretches: dict[tuple[int, int, int], int] = {}
    for run, pile_id, connector, high, low in zip(
        named.tolist(),
        *(runs[name][named].tolist() for name in ("pile_id", "connector", "trade_hi", "trade_lo")),
        strict=True,
    ):
        name = pile_id, connector, high << 64 | low
        stretches[name] = -1 if name in stretches else run
    places, found = [], []
    whole = (runs["own"] == sizes).tolist()
    size_of = sizes.tolist()
    for place, (key, span) in enumerate(zip(keys, spans, strict=True)):
        run = stretches.get((key.pile_id, key.connector, int(key.trade_no, 16)), -1)
        if run >= 0 and whole[run] and size_of[run] == span.readings:
            places.append(place)
            found.append(run)
    return np.array(places, np.int64), np.array(found, np.int64)


def _places_of(answer: Columns) -> dict[SessionKey, int]:
    """Where each charge stands in an answer."""
    named = zip(answer["pile_id"].tolist(), answer["connector"].tolist(), answer["trade_no"], strict=True)
    return {SessionKey(*key): place for place, key in enumerate(named)}


def _taken(values: Any, places: Int64s) -> Any:
    if isinstance(values, np.ndarray):
        return values[places] if len(values) else np.empty(0, np.int64)
    return [values[place] for place in places.tolist()]


def _only(facts: LaneFacts, keep: Bools) -> LaneFacts:
    places = np.flatnonzero(keep)
    return msgspec.structs.replace(
        facts,
        keys=[facts.keys[place] for place in places.tolist()],
        piles=[facts.piles[place] for place in places.tolist()],
        row_from=facts.row_from[places],
        row_to=facts.row_to[places],
        after=facts.after[places],
        bills={name: _taken(values, places) for name, values in facts.bills.items()},
        ordered_ms=facts.ordered_ms[places],
        order_accepted=facts.order_accepted[places],
    )
