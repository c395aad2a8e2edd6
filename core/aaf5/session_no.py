"""The number of an AAF5 session: its serial, or what names it when the charger gives none (aaf5.md section 4)."""

from core.aaf5.bcd_time import bcd8_to_local


def connector_of_gun(gun_no: int) -> int:
    """The connector's number: a single-gun pile calls its gun 0 (aaf5.md section 6)."""
    return gun_no or 1


def session_number(pile_code: str, gun_no: int, serial: str, start_time: bytes) -> str:
    """The session's number; empty when there is neither serial nor a start time.

    `pile_code` is the platform's code of the pile, without a gun letter that the charger may have put behind it;
    `start_time` the BCD8 of a 104 or 202, by the charger's clock. A serial of nothing but zeros is none.
    """
    if serial.strip("0"):
        return serial
    start = bcd8_to_local(start_time)
    if start is None:
        return ""
    return f"{pile_code}-{connector_of_gun(gun_no)}-{start.year:04d}{start:%m%d%H%M%S}"
