"""The curve of one session: reported beside accepted, in the order of time."""

import msgspec
import numpy as np
import pytest

from analytics.session_curve import SessionCurve, curve_of_readings
from core.meter.flags import Flag
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays

PROFILE = MeterProfile(register_kind="session", quantum_e4kwh=1, pmax_w=132_000)
STEP_E4KWH = 2_500  # 60 kW for 15 s
START_MS = 1_795_330_000_000


def readings(count: int = 40, changed: dict[int, int] | None = None, stored: range = range(0)) -> ReadingArrays:
    """A clean charge of 60 kW; `changed` gives other counters by place, `stored` were kept by the charger."""
    counters = [(changed or {}).get(place, STEP_E4KWH * (place + 1)) for place in range(count)]
    taken_ms = [START_MS + 15_000 * (place + 1) for place in range(count)]
    return ReadingArrays.of(
        taken_ms,
        counters,
        receive_ms=[taken_ms[stored[-1]] if place in stored else ms for place, ms in enumerate(taken_ms)],
        power_w=[60_000] * count,
        charge_minutes=[place // 4 for place in range(count)],
        seq=list(range(count)),
    )


def curve(taken: ReadingArrays) -> SessionCurve:
    return curve_of_readings(taken, PROFILE)


def test_a_clean_charge_is_accepted_as_reported() -> None:
    clean = curve(readings())
    assert np.array_equal(clean.accepted_e4kwh, clean.reported_e4kwh)
    assert len(clean.marked()) == 0
    assert clean.gaps() == []


def test_a_spike_is_shown_as_reported_and_left_out_of_what_is_accepted() -> None:
    spiked = curve(readings(changed={20: 500_000_000}))
    assert spiked.reported_e4kwh[20] == 500_000_000
    assert spiked.accepted_e4kwh.max() == STEP_E4KWH * 40
    assert spiked.flags[20] & Flag.SPIKE
    assert list(spiked.marked()) == [20]
    assert spiked.flags_at(20) == ["SPIKE"]


def test_a_zero_in_between_is_flagged_as_such() -> None:
    zeroed = curve(readings(changed={12: 0}))
    assert zeroed.flags[12] & Flag.ZERO_READ
    assert zeroed.accepted_e4kwh[-1] == STEP_E4KWH * 40


def test_order_and_repetitions_change_no_energy_and_mark_nothing() -> None:
    taken = readings()
    mixed = curve(taken.take(np.array([*range(39, -1, -1), 4, 4, 17])))
    assert mixed.accepted_e4kwh[-1] == STEP_E4KWH * 40
    assert np.all(np.diff(mixed.event_ms) >= 0)
    assert len(mixed) == 43
    assert len(mixed.marked()) == 0


def test_power_stays_with_its_reading() -> None:
    taken = readings()
    powers = np.arange(40) * 1_000
    reversed_order = ReadingArrays.of(taken.event_ms[::-1], taken.counter_e4kwh[::-1], power_w=powers[::-1])
    assert list(curve(reversed_order).power_w) == list(powers)


def test_a_silence_is_found_with_its_ends() -> None:
    taken = readings()
    quiet = curve(taken.take(np.array([*range(10), *range(30, 40)])))
    assert quiet.gaps() == [(int(taken.event_ms[9]), int(taken.event_ms[30]))]
    assert quiet.accepted_e4kwh[-1] == STEP_E4KWH * 40


def test_stored_readings_carry_their_flag() -> None:
    assert np.any(curve(readings(stored=range(8, 28))).flags & np.uint32(Flag.STORED))


def test_the_curve_stands_at_the_times_of_the_bill_whatever_the_gateway_stored() -> None:
    taken = readings(stored=range(8, 28))
    as_received = msgspec.structs.replace(taken, event_ms=taken.receive_ms, stored=np.zeros(40, dtype=np.uint8))
    one, other = curve(taken), curve(as_received)
    assert np.array_equal(one.event_ms, other.event_ms)
    assert np.array_equal(one.flags, other.flags)
    assert max(end - begin for begin, end in one.gaps()) <= 120_000, (
        "at the end of each minute, not 5 minutes of silence"
    )


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_readings_are_no_error(count: int) -> None:
    assert len(curve(readings(count))) == count
