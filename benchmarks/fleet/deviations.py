"""How a charge breaks the order of steps that its protocol prescribes: a step missing, repeated, out of order, late."""

from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.fleet.charge import Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.moments import Kind, Moment
from benchmarks.fleet.piles import AAF5

REPEATED_AFTER_MS: Final = 900
ANSWER_LATE_MS: Final = 35_000
STEP_LATE_MS: Final = 60_000
AFTER_CHARGING_MS: Final = 5_000
AFTER_RECORD_MS: Final = 2_000

# The steps that a charger tells by itself, and that a charge can do without.
OWN_STEPS: Final = (Kind.HANDSHAKE, Kind.PARAMS, Kind.PREPARING, Kind.CHARGE_END, Kind.ABORT, Kind.STOPPED)


def start_reply_times(charge: Charge, prompt_ms: int) -> tuple[int, ...]:
    """When the answer to an order to start goes out, if all were well at `prompt_ms`; empty = never."""
    match charge.fault:
        case Fault.NEVER_ANSWERED:
            return ()
        case Fault.STEP_REPEATED:
            return prompt_ms, prompt_ms + REPEATED_AFTER_MS
        case Fault.STEP_LATE:
            return (prompt_ms + ANSWER_LATE_MS,)
        case Fault.STEP_OUT_OF_ORDER if charge.pile.protocol == AAF5:
            # 8 follows the charging state (aaf5.md section 5); this one is sent before it.
            return (charge.start_ms,)
        case Fault.STEP_OUT_OF_ORDER if not charge.pile.is_dc:
            # An AC charger has few steps to put in another order: it charges before it answers.
            return (max(prompt_ms, charge.charging_ms + AFTER_CHARGING_MS),)
        case _:
            return (prompt_ms,)


def answers_stop(charge: Charge) -> bool:
    """Whether an order to stop gets its answer."""
    return charge.fault is not Fault.NEVER_ANSWERED


def deviated(charge: Charge, moments: Sequence[Moment]) -> list[Moment]:
    """The steps of a charge, ascending, as its fault leaves them; the answers to orders have their times already."""
    steps = [moment for moment in moments if moment.kind in OWN_STEPS]
    left = list(moments)
    if steps:
        chosen = steps[charge.salt % len(steps)]
        if charge.fault is Fault.STEP_MISSING:
            left.remove(chosen)
        elif charge.fault is Fault.STEP_REPEATED:
            left.append(_moved(chosen, REPEATED_AFTER_MS))
        elif charge.fault is Fault.STEP_LATE:
            left = [_moved(moment, STEP_LATE_MS) if moment.kind is Kind.CHARGE_END else moment for moment in left]
        elif charge.fault is Fault.STEP_OUT_OF_ORDER:
            left = _disordered(charge, left)
    return sorted(left)


def _disordered(charge: Charge, moments: list[Moment]) -> list[Moment]:
    """Parameters before the handshake, or the end statistics after the record."""
    times = {moment.kind: moment.time_ms for moment in moments}
    if Kind.HANDSHAKE not in times:
        return moments
    if charge.salt % 2:
        swapped = {Kind.HANDSHAKE: times[Kind.PARAMS], Kind.PARAMS: times[Kind.HANDSHAKE]}
    else:
        swapped = {Kind.CHARGE_END: charge.record_ms + AFTER_RECORD_MS}
    return [Moment(swapped.get(moment.kind, moment.time_ms), moment.kind) for moment in moments]


def _moved(moment: Moment, delta_ms: int) -> Moment:
    return msgspec.structs.replace(moment, time_ms=moment.time_ms + delta_ms)
