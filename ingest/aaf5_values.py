"""What an AAF5 charger is told when it asks for its tariff or its QR codes: values that only the operator knows.

The parts of command 12 are published by their sizes alone (aaf5.md section 3), so its 66 bytes are passed on as they
are given, and nothing is sent where none are.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from core.aaf5.bcd_time import ms_to_bcd8
from core.directory import Pile
from ingest.errors import IngestError

TARIFF_BYTES: Final = 66
QR_CODES: Final = 4
QR_CODE_BYTES: Final = 64
_TRIPLES: Final = 10
_NUMBERS: Final = 32


class Aaf5Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the settings: for one charger (`pile`), one station, or (both left out) for all.

    `tariff`: 132 hex digits, what follows the pile code in command 12. `qr_codes`: up to four texts of command 13.
    """

    pile: str = ""
    station_id: int = 0
    tariff: str = ""
    qr_codes: tuple[str, ...] = ()


class Aaf5ValueTable:
    """Finds the values of a charger: its own, else its station's, else those for all.

    Raises `IngestError` for values that do not fit their message.
    """

    def __init__(self, entries: Iterable[Aaf5Values] = ()) -> None:
        self._tariffs: dict[tuple[str, int], str] = {}
        self._qr_codes: dict[tuple[str, int], tuple[str, ...]] = {}
        for entry in entries:
            if entry.pile and entry.station_id:
                raise IngestError(f"AAF5 values for charger {entry.pile} name a station as well; give one of them")
            if entry.tariff:
                tariff_fields(entry.tariff)
                self._tariffs[entry.pile, entry.station_id] = entry.tariff
            if entry.qr_codes:
                qr_code_fields(entry.qr_codes)
                self._qr_codes[entry.pile, entry.station_id] = entry.qr_codes

    def tariff(self, pile: Pile) -> str:
        """The tariff's hex digits, empty where none are configured."""
        return next((self._tariffs[key] for key in _keys(pile) if key in self._tariffs), "")

    def qr_codes(self, pile: Pile) -> tuple[str, ...]:
        """The texts, none where none are configured."""
        return next((self._qr_codes[key] for key in _keys(pile) if key in self._qr_codes), ())


def tariff_fields(tariff: str) -> dict[str, Any]:
    """The fields of command 12 behind the pile code, in wire units. Raises `IngestError` for another size."""
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * TARIFF_BYTES}}}", tariff):
        raise IngestError(f"an AAF5 tariff has {2 * TARIFF_BYTES} hex digits, not {tariff!r}")
    raw = bytes.fromhex(tariff)
    triples_end = 2 + 3 * _TRIPLES
    triples = {f"triple_{i + 1}": raw[2 + 3 * i : 5 + 3 * i].hex().upper() for i in range(_TRIPLES)}
    return {
        "value1": int.from_bytes(raw[:2], "little"),
        **triples,
        "numbers": raw[triples_end : triples_end + _NUMBERS],
        "value2": int.from_bytes(raw[triples_end + _NUMBERS :], "little"),
    }


def qr_code_fields(codes: tuple[str, ...]) -> dict[str, Any]:
    """The fields of command 13 that hold texts. Raises `IngestError` for too many or too long ones."""
    if not 1 <= len(codes) <= QR_CODES:
        raise IngestError(f"an AAF5 charger takes 1 to {QR_CODES} QR codes, not {len(codes)}")
    for code in codes:
        if not code.isascii() or "\0" in code or len(code) > QR_CODE_BYTES:
            raise IngestError(f"the QR code {code!r} must be at most {QR_CODE_BYTES} ASCII characters")
    return {f"qr_code_{i + 1}": codes[i] if i < len(codes) else "" for i in range(QR_CODES)}


def clock_field(pile: Pile, now_ms: int) -> dict[str, Any]:
    """The `time` of command 13: the station's local time."""
    return {"time": ms_to_bcd8(now_ms, pile.zone)}


def _keys(pile: Pile) -> tuple[tuple[str, int], ...]:
    return (pile.code, 0), ("", pile.station_id), ("", 0)
