"""The order in which a charger tells of one charge (ykc.md and aaf5.md, section 5 of each): the same order in the
written history and in the live run.
"""

from typing import Final

import numpy as np

from benchmarks.fleet import messages
from benchmarks.fleet.charge import NOT_ASKED, START_BY_APP, STOPPED_BY_APP, Charge
from benchmarks.fleet.deviations import answers_stop, deviated, start_reply_times
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.moments import Kind, Moment
from benchmarks.fleet.plan import PilePlan
from benchmarks.fleet.traits import Traits

NOISE_EVERY: Final = 8
PROMPT_MS: Final = 700
STOP_TAKES_MS: Final = 80
# Failed starts of a vehicle that did not speak: not ready, and no answer to the charger's recognition (ykc.md 4.2).
BMS_TIMEOUTS: Final = frozenset({0x52, 0x5A})

# Told when an order or a driver comes, so a live charger does not wait for their moments.
TOLD_AT_ARRIVAL: Final = frozenset(
    {
        Kind.PLUGGED,
        Kind.LOCK_LOWERED,
        Kind.START_ORDER,
        Kind.START_REQUEST,
        Kind.START_REPLY,
        Kind.STOP_ORDER,
        Kind.STOP_REPLY,
    }
)


def single_moments(charge: Charge, plan: PilePlan) -> list[Moment]:
    """All moments but the periodic readings and the record, whose sending depends on the link; ascending."""
    moments = _aaf5_moments(charge) if plan.aaf5 is not None else _ykc_moments(charge, plan.traits)
    if charge.fault is not Fault.START_FAILED and plan.traits.final_reading:
        moments.append(Moment(max(charge.stop_ms - 250, charge.charging_ms), Kind.LAST_READING))
    return deviated(charge, sorted(moments))


def _ykc_moments(charge: Charge, traits: Traits) -> list[Moment]:
    moments = [Moment(charge.plug_ms, Kind.PLUGGED)]
    if charge.start_mode == START_BY_APP:
        moments.append(Moment(charge.order_ms, Kind.START_ORDER))
        answers = start_reply_times(charge, charge.order_ms + PROMPT_MS)
        moments += [Moment(time_ms, Kind.START_REPLY) for time_ms in answers]
    if charge.asks_by != NOT_ASKED:
        moments.append(Moment(charge.order_ms, Kind.START_REQUEST))
    if charge.fault is Fault.START_FAILED:
        if charge.pile.is_dc and charge.stop_reason in BMS_TIMEOUTS:
            moments.append(Moment(charge.stop_ms - 200, Kind.BMS_ERROR))
    else:
        if charge.pile.is_dc:
            moments.append(Moment(charge.charging_ms - 4_000, Kind.HANDSHAKE))
            moments.append(Moment(charge.charging_ms - 2_000, Kind.PARAMS))
            moments.append(Moment(charge.stop_ms + 300, Kind.ABORT))
            moments.append(Moment(charge.stop_ms + 1_200, Kind.CHARGE_END))
        moments += _stop_moments(charge)
    moments.append(Moment(charge.unplug_ms, Kind.UNPLUGGED))
    if traits.has_lock:
        moments += [Moment(charge.plug_ms, Kind.LOCK_LOWERED), Moment(charge.unplug_ms, Kind.LOCK_RAISED)]
    return moments


def _aaf5_moments(charge: Charge) -> list[Moment]:
    """7 is answered by 8 when energy flows, or when the start has failed (aaf5.md section 5)."""
    moments = [Moment(charge.plug_ms, Kind.PLUGGED), Moment(charge.start_ms, Kind.PREPARING)]
    if charge.asks_by != NOT_ASKED:
        moments.append(Moment(charge.order_ms, Kind.START_REQUEST))
    if charge.start_mode == START_BY_APP:
        moments.append(Moment(charge.order_ms, Kind.START_ORDER))
        answers = start_reply_times(charge, charge.charging_ms + PROMPT_MS)
        moments += [Moment(time_ms, Kind.START_REPLY) for time_ms in answers]
    moments += _stop_moments(charge)
    moments.append(Moment(charge.unplug_ms, Kind.UNPLUGGED))
    return moments


def _stop_moments(charge: Charge) -> list[Moment]:
    moments = [Moment(charge.stop_ms, Kind.STOPPED)]
    if charge.start_mode == START_BY_APP and charge.stop_reason == STOPPED_BY_APP:
        moments.append(Moment(charge.stop_ms - STOP_TAKES_MS, Kind.STOP_ORDER))
        if answers_stop(charge):
            moments.append(Moment(charge.stop_ms, Kind.STOP_REPLY))
    return moments


def has_noise(charge: Charge, reading: int) -> bool:
    """Whether noise comes down the line before the charge's reading of that number."""
    return charge.fault is Fault.GARBAGE_ON_LINE and (reading + charge.salt) % NOISE_EVERY == 0


def noise(charge: Charge, reading: int) -> bytes:
    """Bytes that are no frame: a heartbeat with a flipped byte, or a stretch without meaning."""
    random = np.random.default_rng([charge.salt, reading])
    if reading // NOISE_EVERY % 2 == 0:
        return random.bytes(int(random.integers(3, 40)))
    frame = bytearray(messages.encode(messages.heartbeat(charge.pile), reading.to_bytes(2, "little"), "le"))
    frame[int(random.integers(6, len(frame)))] ^= 0x5A
    return bytes(frame)
