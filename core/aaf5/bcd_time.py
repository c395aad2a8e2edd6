"""BCD8, the 8-byte time of AAF5: `YYYY MM DD hh mm ss FF` in local time of the station (aaf5.md section 1)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.wire.errors import WireTimeError
from core.wire.fields import TimeFormat

BCD8_BYTES = 8
_LAST_BYTE = b"\xff"


def bcd8_to_local(raw: bytes) -> datetime | None:
    """The local time that the bytes spell, without zone; None when they spell none (all zero, a field out of range).

    The last byte is ignored.
    """
    digits = raw[:-1].hex()
    if len(raw) != BCD8_BYTES or not digits.isdecimal():
        return None
    year, rest = int(digits[:4]), digits[4:]
    month, day, hour, minute, second = (int(rest[at : at + 2]) for at in range(0, 10, 2))
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def bcd8_to_ms(raw: bytes, zone: str) -> int:
    """UTC epoch milliseconds of a charger's time in the IANA zone; 0 when it is unknown.

    An hour that a change of clocks repeats is the later one, as with YKC times not marked as summer time.
    Raises `WireTimeError` for an unknown zone.
    """
    local = bcd8_to_local(raw)
    if local is None:
        return 0
    try:
        moment = local.replace(tzinfo=_zone(zone), fold=1).astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar, seen from another zone
        return 0
    return round(moment.timestamp()) * 1000


def ms_to_bcd8(epoch_ms: int, zone: str) -> bytes:
    """The 8 bytes of a moment in the local time of the IANA zone, cut to the second.

    Raises `WireTimeError` for an unknown zone or a year outside 1..9999.
    """
    try:
        local = datetime.fromtimestamp(epoch_ms // 1000, UTC).astimezone(_zone(zone))
    except (OverflowError, ValueError, OSError) as error:
        raise WireTimeError(f"{epoch_ms} ms lies outside the years 1..9999") from error
    return local_to_bcd8(local)


def local_to_bcd8(local: datetime) -> bytes:
    """The 8 bytes of a local time without zone, cut to the second."""
    return bytes.fromhex(f"{local.year:04d}{local:%m%d%H%M%S}") + _LAST_BYTE


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise WireTimeError(f"{name!r} is no IANA time zone") from error


BCD8 = TimeFormat("BCD8", BCD8_BYTES, "1..9999", "seconds", bcd8_to_local, local_to_bcd8)
"""BCD8 as the format of a field."""
