"""The record's own half-hours are its parts: they carry the money where they fit the energy and the charge."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays
from core.session import PileBill, SessionInput, SessionResult, evaluate_session
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion

T0 = 1_700_000_400_000  # 06:20:00 in Shanghai
SHANGHAI = "Asia/Shanghai"
BEFORE = 50_000_000
SECOND, MINUTE = 1_000, 60_000
TARIFF = TariffVersion(1, 1, "0001", 0, (2,) * 48, (120_000, 100_000, 80_000, 40_000), (40_000,) * 4)


def half_hours(**parts: int) -> tuple[int, ...]:
    """48 energies; `at_12=…` is that of the half-hour from 06:00."""
    return tuple(parts.get(f"at_{slot}", 0) for slot in range(48))


def bill(parts: tuple[int, ...], energy: int, start_ms: int = T0, end_ms: int = T0 + 30 * MINUTE) -> PileBill:
    return PileBill(end_ms + 5_000, start_ms, end_ms, energy, (0, 0, 0, 0), BEFORE, BEFORE + energy, parts)


def evaluate(
    record: PileBill, count: int = 121, step: int = 3_000, start_ms: int = T0, **changes: Any
) -> SessionResult:
    """A charge with a reading every 15 s, measured by its absolute register."""
    places = np.arange(count)
    readings = ReadingArrays.of(
        start_ms + 15_000 * places,
        BEFORE + step * places,
        power_w=np.full(count, 24 * step),
        charge_minutes=places // 4,
        start_ms=np.full(count, start_ms),
        duration_s=15 * places,
        before_e4kwh=np.full(count, BEFORE),
        session_e4kwh=step * places,
    )
    profile = MeterProfile("lifetime", 100, 132_000)
    facts = {"zone": SHANGHAI, "timeline": TariffTimeline((TARIFF,)), **changes}
    return evaluate_session(SessionInput("S1", profile, readings=readings, bill=record, **facts))


def test_the_bill_is_split_as_its_record_says() -> None:
    result = evaluate(bill(half_hours(at_12=100_000, at_13=260_000), 360_000))
    assert (result.final_rule, result.final_energy_e4kwh, result.slot_method) == (1, 360_000, "bill_half_hours")
    assert (result.slot_of_day, result.slot_energy_e4kwh) == ((12, 13), (100_000, 260_000))
    assert result.slot_tariff_version == (1, 1)


def test_parts_off_by_rounding_are_brought_to_the_total() -> None:
    result = evaluate(bill(half_hours(at_12=99_950, at_13=260_000), 360_000))
    assert result.slot_method == "bill_half_hours"
    assert sum(result.slot_energy_e4kwh) == 360_000


@pytest.mark.parametrize(
    "parts",
    [
        half_hours(),
        half_hours(at_12=120_000, at_13=6_550_000),  # a register misread backwards leaves a slot near 655 kWh
        half_hours(at_12=100_000, at_40=260_000),  # outside of the charge
    ],
)
def test_parts_that_do_not_fit_leave_the_split_to_the_meter(parts: tuple[int, ...]) -> None:
    result = evaluate(bill(parts, 360_000))
    assert (result.slot_method, result.slot_of_day) == ("measured", (12, 13))
    assert result.slot_energy_e4kwh == (120_000, 240_000)


def test_a_refuted_record_has_no_parts_of_its_own() -> None:
    result = evaluate(bill(half_hours(at_12=100_000, at_13=600_000), 700_000))
    assert result.final_rule == 4
    assert result.slot_method == "measured"


def test_a_half_hour_that_only_the_record_touches_is_kept() -> None:
    """The charger's clock is seconds ahead, so that its end lies in the next half-hour."""
    record = bill(half_hours(at_12=359_000, at_13=1_000), 360_000, T0 - 20 * MINUTE, T0 + 10 * MINUTE + 2 * SECOND)
    result = evaluate(record, start_ms=T0 - 20 * MINUTE)
    assert (result.slot_of_day, result.slot_energy_e4kwh) == ((12, 13), (359_000, 1_000))
    assert result.slot_method == "bill_half_hours"


def test_a_charge_over_midnight_takes_each_half_hour_on_its_own_day() -> None:
    start_ms = int(datetime(2023, 11, 15, 23, 40, tzinfo=ZoneInfo(SHANGHAI)).timestamp() * 1000)
    record = bill(half_hours(at_47=240_000, at_0=120_000), 360_000, start_ms, start_ms + 30 * MINUTE)
    result = evaluate(record, start_ms=start_ms)
    assert (result.slot_of_day, result.slot_energy_e4kwh) == ((47, 0), (240_000, 120_000))
    assert datetime.fromtimestamp(result.slot_start_ms[1] / 1000, UTC).isoformat() == "2023-11-15T16:00:00+00:00"


@given(
    parts=st.lists(st.integers(0, 65_535), min_size=3, max_size=3),
    off=st.integers(-100, 100),
    minutes=st.integers(31, 80),
)
def test_the_split_always_sums_to_the_bill(parts: list[int], off: int, minutes: int) -> None:
    energy = max(0, 100 * sum(parts) + off)
    record = bill(
        half_hours(**{f"at_{12 + place}": 100 * part for place, part in enumerate(parts)}),
        energy,
        end_ms=T0 + minutes * MINUTE,
    )
    result = evaluate(record, count=4 * minutes + 1, step=max(1, energy // (4 * minutes)))
    assert sum(result.slot_energy_e4kwh) == (result.final_energy_e4kwh or 0)
