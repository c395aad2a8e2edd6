"""The ways in which a charger misbehaves on the line, by name: what a gateway must count, say and end."""

from enum import StrEnum
from typing import Final


class LineFault(StrEnum):
    """What one charger does wrong on its connections, on each of them, as long as it is switched on.

    `UNKNOWN_ID`: it logs in with an id that nobody knows. `SECOND_LOGIN_ALIVE`: a stranger logs in with its id while it
    is connected and answers. `SECOND_LOGIN_DEAD`: it logs in again while its old socket is open and silent.
    `LOGIN_FLOOD`: connection after connection logs in with its id. `CLOCK_WRONG`: its clock is off until it is set.
    `CLOCK_STUCK`: its clock is off and cannot be set. `TARIFF_KEPT`: it never takes another tariff.
    `FRAMES_BEFORE_LOGIN`, `ENCRYPTED_FRAME`, `OVERSIZE_LENGTH`: such frames among its good ones. `SLOW_SENDER`: one
    byte a second. `HALF_FRAME`: half a frame, then silence. `SILENT`: no heartbeat any more, but the socket stays.
    """

    UNKNOWN_ID = "unknown_id"
    SECOND_LOGIN_ALIVE = "second_login_alive"
    SECOND_LOGIN_DEAD = "second_login_dead"
    LOGIN_FLOOD = "login_flood"
    CLOCK_WRONG = "clock_wrong"
    CLOCK_STUCK = "clock_stuck"
    TARIFF_KEPT = "tariff_kept"
    FRAMES_BEFORE_LOGIN = "frames_before_login"
    ENCRYPTED_FRAME = "encrypted_frame"
    OVERSIZE_LENGTH = "oversize_length"
    SLOW_SENDER = "slow_sender"
    HALF_FRAME = "half_frame"
    SILENT = "silent"


CLOCK_FAULTS: Final = frozenset({LineFault.CLOCK_WRONG, LineFault.CLOCK_STUCK})
CLOCK_ERROR_MS: Final = 17 * 60_000
