"""Who may charge in the simulation: cards, vehicles and a password that a platform must know to let them start.

The same for every fleet, so that the settings of a demo or a test can name them.
"""

import hashlib
import zlib
from typing import Final

KNOWN: Final = 400
CARDS: Final = tuple(f"{88_000_000 + number:016d}" for number in range(1, KNOWN + 1))
"""Physical cards, 16 digits as in 0x31; AAF5 sends their last ten."""

VINS: Final = tuple(f"LFMSXM{number:07d}{(number * 37) % 10_000:04d}" for number in range(1, KNOWN + 1))
"""Vehicles that start by being plugged in."""

STATION_ACCOUNT: Final = f"{13_800_000_001:016d}"
STATION_PASSWORD: Final = "246810"

CARD_DIGITS_AAF5: Final = 10


BALANCE_FEN: Final = 50_000


def start_accounts() -> list[dict[str, object]]:
    """The table that the settings of a platform need (`start_accounts`), so that all of these may charge."""
    cards = [{"card": card, "name": f"card {card[-4:]}"} for card in CARDS]
    vehicles = [{"vin": vin, "name": f"vehicle {vin[-4:]}"} for vin in VINS]
    by_password = {"account": STATION_ACCOUNT, "password": STATION_PASSWORD, "name": "station password"}
    return [{**entry, "balance_fen": BALANCE_FEN} for entry in (*cards, *vehicles, by_password)]


def regular_of(pile_code: str, connector: int, salt: int) -> int:
    """The number, within `CARDS` and `VINS`, of one of the two regulars of a connector.

    Nobody is at two places at once: that would be an anomaly of its own.
    """
    return (zlib.crc32(f"{pile_code}/{connector}".encode()) + salt % 2) % KNOWN


def password_md5(password: str) -> str:
    """A password as 0x31 carries it: its MD5, upper-case hex text (ykc.md section 4)."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()


def decimal_card(card: str) -> str:
    """A card as AAF5 carries it: decimal digits, ten at least (aaf5.md section 3, 204)."""
    return card[-CARD_DIGITS_AAF5:]
