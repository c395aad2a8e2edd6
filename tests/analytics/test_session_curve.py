"""The curve of one session: reported beside accepted, in the order of time."""

from typing import Any

import numpy as np
import pytest

from analytics.session_curve import SessionCurve, curve_of_readings
from core.meter.flags import Flag
from core.meter.profile import MeterProfile

PROFILE = MeterProfile(register_kind="session", quantum_e4kwh=1, pmax_w=132_000)
STEP_E4KWH = 2_500  # 60 kW for 15 s
START_MS = 1_795_330_000_000


def readings(count: int = 40, **changed: int) -> list[dict[str, Any]]:
    """A clean charge of 60 kW; `changed` gives other counters by index (`at_12=0`)."""
    rows = [
        {
            "event_ms": START_MS + 15_000 * (index + 1),
            "energy_e4kwh": STEP_E4KWH * (index + 1),
            "power_w": 60_000,
            "soc": 50,
            "state": 3,
            "stored": 0,
        }
        for index in range(count)
    ]
    for name, value in changed.items():
        rows[int(name.removeprefix("at_"))]["energy_e4kwh"] = value
    return rows


def curve(rows: list[dict[str, Any]]) -> SessionCurve:
    return curve_of_readings(rows, PROFILE, START_MS)


def test_a_clean_charge_is_accepted_as_reported() -> None:
    clean = curve(readings())
    assert np.array_equal(clean.accepted_e4kwh, clean.reported_e4kwh)
    assert not clean.flags.any()
    assert clean.gaps() == []


def test_a_spike_is_shown_as_reported_and_left_out_of_what_is_accepted() -> None:
    spiked = curve(readings(at_20=500_000_000))
    assert spiked.reported_e4kwh[20] == 500_000_000
    assert spiked.accepted_e4kwh.max() == STEP_E4KWH * 40
    assert spiked.flags[20] & Flag.SPIKE
    assert np.count_nonzero(spiked.flags) == 1


def test_a_zero_in_between_is_flagged_as_such() -> None:
    zeroed = curve(readings(at_12=0))
    assert zeroed.flags[12] & Flag.ZERO_READ
    assert zeroed.accepted_e4kwh[-1] == STEP_E4KWH * 40


def test_repeated_readings_are_drawn_once() -> None:
    rows = readings()
    repeated = curve([rows[0], rows[0], *rows[1:5], rows[4], *rows[5:]])
    assert repeated.repeated == 2
    assert np.array_equal(repeated.accepted_e4kwh, curve(rows).accepted_e4kwh)


def test_a_silence_is_found_with_its_ends() -> None:
    rows = readings()
    quiet = curve(rows[:10] + rows[30:])
    assert quiet.gaps() == [(rows[9]["event_ms"], rows[30]["event_ms"])]
    assert quiet.accepted_e4kwh[-1] == STEP_E4KWH * 40


def test_stored_readings_carry_their_flag() -> None:
    rows = readings()
    rows[7]["stored"] = 1
    assert curve(rows).flags[7] & Flag.STORED


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_readings_are_no_error(count: int) -> None:
    assert len(curve(readings(count))) == count
