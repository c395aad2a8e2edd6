"""One session, complete: its readings, the charger's record and the tariff in, everything measured and decided out."""

from typing import NamedTuple

import msgspec

from core.meter.final_figure import PLAIN_COMPARISON, Comparison, FinalFigure, final_figure, net_energy
from core.meter.flags import Flag, Quality, flag_names
from core.meter.measurement import Measurement, RegisterFacts, measure
from core.meter.profile import MeterProfile
from core.meter.reading_times import LONGEST_KEPT_MS, ToldSpan, at_times_taken, told_span
from core.meter.readings import ReadingArrays, standing_registers
from core.session_slots import BillParts, SessionSlots, share_out
from core.tariff import TariffTimeline

RULE_VERSION = 9
"""Stored with each result; raise it when a change of the rules changes results."""

LONGEST_BILL_MS = 36 * 3_600_000  # anomaly-codes.md, code 5
STARTING_AND_STOPPING_MS = 60_000
"""A record spans 13..51 s more than the charging state, because it includes starting and stopping (metering.md)."""


class PileBill(msgspec.Struct, frozen=True):
    """The charger's record of a charge. Times by the charger's clock, 0 = unusable; registers 0 = absent.

    `half_hour_energy_e4kwh`: AAF5, the energy of each half-hour of the local day by the charger's clock; empty: absent.
    """

    receive_ms: int
    start_ms: int
    end_ms: int
    energy_e4kwh: int
    class_energy_e4kwh: tuple[int, int, int, int] = (0, 0, 0, 0)
    meter_start_e4kwh: int = 0
    meter_end_e4kwh: int = 0
    half_hour_energy_e4kwh: tuple[int, ...] = ()
    loss_energy_e4kwh: int = 0

    @property
    def net_energy_e4kwh(self) -> int:
        """Its energy without losses."""
        return net_energy(self.energy_e4kwh, self.loss_energy_e4kwh)

    @property
    def has_times(self) -> bool:
        """Its times can be those of one charge."""
        return self.start_ms > 0 and 0 <= self.end_ms - self.start_ms <= LONGEST_BILL_MS

    @property
    def told(self) -> ToldSpan | None:
        """Its times where they can be true of one charge before it arrived."""
        return told_span(self.start_ms, self.end_ms, self.receive_ms)


class SessionInput(msgspec.Struct, frozen=True):
    """All that is known of one charge.

    `readings`: those of its trade number, in any order; when they were taken is found from the whole of them
    (`core.meter.reading_times`), their `event_ms` and `stored` are not used. `after_ms`: the first moment after the
    last charging reading at which the connector was heard not to charge (for a charger that was never heard again, the
    moment of the decision); 0 = not known. `previous_end_e4kwh`: end register of the connector's previous session,
    0 = not known, `previous_end_ms` when it was read, `previous_was_over`: no charge took more of it
    after that. `placed`: `event_ms` and `stored` of the readings are already
    those of `at_times_taken`, as found with the bill's times where there is one. `comparison`: how the record is held
    against the readings.
    """

    trade_no: str
    profile: MeterProfile
    zone: str
    readings: ReadingArrays
    timeline: TariffTimeline
    bill: PileBill | None = None
    after_ms: int = 0
    previous_end_e4kwh: int = 0
    previous_end_ms: int = 0
    previous_was_over: bool = True
    placed: bool = False
    comparison: Comparison = PLAIN_COMPARISON


class SessionResult(msgspec.Struct, frozen=True):
    """The measurement columns of table `session_revisions`, under the names they have there."""

    rule_version: int
    start_ms: int
    end_ms: int
    end_low_ms: int
    end_high_ms: int
    readings: int
    charging_readings: int
    stored_readings: int
    naive_energy_e4kwh: int
    naive_span_ms: int
    best_e4kwh: int
    low_e4kwh: int
    high_e4kwh: int
    quality: Quality
    flags: tuple[str, ...]
    counter_energy_e4kwh: int | None
    counter_last_ms: int
    register_start_e4kwh: int
    register_end_e4kwh: int
    power_energy_e4kwh: int
    quantum_e4kwh: int
    pmax_w: int
    power_over_1kw_ms: int
    longest_gap_ms: int
    unobserved_start_ms: int
    unobserved_end_ms: int
    final_rule: int
    final_energy_e4kwh: int | None
    final_quality: Quality
    inside_physical_limit: bool
    slot_start_ms: tuple[int, ...]
    slot_of_day: tuple[int, ...]
    slot_energy_e4kwh: tuple[int, ...]
    slot_tariff_version: tuple[int, ...]
    slot_method: str
    tariff_stale: bool


class _Window(NamedTuple):
    """When the charge took place, by the readings, else by the record, else when the record came."""

    began_ms: int
    start_ms: int
    end_ms: int
    end_high_ms: int
    longest_ms: int


def evaluate_session(session: SessionInput) -> SessionResult:
    """Measure and decide one session. Equal sets of inputs give equal results, whatever their order.

    Repeated readings change no figure; they only add the flag DUP and count in `readings`.
    """
    session = _as_measured(session)
    measured = _measure(session)
    window = _window(session, measured)
    figure = final_figure(
        measured,
        session.bill.net_energy_e4kwh if session.bill else None,
        session.profile,
        duration_ms=window.longest_ms,
        end_high_ms=window.end_high_ms,
        comparison=session.comparison,
    )
    slots = share_out(
        measured,
        figure.energy_e4kwh,
        window=(window.start_ms if not measured.first_ms else measured.began_ms, window.end_ms),
        parts=_own_parts(session.bill, figure),
        zone=session.zone,
        timeline=session.timeline,
    )
    return _result(session, measured, window, figure, slots)


