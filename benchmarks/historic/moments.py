"""When what is said of charges: one element per frame, before anything is encoded."""

from enum import IntEnum
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.historic.charges import MINUTE_MS, PERIOD_MS, SECOND_MS, Charges, Ints
from benchmarks.historic.making import LISTENED_MS

IDLE_PERIOD_MS: Final = 5 * MINUTE_MS
STOPPED_AFTER_MS: Final = 3 * SECOND_MS
SHOWN_AFTER_LOGIN_MS: Final = 2 * SECOND_MS
HEARTBEAT_MS: Final = MINUTE_MS
ACK_MS: Final = 120
"""Until the platform's answer."""


class Kind(IntEnum):
    """What a frame is."""

    READING = 0
    IDLE = 1
    HEARTBEAT = 2
    LOGIN = 3
    LOGIN_ACK = 4
    RECORD = 5
    RECORD_ACK = 6


class Moments(msgspec.Struct):
    """`of` is the charge's place, `number` counts the readings of a charge from 0."""

    of: Ints
    time_ms: Ints
    kind: Ints
    number: Ints

    def __len__(self) -> int:
        return len(self.of)

    def take(self, places: npt.NDArray[np.generic]) -> "Moments":
        """The moments at these places (indices or a mask)."""
        return Moments(self.of[places], self.time_ms[places], self.kind[places], self.number[places])


def readings_of(charges: Charges) -> Ints:
    """How many readings each charge has, heard or not: one every period, and one when the flow ends."""
    count: Ints = (charges.stop_ms - charges.first_ms) // PERIOD_MS + 2
    return count


def moments_of(charges: Charges) -> Moments:
    """Everything that is heard of the charges, in the order of time."""
    parts = [
        _readings(charges),
        _idle(charges),
        *_logins(charges),
        _heartbeats(charges),
        *_records(charges),
    ]
    joined = _joined(*parts)
    heard = joined.take(_is_heard(charges, joined))
    return heard.take(np.argsort(heard.time_ms, kind="stable"))


def _readings(charges: Charges) -> Moments:
    of, number, counts = _counted(readings_of(charges))
    time_ms = np.where(number == counts[of] - 1, charges.stop_ms[of], charges.first_ms[of] + number * PERIOD_MS)
    return _moments(of, time_ms, Kind.READING, number)


def _idle(charges: Charges) -> Moments:
    """What the gun shows of itself until the vehicle is gone: at once, every five minutes, and when it goes."""
    stood_ms = np.maximum(charges.unplug_ms - charges.stop_ms - STOPPED_AFTER_MS, 0)
    of, number, _counts = _counted(stood_ms // IDLE_PERIOD_MS + 1)
    standing = _moments(of, charges.stop_ms[of] + STOPPED_AFTER_MS + number * IDLE_PERIOD_MS, Kind.IDLE)
    every = np.arange(len(charges))
    gone = _moments(every, charges.unplug_ms, Kind.IDLE)
    returned = every[charges.back_ms > charges.stop_ms]
    again = _moments(returned, charges.back_ms[returned] + SHOWN_AFTER_LOGIN_MS, Kind.IDLE)
    return _joined(standing, gone, again)


def _logins(charges: Charges) -> tuple[Moments, Moments]:
    returned = np.flatnonzero(charges.back_ms)
    at_ms = charges.back_ms[returned]
    return _moments(returned, at_ms, Kind.LOGIN), _moments(returned, at_ms + ACK_MS, Kind.LOGIN_ACK)


def _heartbeats(charges: Charges) -> Moments:
    """Chargers send them all the time; the capture holds those that come while a record is awaited."""
    since_ms = np.maximum(charges.stop_ms, charges.back_ms)
    until_ms = np.where(charges.record_ms > 0, charges.record_ms, since_ms + LISTENED_MS)
    of, number, _counts = _counted(np.maximum(until_ms - since_ms, 0) // HEARTBEAT_MS)
    return _moments(of, since_ms[of] + (number + 1) * HEARTBEAT_MS, Kind.HEARTBEAT)


def _records(charges: Charges) -> tuple[Moments, Moments]:
    sent = np.flatnonzero(charges.record_ms)
    at_ms = charges.record_ms[sent]
    return _moments(sent, at_ms, Kind.RECORD), _moments(sent, at_ms + ACK_MS, Kind.RECORD_ACK)


def _is_heard(charges: Charges, moments: Moments) -> npt.NDArray[np.bool_]:
    away_ms, back_ms = charges.away_ms[moments.of], charges.back_ms[moments.of]
    gone: npt.NDArray[np.bool_] = (
        (away_ms > 0) & (moments.time_ms >= away_ms) & ((back_ms == 0) | (moments.time_ms < back_ms))
    )
    return ~gone


def _counted(counts: Ints) -> tuple[Ints, Ints, Ints]:
    """For so many elements of each: which one it is of, and its number among them; and the counts."""
    of = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    return of, number, counts


def _moments(of: Ints, time_ms: Ints, kind: Kind, number: Ints | None = None) -> Moments:
    unnumbered = np.zeros(len(of), dtype=np.int64)
    return Moments(of, time_ms, np.full(len(of), kind), unnumbered if number is None else number)


def _joined(*parts: Moments) -> Moments:
    return Moments(*(np.concatenate([getattr(part, name) for part in parts]) for name in Moments.__struct_fields__))
