"""Which way round a vehicle's number was sent (ykc.md section 4, "VIN fields")."""

import re
from typing import Final

VIN_LENGTH: Final = 17

# Letters I, O and Q never occur; the last four are digits (ISO 3779, ykc.md).
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{13}[0-9]{4}")
_CHECK_PLACE: Final = 8
# GB 16735 and FMVSS 115: the value of each character, the weight of each place, the remainder 10 written as X.
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
_VALUES: Final = dict(zip(_ALPHABET, map(int, "012345678912345678123457923456789"), strict=True))
_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_vin(text: str) -> bool:
    """Whether a text can be a vehicle's number: its characters and its last four digits."""
    return _VIN.fullmatch(text) is not None


def check_digit_fits(vin: str) -> bool:
    """Whether the ninth character is the check digit of the others (China and North America; others leave it free)."""
    remainder = sum(_VALUES[character] * weight for character, weight in zip(vin, _WEIGHTS, strict=True)) % 11
    return vin[_CHECK_PLACE] == ("X" if remainder == 10 else str(remainder))


def settled_vin(as_sent: str) -> str:
    """The number in its right order, from the characters in the order of the wire.

    The document reverses it in 0x31 and 0xA1, the known firmware sends it forward. What only fits one way round is
    that; where both fit, the check digit decides, and failing that the document.
    """
    reversed_text = as_sent[::-1]
    ways = [text for text in (reversed_text, as_sent) if is_vin(text)]
    for text in ways:
        if check_digit_fits(text):
            return text
    return ways[0] if ways else reversed_text
