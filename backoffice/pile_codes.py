"""The ids of chargers as each protocol writes them."""

import re
from typing import Final

import msgspec

_LAST_DIGITS = re.compile(r"\d*\Z", re.ASCII)


class CodeRule(msgspec.Struct, frozen=True):
    """What the code of a charger of one protocol may look like; `meaning` says so to a person."""

    characters: str
    longest: int
    meaning: str
    shortest: int = 1

    def fits(self, code: str, gun_letters: bool = False) -> bool:
        """Whether a charger can go by that code, with room for the letter of a gun where it gets one."""
        longest = self.longest - gun_letters
        return re.fullmatch(f"[{self.characters}]{{{self.shortest},{longest}}}", code, re.ASCII) is not None


CODE_RULES: Final = {
    "ykc": CodeRule("A-Za-z0-9", 14, "up to 14 letters and digits"),
    "aaf5": CodeRule("A-Za-z0-9._-", 32, "up to 32 letters, digits, dots, dashes; 31 where gun letters follow"),
}
"""What a charger that nobody planned may call itself."""
PLANNED_CODE_RULES: Final = {**CODE_RULES, "ykc": CodeRule("0-9", 14, "14 digits", shortest=14)}
"""What a master data file may say."""


def split_number(code: str) -> tuple[str, str]:
    """A code as what stands before its last digits, and those digits."""
    digits = _LAST_DIGITS.search(code)
    place = digits.start() if digits else len(code)
    return code[:place], code[place:]


def gun_of_letter(letter: str) -> int:
    """The gun that a letter names, A for the first; 0 for anything else (aaf5.md section 6)."""
    return ord(letter) - ord("A") + 1 if "A" <= letter <= "Z" else 0
