"""The final figure: which of a session's witnesses decides what is billed (metering.md, "The final figure")."""

import msgspec

from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.seen_power import POWER_SHARE, POWER_SHARED

TOLERANCE_E4KWH = 1_000
WHOLE_E4 = 10_000
COUNTER_REACHES_END_MS = 60_000
PRECISE = 200  # a figure is right within 0.5 %


class FinalFigure(msgspec.Struct, frozen=True):
    """What is billed or, when held, proposed. `energy_e4kwh` None = nothing is known.

    `rule`: 1 the bill, confirmed; 2 bill and counter agree; 3 the counter; 4 the measurement; 5 a proposal only.
    """

    rule: int
    energy_e4kwh: int | None
    quality: Quality
    inside_physical_limit: bool


class Comparison(msgspec.Struct, frozen=True):
    """How a record is held against the readings (anomaly-codes.md, code 8); `codes.sql` does the same.

    t is the larger of `tolerance_e4kwh` and `tolerance_share_e4` of the record. `efficiency_e4` (1e-4) of what the
    readings count gets lost before the meter of the record: what is left of it is what reaches the vehicle.
    """

    tolerance_e4kwh: int = TOLERANCE_E4KWH
    tolerance_share_e4: int = 100
    efficiency_e4: int = 0

    def tolerance(self, energy_e4kwh: int) -> int:
        """t of code 8 for a record of that energy."""
        return max(self.tolerance_e4kwh, energy_e4kwh * self.tolerance_share_e4 // WHOLE_E4)

    def behind(self, energy_e4kwh: int) -> int:
        """What of an energy that the readings count is left at the meter of the record."""
        return energy_e4kwh * (WHOLE_E4 - self.efficiency_e4) // WHOLE_E4

    def measured_behind(self, measured: Measurement) -> Measurement:
        """The measurement as the meter of the record would have made it; power is told on that side already."""
        if not self.efficiency_e4:
            return measured
        counter = measured.counter_e4kwh
        return msgspec.structs.replace(
            measured,
            best_e4kwh=self.behind(measured.best_e4kwh),
            low_e4kwh=self.behind(measured.low_e4kwh),
            high_e4kwh=self.behind(measured.high_e4kwh),
            unproven_e4kwh=self.behind(measured.unproven_e4kwh),
            unexplained_e4kwh=self.behind(measured.unexplained_e4kwh),
            jumped_e4kwh=self.behind(measured.jumped_e4kwh),
            flowed_in_jumps_e4kwh=self.behind(measured.flowed_in_jumps_e4kwh),
            short_by_e4kwh=self.behind(measured.short_by_e4kwh),
            fallen_e4kwh=self.behind(measured.fallen_e4kwh),
            counter_e4kwh=None if counter is None else self.behind(counter),
        )


PLAIN_COMPARISON = Comparison()
"""max(0.1 kWh, 1 %), and one meter for both."""


def net_energy(energy_e4kwh: int, loss_energy_e4kwh: int) -> int:
    """What a record counted without losses: they only add, in whichever of its two fields they stand."""
    return min(energy_e4kwh, loss_energy_e4kwh) if loss_energy_e4kwh > 0 else energy_e4kwh


def final_figure(
    measured: Measurement,
    bill_e4kwh: int | None,
    profile: MeterProfile,
    *,
    duration_ms: int,
    end_high_ms: int,
    comparison: Comparison = PLAIN_COMPARISON,
) -> FinalFigure:
    """The first rule that holds decides.

    `bill_e4kwh`: B, the energy of the charger's record without losses (`net_energy`), None without one.
    `duration_ms`: the longest that the charge
    can have lasted; with Pmax it gives the physical limit. `end_high_ms`: its latest possible end.

    A bill that nothing but itself speaks for (no reading at all) is ESTIMATED by rule 1: it has no second witness.
    Where it does not even say when it charged, it is the proposal.

    Bill, counter and register of a charger are often one meter read three times. So where the measured interval is
    wide, lying in it confirms nothing that power refutes; and where the register is known to have failed, a bill that
    repeats its failure is not confirmed by it, nor is a counter that is this register a witness (metering.md, rule 10).
    """
    measured = comparison.measured_behind(measured)
    witnesses = _Witnesses(measured, bill_e4kwh, profile, duration_ms, end_high_ms, comparison)
    if witnesses.bill_confirmed:
        return witnesses.decided(1, bill_e4kwh, witnesses.confirmed_quality)
    if witnesses.bill_and_counter_agree:
        return witnesses.decided(2, bill_e4kwh, Quality.DERIVED)
    if not witnesses.bill_claims_the_end:
        if not witnesses.bill_may_stand and witnesses.counter_stands:
            return witnesses.decided(3, measured.counter_e4kwh, Quality.DERIVED)
        if witnesses.measurement_is_narrow:
            return witnesses.decided(4, measured.best_e4kwh, measured.quality)
    return witnesses.decided(5, witnesses.proposal, min(measured.quality, Quality.ESTIMATED))


class _Witnesses:
    """B the bill, R the measured interval, S the session counter, W the integral of power +- 5 %."""

    def __init__(
        self,
        measured: Measurement,
        bill_e4kwh: int | None,
        profile: MeterProfile,
        duration_ms: int,
        end_high_ms: int,
        comparison: Comparison,
    ) -> None:
        self._tolerance = comparison.tolerance
        self._measured = measured
        self._bill = bill_e4kwh
        self._profile = profile
        self._limit = profile.energy_at_pmax(duration_ms) + profile.quantum_e4kwh
        self._end_high_ms = end_high_ms
        # A short rest of the register that is worth half a percent weighs as much as a long one.
        self._material = max(profile.quantum_e4kwh, measured.best_e4kwh // PRECISE)
        self._rested = Flag.FROZEN in measured.flags or measured.unproven_e4kwh > self._material
        self._broken = measured.quality == Quality.QUESTIONABLE
        # The register's word after the charge may close what no power was told of.
        self._unheard_ms = max(0, end_high_ms - max(measured.heard_until_ms, measured.trusted_until_ms))
        self._is_one_word = measured.charging_readings == 1
        tail_ms = profile.flows_on_ms(end_high_ms - measured.trusted_until_ms)
        self._tail_at_pmax = profile.energy_at_pmax(tail_ms)

    def decided(self, rule: int, energy_e4kwh: int | None, quality: Quality) -> FinalFigure:
        inside = energy_e4kwh is None or energy_e4kwh <= self._limit
        return FinalFigure(rule, energy_e4kwh, quality, inside)

    @property
    def proposal(self) -> int | None:
        """The best that is known, measured or, where nothing was, told."""
        if self._measured.quality != Quality.MISSING:
            return self._measured.best_e4kwh
        return self._bill if self._bill and self._bill <= self._limit else None

    @property
    def bill_confirmed(self) -> bool:
        return bool(self._bill) and self.bill_may_stand

    @property
    def bill_may_stand(self) -> bool:
        """There is a bill, and neither the measurement nor physics refutes it."""
        bill = self._bill
        if bill is None or not self._inside_interval(bill) or bill > self._limit or self._is_whole_register(bill):
            return False
        if self._measured.quality == Quality.MISSING or self._is_narrow:
            return True
        if self._power_contradicts(bill) or self._repeats_the_failure(bill):
            return False
        return not self._exceeds_the_end(bill) and not self._lacks_the_end(bill)

    @property
    def bill_claims_the_end(self) -> bool:
        """Only an end that nobody read tells it from the readings: neither is confirmed, and neither refuted."""
        bill = self._bill
        if not bill or self._is_narrow or bill > self._limit or self._is_whole_register(bill):
            return False
        return self._inside_interval(bill) and self._exceeds_the_end(bill)

    @property
    def confirmed_quality(self) -> Quality:
        """Of a confirmed record. One word of the register is checked by no other; where it tells neither what flowed
        before nor at which power it went on, nothing but the record speaks for the record."""
        measured = self._measured
        if measured.quality == Quality.MISSING:
            return Quality.ESTIMATED
        if self._is_one_word and not self._is_narrow and not (measured.last_power_w and self._borne_out_by_one_word):
            return Quality.ESTIMATED
        return Quality.VALID if measured.quality == Quality.VALID and not self._is_one_word else Quality.DERIVED

    @property
    def _borne_out_by_one_word(self) -> bool:
        """The record is what that word says, and what the end may have brought."""
        bill = self._bill or 0
        reach = self._measured.best_e4kwh + self._profile.quantum_e4kwh + self._end_by_power
        return bill <= reach + self._tolerance(bill)

    @property
    def _end_by_power(self) -> int:
        """The most that an end which nobody read may have brought: what power told of it, then twice the last power."""
        measured = self._measured
        unheard_ms = self._profile.flows_on_ms(self._unheard_ms)
        told = measured.unread_e4kwh + measured.unread_e4kwh // POWER_SHARE
        return min(self._tail_at_pmax, told + POWER_SHARED * measured.last_power_w * unheard_ms // W_MS_PER_E4KWH)

    def _exceeds_the_end(self, bill: int) -> bool:
        """No reading refutes the bill, but an end at a power that nobody has seen would have to have brought it."""
        if not self._power_is_told:
            return False
        read = self._measured.high_e4kwh - self._tail_at_pmax
        return bill > read + self._end_by_power + self._tolerance(bill)

    def _lacks_the_end(self, bill: int) -> bool:
        """It is where the register was last read, and lacks what power told after that."""
        measured = self._measured
        told = measured.unread_e4kwh - measured.unread_e4kwh // POWER_SHARE
        return measured.unread_e4kwh > self._material and bill < measured.best_e4kwh + told - self._material

    def _is_whole_register(self, bill: int) -> bool:
        """It begins at 0, where the register stood at the begin matters: the tolerance is no room for that."""
        measured = self._measured
        begin, play = measured.register_start_e4kwh, self._profile.quantum_e4kwh
        if self._profile.register_kind != "lifetime":
            return False
        is_off = abs(bill - measured.best_e4kwh) >= play
        return begin >= self._material and is_off and 0 <= bill - measured.register_end_e4kwh <= play

    def _repeats_the_failure(self, bill: int) -> bool:
        """The bill lies in the interval only because that covers what the register may have failed to count."""
        measured = self._measured
        if Flag.POWER_CONTRADICTS in measured.flags and (
            abs(bill - measured.best_e4kwh) <= self._tolerance(bill) or not self._power_agrees(bill)
        ):
            return True
        jumped = measured.jumped_e4kwh - measured.flowed_in_jumps_e4kwh
        if jumped > 0 and bill > measured.best_e4kwh + measured.flowed_in_jumps_e4kwh + jumped // 2:
            return True
        if self._register_refutes_counter and self._follows_the_counter(bill):
            return True
        if self._broken:
            precision = max(self._profile.quantum_e4kwh * max(1, measured.segments), bill // PRECISE)
            if bill < measured.best_e4kwh - precision or self._may_lack_the_fall(bill, precision):
                return True
        if measured.unexplained_e4kwh > self._material and (
            bill > measured.best_e4kwh - measured.unexplained_e4kwh // 2 or not self._is_nearer_to_power(bill)
        ):
            return True
        proven = measured.best_e4kwh - (measured.unproven_e4kwh if Flag.FROZEN in measured.flags else 0)
        return self._rested and bill < proven + measured.unproven_e4kwh // 2

    def _is_nearer_to_power(self, bill: int) -> bool:
        """It is what power says, or as near to that as the register is."""
        off = abs(self._measured.best_e4kwh - self._measured.power_e4kwh)
        return self._power_agrees(bill) or abs(bill - self._measured.power_e4kwh) <= off

    @property
    def _count_contradicts(self) -> bool:
        """The charger counts by itself, and something else by what matters: nothing tells which of both is right."""
        measured, counter = self._measured, self._measured.counter_e4kwh
        if counter is None or not self._register_refutes_counter:
            return False
        later = self._profile.energy_at_pmax(measured.trusted_until_ms - measured.counter_last_ms)
        play = self._material + self._profile.quantum_e4kwh
        return not counter - play <= measured.best_e4kwh <= counter + later + play

    def _follows_the_counter(self, bill: int) -> bool:
        """Such a record is as far off as the count is, however much the end may have brought."""
        counter, best = self._measured.counter_e4kwh, self._measured.best_e4kwh
        return counter is not None and abs(bill - counter) < abs(bill - best)

    def _may_lack_the_fall(self, bill: int, precision: int) -> bool:
        """It may be what the register shows, less what it lost, and what flowed on after the last reading."""
        measured = self._measured
        tail = self._profile.energy_at_pmax(self._end_high_ms - measured.trusted_until_ms)
        lacking = measured.best_e4kwh - measured.fallen_e4kwh + tail + self._profile.quantum_e4kwh
        return measured.fallen_e4kwh > precision and bill <= lacking

    @property
    def bill_and_counter_agree(self) -> bool:
        bill, counter = self._bill, self._measured.counter_e4kwh
        unreliable = self._broken or self._measured.quality == Quality.MISSING or self._rested
        if not unreliable or not bill or counter is None or not self._counter_is_its_own:
            return False
        return abs(bill - counter) <= self._tolerance(bill) and not self._power_contradicts(bill)

    @property
    def counter_stands(self) -> bool:
        counter = self._measured.counter_e4kwh
        last_ms = self._measured.counter_last_ms
        unseen_ms = self._end_high_ms - last_ms
        if counter is None or unseen_ms > COUNTER_REACHES_END_MS or not self._counter_is_its_own:
            return False
        if not self._is_whole(counter, last_ms):
            return False
        if self._is_one_word:
            return False
        if self._profile.register_kind == "session":
            # The counter is the register once more: it lies in its own interval however wide that is.
            tail = self._profile.energy_at_pmax(unseen_ms)
            is_sure = self._measured.unexplained_e4kwh <= self._material
            return is_sure and self._width - tail <= self._narrow and not self._power_contradicts(counter)
        if self._broken or self._measured.quality == Quality.MISSING:
            return self._power_agrees(counter)
        if self._rested:
            # The interval covers what the register missed: a count beyond that is refuted, whatever power allows.
            return self._power_agrees(counter) and self._inside_interval(counter)
        return not self._register_refutes_counter and (self._is_narrow or not self._power_contradicts(counter))

    @property
    def _register_refutes_counter(self) -> bool:
        """A register that can be trusted says more of a count than power: both show whole quanta of one energy."""
        measured, counter, quantum = self._measured, self._measured.counter_e4kwh, self._profile.quantum_e4kwh
        if counter is None or self._profile.register_kind == "session":
            return False
        if self._broken or self._rested or measured.quality == Quality.MISSING:
            return False
        unread = self._tail_at_pmax if measured.counter_last_ms <= measured.trusted_until_ms else 0
        return not measured.low_e4kwh - quantum <= counter <= measured.high_e4kwh - unread + quantum

    @property
    def _counter_is_its_own(self) -> bool:
        """Where the counter is the register that failed, it is no second witness."""
        return self._profile.register_kind != "session" or not (self._broken or self._rested)

    @property
    def measurement_is_narrow(self) -> bool:
        measured = self._measured
        if measured.quality == Quality.MISSING or self._is_one_word or not self._is_narrow:
            return False
        if self._count_contradicts:
            return False
        return self._is_whole(measured.best_e4kwh, measured.trusted_until_ms)

    @property
    def _is_narrow(self) -> bool:
        """Nothing is left open that matters, however coarse the meter is."""
        uncertain = self._measured.unexplained_e4kwh > self._material or self._rested
        return self._width <= self._narrow and not uncertain

    @property
    def _width(self) -> int:
        return self._measured.high_e4kwh - self._measured.low_e4kwh

    @property
    def _narrow(self) -> int:
        return max(2 * self._profile.quantum_e4kwh, self._measured.best_e4kwh // 100)

    def _inside_interval(self, energy: int) -> bool:
        tolerance = self._tolerance(energy)
        return self._measured.low_e4kwh - tolerance <= energy <= self._measured.high_e4kwh + tolerance

    def _is_whole(self, energy: int, last_ms: int) -> bool:
        """What flows after the last reading does not matter: not more than half a percent, or than the last quantum."""
        quantum = self._profile.quantum_e4kwh
        return self._flows_on(last_ms) <= max(energy // PRECISE - quantum, quantum - self._measured.short_by_e4kwh)

    def _flows_on(self, last_ms: int) -> int:
        """What flows after that reading by what was told, and where power stays as it was; unknown power may be any."""
        measured = self._measured
        if not self._power_is_told:
            return self._profile.energy_at_pmax(self._end_high_ms - last_ms)
        if last_ms != measured.trusted_until_ms:
            return measured.last_power_w * max(0, self._end_high_ms - last_ms) // W_MS_PER_E4KWH
        return measured.unread_e4kwh + measured.last_power_w * self._unheard_ms // W_MS_PER_E4KWH

    @property
    def _power_is_told(self) -> bool:
        return self._measured.power_e4kwh > 0 or self._measured.last_power_w > 0

    def _power_agrees(self, energy: int) -> bool:
        power = self._measured.power_e4kwh
        return power > 0 and abs(energy - power) <= power // 20 + TOLERANCE_E4KWH

    def _power_contradicts(self, energy: int) -> bool:
        """Power is known between the readings only: outside them anything up to Pmax may have flowed."""
        measured = self._measured
        if not self._power_is_told:
            return False
        power = measured.seen_power_e4kwh
        unobserved_ms = measured.unseen_power_ms + measured.first_ms - measured.began_ms
        unobserved_ms += self._end_high_ms - min(measured.last_ms, measured.heard_until_ms)
        least = max(TOLERANCE_E4KWH, self._profile.quantum_e4kwh)
        # Beside a register that failed, only the power at both ends of a silence speaks for what flowed in it.
        lowest = measured.power_e4kwh if self._broken or self._rested else power
        highest = power + power // 20 + least + self._profile.energy_at_pmax(unobserved_ms)
        return not lowest - lowest // 20 - least <= energy <= highest
