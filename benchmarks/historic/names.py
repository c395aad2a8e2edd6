"""What charges, cards, vehicles and connections are called on the wire."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.historic.charges import Charges, Ints
from benchmarks.historic.fleet import Charger
from benchmarks.historic.wire import Bytes, ascii_text, digits, local_digits

AAF5_PREFIX: Final = "aaf5-"
CODE_DIGITS: Final = 14
GUN_DIGITS: Final = 2
COUNT_DIGITS: Final = 4
CARD_DIGITS: Final = 10
VEHICLE_DIGITS: Final = 9
VIN_BEGIN: Final = b"LZYTAGBW"


def number_digits(charges: Charges, codes: Bytes) -> Bytes:
    """The 32 digits of each charge's number: charger, gun, when it began by the charger's clock, a count.

    `codes`: the last 14 digits of each charge's charger.
    """
    began = local_digits(charges.begin_ms + charges.clock_ms)[:, 2:]
    return np.concatenate(
        (codes, digits(charges.gun + 1, GUN_DIGITS), began, digits(charges.stretch, COUNT_DIGITS)), axis=1
    )


def code_digits(charges: Charges, chargers: Sequence[Charger]) -> Bytes:
    """The last 14 digits of each charge's charger."""
    codes = np.array([int(charger.code[-CODE_DIGITS:]) for charger in chargers], dtype=np.int64)
    return digits(codes[charges.charger], CODE_DIGITS)


def codes_text(charges: Charges, chargers: Sequence[Charger]) -> npt.NDArray[np.bytes_]:
    """The code of each charge's charger."""
    return np.array([charger.code.encode() for charger in chargers])[charges.charger]


def cards(charges: Charges) -> npt.NDArray[np.bytes_]:
    """The card of each charge, ten digits."""
    return ascii_text(digits(8_800_000_000 + charges.vehicle, CARD_DIGITS))


def vins(charges: Charges) -> npt.NDArray[np.bytes_]:
    """The vehicle of each charge, 17 characters."""
    return np.char.add(VIN_BEGIN, ascii_text(digits(charges.vehicle, VEHICLE_DIGITS)))


def connection_name(charger: Charger, number: int) -> str:
    """A connection of a charger; each login begins one."""
    prefix = AAF5_PREFIX if charger.protocol == "aaf5" else ""
    return f"{prefix}{charger.code}-{number}"


def connection_numbers(charges: Charges, of: Ints, time_ms: Ints) -> Ints:
    """Over which connection of its charger each moment goes."""
    returned = (charges.back_ms[of] > 0) & (time_ms >= charges.back_ms[of])
    number: Ints = charges.connection[of] + returned
    return number
