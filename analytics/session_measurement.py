"""The run of core's calculator over the stored facts of one session."""

from typing import Any

import msgspec

from analytics.meter_profiles import PMAX_PERCENT, MeterInForce, meter_in_force
from analytics.session_facts import SessionFacts
from analytics.thresholds import MINUTE_MS, Thresholds
from core.meter.reading_times import at_times_taken
from core.meter.readings import ReadingArrays, in_order
from core.session import PileBill, SessionInput, SessionResult, evaluate_session
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion

_CLASSES = 4
_CLOCK_PLAY_MS = MINUTE_MS
"""A charger's clock and the platform's differ by less than this when both are right (observed: 3 s)."""


class Measured(msgspec.Struct, frozen=True):
    """What core made of a session: its result, and the result as columns of `session_revisions`."""

    result: SessionResult
    columns: dict[str, Any]
    gap_ms: int
    timeline: TariffTimeline
    meter: MeterInForce

    @property
    def without_energy(self) -> bool:
        """Nothing flowed, by all that is known."""
        return (
            self.result.best_e4kwh == 0
            and not self.result.counter_energy_e4kwh
            and self.result.power_over_1kw_ms == 0
            and not self.result.final_energy_e4kwh
        )


def measure(facts: SessionFacts, versions: dict[int, TariffVersion], thresholds: Thresholds) -> Measured:
    """Measure and decide one session. `versions` are all tariff versions of the platform by their number."""
    meter = meter_in_force(facts)
    profile = msgspec.structs.replace(
        meter.profile,
        pmax_w=meter.profile.pmax_w * thresholds.pmax_percent // PMAX_PERCENT,
        period_ms=thresholds.reading_period_ms,
    )
    timeline = _timeline(facts, versions)
    bill = _pile_bill(facts)
    readings = ReadingArrays.of(**facts.readings, stored=facts.stored)
    if facts.stored is None:
        readings = at_times_taken(readings, bill.told if bill else None)
    result = evaluate_session(
        SessionInput(
            trade_no=facts.key.trade_no,
            profile=profile,
            zone=facts.pile.zone,
            readings=readings,
            timeline=timeline,
            bill=bill,
            after_ms=_over_by_ms(facts, profile.gap_ms, thresholds),
            previous_end_e4kwh=facts.previous_end.register_e4kwh,
            previous_end_ms=max(facts.previous_end.at_ms, 0),
            previous_was_over=facts.previous_end.was_over,
            placed=True,
            comparison=thresholds.comparison,
        )
    )
    columns = {**_columns(result), "begin_missed_e4kwh": _begin_missed_e4kwh(readings, result, profile.register_kind)}
    return Measured(result, columns, profile.gap_ms, timeline, meter)


def _timeline(facts: SessionFacts, versions: dict[int, TariffVersion]) -> TariffTimeline:
    by_date = facts.pile.tariffs
    known = {version.tariff_version_id for version in by_date}
    held = {version_id for _ack_ms, version_id in facts.tariff_acks} - known
    others = tuple(versions[version_id] for version_id in sorted(held) if version_id in versions)
    return TariffTimeline(by_date=by_date, acks=tuple(facts.tariff_acks), others=others)


def _pile_bill(facts: SessionFacts) -> PileBill | None:
    bill = facts.bill
    if bill is None:
        return None
    sharp, peak, flat, valley = (*bill.class_energy_e4kwh, *([0] * _CLASSES))[:_CLASSES]
    return PileBill(
        receive_ms=bill.receive_ms,
        start_ms=bill.start_ms,
        end_ms=bill.end_ms,
        energy_e4kwh=bill.energy_e4kwh,
        class_energy_e4kwh=(sharp, peak, flat, valley),
        meter_start_e4kwh=bill.meter_start_e4kwh,
        meter_end_e4kwh=bill.meter_end_e4kwh,
        half_hour_energy_e4kwh=bill.half_hour_energy_e4kwh,
        loss_energy_e4kwh=bill.loss_energy_e4kwh,
    )


def _over_by_ms(facts: SessionFacts, gap_ms: int, thresholds: Thresholds) -> int:
    """By when the charge was over for sure.

    The connector was heard not to charge, or the bill came: it is never sent before. Where both leave a gap, the end
    on the bill narrows it, by the platform's clock and with some play. A connector that was never heard again is given
    up `offline_ms` after its last reading, a fixed moment, so that waiting longer changes no figure. A charge that
    neither a reading nor a bill shows is over when it was ordered or named.
    """
    last_ms = facts.last_charging_ms
    if not last_ms:
        if facts.bill is None:
            return facts.ordered_ms
        return int(facts.readings["event_ms"].min()) if facts.readings["event_ms"].size else 0
    bill = facts.bill
    known = [moment for moment in (facts.after.after_ms, bill.receive_ms if bill else 0) if moment > last_ms]
    over_ms = min(known, default=0)
    if not over_ms and bill is None:
        return int(facts.readings["receive_ms"].max()) + thresholds.offline_ms
    if bill is not None and over_ms - last_ms > gap_ms and facts.record_end_ms + _CLOCK_PLAY_MS > last_ms:
        return min(over_ms, facts.record_end_ms + _CLOCK_PLAY_MS)
    return over_ms or last_ms


def _begin_missed_e4kwh(readings: ReadingArrays, result: SessionResult, register_kind: str) -> int:
    """What the register had counted of the charge before its first trusted charging reading; 0 where nothing tells.

    The readings are those of the naive figure, in its order and without repetitions. One that lies outside what the
    charge can have counted, as a spike or a false zero does, says nothing of its begin.
    """
    begin_e4kwh = 0 if register_kind == "session" else result.register_start_e4kwh
    if not (begin_e4kwh or register_kind == "session"):
        return 0
    ordered = in_order(readings)
    counted_e4kwh = ordered.readings.counter_e4kwh[ordered.kept & ordered.readings.charging] - begin_e4kwh
    possible = counted_e4kwh[(counted_e4kwh >= 0) & (counted_e4kwh <= result.high_e4kwh)]
    return int(possible[0]) if len(possible) else 0


def _columns(result: SessionResult) -> dict[str, Any]:
    columns: dict[str, Any] = {name: getattr(result, name) for name in result.__struct_fields__}
    for name, value in columns.items():
        if isinstance(value, tuple):
            columns[name] = list(value)
        elif isinstance(value, int):
            columns[name] = int(value)
    return columns
