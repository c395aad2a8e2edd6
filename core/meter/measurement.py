"""The measurement of one session: its complete readings through the calculator, and the interval of the result."""

import msgspec
import numpy as np
import numpy.typing as npt

from core.meter.calculator import MeterCalculator
from core.meter.charger_words import (
    begin_ms,
    counted_at,
    own_count,
    stands_above_zero,
    start_told,
    took_whole_register,
    unread_end,
)
from core.meter.flags import Flag, Quality
from core.meter.intervals import Intervals, quality_of
from core.meter.lasting_steps import jumps, lasting_steps, losses_in_backlog, widen
from core.meter.measured_figure import Begin, MeasuredFigure, too_many_jumps
from core.meter.measured_figure import RegisterFacts as RegisterFacts  # callers of measure() need it
from core.meter.mute_words import mute_at_begin, name_mute_words, without_mute_words
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import Int64s, OrderedReadings, ReadingArrays, in_order
from core.meter.scale import AS_SHOWN, Scale, profile_in_unit, scale_of, scaled
from core.meter.seen_power import flowed_before, lacking, seen_steps

STRONG_POWER_W = 1_000
MORE_ROWS = 4  # the calculator's own three, and one at each end

NOT_TRUSTED = np.uint32(Flag.DUP | Flag.CONFLICT | Flag.SPIKE | Flag.ZERO_READ)
FALSE_WORD = Flag.SPIKE | Flag.ZERO_READ
NO_COUNT = np.zeros(0, dtype=np.int64)


class Measurement(msgspec.Struct, frozen=True, eq=False):
    """What the platform measured. Energies are 1e-4 kWh and lie in [low, high] with `best` as the proven figure.

    `began_ms`: when the charge began as far as the readings tell. `first_ms`, `last_ms`: first and last charging
    reading, both 0 when there is none. `counter_e4kwh`: the session counter at its last trusted reading, which is of
    `counter_last_ms`; None without a reading, and for absolute registers unless the charger counts the charge by
    itself. `register_*`: where an absolute register stood at the begin and at the end, both 0 when it is not known.
    `naive_*`: last minus first, zeros and jumps included; a charger that says of its absolute register that the charge
    took all of it began at 0. The arrays cover all readings in the order of event time: as reported, as accepted, with
    their flags. `intervals` are the steps between the trusted ones. `unproven_e4kwh`: what power or the charger's own
    count say was delivered while the register rested; part of it is estimated, part only covered by `high`.
    `seen_power_e4kwh` is the integral of power without silences, `unseen_power_ms` how long those lasted between the
    first and the last reading, `last_power_w` the power when it was told for the last time, `heard_until_ms`, and
    `unread_e4kwh` what flowed by power until then after the register's last word. `unexplained_e4kwh`: of the best
    figure, what the register rose in single steps beyond what power can have brought. `jumped_e4kwh`: what it rose in
    jumps, and beyond power since it was last known before the charge, which the best figure leaves out;
    `flowed_in_jumps_e4kwh` what power says of the time of jumps, Pmax where it says nothing.
    `short_by_e4kwh`: by how much the counter may have been short at its last reading, by what flowed since it rose.
    `fallen_e4kwh`: by how much the proven figure exceeds the way from the first value of the register to the last one.
    """

    best_e4kwh: int
    low_e4kwh: int
    high_e4kwh: int
    quality: Quality
    flags: Flag
    segments: int
    charging_readings: int
    stored_readings: int
    began_ms: int
    first_ms: int
    last_ms: int
    trusted_until_ms: int
    counter_e4kwh: int | None
    counter_last_ms: int
    register_start_e4kwh: int
    register_end_e4kwh: int
    power_e4kwh: int
    power_over_1kw_ms: int
    longest_gap_ms: int
    naive_e4kwh: int
    naive_span_ms: int
    event_ms: npt.NDArray[np.int64]
    reported_e4kwh: npt.NDArray[np.int64]
    accepted_e4kwh: npt.NDArray[np.int64]
    reading_flags: npt.NDArray[np.uint32]
    trusted: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int64]
    unproven_e4kwh: int = 0
    seen_power_e4kwh: int = 0
    unseen_power_ms: int = 0
    last_power_w: int = 0
    heard_until_ms: int = 0
    unread_e4kwh: int = 0
    unexplained_e4kwh: int = 0
    jumped_e4kwh: int = 0
    flowed_in_jumps_e4kwh: int = 0
    short_by_e4kwh: int = 0
    fallen_e4kwh: int = 0

    @property
    def intervals(self) -> Intervals:
        """The steps from the begin of the charge to its latest possible end."""
        return Intervals.of_rows(self.steps)


