"""The charges straight into the calculator, without frames: a look of seconds for who changes a rule of `core`.

`python -m benchmarks.evaluation.direct --sessions 20000` prints the table of `pilestream evaluate` without codes and
money; `--wrong N` adds the readings of N charges that were billed wrong and not held. Nothing is held here for codes 3
and 7, nor for code 4 of a record's parts, so that clocks that are off look better than they are.
"""

import argparse
import sys
from collections import Counter
from typing import Final

import numpy as np

from benchmarks.evaluation.chargers import TARIFFS, ZONE, Charger, Model, shares
from benchmarks.evaluation.charges import MINUTE_MS, SECOND_MS
from benchmarks.evaluation.history import DELAY_MS
from benchmarks.evaluation.mixes import MIXES
from benchmarks.evaluation.record import ToldRecord
from benchmarks.evaluation.scores import Billed, Scores
from benchmarks.evaluation.stories import ToldCharge, told_charges
from benchmarks.evaluation.story import LOGIN_TAKES_MS
from benchmarks.evaluation.table import table_lines
from benchmarks.evaluation.telling import told_begin
from benchmarks.fleet.piles import AAF5
from core.meter.flags import Quality
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays
from core.session import PileBill, SessionInput, SessionResult, evaluate_session
from core.tariff import TariffTimeline

IDLE, CHARGING = 2, 3
U32_MAX, SEQ_NUMBERS = 0xFFFF_FFFF, 65_536
GAP_MS: Final = 60_000
CLOCK_PLAY_MS: Final = 60_000
LAST_WORD_MS: Final = 700
TOLERANCE_E4KWH: Final = 1_000
LEAST_REGISTER_PLAY_E4KWH: Final = 100
FAILED_START_MS: Final = 300_000
ASSUMED_POWER_W: Final = 180_000


