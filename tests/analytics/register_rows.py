"""Rows as the loader stores them of AAF5 chargers: status readings (104) and records (202)."""

from typing import Any

from clickhouse_driver import Client

from core.directory import Pile
from core.session_number import is_packed, session_halves
from tests.analytics.stored_facts import MINUTE, SECOND, Facts, pile

PILE_ID = 5
CODE = "GZ-7001"
BEFORE = 749_771_700  # 74 977.17 kWh
CHARGING, IDLE = 3, 2


def register_pile(**changes: Any) -> Pile:
    """A DC charger of 120 kW with an absolute register of two decimals."""
    fields: dict[str, Any] = {
        "code": CODE,
        "protocol": "aaf5",
        "register_kind": "lifetime",
        "quantum_e4kwh": 100,
    }
    return pile(PILE_ID, **{**fields, **changes})


class RegisterFacts(Facts):
    """Stores rows of AAF5 chargers; times are true times, `clock_off_ms` is the charger's clock ahead of them."""

    def __init__(self, client: Client, *piles: Pile) -> None:
        super().__init__(client, *(piles or (register_pile(),)))

    def status(
        self,
        at_ms: int,
        start_ms: int,
        *,
        number: str,
        risen: int = 0,
        before: int = BEFORE,
        duration_s: int | None = None,
        clock_off_ms: int = 0,
        state: int = CHARGING,
        power_w: int = 0,
        receive_ms: int | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """One status. `risen`: what the register counted since `start_ms`; the stored time is what a gateway hints."""
        received = at_ms + 200 if receive_ms is None else receive_ms
        trade_hi, trade_lo = session_halves(number)
        seconds = (at_ms - start_ms) // SECOND if duration_s is None else duration_s
        hint = at_ms if state == CHARGING and received - at_ms > 120_000 else received
        return {
            "operator_id": 2,
            "pile_id": PILE_ID,
            "connector": 1,
            "protocol": "aaf5",
            "event_ms": hint,
            "receive_ms": received,
            "stored": int(received - hint > 120_000),
            "trade_hi": trade_hi,
            "trade_lo": trade_lo,
            "session_no": "" if is_packed(number) or not number else number,
            "seq": 0x41,
            "state": state,
            "work_state": 2 if state == CHARGING else 0,
            "plugged": 1,
            "voltage_dv": 4_000,
            "current_da": power_w // 40,
            "energy_e4kwh": risen,
            "register_e4kwh": before + risen,
            "register_before_e4kwh": before,
            "start_ms": start_ms + clock_off_ms,
            "duration_s": seconds,
            "charge_minutes": seconds // 60,
            "start_mode": 1,
            **changes,
        }

    def charge(
        self, start_ms: int, minutes: int, *, number: str = "SN-1", power_w: int = 60_000, first_s: int = 0, **more: Any
    ) -> list[dict[str, Any]]:
        """A charge at constant power, a status every 15 s from `first_s` to the end."""
        return [
            self.status(
                start_ms + elapsed,
                start_ms,
                number=number,
                risen=counted(power_w, elapsed),
                power_w=power_w,
                **more,
            )
            for elapsed in range(first_s * SECOND, minutes * MINUTE + 1, 15_000)
        ]

    def repeats(
        self, from_ms: int, to_ms: int, start_ms: int, minutes: int, *, number: str = "SN-1", every_ms: int = MINUTE,
        power_w: int = 60_000, **more: Any,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """An idle charger that repeats its last session."""
        last = {"risen": counted(power_w, minutes * MINUTE), "duration_s": 60 * minutes, "state": IDLE}
        return [
            self.status(at_ms, start_ms, number=number, **{**last, **more}) for at_ms in range(from_ms, to_ms, every_ms)
        ]

    def record(
        self,
        start_ms: int,
        minutes: int,
        *,
        number: str = "SN-1",
        power_w: int = 60_000,
        before: int = BEFORE,
        half_hours: dict[int, int] | None = None,
        clock_off_ms: int = 0,
        **changes: Any,
    ) -> dict[str, Any]:
        """The charger's record of such a charge; `half_hours` are its parts by their place in the day."""
        energy = counted(power_w, minutes * MINUTE)
        end_ms = start_ms + minutes * MINUTE
        return {
            "operator_id": 2,
            "pile_id": PILE_ID,
            "connector": 1,
            "protocol": "aaf5",
            "trade_no": number,
            "receive_ms": end_ms + 3 * SECOND,
            "start_ms": start_ms + clock_off_ms,
            "end_ms": end_ms + clock_off_ms,
            "trade_time_ms": 0,
            "duration_s": 60 * minutes,
            "class_energy_e4kwh": [0, 0, 0, 0],
            "half_hour_energy_e4kwh": [(half_hours or {}).get(place, 0) for place in range(48)],
            "meter_start_e4kwh": before,
            "meter_end_e4kwh": before + energy,
            "energy_e4kwh": energy,
            "amount_e4yuan": energy,
            "start_mode": 1,
            "stop_reason": 200,
            "content_digest": 1,
            **changes,
        }


def counted(power_w: int, elapsed_ms: int) -> int:
    """What a register of two decimals counts in that time, in 1e-4 kWh."""
    return power_w * elapsed_ms // 360_000 // 100 * 100