def measure(
    readings: ReadingArrays,
    profile: MeterProfile,
    *,
    began_ms: int = 0,
    end_high_ms: int = 0,
    register: RegisterFacts | None = None,
) -> Measurement:
    """Measure one session from all its readings, given in any order and with any repetitions.

    `began_ms`: begin of the charge, 0 = take it from the readings. `end_high_ms`: the latest possible end; the time
    between the last trusted reading and then is unobserved and widens the interval upwards (TAIL_GAP beyond a gap's
    length). `register`: for absolute registers.
    """
    heard = in_order(readings)
    ordered = without_mute_words(heard, profile)
    all_readings = ordered.readings
    all_charge = all_readings.charging
    kept = all_readings if ordered.all_kept else all_readings.take(ordered.kept)
    kept_charge = all_charge if ordered.all_kept else kept.charging
    charging = np.flatnonzero(ordered.kept & all_charge)
    facts = register or RegisterFacts()
    if not len(charging):
        return _nothing_measured(ordered, profile, began_ms, end_high_ms)
    first_heard, last = int(np.argmax(heard.kept & all_charge)), int(charging[-1])
    first_ms, last_ms = int(all_readings.event_ms[charging[0]]), int(all_readings.event_ms[last])
    if not began_ms:
        began_ms = begin_ms(all_readings, first_heard, profile)
    told_start = start_told(kept, kept_charge) if profile.register_kind != "session" else 0
    charged = kept if kept_charge.all() else kept.take(kept_charge)
    scale = scale_of(charged, profile, told_start, facts.previous_end_e4kwh)
    if scale != AS_SHOWN:
        return _in_another_unit(readings, profile, scale, began_ms, end_high_ms, facts)
    count = own_count(kept, kept_charge, profile)
    calculator = MeterCalculator(profile, began_ms, stands_above_zero(charged, began_ms, facts, told_start, profile))
    calculator.told_start(began_ms, told_start)
    accepted, flags, rows, filled = _run(calculator, kept, count)
    if ordered.all_kept:
        flags |= ordered.flags
    else:
        flags = _spread(flags, ordered)
        accepted = np.concatenate((np.zeros(1, dtype=np.int64), accepted))[np.cumsum(ordered.kept)]
    raised = flags & NOT_TRUSTED
    unquestioned = ordered.kept & all_charge & (raised == 0)
    is_valid = calculator.has_reference and (filled > 0 or bool(unquestioned.any()))
    value_ms, shown = calculator.baseline_ms, 0
    if profile.register_kind == "session":
        value_ms, shown = _first_rise(rows[1 : 1 + filled], began_ms)
    begin = Begin(
        began_ms,
        first_ms,
        last_ms,
        counted_at(kept, count, calculator.baseline_ms),
        flowed_before(charged, began_ms, value_ms),
        shown_e4kwh=shown,
        peak_w=int(charged.power_w.max()),
        is_mute=mute_at_begin(ordered),
    )
    seen = seen_steps(charged, rows[1 : 1 + filled], profile)
    figure = MeasuredFigure(calculator, profile, facts, begin, max(end_high_ms, last_ms), seen, is_valid)
    steps = figure.with_both_ends(rows, filled)
    if calculator.forgiven:
        accepted = _without_forgiven(steps, all_readings.event_ms)
    elif figure.baseline_extra:
        accepted = accepted + figure.baseline_extra
    kept_flags = flags if ordered.all_kept else flags[ordered.kept]
    lasting = lasting_steps(kept, kept_flags, kept_charge, profile, figure.best, steps) if is_valid else []
    if is_valid:
        lasting += losses_in_backlog(ordered, kept, flags, profile, figure.best, steps)
    not_certain = widen(steps, lasting, kept)
    if lasting:
        flags[np.flatnonzero(ordered.kept)[[step.place for step in lasting]]] |= np.uint32(Flag.AMBIGUOUS)
    name_mute_words(steps, ordered)
    jumped = jumps(charged, steps, profile)
    session_flags = figure.flags | int(np.bitwise_or.reduce(flags))
    trusted = unquestioned | (np.diff(accepted, prepend=0) > 0)
    if too_many_jumps(flags, len(charging)):
        session_flags |= Flag.POWER_RATING_DOUBTFUL
    naive_e4kwh = int(all_readings.counter_e4kwh[last] - all_readings.counter_e4kwh[first_heard])
    if count is None and took_whole_register(charged, profile):
        naive_e4kwh = int(all_readings.counter_e4kwh[last])
        if naive_e4kwh > profile.energy_at_pmax(last_ms - began_ms + profile.time_tolerance_ms):
            session_flags |= Flag.ZERO_BASELINE
    short_by = _short_by(kept, kept_flags, count, profile)
    unread = unread_end(charged, calculator.reference_ms if is_valid else began_ms, calculator.reference_value)
    seen_e4kwh = calculator.seen_power_energy_e4kwh
    lacks = lacking(figure.best, short_by, seen_e4kwh, calculator.power_energy_e4kwh - seen_e4kwh, profile)
    if lacks:
        session_flags |= Flag.STANDSTILL
    counter, counter_ms = _counter(kept, count, profile, began_ms, calculator if is_valid else None)
    is_register = profile.register_kind != "session" and is_valid
    return Measurement(
        best_e4kwh=figure.best,
        # What stays of a rise that power excludes is not certain twice: the calculator may have left out part of it.
        low_e4kwh=max(0, figure.low - max(0, not_certain.most_risen_e4kwh - calculator.unsure_low_e4kwh)),
        high_e4kwh=figure.high + not_certain.most_missed_e4kwh + lacks,
        quality=quality_of(
            session_flags & ~Flag.LATE_BASELINE if profile.register_kind == "session" else session_flags
        ),
        flags=Flag(session_flags),
        segments=calculator.segments,
        charging_readings=len(charging),
        stored_readings=int(np.count_nonzero(kept.stored)),
        began_ms=began_ms,
        first_ms=first_ms,
        last_ms=last_ms,
        trusted_until_ms=calculator.reference_ms,
        counter_e4kwh=counter,
        counter_last_ms=counter_ms,
        register_start_e4kwh=calculator.baseline_value - figure.baseline_extra if is_register else 0,
        register_end_e4kwh=calculator.reference_value if is_register else 0,
        power_e4kwh=calculator.power_energy_e4kwh,
        power_over_1kw_ms=_strong_power_ms(charged, profile),
        longest_gap_ms=calculator.longest_gap_ms,
        naive_e4kwh=naive_e4kwh,
        naive_span_ms=last_ms - int(all_readings.event_ms[first_heard]),
        event_ms=all_readings.event_ms,
        reported_e4kwh=all_readings.counter_e4kwh,
        accepted_e4kwh=accepted,
        reading_flags=flags,
        trusted=trusted,
        steps=steps,
        unproven_e4kwh=calculator.frozen_e4kwh
        + calculator.rested_e4kwh
        + not_certain.missed_e4kwh
        + figure.missed_at_begin
        + lacks,
        seen_power_e4kwh=seen_e4kwh,
        unseen_power_ms=calculator.gaps_ms,
        last_power_w=unread.power_w,
        heard_until_ms=unread.heard_until_ms,
        unread_e4kwh=unread.flowed_e4kwh,
        unexplained_e4kwh=max(_unexplained(calculator, kept, kept_flags), not_certain.risen_e4kwh)
        + figure.unexplained_at_begin,
        jumped_e4kwh=jumped.risen_e4kwh + figure.excluded_at_begin,
        flowed_in_jumps_e4kwh=jumped.flowed_e4kwh,
        short_by_e4kwh=short_by,
        fallen_e4kwh=max(
            0, figure.proven - figure.baseline_extra - calculator.reference_value + calculator.baseline_value
        ),
    )