def main(arguments: list[str] | None = None) -> int:
    """Print the table; gives 1 when a charge was billed wrong without being held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--mix", choices=MIXES, default="each")
    parser.add_argument("--fault", default="", help="only charges with this fault")
    parser.add_argument("--wrong", type=int, default=0, metavar="N", help="show N charges billed wrong and not held")
    parser.add_argument("--outside", type=int, default=0, metavar="N", help="show N charges whose truth lies outside")
    parser.add_argument("--held", type=int, default=0, metavar="N", help="show N charges that are held")
    options = parser.parse_args(arguments)
    scores = Scores()
    rules: Counter[str] = Counter()
    shown = 0
    for number, charges in shares(options.sessions):
        charger, told = told_charges(options.seed, number, options.mix, charges)
        previous = 0
        for charge in told:
            result = evaluate_session(_input(charger, charge, previous))
            previous = result.register_end_e4kwh or previous
            if options.fault in ("", charge.truth.fault):
                billed = _billed(charge, result)
                verdict = scores.add(charge.truth, billed)
                rules[f"{verdict} by rule {result.final_rule} {result.final_quality.name}"] += 1
                outside = not billed.low_e4kwh <= charge.truth.energy_e4kwh <= billed.high_e4kwh
                wanted = {
                    "wrong": verdict == "wrong_unflagged" and shown < options.wrong,
                    "outside": outside and shown < options.outside,
                    "held": verdict == "held" and shown < options.held,
                }
                if any(wanted.values()):
                    shown += 1
                    print(_words(charge, result, previous))
    print("\n".join(table_lines(scores.report())))
    for name, count in rules.most_common():
        print(f"{count:8,} {name}", file=sys.stderr)
    return int(scores.report()["total"]["wrong_unflagged"] > 0)


def _profile(charger: Charger) -> MeterProfile:
    """What the master data says, and what is assumed where it says nothing."""
    model = charger.model
    assumed_quantum = 100 if model.protocol == AAF5 else 1
    return MeterProfile(
        model.register,
        assumed_quantum if "quantum" in model.learns else model.quantum_e4kwh,
        (ASSUMED_POWER_W if "rated_power" in model.learns else model.rated_power_w) * 110 // 100,
        digits=0 if "digits" in model.learns else model.wraps_at_digits,
        quantum_is_assumed="quantum" in model.learns,
    )


def _input(charger: Charger, told: ToldCharge, previous_e4kwh: int) -> SessionInput:
    """The facts that the platform would have of the charge."""
    story = told.story
    after_ms = story.online_from(story.charge.stop_ms) + LAST_WORD_MS
    if story.is_away(story.charge.stop_ms):
        after_ms += LOGIN_TAKES_MS
    bill = _bill(told)
    asks_before = charger.model.protocol == AAF5 and charger.model.register != "session" and _lacks_begin(told)
    return SessionInput(
        trade_no=told.truth.trade_no,
        profile=_profile(charger),
        zone=ZONE,
        readings=_readings(told, after_ms),
        timeline=TariffTimeline(by_date=TARIFFS),
        bill=bill,
        after_ms=_over_ms(told, bill, after_ms),
        previous_end_e4kwh=previous_e4kwh if asks_before else 0,
    )


def _readings(told: ToldCharge, after_ms: int) -> ReadingArrays:
    """Those that arrive, and for an absolute register its first word after the charge."""
    story, readings, model = told.story, told.readings, told.story.charger.model
    by_energy = model.protocol == AAF5 and model.register == "session"
    size = len(readings)
    columns = {
        "event_ms": readings.receive_ms,
        "receive_ms": readings.receive_ms,
        "counter_e4kwh": readings.energy if by_energy else readings.register,
        "power_w": readings.power_w,
        "charge_minutes": (readings.taken_ms - story.charge.charging_ms) // MINUTE_MS,
        "seq": np.zeros(size, np.int64) if model.protocol == AAF5 else readings.original % SEQ_NUMBERS,
        "state": np.full(size, CHARGING),
    }
    if model.protocol != AAF5:
        return ReadingArrays.of(**columns)
    begin_ms = story.charge.start_ms + story.clock_error_ms
    columns["start_ms"] = np.full(size, begin_ms // SECOND_MS * SECOND_MS)
    columns["duration_s"] = (readings.taken_ms - story.charge.start_ms) // SECOND_MS
    columns["before_e4kwh"] = np.full(size, _told_begin(told))
    columns["session_e4kwh"] = readings.energy
    if size and not by_energy:
        last = int(told.meter.shown_at(np.array([story.charge.stop_ms]))[0])
        word = {"counter_e4kwh": last, "event_ms": after_ms, "receive_ms": after_ms, "state": IDLE}
        columns = {name: np.append(values, word.get(name, 0)) for name, values in columns.items()}
    return ReadingArrays.of(**columns)


def _bill(told: ToldCharge) -> PileBill | None:
    record, model = told.record, told.story.charger.model
    if record is None:
        return None
    is_aaf5 = model.protocol == AAF5
    step_ms, wire = SECOND_MS if is_aaf5 else 1, model.wire_e4kwh
    sharp, peak, flat, valley = record.classes
    return PileBill(
        receive_ms=record.sent_ms[0] + DELAY_MS,
        start_ms=max(record.start_ms // step_ms * step_ms, 0),
        end_ms=max(record.end_ms // step_ms * step_ms, 0),
        energy_e4kwh=min(record.energy // wire * wire, U32_MAX * wire),
        class_energy_e4kwh=(0, 0, 0, 0) if is_aaf5 else (sharp, peak, flat, valley),
        meter_start_e4kwh=record.register_begin,
        meter_end_e4kwh=record.register_end,
        half_hour_energy_e4kwh=tuple(max(part, 0) for part in record.half_hours) if is_aaf5 else (),
    )


def _told_begin(told: ToldCharge) -> int:
    return told_begin(told.story, told.meter)


def _lacks_begin(told: ToldCharge) -> bool:
    return _told_begin(told) == 0 or told.story.fault in ("register_replaced", "scale", "mixed")


def _over_ms(told: ToldCharge, bill: PileBill | None, after_ms: int) -> int:
    """As `analytics.session_measurement` finds it."""
    if not len(told.readings):
        return 0
    last_ms = int(told.readings.receive_ms.max())
    known = [moment for moment in (after_ms, bill.receive_ms if bill else 0) if moment > last_ms]
    over_ms = min(known, default=last_ms)
    if bill is not None and over_ms - last_ms > GAP_MS and bill.end_ms + CLOCK_PLAY_MS > last_ms:
        return min(over_ms, bill.end_ms + CLOCK_PLAY_MS)
    return over_ms


def _billed(told: ToldCharge, result: SessionResult) -> Billed:
    """The bill as far as energy decides: codes 4, 8 and 11 by their main rules, no other."""
    record = told.record
    codes: list[int] = []
    if record is not None and len(told.readings):
        tolerance = max(TOLERANCE_E4KWH, record.energy // 100)
        off = max(result.low_e4kwh - record.energy, record.energy - result.high_e4kwh, 0)
        if record.energy == 0 and result.low_e4kwh >= max(result.quantum_e4kwh, 5_000):
            codes.append(11)
        elif (
            record.energy
            and off > tolerance
            and result.quality > Quality.QUESTIONABLE
            and not _begins_at_zero(record, result, told.story.charger.model)
        ):
            codes.append(8)
    held = result.final_quality <= Quality.ESTIMATED or not result.inside_physical_limit or bool(codes)
    failed = not any(
        (result.best_e4kwh, result.counter_energy_e4kwh, result.power_over_1kw_ms, result.final_energy_e4kwh)
    )
    failed &= result.end_ms - result.start_ms <= FAILED_START_MS
    held &= not failed
    return Billed(
        final_e4kwh=0 if failed else result.final_energy_e4kwh,
        low_e4kwh=result.low_e4kwh,
        high_e4kwh=result.high_e4kwh,
        naive_e4kwh=result.naive_energy_e4kwh if len(told.readings) else None,
        quality=result.final_quality.name,
        held=held,
        codes=tuple(codes),
        rule=result.final_rule,
        flags=result.flags,
    )


def _begins_at_zero(record: ToldRecord, result: SessionResult, model: Model) -> bool:
    """Whether the record billed its whole register, the charge being what is above its begin (as in `codes.sql`)."""
    if record.register_begin or not record.register_end or record.energy <= result.high_e4kwh:
        return False
    if abs(record.energy - record.register_end) > max(result.quantum_e4kwh, LEAST_REGISTER_PLAY_E4KWH):
        return False
    if not result.register_start_e4kwh:
        return model.register == "session" and result.quality >= Quality.DERIVED
    tolerance = max(TOLERANCE_E4KWH, result.best_e4kwh // 100)
    above_begin = record.energy - result.register_start_e4kwh
    return result.low_e4kwh - tolerance <= above_begin <= result.high_e4kwh + tolerance


def _words(told: ToldCharge, result: SessionResult, previous: int) -> str:
    truth, readings = told.truth, told.readings
    lines = [
        f"{truth.trade_no} {truth.model} {truth.fault} {','.join(truth.parts)}: true {truth.energy_e4kwh}, "
        f"billed {result.final_energy_e4kwh} by rule {result.final_rule}, {result.final_quality.name}, measured "
        f"{result.best_e4kwh} [{result.low_e4kwh}, {result.high_e4kwh}] {result.quality.name} {' '.join(result.flags)} "
        f"record {told.record.energy if told.record else None}, power {result.power_energy_e4kwh}, begin "
        f"{_told_begin(told)}, before {previous}",
        f"  moved {told.story.moved} misread {told.story.misread[:4]} silences {told.story.silences}",
    ]
    since_ms = told.story.charge.charging_ms
    columns = (
        readings.taken_ms - since_ms,
        readings.receive_ms - since_ms,
        readings.register,
        readings.energy,
        readings.power_w,
    )
    rows = [" ".join(f"{value:>10}" for value in row) for row in zip(*(c.tolist() for c in columns), strict=True)]
    return "\n".join([*lines, *rows])


if __name__ == "__main__":
    sys.exit(main())
