"""The order in which a charger tells of one charge (ykc.md section 5): one for the written history and the live run."""

from enum import IntEnum
from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet import messages
from benchmarks.fleet.charge import START_BY_APP, STOPPED_BY_APP, Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.plan import Traits

NOISE_EVERY: Final = 8


class Kind(IntEnum):
    """What happens at a moment of a charge."""

    PLUGGED = 1
    START_REPLY = 2
    HANDSHAKE = 3
    PARAMS = 4
    READING = 5
    LAST_READING = 6
    STOP_REPLY = 7
    STOPPED = 8
    ABORT = 9
    CHARGE_END = 10
    RECORD = 11
    UNPLUGGED = 12


class Moment(msgspec.Struct, frozen=True, order=True):
    """Something that the charger tells, and when."""

    time_ms: int
    kind: Kind


def single_moments(charge: Charge, traits: Traits) -> list[Moment]:
    """All moments but the periodic readings and the record, whose sending depends on the link; ascending."""
    moments = [Moment(charge.plug_ms, Kind.PLUGGED)]
    if charge.start_mode == START_BY_APP:
        moments.append(Moment(charge.order_ms + 700, Kind.START_REPLY))
    if charge.fault is not Fault.START_FAILED:
        if charge.pile.is_dc:
            moments.append(Moment(charge.charging_ms - 4_000, Kind.HANDSHAKE))
            moments.append(Moment(charge.charging_ms - 2_000, Kind.PARAMS))
        if traits.final_reading:
            moments.append(Moment(max(charge.stop_ms - 250, charge.charging_ms), Kind.LAST_READING))
        if charge.start_mode == START_BY_APP and charge.stop_reason == STOPPED_BY_APP:
            moments.append(Moment(charge.stop_ms, Kind.STOP_REPLY))
        moments.append(Moment(charge.stop_ms, Kind.STOPPED))
        if charge.pile.is_dc:
            moments.append(Moment(charge.stop_ms + 300, Kind.ABORT))
            moments.append(Moment(charge.stop_ms + 1_200, Kind.CHARGE_END))
    moments.append(Moment(charge.unplug_ms, Kind.UNPLUGGED))
    return sorted(moments)


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