def _first_rise(steps: Int64s, began_ms: int) -> tuple[int, int]:
    """When a session counter first rose since it stood at 0, and to what; where it did not, the begin and 0."""
    risen = np.flatnonzero(steps[:, 2] > 0)
    if not len(risen) or steps[0, 0] != began_ms:
        return began_ms, 0
    return int(steps[risen[0], 1]), int(steps[risen[0], 2])


def _short_by(
    kept: ReadingArrays, kept_flags: npt.NDArray[np.uint32], count: Int64s | None, profile: MeterProfile
) -> int:
    """What a counter that shows whole steps may leave out: what flowed since the reading before its last rise."""
    quantum = profile.quantum_e4kwh
    charging = np.flatnonzero(kept.charging)
    shown = (kept.counter_e4kwh if count is None else count)[charging]
    is_word = (kept_flags[charging] & np.uint32(FALSE_WORD | Flag.JITTER)) == 0
    last = shown[is_word][-1] if is_word.any() else shown[-1]
    before = np.flatnonzero(is_word & (shown != last))
    since = charging[int(before[-1]) if len(before) else 0 :]
    power_w = kept.power_w[since]
    if not power_w.any():
        return quantum
    flowed = int(((power_w[1:] + power_w[:-1]) * np.diff(kept.event_ms[since])).sum()) // (2 * W_MS_PER_E4KWH)
    return min(quantum, flowed * 21 // 20)


def _unexplained(calculator: MeterCalculator, kept: ReadingArrays, kept_flags: npt.NDArray[np.uint32]) -> int:
    """What rose without power. A reading that the charger kept is good to a minute: it speaks against nothing."""
    inexact = (kept.stored != 0) & ~kept.device_timed
    if inexact.any():
        inexact[1:] |= inexact[:-1]
        if not (kept_flags[~inexact] & np.uint32(Flag.AMBIGUOUS)).any():
            return 0
    return calculator.unexplained_e4kwh


def _counter(
    kept: ReadingArrays, count: Int64s | None, profile: MeterProfile, began_ms: int, calculator: MeterCalculator | None
) -> tuple[int | None, int]:
    """The session counter at its last trusted reading, and when that was."""
    if profile.register_kind == "session":
        return (calculator.reference_value, calculator.reference_ms) if calculator else (None, 0)
    if count is None:
        return None, 0
    own = MeterCalculator(msgspec.structs.replace(profile, register_kind="session", digits=0), began_ms)
    _run(own, msgspec.structs.replace(kept, counter_e4kwh=count), None)
    return (own.reference_value, own.reference_ms) if own.accepted_e4kwh else (None, 0)


def _run(
    calculator: MeterCalculator, kept: ReadingArrays, count: Int64s | None
) -> tuple[Int64s, npt.NDArray[np.uint32], Int64s, int]:
    """The accepted total at every reading, its flags, and the steps from row 1 on with their number."""
    size = len(kept)
    accepted = np.empty(size, dtype=np.int64)
    flags = np.empty(size, dtype=np.uint32)
    rows = np.zeros((size + MORE_ROWS + 1, 7), dtype=np.int64)
    filled = calculator.run(
        kept.event_ms,
        kept.counter_e4kwh,
        kept.state,
        kept.power_w,
        NO_COUNT if count is None else count,
        accepted,
        flags,
        rows[1:],
    )
    return accepted, flags, rows, filled


def _spread(flags_kept: npt.NDArray[np.uint32], ordered: OrderedReadings) -> npt.NDArray[np.uint32]:
    flags = ordered.flags.copy()
    flags[ordered.kept] |= flags_kept
    return flags


def _without_forgiven(steps: Int64s, event_ms: Int64s) -> Int64s:
    """The accepted total at each reading, without what was accepted on the word of a spike."""
    reached = np.searchsorted(steps[:, 1], event_ms, side="right")
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(steps[:, 2])))[reached]


