"""Names of the YKC frame types that the gateway acts on, and where each frame says whose it is (ykc.md section 3)."""

from typing import Final

from core.session_number import unnamed_record
from core.ykc.cp56 import cp56_to_local

LOGIN: Final = 0x01
LOGIN_ACK: Final = 0x02
HEARTBEAT: Final = 0x03
HEARTBEAT_ACK: Final = 0x04
TARIFF_CHECK: Final = 0x05
TARIFF_CHECK_ACK: Final = 0x06
TARIFF_REQUEST: Final = 0x09
TARIFF_REPLY: Final = 0x0A
READ_REALTIME: Final = 0x12
REALTIME: Final = 0x13
START_REQUEST: Final = 0x31
START_REPLY: Final = 0x32
REMOTE_START_REPLY: Final = 0x33
REMOTE_START: Final = 0x34
REMOTE_STOP_REPLY: Final = 0x35
REMOTE_STOP: Final = 0x36
RECORD: Final = 0x3B
RECORD_ACK: Final = 0x40
BALANCE_REPLY: Final = 0x41
BALANCE_UPDATE: Final = 0x42
CARD_SYNC_REPLY: Final = 0x43
CARD_SYNC: Final = 0x44
CARD_CLEAR_REPLY: Final = 0x45
CARD_CLEAR: Final = 0x46
CARD_QUERY_REPLY: Final = 0x47
CARD_QUERY: Final = 0x48
WORK_PARAMS_REPLY: Final = 0x51
WORK_PARAMS: Final = 0x52
TIME_SYNC_REPLY: Final = 0x55
TIME_SYNC: Final = 0x56
TARIFF_SET_REPLY: Final = 0x57
TARIFF_SET: Final = 0x58
LOCK_CONTROL_REPLY: Final = 0x63
LOCK_CONTROL: Final = 0x62
REBOOT_REPLY: Final = 0x91
REBOOT: Final = 0x92
UPDATE_REPLY: Final = 0x93
UPDATE: Final = 0x94
PARALLEL_START_REQUEST: Final = 0xA1
PARALLEL_START_REPLY: Final = 0xA2
PARALLEL_REMOTE_START_REPLY: Final = 0xA3
PARALLEL_REMOTE_START: Final = 0xA4

RECORD_BODY_BYTES: Final = 158
TRADE_NO_BYTES: Final = 16
_RECORD_END: Final = slice(31, 38)

# Where pile_code stands in the body, by frame type. Types that are not here carry none, or are unknown.
_PILE_CODE_FIRST = (
    *(0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09, 0x0A, 0x12, 0x31, 0x35, 0x36, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46),
    *(0x47, 0x48, 0x51, 0x52, 0x55, 0x56, 0x57, 0x58, 0x61, 0x62, 0x63, 0x91, 0x92, 0x93, 0x94, 0xA1),
)
_PILE_CODE_AFTER_TRADE_NO = (
    *(0x13, 0x15, 0x17, 0x19, 0x1B, 0x1D, 0x21, 0x23, 0x25, 0x32, 0x33, 0x34, 0x3B, 0xA2, 0xA3, 0xA4),
)
PILE_CODE_OFFSET: Final[dict[int, int]] = {
    **dict.fromkeys(_PILE_CODE_FIRST, 0),
    **dict.fromkeys(_PILE_CODE_AFTER_TRADE_NO, TRADE_NO_BYTES),
}
PILE_CODE_BYTES: Final = 7

# Frames of a connector: its number (BCD) stands right after pile_code. 0x61-0x63 write it as a plain number.
_CONNECTOR_FRAMES = (
    *(0x03, 0x04, 0x12, 0x31, 0x35, 0x36, 0x42, 0xA1),
    *_PILE_CODE_AFTER_TRADE_NO,
)
_PLAIN_CONNECTOR_FRAMES = (0x61, 0x62, 0x63)


def pile_code_of(frame_type: int, body: bytes) -> str | None:
    """The 14-digit pile code that the frame names, None when it names none or is too short for it."""
    offset = PILE_CODE_OFFSET.get(frame_type)
    if offset is None or len(body) < offset + PILE_CODE_BYTES:
        return None
    return body[offset : offset + PILE_CODE_BYTES].hex().upper()


def connector_of(frame_type: int, body: bytes) -> int:
    """The connector that the frame is about, 1..99; 0 when it is about the whole pile or says none."""
    offset = PILE_CODE_OFFSET.get(frame_type)
    if offset is None or len(body) <= offset + PILE_CODE_BYTES:
        return 0
    raw = body[offset + PILE_CODE_BYTES]
    if frame_type in _PLAIN_CONNECTOR_FRAMES:
        return raw if raw <= 99 else 0
    if frame_type not in _CONNECTOR_FRAMES:
        return 0
    return connector_from_bcd(raw)


def connector_from_bcd(raw: int) -> int:
    """The number in one BCD byte, 0 when it is no decimal number."""
    high, low = raw >> 4, raw & 0x0F
    return high * 10 + low if high <= 9 and low <= 9 else 0


def trade_no_of(frame_type: int, body: bytes) -> str:
    """The 32 digits of the session that the frame names, empty when it names none or the number is all zero.

    A record without a number is told from others by all that it says: no two charges become one.
    """
    if PILE_CODE_OFFSET.get(frame_type) != TRADE_NO_BYTES and frame_type != RECORD_ACK:
        return ""
    raw = body[:TRADE_NO_BYTES]
    if len(raw) == TRADE_NO_BYTES and any(raw):
        return raw.hex().upper()
    if frame_type == RECORD and len(body) >= RECORD_BODY_BYTES:
        code = pile_code_of(RECORD, body) or ""
        return unnamed_record(code, connector_of(RECORD, body), cp56_to_local(body[_RECORD_END]), body)
    return ""


def is_down(frame_type: int) -> bool:
    """Whether the platform sends this type: the even ones (ykc.md section 1)."""
    return frame_type % 2 == 0
