"""Session numbers of every protocol, as text and as the two 64-bit halves that hot columns hold."""

import re
from datetime import datetime
from hashlib import blake2b

NO_SESSION = (0, 0)
_PACKED = re.compile(r"[0-9A-F]{32}")
_SHIFT = 64
_LOW = (1 << _SHIFT) - 1


def is_packed(trade_no: str) -> bool:
    """Whether the halves are the number itself: 32 upper-case hex digits, as YKC and most AAF5 chargers write it."""
    return _PACKED.fullmatch(trade_no) is not None


def session_halves(trade_no: str) -> tuple[int, int]:
    """(trade_hi, trade_lo) of a session's number, (0, 0) for an empty one.

    32 hex digits are the 16 bytes themselves. Any other number (AAF5: a serial of other characters, or
    `PILE-GUN-YYYYMMDDhhmmss`) is represented by its 128-bit BLAKE2b digest; the text stands beside it in
    `readings.session_no`.
    """
    if not trade_no:
        return NO_SESSION
    whole = (
        int(trade_no, 16)
        if is_packed(trade_no)
        else int.from_bytes(blake2b(trade_no.encode(), digest_size=16).digest(), "big")
    )
    return whole >> _SHIFT, whole & _LOW


def unnamed_record(pile_code: str, connector: int, end: datetime | None, said: bytes) -> str:
    """The number of a charge whose record names none: `PILE-GUN-R`, its end if it has one, and a digest of its content.

    `end` is the local time of the charger's clock; `said` what tells the record from others and is equal for its
    repeats. Two charges get one number only when all of that is equal.
    """
    digest = blake2b(said, digest_size=4).hexdigest().upper()
    told = f"{end.year:04d}{end:%m%d%H%M%S}-" if end is not None else ""
    return f"{pile_code}-{connector}-R{told}{digest}"


def packed_text(trade_hi: int, trade_lo: int) -> str:
    """The number of a session whose halves are the number itself, empty for (0, 0)."""
    return f"{trade_hi:016X}{trade_lo:016X}" if trade_hi or trade_lo else ""
