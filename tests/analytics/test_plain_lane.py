"""The lane for ordinary charges says what the way of all others says, to the last unit, flag and digest.

Charges are made as columns, as `LaneFactsReader` gives them, ordinary ones and such as are about to be none any more.
Whatever the lane takes is decided once more by `session_row`.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.biller_decision import Decision, forget_later
from analytics.lane_facts import LaneFacts, PileFacts
from analytics.meter_profiles import meter_of
from analytics.plain_columns import PlainRows
from analytics.plain_lane import PlainLane
from analytics.session_facts import NOTHING_LEARNED, SessionKey
from analytics.session_revision import CurrentRevision
from analytics.session_rows import session_row
from analytics.threshold_book import ThresholdBook
from core.meter.profile import W_MS_PER_E4KWH
from core.session_after import AFTER_COLUMNS
from tests.analytics.stored_facts import DAY, HOUR, MINUTE, OTHER_TARIFF, SECOND, T0, TARIFF, pile, trade_no

AS_OF_MS = T0 + 40 * DAY
VERSIONS = {version.tariff_version_id: version for version in (TARIFF, OTHER_TARIFF)}
BOOK = ThresholdBook()
Charge = dict[str, Any]


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """One charge: a register that follows its power, a record that fits, and seldom something that does not."""
    seldom = st.integers(0, 7).map(lambda number: number == 0)
    size = draw(st.integers(2, 40))
    step_ms = draw(st.sampled_from([15 * SECOND, 15 * SECOND, 30 * SECOND, 6 * SECOND]))
    first_ms = T0 + draw(st.integers(0, 50)) * HOUR + draw(st.integers(0, 3_600_000))
    at_ms = (
        first_ms
        + np.arange(size) * step_ms
        + np.array(draw(st.lists(st.integers(-40, 40), min_size=size, max_size=size)))
    )
    power_w = np.full(size, draw(st.sampled_from([0, 400, 3_500, 60_000, 119_000])), np.int64)
    power_w += np.array(draw(st.lists(st.integers(0, 900), min_size=size, max_size=size)))
    quantum = draw(st.sampled_from([1, 100, 1_000]))
    flowed = np.concatenate(([0], np.cumsum((power_w[1:] + power_w[:-1]) * np.diff(at_ms)))) // (2 * W_MS_PER_E4KWH)
    value = flowed // quantum * quantum
    minutes = (at_ms - at_ms[0]) // MINUTE
    seq = (np.arange(size) * 3 + draw(st.integers(0, 65_535))) & 0xFFFF
    if draw(seldom):
        place = draw(st.integers(0, size - 1))
        value[place] += draw(st.sampled_from([-value[place], 1, 150, 900, 2_000, 900_000]))
    if draw(seldom):  # a register that left the line of power and stays there
        value[draw(st.integers(1, size - 1)) :] += draw(st.sampled_from([300, 1_500, 4_000]))
    if draw(seldom):
        at_ms[draw(st.integers(0, size - 1)) :] += draw(st.sampled_from([-9_000, 30_000, 46_000, 61_000, 300_000]))
    if draw(seldom):  # a frame that comes again, a while later
        place = draw(st.integers(1, size - 1))
        for column in (value, power_w, minutes, seq):
            column[place] = column[place - 1]
    if draw(seldom):
        seq[:] = draw(st.sampled_from([0, 7]))
    if draw(seldom):
        value = value * draw(st.sampled_from([2, 10])) // draw(st.sampled_from([1, 3]))
    if draw(seldom):
        minutes += draw(st.integers(1, 3))
    last_ms = int(at_ms[-1])
    energy = int(value[-1]) + draw(st.sampled_from([0, 0, 0, 1, quantum, 999, 1_001, 20_000, -int(value[-1])]))
    start_ms = int(at_ms[0]) - draw(st.sampled_from([15 * SECOND, 0, MINUTE, 20 * MINUTE, HOUR]))
    end_ms = last_ms + draw(st.sampled_from([12 * SECOND, 0, 40 * SECOND, -MINUTE, 20 * MINUTE, -HOUR]))
    received_ms = max(end_ms, last_ms) + draw(st.sampled_from([2_500, 2_500, 90 * SECOND, 3 * HOUR]))
    after_ms = last_ms + draw(st.sampled_from([15 * SECOND, 15 * SECOND, 200 * SECOND, 2 * HOUR]))
    parts = draw(
        st.sampled_from([(0, 0, energy, 0), (0, energy, 0, 0), (0, energy // 3, energy - energy // 3, 0), (0, 0, 0, 0)])
    )
    return {
        "rows": (at_ms, value, np.minimum(power_w, 2**31 - 1), minutes, seq),
        "bill": {
            "bill_receive_ms": received_ms,
            "start_ms": start_ms if not draw(seldom) else 0,
            "end_ms": end_ms,
            "energy_e4kwh": max(energy, 0),
            "amount_e4yuan": max(energy, 0),
            "loss_energy_e4kwh": draw(st.sampled_from([0, 0, 0, max(energy, 0), 10])),
            "class_energy": [max(part, 0) for part in parts],
            "class_price": draw(st.sampled_from([[160_000, 140_000, 110_000, 70_000], [0] * 4, [1, 2, 3, 4]])),
        },
        "after": {
            "after_ms": after_ms,
            "after_state": 2,
            "next_start_ms": draw(st.sampled_from([0, after_ms + HOUR])),
            "unplugged_ms": draw(st.sampled_from([0, after_ms + MINUTE])),
            "plugged_until_ms": draw(st.sampled_from([0, after_ms])),
            "power_until_ms": draw(st.sampled_from([0, after_ms])),
            "fault": draw(st.sampled_from([0, 1])),
        },
        "ordered_ms": draw(st.sampled_from([0, int(at_ms[0]) - 40 * SECOND])),
        "quantum": quantum,
    }


def lane_facts(
    made: list[Charge], acks: list[tuple[int, int]], offsets: list[tuple[int, int]], quantum: int
) -> LaneFacts:
    """The charges as the reader would give them: one charger, their rows one behind the other."""
    charger = pile(quantum_e4kwh=quantum)
    sizes = [len(charge["rows"][0]) for charge in made]
    row_to = np.cumsum(sizes, dtype=np.int64)
    names = ("receive_ms", "counter_e4kwh", "power_w", "charge_minutes", "seq")
    kinds = (np.int64, np.int64, np.int32, np.uint16, np.uint16)
    rows: dict[str, Any] = {
        name: np.concatenate([charge["rows"][column] for charge in made]).astype(kind)
        for column, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    rows["state"], rows["plugged"] = (np.full(int(row_to[-1]), value, np.uint8) for value in (3, 1))
    numbers = [name for name in made[0]["bill"] if not name.startswith("class")]
    bills: dict[str, Any] = {name: np.array([charge["bill"][name] for charge in made], np.int64) for name in numbers}
    for name in ("class_energy", "class_price"):
        for part in range(4):
            bills[f"{name}_{part}"] = np.array([charge["bill"][name][part] for charge in made], np.int64)
    for name in ("meter_start_e4kwh", "meter_end_e4kwh", "stored", "start_mode", "stop_reason", "duration_s"):
        bills[name] = np.arange(len(made), dtype=np.int64) % 2
    bills |= {"vin": ["LSVAA49J888332044"] * len(made), "physical_card": [""] * len(made)}
    return LaneFacts(
        keys=[SessionKey(4, 1, trade_no(number)) for number in range(len(made))],
        piles=[charger] * len(made),
        meters={4: meter_of(charger, NOTHING_LEARNED)},
        rows=rows,
        row_from=row_to - np.array(sizes, np.int64),
        row_to=row_to,
        after=np.array([[charge["after"][name] for name in AFTER_COLUMNS] for charge in made], np.int64),
        bills=bills,
        ordered_ms=np.array([charge["ordered_ms"] for charge in made], np.int64),
        order_accepted=np.array([charge["ordered_ms"] > 0 for charge in made], np.uint8),
        of_pile={4: PileFacts(offsets, acks)},
        outages=[(T0 + 3 * HOUR, T0 + 3 * HOUR + 20 * MINUTE)],
    )


def assert_as_always(facts: LaneFacts, decision: Decision, current: dict[SessionKey, CurrentRevision]) -> PlainRows:
    """What the lane takes is what `session_row` says; gives what it took."""
    plain = PlainLane(BOOK, VERSIONS).rows(facts, current, decision, frozenset(VERSIONS))
    taken = {row.key: row for row in plain.one_by_one()}
    for place, key in enumerate(facts.keys):
        if key not in taken:
            continue
        known = facts.of_one(place)
        assert known is not None
        before = current.get(key, CurrentRevision())
        as_of_ms, stays_since_ms = decision.for_session(known, before)
        forget_later(known, as_of_ms)
        expected = session_row(known, before, as_of_ms, stays_since_ms, BOOK.platform, VERSIONS)
        assert taken[key].columns == expected.columns
        assert taken[key].revision == expected.revision
        assert (taken[key].life, taken[key].start_ms) == (expected.life, expected.start_ms)
    return plain


@settings(max_examples=100, deadline=None)
@given(
    made=st.lists(charges(), min_size=4, max_size=8),
    acks=st.lists(st.tuples(st.integers(T0 - DAY, T0 + 2 * DAY), st.sampled_from([7, 7, 7, 8, 9])), max_size=2),
    offsets=st.lists(st.tuples(st.integers(T0, T0 + 2 * DAY), st.integers(-400_000, 400_000)), max_size=6),
    stays=st.booleans(),
    as_of_ms=st.sampled_from([AS_OF_MS, T0 + 10 * HOUR]),
)
def test_what_the_lane_takes_is_what_every_other_way_says(
    made: list[Charge], acks: list[tuple[int, int]], offsets: list[tuple[int, int]], stays: bool, as_of_ms: int
) -> None:
    facts = lane_facts(made, sorted(acks), sorted(offsets), made[0]["quantum"])
    decision = Decision(as_of_ms, {4: T0 + 2 * DAY} if stays else None)
    standing = {facts.keys[0]: CurrentRevision(3, 17, stays_since_ms=T0 + 3 * DAY)}
    assert_as_always(facts, decision, standing)


@pytest.mark.parametrize("quantum", [1, 100])
def test_most_ordinary_charges_are_taken(quantum: int) -> None:
    random = np.random.default_rng(quantum)
    made = [ordinary(random, quantum, number) for number in range(200)]
    taken = assert_as_always(lane_facts(made, [(T0 - DAY, 7)], [], quantum), Decision(AS_OF_MS, {4: T0 + 9 * DAY}), {})
    assert len(taken) > 190
    assert set(taken.columns["slot_method"]) == {"bill_classes"}
    assert {len(slots) for slots in taken.columns["slot_of_day"]} > {1, 2}


@pytest.mark.parametrize("step_e4kwh", [1_200, 2_000, 3_000, 4_500])
def test_a_register_that_left_the_line_of_power_is_looked_at(step_e4kwh: int) -> None:
    random = np.random.default_rng(step_e4kwh)
    made = [ordinary(random, 1, number) for number in range(60)]
    for charge in made:
        value = charge["rows"][1]
        value[len(value) // 2 :] += step_e4kwh
        charge["bill"]["energy_e4kwh"] += step_e4kwh
    taken = assert_as_always(lane_facts(made, [(T0 - DAY, 7)], [], 1), Decision(AS_OF_MS), {})
    assert len(taken) < len(made)


@pytest.mark.parametrize("lost_e4kwh", [6_000, 9_000, 10_000, 15_000])
def test_a_coarse_register_that_lacks_energy_is_looked_at(lost_e4kwh: int) -> None:
    random = np.random.default_rng(lost_e4kwh)
    made = [ordinary(random, 1, number) for number in range(60)]
    for charge in made:
        at_ms, value, power_w, *more = charge["rows"]
        lost = np.where(np.arange(len(value)) > len(value) // 2, lost_e4kwh, 0)
        coarse = np.maximum.accumulate(np.maximum(value - lost, 0) // 10_000 * 10_000)
        charge["rows"] = (at_ms, coarse, power_w, *more)
        charge["bill"]["energy_e4kwh"] = int(coarse[-1])
        charge["bill"]["class_energy"] = [0, 0, 0, 0]
    assert_as_always(lane_facts(made, [(T0 - DAY, 7)], [], 10_000), Decision(AS_OF_MS), {})


def ordinary(random: np.random.Generator, quantum: int, number: int) -> Charge:
    """A charge of half an hour with noisy power, and a record that fits."""
    size = int(random.integers(60, 140))
    at_ms = T0 + number * HOUR // 2 + np.arange(size) * 15 * SECOND + random.integers(-40, 41, size)
    power_w = (random.integers(7_000, 110_000) * np.linspace(1, 0.4, size) + random.normal(0, 200, size)).astype(
        np.int64
    )
    flowed = np.concatenate(([0], np.cumsum((power_w[1:] + power_w[:-1]) * np.diff(at_ms)))) // (2 * W_MS_PER_E4KWH)
    value = flowed // quantum * quantum
    energy = int(value[-1]) + quantum
    last_ms = int(at_ms[-1])
    return {
        "rows": (at_ms, value, power_w, (at_ms - at_ms[0]) // MINUTE, np.arange(size) * 3),
        "bill": {
            "bill_receive_ms": last_ms + 14 * SECOND,
            "start_ms": int(at_ms[0]) - 15 * SECOND,
            "end_ms": last_ms + 12 * SECOND,
            "energy_e4kwh": energy,
            "amount_e4yuan": energy,
            "loss_energy_e4kwh": 0,
            "class_energy": classes_of(at_ms, flowed, energy),
            "class_price": [160_000, 140_000, 110_000, 70_000],
        },
        "after": dict.fromkeys(AFTER_COLUMNS, 0) | {"after_ms": last_ms + 15 * SECOND, "after_state": 2},
        "ordered_ms": int(at_ms[0]) - 40 * SECOND,
        "quantum": quantum,
    }


def classes_of(at_ms: Any, flowed: Any, energy: int) -> list[int]:
    """The record's energy over the classes of the tariff, by what flowed in each."""
    shares = [0] * 4
    for moment, more in zip(at_ms[1:].tolist(), np.diff(flowed).tolist(), strict=True):
        shares[TARIFF.slot_classes[(moment + 8 * HOUR) // (30 * MINUTE) % 48]] += more
    largest = max(range(4), key=shares.__getitem__)
    shares[largest] += energy - sum(shares)
    return shares
