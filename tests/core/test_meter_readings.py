"""One order for all readings, and what counts as a repetition."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import CoreError
from core.meter.flags import Flag, flag_names
from core.meter.readings import ReadingArrays, in_order

T0 = 1_700_000_000_000


def flags_of(readings: ReadingArrays) -> list[tuple[int, int, list[str]]]:
    """(seconds, counter, flags) in order."""
    ordered = in_order(readings)
    return [
        ((int(at) - T0) // 1000, int(value), flag_names(int(flag)))
        for at, value, flag in zip(
            ordered.readings.event_ms, ordered.readings.counter_e4kwh, ordered.flags, strict=True
        )
    ]


def at(*seconds: int) -> list[int]:
    return [T0 + 1000 * second for second in seconds]


def test_the_same_reading_again_is_dropped() -> None:
    ordered = in_order(ReadingArrays.of(at(0, 15, 15), [1, 2, 2], seq=[1, 2, 2]))
    assert ordered.kept.tolist() == [True, False, True]
    assert ordered.flags.tolist() == [0, Flag.DUP, 0]


def test_two_values_for_one_moment_keep_the_later_sequence() -> None:
    readings = ReadingArrays.of(at(0, 15, 15, 15), [1, 9, 2, 9], seq=[1, 2, 3, 1])
    assert flags_of(readings) == [(0, 1, []), (15, 9, ["CONFLICT"]), (15, 9, ["CONFLICT"]), (15, 2, [])]
    ordered = in_order(readings)
    assert ordered.readings.counter_e4kwh[ordered.kept].tolist() == [1, 2]


def test_a_frame_of_another_value_at_one_moment_that_came_twice_is_one_conflict() -> None:
    readings = ReadingArrays.of(at(0, 15, 15, 15), [1, 9, 9, 2], seq=[1, 2, 2, 3])
    assert flags_of(readings) == [(0, 1, []), (15, 9, ["DUP", "CONFLICT"]), (15, 9, ["CONFLICT"]), (15, 2, [])]


def test_a_frame_sent_twice_is_one_reading() -> None:
    readings = ReadingArrays.of(at(0, 15, 17, 30), [1, 2, 2, 3], seq=[1, 2, 2, 3])
    assert [flags for _, _, flags in flags_of(readings)] == [[], [], ["DUP"], []]


def test_two_frames_that_say_the_same_are_two_readings() -> None:
    readings = ReadingArrays.of(at(0, 2, 17), [1, 1, 1], seq=[1, 2, 2])
    assert [flags for _, _, flags in flags_of(readings)] == [[], [], []]


def test_a_frame_that_comes_again_after_newer_ones_is_no_rollback() -> None:
    readings = ReadingArrays.of(at(0, 15, 30, 31, 45), [10, 20, 30, 20, 40], seq=[1, 2, 3, 2, 4])
    assert flags_of(readings)[3] == (31, 20, ["DUP"])
    fallen = ReadingArrays.of(at(0, 15, 30, 31, 45), [10, 20, 30, 20, 40], seq=[1, 2, 3, 9, 4])
    assert flags_of(fallen)[3] == (31, 20, []), "another sequence number: a reading of its own"


def test_the_sequence_goes_on_with_0_after_65535() -> None:
    for first, second in ((65_535, 0), (65_000, 300), (7, 8), (0, 32_768)):
        ordered = in_order(ReadingArrays.of(at(0, 0), [5_000, 5_100], seq=[first, second]))
        assert ordered.readings.counter_e4kwh[ordered.kept].tolist() == [5_100], (first, second)
    ordered = in_order(ReadingArrays.of(at(0, 0, 15, 15), [4, 3, 2, 1], seq=[65_535, 0, 1, 40_000]))
    assert ordered.readings.counter_e4kwh[ordered.kept].tolist() == [3, 2], "each moment by itself"


def late_repeats_one_by_one(readings: ReadingArrays) -> list[bool]:
    """The rule as it reads: a fall to something above 0 that was sent before, not more than 5 minutes ago."""
    columns = (readings.seq, readings.counter_e4kwh, readings.power_w, readings.charge_minutes, readings.state)
    frames = list(zip(*(column.tolist() for column in columns), strict=True))
    times, counters = readings.event_ms.tolist(), readings.counter_e4kwh.tolist()
    return [
        place > 0
        and 0 < counters[place] < counters[place - 1]
        and any(frames[i] == frames[place] and times[place] - times[i] <= 300_000 for i in range(place))
        for place in range(len(frames))
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([6_000, 15_000, 100_000]), st.integers(0, 4), st.integers(0, 1)), max_size=30)
)
def test_late_repeats_are_those_of_the_rule(steps: list[tuple[int, int, int]]) -> None:
    times = np.cumsum([step for step, _, _ in steps], dtype=np.int64)
    readings = ReadingArrays.of(T0 + times, [counter for _, counter, _ in steps], seq=[seq for _, _, seq in steps])
    assert (~in_order(readings).kept).tolist() == late_repeats_one_by_one(readings)


def test_a_register_that_zigzags_for_days_is_put_in_order() -> None:
    """What grows with the square of the readings would not come to an end here."""
    places = np.arange(200_000)
    counters = np.where(places % 2, 300_000 + places, places + 1)
    assert in_order(ReadingArrays.of(places * 10, counters, seq=places % 65_536)).kept.all()


def test_a_zero_is_never_taken_for_a_repetition() -> None:
    readings = ReadingArrays.of(at(0, 15, 30, 45), [0, 20, 0, 40], seq=[0, 0, 0, 0])
    assert [flags for _, _, flags in flags_of(readings)] == [[], [], [], []]


def test_readings_that_arrived_late_are_named() -> None:
    readings = ReadingArrays.of(at(0, 15, 30), [1, 2, 3], receive_ms=at(0, 99, 30), stored=[0, 0, 0])
    assert flags_of(readings) == [(0, 1, []), (15, 2, []), (30, 3, ["OUT_OF_ORDER"])]


def test_a_kept_reading_lies_at_the_end_of_its_minute_but_not_behind_its_receipt() -> None:
    readings = ReadingArrays.of(at(0, 45, 0, 60), [1, 3, 4, 5], receive_ms=at(0, 45, 300, 90), stored=[0, 0, 1, 1])
    ordered = in_order(readings).readings
    assert ordered.counter_e4kwh.tolist() == [1, 3, 4, 5]
    assert (ordered.event_ms - T0).tolist() == [0, 45_000, 59_999, 90_000]


rows = st.tuples(
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 3),
    st.sampled_from([2, 3]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 5),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, max_size=25), st.randoms(use_true_random=False))
def test_order_of_arrival_changes_nothing(table: list[tuple[int, ...]], rng: random.Random) -> None:
    shuffled = list(table)
    rng.shuffle(shuffled)
    one, other = (in_order(_of_rows(rows_in_some_order)) for rows_in_some_order in (table, shuffled))
    for name in ReadingArrays.__struct_fields__:
        assert np.array_equal(getattr(one.readings, name), getattr(other.readings, name)), name
    assert np.array_equal(one.kept, other.kept)
    assert np.array_equal(one.flags, other.flags)
    kept_moments = one.readings.event_ms[one.kept]
    assert len(set(kept_moments.tolist())) == len(kept_moments), "one reading a moment"


def _of_rows(table: list[tuple[int, ...]]) -> ReadingArrays:
    columns = list(zip(*table, strict=True)) if table else [()] * 7
    return ReadingArrays.of(
        [T0 + 7_000 * ticks for ticks in columns[0]],
        columns[1],
        seq=columns[2],
        state=columns[3],
        power_w=columns[4],
        charge_minutes=columns[5],
        receive_ms=[T0 + 7_000 * ticks for ticks in columns[6]],
    )


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(CoreError, match="column power_w has 1 readings, event_ms has 2"):
        ReadingArrays.of(at(0, 1), [1, 2], power_w=[1])


def test_the_bits_of_the_compiled_modules_are_those_of_the_flags() -> None:
    """flag_bits.pxd repeats the enum for C; a bit that differs would store a wrong cause."""
    from pathlib import Path

    lines = Path("core/meter/flag_bits.pxd").read_text(encoding="utf-8").splitlines()
    bits = dict(line.strip().split(" = 1 << ") for line in lines if " = 1 << " in line)
    assert bits
    assert {name: 1 << int(bit) for name, bit in bits.items()} == {
        name: int(Flag[name.removeprefix("FLAG_")]) for name in bits
    }
