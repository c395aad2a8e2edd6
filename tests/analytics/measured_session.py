"""A row of a session as its page gets it, with the curve of readings that go with it, for tests without a database."""

from typing import Any

from analytics.session_curve import SessionCurve, curve_of_readings
from core.meter.profile import MeterProfile, RegisterKind
from core.meter.readings import ReadingArrays

START_MS = 1_571_899_411_000  # 2019-10-24 14:43:31 in Shanghai
PERIOD_MS = 15_000


def session_row(**changes: Any) -> dict[str, Any]:
    """A charge of 27 minutes of which all is well, with its record."""
    return {
        "trade_no": "20191024144331381526",
        "life": "ended",
        "bill_state": "present",
        "start_ms": START_MS,
        "end_ms": START_MS + 1_617_000,
        "end_low_ms": START_MS + 1_617_000,
        "end_high_ms": START_MS + 1_617_000,
        "order_created_ms": START_MS,
        "unobserved_start_ms": 0,
        "unobserved_end_ms": 0,
        "longest_gap_ms": 15_000,
        "outage_ms": 0,
        "clock_step_ms": 0,
        "clock_offset_ms": 0,
        "charging_readings": 109,
        "naive_energy_e4kwh": 363_600,
        "best_e4kwh": 363_600,
        "low_e4kwh": 363_500,
        "high_e4kwh": 363_700,
        "quality": "VALID",
        "flags": [],
        "counter_energy_e4kwh": None,
        "power_energy_e4kwh": 363_000,
        "quantum_e4kwh": 100,
        "pmax_w": 165_000,
        "register_kind": "lifetime",
        "register_start_e4kwh": 922_700,
        "register_end_e4kwh": 1_286_300,
        "previous_end_e4kwh": 0,
        "bill_half_hour_e4kwh": [],
        "bill_loss_energy_e4kwh": 0,
        "bill_duration_s": 0,
        "bill_number": "",
        "different_bills": 0,
        "tariff_stale": 0,
        "overlaps": [],
        "slot_tariff_version": [9, 9],
        **changes,
    }


def upload_row(energy_e4kwh: int = 363_600, **changes: Any) -> dict[str, Any]:
    """The charger's record of such a charge."""
    return {
        "bill_energy_e4kwh": energy_e4kwh,
        "bill_amount_e4yuan": (energy_e4kwh * 190 + 5_000) // 10_000 * 100,
        "bill_start_ms": START_MS - 20_000,
        "bill_end_ms": START_MS + 1_617_000,
        "bill_meter_start_e4kwh": 922_700,
        "bill_meter_end_e4kwh": 922_700 + energy_e4kwh,
        "bill_class_energy_e4kwh": [0, 0, energy_e4kwh, 0],
        **changes,
    }


def bill_row(energy_e4kwh: int | None = 363_600, **changes: Any) -> dict[str, Any]:
    """What was billed for it, at 1.90 yuan/kWh in two half-hours."""
    energy = energy_e4kwh or 0
    return {
        "start_ms": START_MS,
        "end_ms": START_MS + 1_617_000,
        "final_rule": 1,
        "final_energy_e4kwh": energy_e4kwh,
        "amount_fen": None if energy_e4kwh is None else (energy * 190 + 5_000) // 10_000,
        "slot_of_day": [29, 30],
        "slot_energy_e4kwh": [energy * 3 // 5, energy - energy * 3 // 5],
        "slot_class": [2, 2],
        "held": 0,
        "status": "final",
        "codes": [],
        "tariff_stale": 0,
        **changes,
    }


TARIFFS = {
    9: {"electricity_price_e5yuan": [120_000] * 4, "service_price_e5yuan": [70_000] * 4},
}


def lifetime_curve(
    registers: list[int], *, kind: RegisterKind = "lifetime", end_high_ms: int = 0, told_start: int = 0, **columns: Any
) -> SessionCurve:
    """The curve of readings 15 s apart from `START_MS` on."""
    count = len(registers)
    readings = ReadingArrays.of(
        [START_MS + place * PERIOD_MS for place in range(count)],
        registers,
        before_e4kwh=[told_start] * count,
        power_w=[80_000] * count,
        **columns,
    )
    profile = MeterProfile(register_kind=kind, quantum_e4kwh=100, pmax_w=165_000, digits=6 if kind == "lifetime" else 0)
    return curve_of_readings(readings, profile, end_high_ms=end_high_ms)


def steady(count: int, first_e4kwh: int = 922_700, step_e4kwh: int = 3_300) -> list[int]:
    """A register that rises by the same step with each reading."""
    return [first_e4kwh + place * step_e4kwh for place in range(count)]
