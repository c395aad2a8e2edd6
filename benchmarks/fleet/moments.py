"""What a charger can tell of a charge, and when."""

from enum import IntEnum

import msgspec


class Kind(IntEnum):
    """What happens at a moment of a charge, in the order in which equal times are told.

    An order is no word of the charger: only a written history tells it.
    """

    PLUGGED = 1
    LOCK_LOWERED = 2
    START_ORDER = 3
    START_REQUEST = 4
    START_REPLY = 5
    PREPARING = 6
    HANDSHAKE = 7
    PARAMS = 8
    READING = 9
    LAST_READING = 10
    STOP_ORDER = 11
    STOP_REPLY = 12
    BMS_ERROR = 13
    STOPPED = 14
    ABORT = 15
    CHARGE_END = 16
    RECORD = 17
    UNPLUGGED = 18
    LOCK_RAISED = 19


class Moment(msgspec.Struct, frozen=True, order=True):
    """Something that the charger tells, and when."""

    time_ms: int
    kind: Kind
