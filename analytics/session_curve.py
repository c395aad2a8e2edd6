"""The curve of one session: what its meter reported, and what the calculator of `core.meter` accepts of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from clickhouse_driver import Client

from analytics.questions import Answer, Scope, ask
from analytics.register_facts import LAST_WORDS_MS
from analytics.session_window import window_of
from core.meter.flags import Flag, flag_names
from core.meter.intervals import Intervals
from core.meter.measurement import RegisterFacts, measure
from core.meter.profile import REGISTER_KINDS, MeterProfile
from core.meter.reading_times import FAR_MS, ToldSpan, at_times_taken, told_span
from core.meter.readings import ReadingArrays, in_order
from core.session_number import session_halves

_REPEATED = np.uint32(Flag.DUP)


class SessionCurve(msgspec.Struct, frozen=True, eq=False):
    """One value per stored reading, in the order of event time; all arrays have the same length.

    `reported_e4kwh` is the register as sent, `accepted_e4kwh` the energy accepted up to and with this reading, `flags`
    the bits of `core.meter.flags.Flag` that it raised. `intervals`: what the calculator made of the steps between the
    trusted ones, from the begin of the charge to its latest possible end. `gap_ms`: a longer silence is a gap;
    `quantum_e4kwh`: the smallest step of the meter. `register_start_e4kwh`: where an absolute register stood when the
    charge began, 0 for a counter; `told_start_e4kwh`: what the charger said of that, 0 = nothing.
    """

    event_ms: npt.NDArray[np.int64]
    reported_e4kwh: npt.NDArray[np.int64]
    accepted_e4kwh: npt.NDArray[np.int64]
    power_w: npt.NDArray[np.int64]
    flags: npt.NDArray[np.uint32]
    intervals: Intervals
    gap_ms: int
    quantum_e4kwh: int
    register_start_e4kwh: int = 0
    told_start_e4kwh: int = 0

    @property
    def counted_e4kwh(self) -> npt.NDArray[np.int64]:
        """What the meter counted of this charge by its own word; a register below its begin gives 0."""
        return np.maximum(self.reported_e4kwh - self.register_start_e4kwh, 0)

    def __len__(self) -> int:
        return len(self.event_ms)

    def gaps(self) -> list[tuple[int, int]]:
        """The silences longer than the calculator allows, as (last moment before, first moment after)."""
        steps = np.flatnonzero(np.diff(self.event_ms) > self.gap_ms)
        return [(int(self.event_ms[i]), int(self.event_ms[i + 1])) for i in steps]

    def silences(self) -> list[tuple[int, int]]:
        """The gaps, and what lies unseen before the first and behind the last charging reading."""
        long = np.flatnonzero(self.intervals.to_ms - self.intervals.from_ms > self.gap_ms)
        return [(int(self.intervals.from_ms[i]), int(self.intervals.to_ms[i])) for i in long]

    def marked(self) -> npt.NDArray[np.intp]:
        """The places of readings that raised a flag; one that only came twice is nothing to look at."""
        return np.flatnonzero(self.flags & ~_REPEATED)

    def flags_at(self, place: int) -> list[str]:
        """The names of the flags that the reading at that place raised."""
        return flag_names(int(self.flags[place]))


def session_curve(client: Client, scope: Scope, session: Mapping[str, Any]) -> SessionCurve:
    """The curve of the session whose current row of `session_revisions` is given.

    Uses the meter profile on that row, so that the curve ends at the energy that the row states. A session without
    readings gives an empty curve. Raises what the database client raises.
    """
    trade_hi, trade_lo = session_halves(session["trade_no"])
    from_ms, to_ms = window_of(session)
    answer = ask(
        client,
        "session_readings",
        scope,
        pile_id=session["pile_id"],
        connector=session["connector"],
        trade_hi=trade_hi,
        trade_lo=trade_lo,
        from_ms=from_ms,
        to_ms=to_ms,
    )
    kind = session["register_kind"]
    profile = MeterProfile(
        register_kind=kind if kind in REGISTER_KINDS else "session",
        quantum_e4kwh=max(1, session["quantum_e4kwh"]),
        pmax_w=max(1, session["pmax_w"]),
        digits=session["register_digits"],
        period_ms=session["reading_period_ms"],
        stops_offline_ms=session["stops_offline_ms"],
    )
    told = told_span(session["bill_start_ms"], session["bill_end_ms"], session["bill_receive_ms"])
    register = RegisterFacts(
        session["previous_end_e4kwh"],
        session["bill_meter_start_e4kwh"],
        max(session["previous_end_ms"], 0),
        bool(session["previous_was_over"]),
    )
    repeats = session["protocol"] == "aaf5"
    readings = readings_of(answer, absolute=repeats and kind != "session")
    return curve_of_readings(
        without_later_words(readings) if repeats else readings,
        profile,
        told if session["has_bill"] else None,
        register,
        0 if session["life"] == "open" else session["end_high_ms"],
    )


def readings_of(answer: Answer, *, absolute: bool = False) -> ReadingArrays:
    """The rows of question `session_readings` as columns; `absolute`: measured by the absolute register."""
    return ReadingArrays.of(
        answer.column("event_ms"),
        answer.column("register_e4kwh" if absolute else "energy_e4kwh"),
        receive_ms=answer.column("receive_ms"),
        state=answer.column("state"),
        plugged=answer.column("plugged"),
        power_w=answer.column("power_w"),
        charge_minutes=answer.column("charge_minutes"),
        seq=answer.column("seq"),
        stored=answer.column("stored"),
        start_ms=answer.column("start_ms"),
        duration_s=answer.column("duration_s"),
        before_e4kwh=answer.column("register_before_e4kwh"),
        session_e4kwh=answer.column("energy_e4kwh"),
    )


def without_later_words(readings: ReadingArrays) -> ReadingArrays:
    """The charging readings, and what the charger said of the end right after it (`analytics.register_facts`)."""
    placed = at_times_taken(readings)
    last_ms = int(placed.event_ms[placed.charging].max(initial=0))
    after = ~placed.charging & (placed.receive_ms > last_ms)
    first_ms = int(placed.receive_ms[after].min(initial=FAR_MS - LAST_WORDS_MS))
    return readings.take(placed.charging | (after & (placed.receive_ms <= first_ms + LAST_WORDS_MS)))


def curve_of_readings(
    readings: ReadingArrays,
    profile: MeterProfile,
    told: ToldSpan | None = None,
    register: RegisterFacts | None = None,
    end_high_ms: int = 0,
) -> SessionCurve:
    """The curve of the readings of one session, given in any order; `told`: its times by the charger's record.

    Each stands at the time that the bill takes it for, not at the one that the gateway stored. `register`: for absolute
    registers. `end_high_ms`: the latest possible end of the charge, 0 = it goes on.
    """
    readings = at_times_taken(readings, told)
    measured = measure(readings, profile, register=register, end_high_ms=end_high_ms)
    ordered = in_order(readings).readings
    return SessionCurve(
        event_ms=measured.event_ms,
        reported_e4kwh=measured.reported_e4kwh,
        accepted_e4kwh=measured.accepted_e4kwh,
        power_w=ordered.power_w,
        flags=measured.reading_flags | ordered.stored.astype(np.uint32) * np.uint32(Flag.STORED),
        intervals=measured.intervals,
        gap_ms=profile.gap_ms,
        quantum_e4kwh=profile.quantum_e4kwh,
        register_start_e4kwh=measured.register_start_e4kwh,
        told_start_e4kwh=int(readings.before_e4kwh[readings.charging].max(initial=0)),
    )