def _in_another_unit(
    readings: ReadingArrays,
    profile: MeterProfile,
    scale: Scale,
    began_ms: int,
    end_high_ms: int,
    facts: RegisterFacts,
) -> Measurement:
    """The session in the unit of those before it; where nothing proves that unit, the interval covers both."""
    true_readings = scaled(readings, scale)
    true_profile = profile_in_unit(profile, true_readings)
    in_unit = measure(true_readings, true_profile, began_ms=began_ms, end_high_ms=end_high_ms, register=facts)
    flags = in_unit.flags | Flag.SCALE
    if scale.is_proven:
        return msgspec.structs.replace(in_unit, flags=flags, quality=min(in_unit.quality, Quality.DERIVED))
    limit = profile.energy_at_pmax(max(end_high_ms, in_unit.last_ms) - in_unit.began_ms + profile.time_tolerance_ms)
    as_shown = in_unit.best_e4kwh * scale.times // scale.per
    return msgspec.structs.replace(
        in_unit,
        flags=flags,
        quality=min(in_unit.quality, Quality.QUESTIONABLE),
        low_e4kwh=min(in_unit.low_e4kwh, as_shown),
        high_e4kwh=max(in_unit.high_e4kwh, min(as_shown, limit)),
    )


def _strong_power_ms(charged: ReadingArrays, profile: MeterProfile) -> int:
    """For how long power was above 1 kW at both ends of a step."""
    steps = np.diff(charged.event_ms)
    strong = charged.power_w > STRONG_POWER_W
    return int(steps[strong[:-1] & strong[1:] & (steps <= profile.gap_ms)].sum())


