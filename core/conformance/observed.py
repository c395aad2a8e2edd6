"""What a frame says that bears on the order of steps, read through the message tables of its protocol."""

from typing import Any, Final

import msgspec

from core.aaf5 import codec as aaf5
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.conformance.steps import NOT_SAID
from core.ykc import codec as ykc
from core.ykc.messages import MESSAGES as YKC_MESSAGES

_CENT_KWH_TO_E4: Final = 100
_STOP_CHARGING: Final = 2
_YKC_HEADER, _YKC_CHECKSUM = 6, 2
_AAF5_HEADER, _AAF5_CHECKSUM = 8, 1

_YKC_STEPS: Final = (
    *(0x15, 0x17, 0x19, 0x1D, 0x21, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x3B, 0x40, 0xA1, 0xA2, 0xA3, 0xA4),
)
_AAF5_STEPS: Final = (5, 6, 7, 8, 201, 202, 203, 204)
STEP_TYPES: Final[dict[str, tuple[int, ...]]] = {"ykc": _YKC_STEPS, "aaf5": _AAF5_STEPS}
"""The frames that are steps of a session, each by itself."""
LOGIN_TYPES: Final[dict[str, tuple[int, ...]]] = {
    "ykc": (0x01, 0x02, 0x05, 0x06, 0x09, 0x0A, 0x55, 0x56),
    "aaf5": (105, 106),
}
"""The frames that are steps of a login."""
PERIODIC_TYPES: Final[dict[str, tuple[int, ...]]] = {"ykc": (0x23, 0x25), "aaf5": ()}
"""The frames that come again and again while a charge goes on, beside the readings."""


class Observed(msgspec.Struct, frozen=True):
    """What one frame says. `name` is that of its message, "" for a frame that is no step after all."""

    name: str
    result: int = NOT_SAID
    reason: int = NOT_SAID
    mode: int = NOT_SAID
    energy_e4kwh: int = NOT_SAID
    card: str = ""


def message_name(protocol: str, frame_type: int) -> str:
    """The name of a message type, `type_…` with its number when the protocol has none of that type."""
    message = (YKC_MESSAGES if protocol == "ykc" else AAF5_MESSAGES).get(frame_type)
    return message.name if message else f"type_{frame_type:#x}" if protocol == "ykc" else f"type_{frame_type}"


def body_of(protocol: str, frame: bytes) -> bytes:
    """The body of a whole frame."""
    if protocol == "ykc":
        return frame[_YKC_HEADER:-_YKC_CHECKSUM]
    return frame[_AAF5_HEADER:-_AAF5_CHECKSUM]


def observed(protocol: str, frame_type: int, frame: bytes) -> Observed:
    """What a stored frame says. Never raises: what a short body does not hold is not said."""
    name = message_name(protocol, frame_type)
    body = body_of(protocol, frame)
    return (
        _ykc(name, ykc.raw_fields(frame_type, body))
        if protocol == "ykc"
        else _aaf5(name, aaf5.raw_fields(frame_type, body))
    )


def _ykc(name: str, fields: dict[str, Any]) -> Observed:
    if name == "record":
        return Observed(
            name,
            reason=fields.get("stop_reason", NOT_SAID),
            mode=fields.get("start_mode", NOT_SAID),
            energy_e4kwh=fields.get("energy", NOT_SAID),
        )
    result = fields.get("auth", fields.get("result", NOT_SAID))
    return Observed(name, result=result, reason=fields.get("fail_reason", NOT_SAID))


def _aaf5(name: str, fields: dict[str, Any]) -> Observed:
    if name in ("control", "control_reply") and fields.get("addr") != _STOP_CHARGING:
        return Observed("")
    if name == "record":
        energy = fields.get("energy")
        return Observed(
            name,
            reason=fields.get("end_reason", NOT_SAID),
            mode=fields.get("start_mode", NOT_SAID),
            energy_e4kwh=NOT_SAID if energy is None else energy * _CENT_KWH_TO_E4,
            card=str(fields.get("card", "")),
        )
    return Observed(name, result=fields.get("result", NOT_SAID), card=str(fields.get("card", "")))
