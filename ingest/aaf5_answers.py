"""What an AAF5 charger's answers to orders say (aaf5.md section 3)."""

from typing import Any, Final

from core.aaf5.codec import raw_fields
from ingest.reactions import CommandAnswer

INT_PARAMS_REPLY: Final = 2
STR_PARAMS_REPLY: Final = 4
CONTROL_REPLY: Final = 6
START_REPLY: Final = 8
ANSWER_TYPES: Final = frozenset({INT_PARAMS_REPLY, STR_PARAMS_REPLY, CONTROL_REPLY, START_REPLY})

CLOCK_ADDRESS: Final = 2
QUERY, SET = 0, 1
CONTROL_STOP, CONTROL_CANCEL_BOOKING, CONTROL_REBOOT = 2, 10, 11
_PARAMETERS: Final = ("int_params", "str_params")
_VALUES: Final = ("op", "addr", "values", "data")
_CONTROLS: Final = {
    CONTROL_STOP: "remote_stop",
    CONTROL_CANCEL_BOOKING: "cancel_booking",
    CONTROL_REBOOT: "reboot",
}


def answer_of(frame_type: int, body: bytes, connector: int) -> CommandAnswer | None:
    """The answer in a frame, None when the frame is none or is too short to say yes or no.

    `connector` is the platform's number of the gun that the frame is about.
    """
    fields = raw_fields(frame_type, body)
    if frame_type not in ANSWER_TYPES or "result" not in fields:
        return None
    command = _command(frame_type, fields)
    if command is None:
        return None
    return CommandAnswer(
        command=command,
        connector=connector if command in ("remote_start", "remote_stop", "cancel_booking") else 0,
        trade_no=fields.get("serial", ""),
        accepted=fields["result"] == 0,
        reason=fields["result"],
        values={name: fields[name] for name in _VALUES if name in fields} if command in _PARAMETERS else {},
    )


def _command(frame_type: int, fields: dict[str, Any]) -> str | None:
    match frame_type:
        case 2:
            return "int_params"
        case 4:
            sets_clock = fields["addr"] == CLOCK_ADDRESS and fields["op"] == SET
            return "time_sync" if sets_clock else "str_params"
        case 6:
            return _CONTROLS.get(fields["addr"])
        case _:
            return "remote_start"
