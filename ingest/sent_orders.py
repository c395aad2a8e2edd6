"""Which order a frame is that the platform of a capture sent: so that a replay can match the answers in it."""

from collections.abc import Callable
from typing import Final

from core.aaf5.codec import raw_fields as aaf5_fields
from core.ykc.codec import raw_fields as ykc_fields
from ingest import ykc_types
from ingest.aaf5_answers import CLOCK_ADDRESS, CONTROL_CANCEL_BOOKING, CONTROL_REBOOT, CONTROL_STOP, SET

_YKC: Final = {
    ykc_types.REMOTE_START: "remote_start",
    ykc_types.REMOTE_STOP: "remote_stop",
    ykc_types.PARALLEL_REMOTE_START: "parallel_start",
    ykc_types.TIME_SYNC: "time_sync",
    ykc_types.TARIFF_SET: "tariff_set",
}
_AAF5_CONTROLS: Final = {
    CONTROL_STOP: "remote_stop",
    CONTROL_CANCEL_BOOKING: "cancel_booking",
    CONTROL_REBOOT: "reboot",
}
_STR_PARAMS, _CONTROL, _START = 3, 5, 7


def _ykc_order(frame_type: int, body: bytes) -> str | None:
    return _YKC.get(frame_type)


def _aaf5_order(frame_type: int, body: bytes) -> str | None:
    if frame_type == _START:
        return "remote_start"
    fields = aaf5_fields(frame_type, body)
    if frame_type == _CONTROL:
        return _AAF5_CONTROLS.get(fields.get("addr", 0))
    if frame_type == _STR_PARAMS and fields.get("addr") == CLOCK_ADDRESS and fields.get("op") == SET:
        return "time_sync"
    return None


_ORDERS: Final[dict[str, Callable[[int, bytes], str | None]]] = {"ykc": _ykc_order, "aaf5": _aaf5_order}


def order_in(protocol: str, frame_type: int, body: bytes) -> str | None:
    """The name of the order in a frame of the platform, None when it is none whose answer is matched."""
    return _ORDERS[protocol](frame_type, body)


def offered_model(protocol: str, frame_type: int, body: bytes) -> str | None:
    """The number of the tariff that a frame of the platform offers (YKC 0x0A), None when it offers none."""
    if protocol != "ykc" or frame_type != ykc_types.TARIFF_REPLY:
        return None
    return str(ykc_fields(frame_type, body).get("model_no", ""))
