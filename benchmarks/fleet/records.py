"""The record (0x3B) of a charge: what the charger says it took and cost, true or not."""

from typing import Any, Final

from benchmarks.fleet.billing import ChargerBill, Meterman
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.messages import Message
from benchmarks.fleet.plan import FOREVER_MS, MINUTE_MS, PilePlan
from benchmarks.fleet.traits import Traits
from core.tariff_version import CLASS_NAMES, TariffVersion
from core.ykc.cp56 import ms_to_cp56

RETRY_MS: Final = 30_000
RETRY_AAF5_MS: Final = 10_000
BACKLOG_DELAY_MS: Final = 1_500
CLOCK_ERROR_MS: Final = 10 * MINUTE_MS
SCALE: Final = 1_000
LOW_PERCENT: Final = 93


def upload_times(pile: PilePlan, charge: Charge) -> list[int]:
    """When the record goes out: once, thrice when acknowledgements get lost, after an outage, or never."""
    if charge.fault is Fault.RECORD_LOST:
        return []
    first_ms = pile.online_from(charge.record_ms)
    if first_ms == FOREVER_MS:
        return []
    if first_ms > charge.record_ms:
        first_ms += BACKLOG_DELAY_MS
    tries = 3 if charge.fault is Fault.RECORD_REPEATED else 1
    retry_ms = RETRY_MS if pile.aaf5 is None else RETRY_AAF5_MS
    times = [first_ms + i * retry_ms for i in range(tries)]
    return [time_ms for time_ms in times if pile.online_from(time_ms) == time_ms]


def record(charge: Charge, traits: Traits, tariff: TariffVersion, clock_error_ms: int = 0) -> Message:
    """0x3B with the lies of the charge's fault, by a clock that is so much ahead."""
    bill = _told(charge, Meterman(charge, tariff).bill())
    energy = sum(bill.class_energy_e4kwh)
    true_energy = charge.energy_e4kwh
    amount_e4yuan = _e4(sum(bill.class_fee_e5yuan), traits)
    meter_start = charge.meter_start_e4kwh
    meter_end = meter_start + true_energy
    if charge.fault is Fault.RECORD_ENERGY_HUGE:
        # The register jumped: tens of thousands of kWh, which no part of the bill explains.
        jump = 200_000_000 + charge.salt % 400_000_000
        energy += jump
        meter_end += jump
    if charge.fault is Fault.METER_ZERO_BEFORE_START:
        meter_start = 0
    if charge.fault is Fault.RECORD_METER_ZERO:
        meter_start = meter_end = 0
    quantum = charge.pile.quantum_e4kwh
    start_ms, end_ms, trade_ms = (time_ms + clock_error_ms for time_ms in told_times(charge))
    zone = charge.pile.zone
    fields: dict[str, Any] = {
        "trade_no": charge.trade_no,
        "pile_code": charge.pile.code,
        "gun_no": charge.pile.gun_no(charge.connector),
        "start_time": ms_to_cp56(start_ms, zone),
        "end_time": ms_to_cp56(end_ms, zone),
        "meter_start": meter_start // quantum * quantum,
        "meter_end": meter_end // quantum * quantum,
        "energy": energy,
        "loss_energy": energy if traits.loss_equals_energy else 0,
        "amount": amount_e4yuan,
        "vin": charge.vin,
        "start_mode": charge.start_mode,
        "trade_time": ms_to_cp56(trade_ms, zone),
        "stop_reason": charge.stop_reason,
        "physical_card": charge.physical_card,
    }
    for i, name in enumerate(CLASS_NAMES):
        fields[f"{name}_price"] = bill.class_price_e5yuan[i]
        fields[f"{name}_energy"] = bill.class_energy_e4kwh[i]
        fields[f"{name}_loss_energy"] = bill.class_energy_e4kwh[i] if traits.loss_equals_energy else 0
        fields[f"{name}_amount"] = _e4(bill.class_fee_e5yuan[i], traits)
    return "record", fields


def _told(charge: Charge, bill: ChargerBill) -> ChargerBill:
    """The charger's bill, wrong by the fault's factor."""
    numerator, denominator = {
        Fault.RECORD_ENERGY_SCALED: (SCALE, 1),
        Fault.RECORD_ENERGY_LOW: (LOW_PERCENT, 100),
        Fault.RECORD_ENERGY_ZERO: (0, 1),
    }.get(charge.fault, (1, 1))
    return ChargerBill(
        bill.class_price_e5yuan,
        tuple(value * numerator // denominator for value in bill.class_energy_e4kwh),
        tuple(value * numerator // denominator for value in bill.class_fee_e5yuan),
    )


def told_times(charge: Charge) -> tuple[int, int, int]:
    """Start, end and time of the record by the charger's clock."""
    start_ms, end_ms = charge.start_ms, charge.end_ms
    if charge.fault is Fault.CLOCK_OFF:
        error_ms = CLOCK_ERROR_MS if charge.salt % 2 else -CLOCK_ERROR_MS
        start_ms, end_ms = start_ms + error_ms, end_ms + error_ms
    if charge.fault is Fault.RECORD_END_BEFORE_START:
        end_ms = start_ms - 5 * MINUTE_MS
    if charge.fault is Fault.RECORD_DURATION_LONG:
        start_ms -= (20 * 60 if charge.salt % 2 else 75) * MINUTE_MS
    return start_ms, end_ms, end_ms


def _e4(fee_e5yuan: int, traits: Traits) -> int:
    """Money as the firmware writes it: to 1e-4 yuan, or cut down to 0.01 (ykc.md section 6)."""
    return fee_e5yuan // 1_000 * 100 if traits.amount_to_fen else (fee_e5yuan + 5) // 10
