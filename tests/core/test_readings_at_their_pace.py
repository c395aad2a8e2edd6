"""Charges whose readings all arrived at their pace are not looked at further: that must change no time of any."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.meter import reading_times
from core.meter.reading_times import ToldSpan, at_times_taken
from core.meter.readings import ReadingArrays

T0 = 1_700_006_400_000
_GAPS_MS = st.sampled_from([0, 4_999, 5_000, 5_001, 14_960, 15_000, 15_040, 59_999, 60_000, 60_001, 600_000])
_READING = st.tuples(_GAPS_MS, st.sampled_from([-1, 0, 1, 1, 1, 3, 2_160, 2_161]), st.sampled_from([3, 3, 3, 3, 2]))


@given(readings=st.lists(_READING, min_size=1, max_size=9), behind=st.booleans(), is_told=st.booleans())
@example(readings=[(0, 0, 3), (60_000, -1, 3), (60_000, -1, 3), (60_000, 0, 3)], behind=False, is_told=False)
@example(readings=[(0, 0, 3), (15_000, 1, 3), (60_001, 9, 3)], behind=False, is_told=False)
@example(readings=[(0, 5, 3), (5_000, 5, 3), (15_000, 5, 3)], behind=False, is_told=False)
@settings(max_examples=400, deadline=None)
def test_the_short_way_gives_the_times_of_the_long_one(
    readings: list[tuple[int, int, int]], behind: bool, is_told: bool
) -> None:
    gaps_ms, minutes, states = zip(*readings, strict=True)
    receive_ms = T0 + np.cumsum(gaps_ms)
    columns = ReadingArrays.of(
        receive_ms - 600_000 * behind,
        np.arange(len(readings)),
        receive_ms=receive_ms,
        state=states,
        charge_minutes=minutes,
    )
    told = ToldSpan(T0 - 3_600_000, T0 - 120_000) if is_told else None
    found = at_times_taken(columns, told)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_times, "_all_came_at_their_pace", lambda _readings: False)
        expected = at_times_taken(columns, told)
    assert found.event_ms.tolist() == expected.event_ms.tolist()
    assert found.stored.tolist() == expected.stored.tolist()


def test_readings_at_their_pace_take_the_short_way() -> None:
    columns = ReadingArrays.of(
        T0 + np.arange(8) * 15_000, np.arange(8), state=[2, *[3] * 6, 2], charge_minutes=np.arange(8) // 4
    )
    assert reading_times._all_came_at_their_pace(columns)
