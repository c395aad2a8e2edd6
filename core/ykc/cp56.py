"""CP56Time2a, the 7-byte time of YKC: local time of the station, milliseconds within the minute (ykc.md section 2)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.ykc.errors import YkcTimeError

CP56_BYTES = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INVALID_BIT = 0x80
_SUMMER_BIT = 0x80


def cp56_to_local(raw: bytes) -> datetime | None:
    """The local time that the bytes spell, without zone; None when they spell none (all zero, a field out of range).

    Reserved bits, the day of the week and the marks "invalid" and "summer time" are masked away.
    """
    if len(raw) != CP56_BYTES:
        return None
    seconds, milliseconds = divmod(raw[0] | raw[1] << 8, 1000)
    try:
        return datetime(
            2000 + (raw[6] & 0x7F),
            raw[5] & 0x0F,
            raw[4] & 0x1F,
            raw[3] & 0x1F,
            raw[2] & 0x3F,
            seconds,
            milliseconds * 1000,
        )
    except ValueError:
        return None


def cp56_to_ms(raw: bytes, zone: str) -> int:
    """UTC epoch milliseconds of a charger's time in the IANA zone; 0 when it is unknown or marked invalid.

    An hour that a change of clocks repeats is the earlier one when the bytes say summer time.
    Raises `YkcTimeError` for an unknown zone.
    """
    local = cp56_to_local(raw)
    if local is None or raw[2] & _INVALID_BIT:
        return 0
    aware = local.replace(tzinfo=_zone(zone), fold=0 if raw[3] & _SUMMER_BIT else 1)
    return _epoch_ms(aware)


def ms_to_cp56(epoch_ms: int, zone: str) -> bytes:
    """The 7 bytes of a moment in the local time of the IANA zone; the day of the week stays 0.

    Raises `YkcTimeError` for an unknown zone or a year outside 2000..2127.
    """
    local = datetime.fromtimestamp(epoch_ms // 1000, UTC).astimezone(_zone(zone))
    if not 2000 <= local.year <= 2127:
        raise YkcTimeError(f"{epoch_ms} ms lies in the year {local.year}; CP56Time2a holds 2000..2127")
    summer = _SUMMER_BIT if local.dst() else 0
    return _pack(local, epoch_ms % 1000, summer)


def local_to_cp56(local: datetime) -> bytes:
    """The 7 bytes of a local time without zone. Raises `YkcTimeError` for a year outside 2000..2127."""
    if not 2000 <= local.year <= 2127:
        raise YkcTimeError(f"{local.isoformat()}: CP56Time2a holds the years 2000..2127")
    return _pack(local, local.microsecond // 1000, 0)


def _pack(local: datetime, milliseconds: int, summer: int) -> bytes:
    in_minute = local.second * 1000 + milliseconds
    return bytes(
        (
            in_minute & 0xFF,
            in_minute >> 8,
            local.minute,
            local.hour | summer,
            local.day,
            local.month,
            local.year - 2000,
        )
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise YkcTimeError(f"{name!r} is no IANA time zone") from error


def _epoch_ms(aware: datetime) -> int:
    since = aware.astimezone(UTC) - _EPOCH
    return (since.days * 86400 + since.seconds) * 1000 + since.microseconds // 1000
