"""Revisions of plain charges as columns: what `analytics.session_rows.session_row` gives, without an object each."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import repeat
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from analytics.biller_decision import Decision
from analytics.lane_facts import ROW_OF, Int64s, LaneFacts
from analytics.meter_profiles import PMAX_PERCENT
from analytics.occupancy import ended_by
from analytics.session_digest import digested_columns
from analytics.session_facts import NOT_ASKED, READING_COLUMNS, SessionKey, overlap_ms
from analytics.session_revision import CurrentRevision, SessionRow
from analytics.session_rows import START_METHODS
from analytics.tariff_tables import TariffTables, local_day
from analytics.thresholds import Thresholds
from core.directory import Pile
from core.half_hours import SLOT_MS
from core.meter.calculator import MeterCalculator
from core.meter.flags import Quality
from core.meter.profile import MeterProfile
from core.plain_session import FOUND, SLOT_METHODS
from core.session import RULE_VERSION, STARTING_AND_STOPPING_MS
from core.session_after import AFTER_COLUMNS

LIVES: Final = ("ended", "ended_offline")
_AT_ONCE: Final = 2_000
"""Charges whose readings are brought together for their digest at a time."""


class PlainRows(msgspec.Struct, frozen=True):
    """Revisions of plain charges: `columns` as those of `SessionRow`, with a value for each of `keys`."""

    keys: list[SessionKey]
    revisions: list[int]
    columns: dict[str, list[Any]]
    thresholds: dict[int, Thresholds]
    """The sets by which they were decided, by their digest."""

    def __len__(self) -> int:
        return len(self.keys)

    def one_by_one(self) -> list[SessionRow]:
        """The same as rows."""
        names = list(self.columns)
        return [
            SessionRow(
                key=key,
                revision=revision,
                inputs_digest=columns["inputs_digest"],
                recheck_ms=columns["recheck_ms"],
                start_ms=columns["start_ms"],
                life=columns["life"],
                charging=False,
                thresholds=self.thresholds[columns["thresholds_digest"]],
                columns=columns,
            )
            for key, revision, columns in zip(
                self.keys,
                self.revisions,
                (dict(zip(names, values, strict=True)) for values in zip(*self.columns.values(), strict=True)),
                strict=True,
            )
        ]

    def only(self, keep: Sequence[int]) -> "PlainRows":
        """Those at these places."""
        return PlainRows(
            [self.keys[place] for place in keep],
            [self.revisions[place] for place in keep],
            {name: [values[place] for place in keep] for name, values in self.columns.items()},
            self.thresholds,
        )


NO_ROWS: Final = PlainRows([], [], {}, {})


class Meters:
    """A calculator for each kind of meter, and the profile that it judges by."""

    def __init__(self, facts: LaneFacts, sets: Mapping[int, Thresholds]) -> None:
        self.profiles: list[MeterProfile] = []
        self.of_pile: dict[int, int] = {}
        known: dict[MeterProfile, int] = {}
        for pile_id, limits in sets.items():
            profile = facts.meters[pile_id].profile
            profile = msgspec.structs.replace(
                profile, pmax_w=profile.pmax_w * limits.pmax_percent // PMAX_PERCENT, period_ms=limits.reading_period_ms
            )
            place = known.setdefault(profile, len(self.profiles))
            if place == len(self.profiles):
                self.profiles.append(profile)
            self.of_pile[pile_id] = place
        self.calculators = [MeterCalculator(profile, 0) for profile in self.profiles]


class PlainColumns:
    """The columns of plain charges; `places` are theirs in `facts`."""

    def __init__(
        self,
        facts: LaneFacts,
        places: Int64s,
        found: Int64s,
        slots: Int64s,
        table_rows: Int64s,
        tables: TariffTables,
        meters: Meters,
        sets: Mapping[int, Thresholds],
        current: Mapping[SessionKey, CurrentRevision],
        decision: Decision,
    ) -> None:
        self._facts = facts
        self._places = places
        self._found = {name: found[:, place] for place, name in enumerate(FOUND)}
        self._slots = slots
        self._table_rows = table_rows
        self._tables = tables
        self._meters = meters
        self._sets = sets
        self._keys = [facts.keys[place] for place in places.tolist()]
        self._piles = [facts.piles[place] for place in places.tolist()]
        self._before = [current.get(key, CurrentRevision()) for key in self._keys]
        self._decision = decision
        self._after = {name: facts.after[places, column] for column, name in enumerate(AFTER_COLUMNS)}
        self._bills: dict[str, Any] = {
            name: values[places] if isinstance(values, np.ndarray) else [values[place] for place in places.tolist()]
            for name, values in facts.bills.items()
        }
        self._by_pile = {
            number: self._of_pile(pile) for number, pile in {one.pile_id: one for one in self._piles}.items()
        }

    def rows(self) -> PlainRows:
        """All of them."""
        columns = {
            **self._identity(),
            "life": [LIVES[life] for life in self._found["life"].tolist()],
            **self._stand(),
            **self._measured(),
            **self._clocks(),
            **self._record(),
        }
        listed = {
            name: values.tolist() if isinstance(values, np.ndarray) else values for name, values in columns.items()
        }
        listed["inputs_digest"] = self._digests(listed)
        return PlainRows(
            self._keys,
            [before.revision + 1 for before in self._before],
            listed,
            {one.digest(): one for one in self._sets.values()},
        )

    def _of_pile(self, pile: Pile) -> dict[str, Any]:
        """What is the same for each charge of a charger."""
        meter = self._facts.meters[pile.pile_id]
        profile = self._meters.profiles[self._meters.of_pile[pile.pile_id]]
        limits = self._sets[pile.pile_id]
        return {
            "operator_id": pile.operator_at(int(self._found["end_ms"][0])),
            "station_id": pile.station_id,
            "pile": pile.code,
            "zone": pile.zone,
            "protocol": pile.protocol,
            "commissioned_ms": pile.commissioned_ms,
            "current_kind": pile.current_kind,
            "occupancy_grace_ms": pile.occupancy_grace_ms,
            "thresholds_digest": limits.digest(),
            "quantum_e4kwh": profile.quantum_e4kwh,
            "pmax_w": profile.pmax_w,
            "register_kind": meter.profile.register_kind,
            "register_digits": meter.profile.digits,
            "stops_offline_ms": meter.profile.stops_offline_ms,
            "reading_period_ms": limits.reading_period_ms,
            "quantum_source": meter.quantum_source,
            "pmax_source": meter.pmax_source,
            "register_source": meter.register_source,
        }

    def _each(self, value: Any) -> list[Any]:
        return list(repeat(value, len(self._keys)))

    def _identity(self) -> dict[str, Any]:
        shared = [self._by_pile[key.pile_id] for key in self._keys]
        last_slots = (self._found["end_ms"] // SLOT_MS).tolist()
        stays = self._decision.stays_since_ms
        return {
            **{name: [one[name] for one in shared] for name in shared[0]},
            "pile_id": [key.pile_id for key in self._keys],
            "connector": [key.connector for key in self._keys],
            "trade_no": [key.trade_no for key in self._keys],
            "local_day": [local_day(slot, pile.zone) for slot, pile in zip(last_slots, self._piles, strict=True)],
            "stays_since_ms": [
                max(stays[key.pile_id], before.stays_since_ms) if stays is not None else 0
                for key, before in zip(self._keys, self._before, strict=True)
            ],
            "computed_ms": self._each(self._decision.as_of_ms),
            "meter_profile_id": self._each(0),
            "overlaps": self._each([]),
            "bill_number": self._each(""),
            "previous_end_e4kwh": self._each(NOT_ASKED.register_e4kwh),
            "previous_end_ms": self._each(NOT_ASKED.at_ms),
            "previous_was_over": self._each(int(NOT_ASKED.was_over)),
        }

    def _stand(self) -> dict[str, Any]:
        """The order, and the time at the connector after the charge (`analytics.occupancy`)."""
        places, after, found = self._places, self._after, self._found
        ordered_ms = self._facts.ordered_ms[places]
        modes = self._bills["start_mode"].tolist()
        wait_ms = np.array([self._sets[key.pile_id].occupancy_max_wait_ms for key in self._keys], np.int64)
        grace_ms = np.array([pile.occupancy_grace_ms for pile in self._piles], np.int64)
        as_of_ms = self._decision.as_of_ms
        over_ms = found["end_ms"] + wait_ms
        seen_off = (after["unplugged_ms"] > 0) | (after["next_start_ms"] > 0)
        decided = seen_off | (as_of_ms >= over_ms)
        plugged_until_ms = after["plugged_until_ms"].copy()
        stays = self._decision.stays_since_ms
        if stays is not None:
            stays_ms = np.array(
                [max(stays[key.pile_id], one.stays_since_ms) for key, one in zip(self._keys, self._before, strict=True)]
            )
            still = (plugged_until_ms > 0) & ~seen_off & (stays_ms < over_ms)
            plugged_until_ms = np.where(still, np.maximum(plugged_until_ms, as_of_ms), plugged_until_ms)
        over_since_ms = np.array(
            [
                ended_by(record_end_ms, end_ms, end_high_ms, self._gap_ms(key))
                for key, record_end_ms, end_ms, end_high_ms in zip(
                    self._keys,
                    self._bills["end_ms"].tolist(),
                    found["end_ms"].tolist(),
                    found["end_high_ms"].tolist(),
                    strict=True,
                )
            ],
            np.int64,
        )
        return {
            "recheck_ms": np.where(decided | (grace_ms < 0), 0, over_ms),
            "start_command_ms": ordered_ms,
            "start_acked": self._facts.order_accepted[places],
            "order_created_ms": ordered_ms,
            "start_mode": [max(mode, 0) for mode in modes],
            "start_method": [START_METHODS["ykc"].get(mode, "") for mode in modes],
            "after_ms": after["after_ms"],
            "next_start_ms": after["next_start_ms"],
            "occupancy_decided": decided.astype(np.uint8),
            "unplugged_ms": np.where(decided, after["unplugged_ms"], 0),
            "plugged_until_ms": np.where(decided, plugged_until_ms, 0),
            "occupancy_from_ms": np.where(decided, np.maximum(over_since_ms, after["power_until_ms"]), 0),
            "fault_after_end": np.where(decided, after["fault"], 0),
        }

    def _gap_ms(self, key: SessionKey) -> int:
        return self._meters.profiles[self._meters.of_pile[key.pile_id]].gap_ms

    def _measured(self) -> dict[str, Any]:
        found = self._found
        readings = (self._facts.row_to - self._facts.row_from)[self._places]
        nothing = np.zeros(len(readings), np.int64)
        energy, loss = self._bills["energy_e4kwh"], self._bills["loss_energy_e4kwh"]
        number = found["slots"].tolist()
        slots = [self._slots[place, :size].T.tolist() for place, size in enumerate(number)]
        versions = [one.tariff_version_id for one in self._tables.versions]
        used = self._tables.version
        return {
            "rule_version": self._each(RULE_VERSION),
            "start_ms": found["start_ms"],
            "end_ms": found["end_ms"],
            "end_low_ms": found["end_ms"],
            "end_high_ms": found["end_high_ms"],
            "readings": readings,
            "charging_readings": readings,
            "stored_readings": nothing,
            "naive_energy_e4kwh": found["naive_energy_e4kwh"],
            "naive_span_ms": found["end_ms"] - found["start_ms"],
            "best_e4kwh": found["best_e4kwh"],
            "low_e4kwh": found["low_e4kwh"],
            "high_e4kwh": found["high_e4kwh"],
            "quality": self._each(int(Quality.VALID)),
            "flags": self._each([]),
            "counter_energy_e4kwh": found["best_e4kwh"],
            "counter_last_ms": found["end_ms"],
            "register_start_e4kwh": nothing,
            "register_end_e4kwh": nothing,
            "power_energy_e4kwh": found["power_energy_e4kwh"],
            "power_over_1kw_ms": found["power_over_1kw_ms"],
            "longest_gap_ms": found["longest_gap_ms"],
            "unobserved_start_ms": np.maximum(0, found["start_ms"] - found["began_ms"] - STARTING_AND_STOPPING_MS),
            "unobserved_end_ms": found["end_high_ms"] - found["end_ms"],
            "final_rule": self._each(1),
            "final_energy_e4kwh": np.where(loss > 0, np.minimum(energy, loss), energy),
            "final_quality": self._each(int(Quality.VALID)),
            "inside_physical_limit": self._each(1),
            "slot_start_ms": [[(self._tables.first_slot + slot) * SLOT_MS for slot in one[0]] for one in slots],
            "slot_of_day": [one[1] for one in slots],
            "slot_energy_e4kwh": [one[2] for one in slots],
            "slot_tariff_version": [
                [versions[used[row, slot]] for slot in one[0]]
                for row, one in zip(self._table_rows.tolist(), slots, strict=True)
            ],
            "slot_method": [SLOT_METHODS[method] for method in found["slot_method"].tolist()],
            "tariff_stale": nothing,
            "begin_missed_e4kwh": found["begin_missed_e4kwh"],
        }

    def _clocks(self) -> dict[str, Any]:
        """How far off the charger's clock was meanwhile, and for how long the platform could not hear."""
        size = len(self._keys)
        offset_ms, step_ms, outage_ms = [0] * size, [0] * size, [0] * size
        outages = [
            (first, min(last, self._decision.as_of_ms))
            for first, last in self._facts.outages
            if first <= self._decision.as_of_ms
        ]
        until_ms = np.maximum(self._found["end_ms"], self._bills["bill_receive_ms"]).tolist()
        spans = zip(
            self._keys, self._found["start_ms"].tolist(), until_ms, self._found["end_high_ms"].tolist(), strict=True
        )
        for place, (key, start_ms, end_ms, end_high_ms) in enumerate(spans):
            seen = self._facts.of_pile[key.pile_id].clock_offsets
            if seen:
                inside = [
                    one for _at_ms, one in seen[bisect_left(seen, (start_ms,)) : bisect_right(seen, (end_ms, 2**62))]
                ]
                offset_ms[place] = max(inside, key=abs, default=0)
                step_ms[place] = max(inside) - min(inside) if inside else 0
            if outages:
                outage_ms[place] = overlap_ms(start_ms, end_high_ms, outages)
        return {"clock_offset_ms": offset_ms, "clock_step_ms": step_ms, "outage_ms": outage_ms}

    def _record(self) -> dict[str, Any]:
        bills, nothing = self._bills, self._each(0)
        energy, loss = bills["energy_e4kwh"], bills["loss_energy_e4kwh"]
        classes = np.stack([bills[f"class_energy_{part}"] for part in range(4)], axis=1)
        return {
            "bill_state": self._each("present"),
            "has_bill": self._each(1),
            "different_bills": nothing,
            "bill_receive_ms": bills["bill_receive_ms"],
            "bill_start_ms": bills["start_ms"],
            "bill_end_ms": bills["end_ms"],
            "bill_energy_e4kwh": energy,
            "bill_amount_e4yuan": bills["amount_e4yuan"],
            "bill_class_energy_e4kwh": classes.tolist(),
            "bill_class_mask": self._found["bill_class_mask"],
            "bill_half_hour_e4kwh": self._each([]),
            "bill_half_hour_mask": self._found["bill_half_hour_mask"],
            "bill_duration_s": bills["duration_s"],
            "bill_loss_energy_e4kwh": np.where(loss != energy, loss, 0),
            "bill_stored": bills["stored"],
            "bill_meter_start_e4kwh": bills["meter_start_e4kwh"],
            "bill_meter_end_e4kwh": bills["meter_end_e4kwh"],
            "bill_stop_reason": bills["stop_reason"],
            "vin": bills["vin"],
            "physical_card": bills["physical_card"],
        }

    def _digests(self, columns: Mapping[str, list[Any]]) -> list[int]:
        """As `analytics.session_digest.inputs_digest`: the inputs, then the readings in their order."""
        encode = msgspec.msgpack.Encoder().encode
        found: list[int] = []
        for first in range(0, len(self._keys), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            told = digested_columns({name: values[some] for name, values in columns.items()})
            readings = self._readings(some)
            for inputs, own in zip(told, readings, strict=True):
                digest = blake2b(encode(inputs), digest_size=8)
                digest.update(own.data)
                found.append(int.from_bytes(digest.digest(), "big"))
        return found

    def _readings(self, some: slice) -> list[npt.NDArray[np.int64]]:
        """The readings of some charges, each with a row of `READING_COLUMNS`."""
        row_from, row_to = self._facts.row_from[self._places][some], self._facts.row_to[self._places][some]
        sizes = row_to - row_from
        begins = np.cumsum(sizes) - sizes
        taken = np.arange(int(sizes.sum())) + np.repeat(row_from - begins, sizes)
        table = np.empty((len(taken), len(READING_COLUMNS)), np.int64)
        for column, name in enumerate(READING_COLUMNS):
            table[:, column] = self._facts.rows[ROW_OF[name]][taken]
        return [table[first:last] for first, last in zip(begins.tolist(), (begins + sizes).tolist(), strict=True)]
