"""The measurement of one session: its complete readings through the calculator, and the interval of the result."""

import msgspec
import numpy as np
import numpy.typing as npt

from core.meter.calculator import MeterCalculator
from core.meter.flags import Flag, Quality
from core.meter.profile import MeterProfile
from core.meter.readings import OrderedReadings, ReadingArrays, in_order

MINUTE_MS = 60_000
LATE_BASELINE_MS = 60_000
LONGEST_CHARGE_MINUTES = 2160  # 36 h (anomaly-codes.md, code 5)
STRONG_POWER_W = 1_000
SAME_COUNT_E4KWH = 500  # max(0.05 kWh, one quantum): aaf5.md section 4

NOT_TRUSTED = Flag.DUP | Flag.CONFLICT | Flag.SPIKE | Flag.ZERO_READ
BROKEN_REGISTER = Flag.JUMP | Flag.ROLLBACK | Flag.RESET | Flag.POWER_RATING_DOUBTFUL
REPLACED_READINGS = Flag.ZERO_READ | Flag.SPIKE | Flag.BASELINE_PREV_END | Flag.BASELINE_BILL_START


class Measurement(msgspec.Struct, frozen=True, eq=False):
    """What the platform measured. Energies are 1e-4 kWh and lie in [low, high] with `best` as the proven figure.

    `began_ms`: when the charge began as far as the readings tell. `first_ms`, `last_ms`: first and last charging
    reading, both 0 when there is none. `counter_e4kwh`: the session counter at its last trusted reading, which is of
    `counter_last_ms`; None without a reading, and for absolute registers unless the charger counts the charge by
    itself. `register_*`: where an absolute register stood at the begin and at the end, both 0 when it is not known.
    `naive_*`: last minus first, zeros and jumps included. The arrays cover all readings in the order of event time: as
    reported, as accepted, with their flags.
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


class RegisterFacts(msgspec.Struct, frozen=True):
    """What else is known of an absolute register; 0 = not known. Session counters need none of it."""

    previous_end_e4kwh: int = 0
    bill_start_e4kwh: int = 0


def charge_began_ms(event_ms: int, charge_minutes: int) -> int:
    """The earliest begin of a charge of which a reading says that it has lasted so many whole minutes."""
    return event_ms - (min(max(0, charge_minutes), LONGEST_CHARGE_MINUTES) + 1) * MINUTE_MS


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
    ordered = in_order(readings)
    all_readings = ordered.readings
    charging = np.flatnonzero(ordered.kept & all_readings.charging)
    if not len(charging):
        return _nothing_measured(ordered, profile, began_ms, end_high_ms)
    first, last = int(charging[0]), int(charging[-1])
    if not began_ms:
        began_ms = _began_ms(all_readings, first, profile)
    facts = register or RegisterFacts()
    calculator, accepted, flags = _run(ordered, profile, began_ms, facts)
    trusted = (ordered.kept & all_readings.charging & ((flags & NOT_TRUSTED) == 0)) | _rose(accepted)
    last_ms = int(all_readings.event_ms[last])
    end_high_ms = max(end_high_ms, last_ms)
    figure = _Figure(calculator, profile, began_ms, end_high_ms, calculator.has_reference and bool(trusted.any()))
    figure.set_baseline(int(all_readings.event_ms[first]), facts)
    if figure.baseline_extra:
        accepted = accepted + figure.baseline_extra
    session_flags = figure.flags | Flag(int(np.bitwise_or.reduce(flags)))
    counter, counter_ms = _counter(ordered, profile, began_ms, calculator if figure.is_valid else None)
    is_register = profile.register_kind != "session" and figure.is_valid
    return Measurement(
        best_e4kwh=figure.best,
        low_e4kwh=figure.low,
        high_e4kwh=figure.high,
        quality=_quality(session_flags, profile),
        flags=session_flags,
        segments=calculator.segments,
        charging_readings=len(charging),
        stored_readings=int(np.count_nonzero(ordered.kept & (all_readings.stored != 0))),
        began_ms=began_ms,
        first_ms=int(all_readings.event_ms[first]),
        last_ms=last_ms,
        trusted_until_ms=calculator.reference_ms,
        counter_e4kwh=counter,
        counter_last_ms=counter_ms,
        register_start_e4kwh=calculator.baseline_value - figure.baseline_extra if is_register else 0,
        register_end_e4kwh=calculator.reference_value if is_register else 0,
        power_e4kwh=calculator.power_energy_e4kwh,
        power_over_1kw_ms=_strong_power_ms(all_readings, charging, profile),
        longest_gap_ms=calculator.longest_gap_ms,
        naive_e4kwh=int(all_readings.counter_e4kwh[last] - all_readings.counter_e4kwh[first]),
        naive_span_ms=int(all_readings.event_ms[last] - all_readings.event_ms[first]),
        event_ms=all_readings.event_ms,
        reported_e4kwh=all_readings.counter_e4kwh,
        accepted_e4kwh=accepted,
        reading_flags=flags,
        trusted=trusted,
    )


def _began_ms(readings: ReadingArrays, first: int, profile: MeterProfile) -> int:
    """When the charge began, as its first reading tells; an absolute register without a time of its own does not."""
    event_ms = int(readings.event_ms[first])
    if readings.device_timed[first]:
        return event_ms - int(readings.duration_s[first]) * 1_000
    if profile.register_kind == "session":
        return charge_began_ms(event_ms, int(readings.charge_minutes[first]))
    return event_ms


def _told_start(readings: ReadingArrays) -> int:
    """What most charging readings say of the register at the begin of the charge, 0 = they say nothing."""
    values, times = np.unique(
        readings.before_e4kwh[readings.charging & (readings.before_e4kwh > 0)], return_counts=True
    )
    return int(values[np.argmax(times)]) if len(values) else 0


def _counter(
    ordered: OrderedReadings, profile: MeterProfile, began_ms: int, calculator: MeterCalculator | None
) -> tuple[int | None, int]:
    """The session counter at its last trusted reading, and when that was.

    Beside an absolute register it is a second witness only where the charger counts by itself: an energy that always
    equals meter_now - meter_before is the register once more (metering.md, "The final figure").
    """
    if profile.register_kind == "session":
        return (calculator.reference_value, calculator.reference_ms) if calculator else (None, 0)
    kept = ordered.readings.take(ordered.kept & ordered.readings.charging)
    both = (kept.counter_e4kwh > 0) & (kept.before_e4kwh > 0)
    differs = np.abs(kept.session_e4kwh - (kept.counter_e4kwh - kept.before_e4kwh)) > max(
        SAME_COUNT_E4KWH, profile.quantum_e4kwh
    )
    if not (both & differs).any() or not kept.session_e4kwh.any():
        return None, 0
    own = MeterCalculator(msgspec.structs.replace(profile, register_kind="session", digits=0), began_ms)
    unused = np.zeros(len(kept), dtype=np.int64), np.zeros(len(kept), dtype=np.uint32)
    own.run(kept.event_ms, kept.session_e4kwh, kept.state, kept.power_w, *unused)
    return (own.reference_value, own.reference_ms) if own.accepted_e4kwh else (None, 0)


def _run(
    ordered: OrderedReadings, profile: MeterProfile, began_ms: int, facts: RegisterFacts
) -> tuple[MeterCalculator, npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """The calculator after all kept readings, the accepted total at every reading, and every reading's flags."""
    kept = ordered.readings.take(ordered.kept)
    told_start = _told_start(kept)
    above_zero = max(facts.previous_end_e4kwh, told_start) > 2 * profile.quantum_e4kwh
    calculator = MeterCalculator(profile, began_ms, above_zero)
    calculator.told_start(began_ms, told_start)
    accepted_kept = np.zeros(len(kept), dtype=np.int64)
    flags_kept = np.zeros(len(kept), dtype=np.uint32)
    calculator.run(kept.event_ms, kept.counter_e4kwh, kept.state, kept.power_w, accepted_kept, flags_kept)
    flags = ordered.flags.copy()
    flags[ordered.kept] |= flags_kept
    kept_so_far = np.cumsum(ordered.kept)
    accepted = np.concatenate((np.zeros(1, dtype=np.int64), accepted_kept))[kept_so_far]
    return calculator, accepted, flags


