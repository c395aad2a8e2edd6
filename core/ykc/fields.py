"""The fields that only YKC has: BCD, its times, and the offsets of its currents and temperatures (ykc.md section 2)."""

from core.wire.fields import Field, TimeFormat
from core.ykc.cp56 import CP56_BYTES, cp56_to_local, local_to_cp56

CP56 = TimeFormat("CP56Time2a", CP56_BYTES, "2000..2127", "milliseconds", cp56_to_local, local_to_cp56)


def bcd(name: str, length: int, *, note: str = "") -> Field:
    """`length` bytes of two decimal digits each."""
    return Field(name, length, "bcd", note=note)


def time(name: str) -> Field:
    """A CP56Time2a in the station's local time."""
    return Field(name, CP56_BYTES, "time", time=CP56)


def current(name: str) -> Field:
    """A current of the BMS messages: 0.1 A, wire value 4000 is 0 A, charging is negative."""
    return Field(name, 2, "uint", 1, -4000, unit="A", note="negative while charging")


def temperature(name: str) -> Field:
    """A temperature in degrees C: wire value 50 is 0."""
    return Field(name, 1, "uint", add=-50, unit="degC")
