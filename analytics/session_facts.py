"""What is known of one session: its readings, its record, and what else bears on it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from analytics.thresholds import HOUR_MS
from core.directory import Pile
from core.meter.reading_times import ToldSpan, told_span
from core.session_number import session_halves

Int64Array = npt.NDArray[np.int64]
READING_COLUMNS = ("event_ms", "receive_ms", "counter_e4kwh", "state", "plugged", "power_w", "charge_minutes", "seq")
DEVICE_COLUMNS = ("start_ms", "duration_s", "before_e4kwh", "session_e4kwh")
"""What an AAF5 reading says besides: `core.meter.readings.ReadingArrays`."""
CHARGING = 3
LONGEST_KEPT_MS = 31 * 24 * HOUR_MS
NO_TRADE_NO = "0" * 32


class SessionKey(NamedTuple):
    """What names a session."""

    pile_id: int
    connector: int
    trade_no: str


class PreviousEnd(NamedTuple):
    """Where an absolute register stood before a session, and when it was read; `at_ms` 0 = it never was."""

    at_ms: int
    register_e4kwh: int
    was_over: bool = True


NOT_ASKED = PreviousEnd(-1, 0)
"""The session needs no previous end: it has no absolute register, or knows its own begin."""


class LearnedMeter(msgspec.Struct, frozen=True):
    """A row of `meter_profiles`: what was learned of a connector's meter; 0 and "" = not learned."""

    profile_id: int = 0
    register_kind: str = ""
    quantum_e4kwh: int = 0
    pmax_w: int = 0
    register_digits: int = 0


NOTHING_LEARNED = LearnedMeter()


class Overlap(NamedTuple):
    """The record of another charge that lies in a session's time (anomaly-codes.md, code 7).

    `kind`: connector (the same one), vin (on another charger), card (elsewhere), each with `_clock` behind it where
    only a clock that cannot be right makes them overlap; dual_gun (one vehicle at both guns of a charger, information
    only).
    """

    pile_id: int
    connector: int
    trade_no: str
    overlap_ms: int
    kind: str


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
    duration_s: int = 0
    half_hour_energy_e4kwh: tuple[int, ...] = ()
    stored: int = 0
    loss_energy_e4kwh: int = 0

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

    Their `event_ms` is found from the whole session, not what the gateway stored. Those of an AAF5 charger have the
    `DEVICE_COLUMNS` as well. `told_start_mode`: what its readings say of who started the charge, -1 = nothing.
    `has_other_number`: it is an order, or a record alone, and the charge goes by another number of the charger's own.
    `clock_behind_ms`: how far the charger's clock was behind, as its live readings showed it, one for each begin told.
    `stored`: 1 for readings that the charger had kept, once they are placed in time. `learned`: what was known of
    the meter by then. `overlaps`: other charges in its time, in the order of their keys. `bill_number`: the number
    under which its record came where that is not its own, else empty. `same_records`: the numbers under which
    its record came once more, word for word. `touched`: other charges on which these facts
    bear, each with a moment since when there may be readings of it.
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
    told_start_mode: int = -1
    previous_end: PreviousEnd = NOT_ASKED
    has_other_number: bool = False
    clock_behind_ms: Sequence[int] = ()
    learned: LearnedMeter = NOTHING_LEARNED
    overlaps: Sequence[Overlap] = ()
    bill_number: str = ""
    same_records: Sequence[SessionKey] = ()
    stored: npt.NDArray[np.uint8] | None = None
    touched: dict[SessionKey, int] = msgspec.field(default_factory=dict)

    _last_charging: tuple[dict[str, Int64Array], int] | None = None
    """Asked for many times; it holds for these very readings."""

    @property
    def last_charging_ms(self) -> int:
        """Event time of the last charging reading, 0 without one."""
        if self._last_charging is None or self._last_charging[0] is not self.readings:
            charging = self.readings["event_ms"][self.readings["state"] == CHARGING]
            self._last_charging = self.readings, int(charging.max()) if charging.size else 0
        return self._last_charging[1]

    @property
    def told_window(self) -> tuple[int, int] | None:
        """From the first to the last moment that its readings, its record or its order tell of; None without any."""
        own, bill = self.readings, self.bill
        moments = [
            int(pick())
            for name in ("event_ms", "receive_ms")
            if own[name].size
            for pick in (own[name].min, own[name].max)
        ]
        if bill:
            moments += [moment for moment in (bill.start_ms, bill.end_ms, bill.receive_ms) if moment > 0]
        if self.start_command_ms:
            moments.append(self.start_command_ms)
        return (min(moments), max(moments)) if moments else None

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
    def record_end_ms(self) -> int:
        """The end on the record by the platform's clock, as far as its readings showed the charger's; 0 = none."""
        if self.bill is None or not self.bill.end_ms:
            return 0
        return self.bill.end_ms + (self.clock_behind_ms[0] if len(self.clock_behind_ms) == 1 else 0)

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


def wanted_table(
    keys: Sequence[SessionKey],
    from_ms: Sequence[int],
    absolute: frozenset[SessionKey] = frozenset(),
    **more: Sequence[int],
) -> list[dict[str, Any]]:
    """`keys` as the external table `wanted` of the session queries; `number` is the position in `keys`.

    `absolute`: those that are measured by an absolute register of their readings. `more`: further columns that a query
    asks for, integers under their names.
    """
    rows = [
        (number, *key, *session_halves(key.trade_no), since, key in absolute, *others)
        for number, (key, since, *others) in enumerate(zip(keys, from_ms, *more.values(), strict=True))
    ]
    structure = [
        ("number", "UInt32"),
        ("pile_id", "UInt32"),
        ("connector", "UInt8"),
        ("trade_no", "String"),
        ("trade_hi", "UInt64"),
        ("trade_lo", "UInt64"),
        ("from_ms", "Int64"),
        ("absolute", "UInt8"),
        *((name, "Int64") for name in more),
    ]
    return [{"name": "wanted", "structure": structure, "data": rows}]


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
