"""From the facts of one session to the row of its revision."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from analytics.missing_bill import Verdict
from analytics.occupancy import Occupancy, ended_by, occupancy
from analytics.record_columns import record_columns
from analytics.session_digest import inputs_digest
from analytics.session_facts import SessionFacts, overlap_ms
from analytics.session_life import bill_verdict, life_of, not_begun
from analytics.session_measurement import Measured, measure
from analytics.session_revision import WITHOUT_BILL, CurrentRevision, Life, SessionRow
from analytics.thresholds import Thresholds
from core.meter.device_times import CLOCKS_AGREE_MS
from core.meter.flags import Quality
from core.tariff_version import TariffVersion

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLATFORM_START = 1
"""In either protocol: by app, through the platform."""
START_METHODS: dict[str, dict[int, str]] = {
    "ykc": {1: "app", 2: "card", 4: "offline_card", 5: "vin"},
    "aaf5": {0: "card", 1: "app", 2: "local_admin"},
}
"""What the start modes of records mean (ykc.md section 2, 0x3B; aaf5.md section 4)."""


def session_row(
    facts: SessionFacts,
    before: CurrentRevision,
    as_of_ms: int,
    stays_since_ms: int | None,
    thresholds: Thresholds,
    versions: dict[int, TariffVersion],
) -> SessionRow:
    """The revision of a session that these facts give at `as_of_ms`; `before` is the one that stands.

    `stays_since_ms`: see `Biller.settle`. Equal facts give an equal digest, whatever the order they came in.
    """
    measured = measure(facts, versions, thresholds)
    begun = bool(facts.last_charging_ms or facts.bill)
    life: Life
    if facts.has_other_number:
        life, verdict = "other_number", Verdict("not_expected", 0)
    elif begun:
        life = life_of(facts, measured, as_of_ms, stays_since_ms, thresholds)
        verdict = bill_verdict(facts, measured, life, before, as_of_ms, stays_since_ms, thresholds)
    else:
        life, verdict = not_begun(facts, before, as_of_ms, stays_since_ms, thresholds)
    stand = Occupancy(False, 0)
    if begun and life != "open" and measured.result.end_ms:
        result = measured.result
        stand = occupancy(
            facts.after,
            result.end_ms,
            facts.pile,
            as_of_ms,
            stays_since_ms,
            thresholds,
            over_since_ms=ended_by(
                facts.record_end_ms if facts.bill else None, result.end_ms, result.end_high_ms, measured.gap_ms
            ),
        )
    rechecks = [moment for moment in (verdict.recheck_ms, stand.recheck_ms) if moment]
    columns = {
        **_identity(facts, measured),
        "thresholds_digest": thresholds.digest(),
        "life": life,
        "recheck_ms": min(rechecks, default=0),
        "stays_since_ms": stays_since_ms or 0,
        "computed_ms": as_of_ms,
        **_start_and_occupancy(facts, stand),
        **measured.columns,
        **_meter(facts, measured, thresholds),
        "overlaps": [tuple(overlap) for overlap in facts.overlaps],
        "bill_number": facts.bill_number,
        "previous_end_e4kwh": facts.previous_end.register_e4kwh,
        "previous_end_ms": facts.previous_end.at_ms,
        "previous_was_over": int(facts.previous_end.was_over),
        **_clock(facts, measured),
        "bill_state": verdict.state,
        **record_columns(facts, thresholds, measured.timeline),
    }
    if life in WITHOUT_BILL:
        columns |= _NOTHING_FINAL
    elif life == "failed_start" and columns["final_energy_e4kwh"] is None:
        # neither the charger nor any reading speaks of energy: a start that failed took nothing
        columns["final_energy_e4kwh"] = 0
    digest = inputs_digest(facts, columns, life)
    return SessionRow(
        key=facts.key,
        revision=before.revision + 1,
        inputs_digest=digest,
        recheck_ms=columns["recheck_ms"],
        start_ms=measured.result.start_ms,
        life=life,
        charging=life == "open" and bool(facts.last_charging_ms),
        thresholds=thresholds,
        columns={**columns, "inputs_digest": digest},
    )


_NOTHING_FINAL: dict[str, Any] = {
    "final_rule": 0,
    "final_energy_e4kwh": None,
    "final_quality": int(Quality.MISSING),
    "slot_start_ms": [],
    "slot_of_day": [],
    "slot_energy_e4kwh": [],
    "slot_tariff_version": [],
    "slot_method": "none",
}


def _identity(facts: SessionFacts, measured: Measured) -> dict[str, Any]:
    """Whose charge it is, and of which day: by its facts alone, never by the clock, so that equal facts stay equal."""
    pile = facts.pile
    at_ms = facts.end_hint_ms or measured.result.end_ms
    return {
        "operator_id": pile.operator_at(at_ms),
        "station_id": pile.station_id,
        "pile_id": pile.pile_id,
        "pile": pile.code,
        "connector": facts.key.connector,
        "trade_no": facts.key.trade_no,
        "zone": pile.zone,
        "protocol": pile.protocol,
        "local_day": _local_day(at_ms, pile.zone),
        "commissioned_ms": pile.commissioned_ms,
        "current_kind": pile.current_kind,
        "occupancy_grace_ms": pile.occupancy_grace_ms,
    }


def _meter(facts: SessionFacts, measured: Measured, thresholds: Thresholds) -> dict[str, Any]:
    meter = measured.meter
    own = measured.result.quantum_e4kwh != meter.profile.quantum_e4kwh
    return {
        "register_kind": meter.profile.register_kind,
        "register_digits": meter.profile.digits,
        "stops_offline_ms": meter.profile.stops_offline_ms,
        "reading_period_ms": thresholds.reading_period_ms,
        "meter_profile_id": facts.learned.profile_id,
        "quantum_source": "session" if own else meter.quantum_source,
        "pmax_source": meter.pmax_source,
        "register_source": meter.register_source,
    }


def _local_day(at_ms: int, zone: str) -> date:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone)).date()


def _start_and_occupancy(facts: SessionFacts, stand: Occupancy) -> dict[str, Any]:
    mode = _start_mode(facts)
    return {
        "start_command_ms": facts.start_command_ms,
        "start_acked": int(facts.start_acked),
        "order_created_ms": facts.start_command_ms,
        "start_mode": max(mode, 0),
        "start_method": START_METHODS[facts.pile.protocol].get(mode, ""),
        "after_ms": facts.after.after_ms,
        "next_start_ms": facts.after.next_start_ms,
        "occupancy_decided": int(stand.decided),
        "unplugged_ms": stand.unplugged_ms,
        "plugged_until_ms": stand.plugged_until_ms,
        "occupancy_from_ms": stand.from_ms,
        "fault_after_end": int(stand.fault),
    }


def _start_mode(facts: SessionFacts) -> int:
    """How the charge was started: by its record, else by its readings, else by the order; -1 = not known."""
    if facts.bill:
        return facts.bill.start_mode
    if facts.told_start_mode >= 0:
        return facts.told_start_mode
    return _PLATFORM_START if facts.start_command_ms else -1


def _clock(facts: SessionFacts, measured: Measured) -> dict[str, Any]:
    until_ms = max(measured.result.end_ms, facts.bill.receive_ms if facts.bill else 0)
    inside = [offset for at_ms, offset in facts.clock_offsets if measured.result.start_ms <= at_ms <= until_ms]
    inside += [-behind for behind in facts.clock_behind_ms if abs(behind) > CLOCKS_AGREE_MS]
    return {
        "clock_offset_ms": max(inside, key=abs, default=0),
        "clock_step_ms": max(inside) - min(inside) if inside else 0,
        "outage_ms": overlap_ms(measured.result.start_ms, measured.result.end_high_ms, facts.outages)
        if measured.result.start_ms
        else 0,
    }
