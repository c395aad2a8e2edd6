"""What a YKC charger's answers to orders say (ykc.md section 4): one table row per answer."""

from typing import Any, Final

import msgspec

from core.ykc.codec import raw_fields
from ingest import ykc_types
from ingest.reactions import CommandAnswer


class _Row(msgspec.Struct, frozen=True):
    """`accepted` is the value of `result` that means yes; None where the answer has no `result`."""

    command: str
    accepted: int | None = 1


_ANSWERS: Final[dict[int, _Row]] = {
    ykc_types.REMOTE_START_REPLY: _Row("remote_start"),
    ykc_types.REMOTE_STOP_REPLY: _Row("remote_stop"),
    ykc_types.PARALLEL_REMOTE_START_REPLY: _Row("parallel_start"),
    ykc_types.BALANCE_REPLY: _Row("balance_update", 0),
    ykc_types.CARD_SYNC_REPLY: _Row("card_sync"),
    ykc_types.CARD_CLEAR_REPLY: _Row("card_clear", None),
    ykc_types.CARD_QUERY_REPLY: _Row("card_query", None),
    ykc_types.WORK_PARAMS_REPLY: _Row("work_params"),
    ykc_types.TIME_SYNC_REPLY: _Row("time_sync", None),
    ykc_types.TARIFF_SET_REPLY: _Row("tariff_set"),
    ykc_types.LOCK_CONTROL_REPLY: _Row("lock_control"),
    ykc_types.REBOOT_REPLY: _Row("reboot"),
    ykc_types.UPDATE_REPLY: _Row("update", 0),
}
ANSWER_TYPES: Final = frozenset(_ANSWERS)


def answer_of(frame_type: int, body: bytes) -> CommandAnswer | None:
    """The answer in a frame, None when the frame is none or is too short to say yes or no."""
    row = _ANSWERS.get(frame_type)
    if row is None:
        return None
    fields = raw_fields(frame_type, body)
    verdict = _verdict(frame_type, row, fields)
    if verdict is None:
        return None
    accepted, reason = verdict
    return CommandAnswer(
        command=row.command,
        connector=ykc_types.connector_of(frame_type, body),
        trade_no=ykc_types.trade_no_of(frame_type, body),
        accepted=accepted,
        reason=reason,
        values=_values(fields),
    )


def _verdict(frame_type: int, row: _Row, fields: dict[str, Any]) -> tuple[bool, int] | None:
    """Whether the charger accepted, and its own number of the reason."""
    if row.accepted is not None:
        if "result" not in fields:
            return None
        accepted = fields["result"] == row.accepted
        # Where the charger says no and gives no reason its result is all it said.
        return accepted, 0 if accepted else fields.get("fail_reason", fields["result"])
    if frame_type == ykc_types.TIME_SYNC_REPLY:
        return (True, 0) if "time" in fields else None
    if "cards" not in fields:
        return None
    if frame_type == ykc_types.CARD_CLEAR_REPLY:
        kept = [card["fail_reason"] for card in fields["cards"] if card["cleared"] != 1]
        return not kept, kept[0] if kept else 0
    return True, 0


def _values(fields: dict[str, Any]) -> dict[str, Any]:
    """What the answer tells beyond yes and no."""
    names = ("cards", "physical_card", "gun_role", "parallel_no")
    return {name: fields[name] for name in names if name in fields}
