"""Text that chargers sent, made safe for what opens it: spreadsheets and terminals."""

import unicodedata
from typing import Final

_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A text cell that begins so is taken for a formula by spreadsheets (OWASP, CSV injection)."""
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def safe_cell(value: object) -> object:
    """The value as a CSV cell: text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, str) and value.startswith(_STARTS_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value


def printable(text: str) -> str:
    """The text for a terminal: control and format characters, which could move or recolour what is shown, replaced."""
    return "".join(_REPLACEMENT if unicodedata.category(letter) in ("Cc", "Cf") else letter for letter in text)


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()
