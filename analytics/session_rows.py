"""From the facts of one session to the row of its revision."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from analytics.class_mask import ALL_CLASSES, ALL_HALF_HOURS, bill_class_mask, bill_half_hour_mask
from analytics.missing_bill import Verdict, judge_missing_bill
from analytics.occupancy import Occupancy, ended_by, occupancy
from analytics.session_facts import CHARGING, SessionFacts, SessionKey, overlap_ms
from analytics.session_measurement import Measured, measure
from analytics.thresholds import MINUTE_MS, Thresholds
from core.meter.device_times import CLOCKS_AGREE_MS, LONGEST_KEPT_MS, STORED_LAG_MS
from core.meter.flags import Quality
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion

LONGEST_FAILED_START_MS = 5 * MINUTE_MS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLATFORM_START = 1
"""In either protocol: by app, through the platform."""
_START_METHODS: dict[str, dict[int, str]] = {
    "ykc": {1: "app", 2: "card", 4: "offline_card", 5: "vin"},
    "aaf5": {0: "card", 1: "app", 2: "local_admin"},
}
"""What the start modes of records mean (ykc.md section 2, 0x3B; aaf5.md section 4)."""
_LATEST_ANSWER_MS = 3 * MINUTE_MS
_NOT_INPUTS = frozenset(
    (
        *("computed_ms", "recheck_ms", "stays_since_ms"),
        # These came after the first version and follow from what was there: their inputs are in the digest already.
        *("start_method", "stored_readings", "register_start_e4kwh", "register_end_e4kwh", "bill_half_hour_mask"),
        *("quantum_source", "pmax_source", "register_source"),
    )
)
_RULES_OF_CODES_AND_MONEY = 2
"""Stands in the digest for the version of the rules. A rule of core that gives other figures is seen by the figures,
which are in the digest; raise this where `codes.sql` or `bill.sql` must look again at sessions whose figures stay."""
_LATER_INPUTS: dict[str, Any] = {
    "bill_duration_s": 0,
    "bill_half_hour_e4kwh": [],
    "bill_loss_energy_e4kwh": 0,
    "bill_number": "",
    "bill_stored": 0,
    "meter_profile_id": 0,
    "overlaps": [],
    "previous_end_e4kwh": 0,
    "previous_end_ms": -1,
    "protocol": "ykc",
    "register_digits": 0,
    "register_kind": "session",
}
"""Inputs that the first version did not know, each with what it is where there is nothing new to it. Such a one is not
in the digest, so that sessions which the first version billed get no second revision from a later one."""

Life = Literal["open", "ended", "ended_offline", "failed_start", "other_number"]
_WITHOUT_BILL = ("open", "other_number")


class CurrentRevision(NamedTuple):
    """What stands of a session now; revision 0 = nothing yet."""

    revision: int = 0
    inputs_digest: int = 0
    start_ms: int = 0
    life: str = ""
    bill_state: str = ""
    stays_since_ms: int = 0
    computed_ms: int = 0
    overlaps: Sequence[tuple[int, int, str]] = ()
    bill_key: tuple[int, int, str] = (0, 0, "")
    is_final: bool = False
    meter_profile_id: int = 0

    @property
    def touched(self) -> dict[SessionKey, int]:
        """The charges on which this revision bears: those in its time, and the number under which its record came."""
        others = [*self.overlaps, self.bill_key] if self.bill_key[2] else self.overlaps
        return {SessionKey(*key): self.start_ms or self.computed_ms for key in others}


class SessionRow(msgspec.Struct, frozen=True):
    """A row for `session_revisions`: `columns` lacks only revision and batch_id. `charging`: it is seen to go on."""

    key: SessionKey
    revision: int
    inputs_digest: int
    recheck_ms: int
    start_ms: int
    life: Life
    charging: bool
    thresholds: Thresholds
    columns: dict[str, Any]


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
        life = _life(facts, measured, as_of_ms, stays_since_ms, thresholds)
        verdict = _bill_verdict(facts, measured, life, before, as_of_ms, stays_since_ms, thresholds)
    else:
        life, verdict = _not_begun(facts, before, as_of_ms, stays_since_ms, thresholds)
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
        **_meter(facts, measured),
        "overlaps": [tuple(overlap) for overlap in facts.overlaps],
        "bill_number": facts.bill_number,
        "previous_end_e4kwh": facts.previous_end.register_e4kwh,
        "previous_end_ms": facts.previous_end.at_ms,
        **_clock(facts, measured),
        "bill_state": verdict.state,
        **_bill(facts, thresholds, measured.timeline),
    }
    if life in _WITHOUT_BILL:
        columns |= _NOTHING_FINAL
    elif life == "failed_start" and columns["final_energy_e4kwh"] is None:
        # neither the charger nor any reading speaks of energy: a start that failed took nothing
        columns["final_energy_e4kwh"] = 0
    digest = _digest(facts, columns, life)
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


def _life(
    facts: SessionFacts, measured: Measured, as_of_ms: int, stays_since_ms: int | None, thresholds: Thresholds
) -> Life:
    last_ms = facts.last_charging_ms
    ended_ms = min((moment for moment in _ends(facts) if moment > last_ms), default=0)
    if last_ms and not ended_ms:
        silent_ms = as_of_ms - int(facts.readings["receive_ms"].max())
        return "open" if silent_ms < thresholds.offline_ms and stays_since_ms is None else "ended_offline"
    took_nothing = measured.without_energy and not (facts.bill and facts.bill.energy_e4kwh)
    if took_nothing and measured.result.end_ms - measured.result.start_ms <= LONGEST_FAILED_START_MS:
        return "failed_start"
    if last_ms and ended_ms - last_ms > measured.gap_ms:
        return "ended_offline"
    return "ended"


def _ends(facts: SessionFacts) -> tuple[int, ...]:
    """Moments at which the charge is known to be over, 0 = unknown; a bill is never sent before."""
    return (facts.after.after_ms, max(facts.bill.receive_ms, facts.last_charging_ms + 1) if facts.bill else 0)


def _bill_verdict(
    facts: SessionFacts,
    measured: Measured,
    life: Life,
    before: CurrentRevision,
    as_of_ms: int,
    stays_since_ms: int | None,
    thresholds: Thresholds,
) -> Verdict:
    if facts.bill is not None:
        return Verdict("present", 0)
    if life == "open":
        last_heard_ms = int(facts.readings["receive_ms"].max())
        return Verdict("waiting", last_heard_ms + thresholds.offline_ms)
    return _missing_bill(
        facts,
        measured.result.end_ms,
        before,
        as_of_ms,
        stays_since_ms,
        thresholds,
        proof_of_start=_proof_of_start(facts) and life != "failed_start",
    )


def _not_begun(
    facts: SessionFacts, before: CurrentRevision, as_of_ms: int, stays_since_ms: int | None, thresholds: Thresholds
) -> tuple[Life, Verdict]:
    """What is to be thought of a charge that was ordered or named, while neither a reading nor a bill shows it.

    It may begin at any moment until a bill would be overdue (codes 1 and 2). Then the start failed, unless the charger
    said yes and nothing shows that the connector stood idle: what that charge took is not known.
    """
    verdict = _missing_bill(
        facts,
        facts.ordered_ms,
        before,
        as_of_ms,
        stays_since_ms,
        thresholds,
        proof_of_start=facts.start_acked and not _stood_idle(facts) and not _has_another_number(facts),
    )
    lives: dict[str, Life] = {"lost": "ended", "lost_offline": "ended_offline", "not_expected": "failed_start"}
    return lives.get(verdict.state, "open"), verdict


def _stood_idle(facts: SessionFacts) -> bool:
    """Whether the connector was seen without this charge for longer than a start takes."""
    after, own = facts.after, facts.readings["event_ms"]
    seen_ms = max(after.plugged_until_ms, after.unplugged_ms, after.next_start_ms, int(own.max()) if own.size else 0)
    return seen_ms - facts.ordered_ms > LONGEST_FAILED_START_MS


def _has_another_number(facts: SessionFacts) -> bool:
    """Whether the charge that was ordered runs under a number of the charger's own (aaf5.md, cmd 7: "serial")."""
    begun_ms = facts.after.next_start_ms
    return facts.pile.protocol == "aaf5" and 0 <= begun_ms - facts.ordered_ms <= _LATEST_ANSWER_MS