def measure_session(session: SessionInput) -> Measurement:
    """The measurement alone, with its curves: reported, accepted, flags (for the evidence page)."""
    return _measure(_as_measured(session))


def _as_measured(session: SessionInput) -> SessionInput:
    told = session.bill.told if session.bill else None
    readings = session.readings if session.placed else at_times_taken(session.readings, told)
    profile = session.profile
    if not profile.is_certain:
        profile = profile.as_counted(standing_registers(readings), flowing=bool(readings.power_w.any()))
    return msgspec.structs.replace(session, readings=readings, profile=profile)


def _measure(session: SessionInput) -> Measurement:
    bill = session.bill
    has_readings = bool(session.readings.charging.any())
    use_bill_times = not has_readings and bill is not None and bill.has_times
    return measure(
        session.readings,
        session.profile,
        began_ms=bill.start_ms if use_bill_times and bill else 0,
        end_high_ms=bill.end_ms if use_bill_times and bill else session.after_ms,
        register=RegisterFacts(
            session.previous_end_e4kwh,
            bill.meter_start_e4kwh if bill else 0,
            session.previous_end_ms,
            session.previous_was_over,
        ),
    )


def _window(session: SessionInput, measured: Measurement) -> _Window:
    bill = session.bill
    if measured.first_ms:
        end_high_ms = max(session.after_ms, measured.last_ms)
        longest_ms = end_high_ms - measured.began_ms + STARTING_AND_STOPPING_MS
        return _Window(measured.began_ms, measured.first_ms, measured.last_ms, end_high_ms, longest_ms)
    if bill and bill.has_times:
        return _Window(bill.start_ms, bill.start_ms, bill.end_ms, bill.end_ms, bill.end_ms - bill.start_ms)
    if bill and not (bill.start_ms and bill.end_ms):
        # Nothing tells how long the charge lasted, so that only the longest of all refutes its energy.
        at_ms = bill.end_ms if 0 < bill.end_ms <= bill.receive_ms <= bill.end_ms + LONGEST_KEPT_MS else bill.receive_ms
        return _Window(at_ms, at_ms, at_ms, at_ms, LONGEST_BILL_MS)
    at_ms = bill.receive_ms if bill else session.after_ms
    return _Window(at_ms, at_ms, at_ms, at_ms, 0)


def _own_parts(bill: PileBill | None, figure: FinalFigure) -> BillParts | None:
    """The bill's parts go with the bill's energy (rule 1: "with the bill's own parts")."""
    if bill is None or figure.rule != 1:
        return None
    window = (bill.start_ms, bill.end_ms) if bill.has_times else None
    return BillParts(bill.class_energy_e4kwh, bill.half_hour_energy_e4kwh, window)


def _flags(session: SessionInput, measured: Measurement, slots: SessionSlots) -> Flag:
    flags = measured.flags
    if session.readings.stored.any():
        flags |= Flag.STORED
    if slots.tariff_stale:
        flags |= Flag.TARIFF_STALE
    return flags


def _result(
    session: SessionInput, measured: Measurement, window: _Window, figure: FinalFigure, slots: SessionSlots
) -> SessionResult:
    return SessionResult(
        rule_version=RULE_VERSION,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        end_low_ms=window.end_ms,
        end_high_ms=window.end_high_ms,
        readings=len(session.readings),
        charging_readings=measured.charging_readings,
        stored_readings=measured.stored_readings,
        naive_energy_e4kwh=measured.naive_e4kwh,
        naive_span_ms=measured.naive_span_ms,
        best_e4kwh=measured.best_e4kwh,
        low_e4kwh=measured.low_e4kwh,
        high_e4kwh=measured.high_e4kwh,
        quality=measured.quality,
        flags=tuple(flag_names(int(_flags(session, measured, slots)))),
        counter_energy_e4kwh=measured.counter_e4kwh,
        counter_last_ms=measured.counter_last_ms,
        register_start_e4kwh=measured.register_start_e4kwh,
        register_end_e4kwh=measured.register_end_e4kwh,
        power_energy_e4kwh=measured.power_e4kwh,
        quantum_e4kwh=session.profile.quantum_e4kwh,
        pmax_w=session.profile.pmax_w,
        power_over_1kw_ms=measured.power_over_1kw_ms,
        longest_gap_ms=measured.longest_gap_ms,
        unobserved_start_ms=max(0, window.start_ms - window.began_ms - STARTING_AND_STOPPING_MS),
        unobserved_end_ms=window.end_high_ms - window.end_ms,
        final_rule=figure.rule,
        final_energy_e4kwh=figure.energy_e4kwh,
        final_quality=figure.quality,
        inside_physical_limit=figure.inside_physical_limit,
        slot_start_ms=tuple(slots.slot_start_ms),
        slot_of_day=tuple(slots.slot_of_day),
        slot_energy_e4kwh=tuple(slots.energy_e4kwh),
        slot_tariff_version=tuple(slots.tariff_version_ids),
        slot_method=slots.method,
        tariff_stale=slots.tariff_stale,
    )