def _rose(accepted: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.diff(accepted, prepend=0) > 0


class _Figure:
    """Best, low and high from what the calculator proved and what it left open."""

    def __init__(
        self, calculator: MeterCalculator, profile: MeterProfile, began_ms: int, end_high_ms: int, is_valid: bool
    ) -> None:
        self._calculator = calculator
        self._profile = profile
        self._began_ms = began_ms
        self.is_valid = is_valid
        self.baseline_extra = 0
        self._baseline_unsure = 0
        self.flags = Flag(0)
        self._tail_ms = max(0, end_high_ms - (calculator.reference_ms if is_valid else began_ms))
        if not is_valid:
            self.flags |= Flag.MISSING_DATA
        elif self._tail_ms > profile.gap_ms:
            self.flags |= Flag.TAIL_GAP
        if self._proven_is_impossible():
            self.flags |= Flag.POWER_RATING_DOUBTFUL

    def set_baseline(self, first_ms: int, facts: RegisterFacts) -> None:
        """Where the first valid reading came late, find the start of the register (metering.md, "late baseline").

        A session counter needs nothing: it stood at 0 when the charge began, however late it was first read. Nor does a
        register whose start the charger told and the readings bear out: the calculator began there.
        """
        if self._profile.register_kind == "session":
            if first_ms - self._began_ms > LATE_BASELINE_MS + MINUTE_MS:
                self.flags |= Flag.LATE_BASELINE
            return
        delay_ms = self._calculator.baseline_ms - self._began_ms
        if not self.is_valid or delay_ms <= 0:
            return
        if delay_ms >= LATE_BASELINE_MS and self._take_start_from(facts, delay_ms):
            return
        self._baseline_unsure = self._profile.energy_at_pmax(delay_ms)
        since_previous = self._calculator.baseline_value - facts.previous_end_e4kwh
        if facts.previous_end_e4kwh and since_previous >= 0:
            self._baseline_unsure = min(self._baseline_unsure, since_previous)  # it had not fallen in between
        if delay_ms > LATE_BASELINE_MS:
            self.flags |= Flag.LATE_BASELINE

    def _take_start_from(self, facts: RegisterFacts, delay_ms: int) -> bool:
        """The previous session's end, or the bill's start, where the register can have come from there."""
        reach = self._profile.energy_at_pmax(delay_ms + self._profile.time_tolerance_ms)
        for start, flag in (
            (facts.previous_end_e4kwh, Flag.BASELINE_PREV_END),
            (facts.bill_start_e4kwh, Flag.BASELINE_BILL_START),
        ):
            if start and 0 <= self._calculator.baseline_value - start <= reach + 2 * self._profile.quantum_e4kwh:
                self.baseline_extra = self._calculator.baseline_value - start
                self.flags |= flag
                return True
        return False

    def _proven_is_impossible(self) -> bool:
        span_ms = self._calculator.reference_ms - self._began_ms + self._profile.time_tolerance_ms
        most = self._profile.energy_at_pmax(span_ms) + 2 * self._profile.quantum_e4kwh
        return self._calculator.accepted_e4kwh > most

    @property
    def _proven(self) -> int:
        return self._calculator.accepted_e4kwh + self.baseline_extra

    @property
    def _resolution(self) -> int:
        """Floor registers are good to one quantum in each stretch that fits together."""
        return self._profile.quantum_e4kwh * self._calculator.segments if self.is_valid else 0

    @property
    def best(self) -> int:
        return self._proven + self._calculator.frozen_e4kwh

    @property
    def low(self) -> int:
        return max(0, self._proven - self._resolution - self._calculator.unsure_low_e4kwh)

    @property
    def high(self) -> int:
        return (
            self._proven
            + self._resolution
            + self._calculator.unsure_high_e4kwh
            + self._calculator.frozen_high_e4kwh
            + self._baseline_unsure
            + self._profile.energy_at_pmax(self._tail_ms)
        )


def _quality(flags: Flag, profile: MeterProfile) -> Quality:
    if flags & Flag.MISSING_DATA:
        return Quality.MISSING
    if flags & BROKEN_REGISTER:
        return Quality.QUESTIONABLE
    late = Flag(0) if profile.register_kind == "session" else Flag.LATE_BASELINE
    if flags & (Flag.FROZEN | Flag.TAIL_GAP | late):
        return Quality.ESTIMATED
    if flags & REPLACED_READINGS:
        return Quality.DERIVED
    return Quality.VALID


def _strong_power_ms(readings: ReadingArrays, charging: npt.NDArray[np.intp], profile: MeterProfile) -> int:
    """For how long power was above 1 kW at both ends of a step."""
    steps = np.diff(readings.event_ms[charging])
    strong = readings.power_w[charging] > STRONG_POWER_W
    return int(steps[strong[:-1] & strong[1:] & (steps <= profile.gap_ms)].sum())


def _nothing_measured(ordered: OrderedReadings, profile: MeterProfile, began_ms: int, end_high_ms: int) -> Measurement:
    """No charging reading: anything the connector can deliver in the time is possible."""
    size = len(ordered.readings)
    possible = profile.energy_at_pmax(end_high_ms - began_ms) if began_ms and end_high_ms else 0
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
    )