def _missing_bill(
    facts: SessionFacts,
    end_ms: int,
    before: CurrentRevision,
    as_of_ms: int,
    stays_since_ms: int | None,
    thresholds: Thresholds,
    *,
    proof_of_start: bool,
) -> Verdict:
    if before.bill_state == "lost":
        return Verdict("lost", 0)
    heard = facts.heard
    if stays_since_ms is not None and heard and not _silent_while_charging(facts, thresholds):
        online_at_last = stays_since_ms - heard[-1][1] < thresholds.offline_ms
        heard = [*heard[:-1], (heard[-1][0], as_of_ms)] if online_at_last else heard
    return judge_missing_bill(
        end_ms=end_ms,
        heard=heard,
        outages=facts.outages,
        as_of_ms=as_of_ms,
        proof_of_start=proof_of_start,
        thresholds=thresholds,
    )


def _silent_while_charging(facts: SessionFacts, thresholds: Thresholds) -> bool:
    """Whether the last that was heard of the whole charger is this session's charging."""
    if facts.after.after_ms or not facts.last_charging_ms:
        return False
    return facts.heard[-1][1] - int(facts.readings["receive_ms"].max()) <= thresholds.silence_ms


def _proof_of_start(facts: SessionFacts) -> bool:
    return facts.start_acked or int(np.count_nonzero(facts.readings["state"] == CHARGING)) >= 2


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