def _nothing_measured(ordered: OrderedReadings, profile: MeterProfile, began_ms: int, end_high_ms: int) -> Measurement:
    """No charging reading: anything the connector can deliver in the time is possible."""
    size = len(ordered.readings)
    is_known = bool(began_ms and end_high_ms)
    possible = profile.energy_at_pmax(end_high_ms - began_ms) if is_known else 0
    steps = np.zeros((int(is_known), 7), dtype=np.int64)
    if is_known:
        steps[0] = (began_ms, max(began_ms, end_high_ms), 0, 0, possible, 0, int(Flag.MISSING_DATA))
    return Measurement(
        best_e4kwh=0,
        low_e4kwh=0,
        high_e4kwh=possible,
        quality=Quality.MISSING,
        flags=Flag.MISSING_DATA | Flag(int(np.bitwise_or.reduce(ordered.flags, initial=0))),
        segments=0,
        charging_readings=0,
        stored_readings=int(np.count_nonzero(ordered.kept & (ordered.readings.stored != 0))),
        began_ms=began_ms,
        first_ms=0,
        last_ms=0,
        trusted_until_ms=0,
        counter_e4kwh=None,
        counter_last_ms=0,
        register_start_e4kwh=0,
        register_end_e4kwh=0,
        power_e4kwh=0,
        power_over_1kw_ms=0,
        longest_gap_ms=0,
        naive_e4kwh=0,
        naive_span_ms=0,
        event_ms=ordered.readings.event_ms,
        reported_e4kwh=ordered.readings.counter_e4kwh,
        accepted_e4kwh=np.zeros(size, dtype=np.int64),
        reading_flags=ordered.flags,
        trusted=np.zeros(size, dtype=np.bool_),
        steps=steps,
    )
