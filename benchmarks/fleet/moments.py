"""What a charger can tell of a charge, and when."""

from enum import IntEnum

import msgspec


class Kind(IntEnum):
    """What happens at a moment of a charge, in the order in which equal times are told."""

    PLUGGED = 1
    LOCK_LOWERED = 2
    START_REQUEST = 3
    START_REPLY = 4
    PREPARING = 5
    HANDSHAKE = 6
    PARAMS = 7
    READING = 8
    LAST_READING = 9
    STOP_REPLY = 10
    BMS_ERROR = 11
    STOPPED = 12
    ABORT = 13
    CHARGE_END = 14
    RECORD = 15
    UNPLUGGED = 16
    LOCK_RAISED = 17


class Moment(msgspec.Struct, frozen=True, order=True):
    """Something that the charger tells, and when."""

    time_ms: int
    kind: Kind