def _meter(facts: SessionFacts, measured: Measured) -> dict[str, Any]:
    meter = measured.meter
    own = measured.result.quantum_e4kwh != meter.profile.quantum_e4kwh
    return {
        "register_kind": meter.profile.register_kind,
        "register_digits": meter.profile.digits,
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
        "start_method": _START_METHODS[facts.pile.protocol].get(mode, ""),
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


def _bill(facts: SessionFacts, thresholds: Thresholds, timeline: TariffTimeline) -> dict[str, Any]:
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


def _digest(facts: SessionFacts, columns: dict[str, Any], life: Life) -> int:
    """A number for the inputs of a revision. A charge under way gets one when it begins, and none with each reading."""
    if life in _WITHOUT_BILL:
        stage = "ordered" if life == "open" and not facts.last_charging_ms else life
        inputs: list[Any] = [facts.key, stage, columns["operator_id"], _RULES_OF_CODES_AND_MONEY]
        return _hash(msgspec.msgpack.encode(inputs))
    columns = {**columns, "rule_version": _RULES_OF_CODES_AND_MONEY}
    inputs = [columns[name] for name in sorted(columns.keys() - _NOT_INPUTS - _LATER_INPUTS.keys())]
    inputs += [(name, columns[name]) for name, nothing in _LATER_INPUTS.items() if columns[name] != nothing]
    return _hash(msgspec.msgpack.encode(inputs), _canonical_readings(facts))


def _canonical_readings(facts: SessionFacts) -> bytes:
    """The different readings in their one order (by each column in turn), as bytes."""
    columns = list(facts.readings.values())
    event_ms = columns[0]
    rows = np.stack(columns, axis=1)
    if (event_ms[1:] > event_ms[:-1]).all():  # as nearly all are: no two alike, and in that order already
        return rows.tobytes()
    rows = rows[np.lexsort(columns[::-1])]
    differs = np.ones(len(rows), dtype=np.bool_)
    differs[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return rows[differs].tobytes()


def _hash(*parts: bytes) -> int:
    return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "big")
