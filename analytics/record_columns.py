"""What a revision says of the charger's record."""

from typing import Any

from analytics.class_mask import ALL_CLASSES, ALL_HALF_HOURS, bill_class_mask, bill_half_hour_mask
from analytics.session_facts import SessionFacts
from analytics.thresholds import Thresholds
from core.meter.device_times import LONGEST_KEPT_MS, STORED_LAG_MS
from core.tariff import TariffTimeline


def record_columns(facts: SessionFacts, thresholds: Thresholds, timeline: TariffTimeline) -> dict[str, Any]:
    """The columns of the record, in the units of `session_revisions`; neutral values where there is none."""
    bill = facts.bill
    if bill is None:
        return {
            "has_bill": 0,
            "different_bills": 0,
            "bill_receive_ms": 0,
            "bill_start_ms": 0,
            "bill_end_ms": 0,
            "bill_energy_e4kwh": 0,
            "bill_amount_e4yuan": 0,
            "bill_class_energy_e4kwh": [],
            "bill_class_mask": ALL_CLASSES,
            "bill_half_hour_e4kwh": [],
            "bill_half_hour_mask": ALL_HALF_HOURS,
            "bill_duration_s": 0,
            "bill_loss_energy_e4kwh": 0,
            "bill_stored": 0,
            "bill_meter_start_e4kwh": 0,
            "bill_meter_end_e4kwh": 0,
            "bill_stop_reason": 0,
            "vin": "",
            "physical_card": "",
        }
    return {
        "has_bill": 1,
        "different_bills": bill.different_bills,
        "bill_receive_ms": bill.receive_ms,
        "bill_start_ms": bill.start_ms,
        "bill_end_ms": bill.end_ms,
        "bill_energy_e4kwh": bill.energy_e4kwh,
        "bill_amount_e4yuan": bill.amount_e4yuan,
        "bill_class_energy_e4kwh": list(bill.class_energy_e4kwh),
        "bill_class_mask": bill_class_mask(
            bill.start_ms,
            bill.end_ms,
            bill.class_price_e5yuan,
            facts.pile.zone,
            timeline,
            thresholds.part_margin_ms,
        ),
        "bill_half_hour_e4kwh": list(bill.half_hour_energy_e4kwh),
        "bill_half_hour_mask": bill_half_hour_mask(
            bill.start_ms, bill.end_ms, facts.pile.zone, thresholds.part_margin_ms
        ),
        "bill_duration_s": bill.duration_s,
        "bill_loss_energy_e4kwh": bill.loss_energy_e4kwh if bill.loss_energy_e4kwh != bill.energy_e4kwh else 0,
        "bill_stored": _bill_stored(facts),
        "bill_meter_start_e4kwh": bill.meter_start_e4kwh,
        "bill_meter_end_e4kwh": bill.meter_end_e4kwh,
        "bill_stop_reason": bill.stop_reason,
        "vin": bill.vin,
        "physical_card": bill.physical_card,
    }


def _bill_stored(facts: SessionFacts) -> int:
    """Whether the charger had kept the record: by its end, and by the clock that live readings showed, if any did."""
    if facts.bill is None or not facts.clock_behind_ms:
        return facts.bill.stored if facts.bill else 0
    return int(STORED_LAG_MS < facts.bill.receive_ms - facts.record_end_ms <= LONGEST_KEPT_MS)
