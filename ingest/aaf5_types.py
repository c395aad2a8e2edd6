"""Names of the AAF5 commands that the gateway acts on, and where each says whose it is (aaf5.md section 3)."""

from typing import Final

from core.aaf5.bcd_time import bcd8_to_local
from core.aaf5.messages import TABLE
from core.aaf5.record_content import said_of_the_charge
from core.aaf5.session_no import connector_of_gun, session_number
from core.session_number import unnamed_record
from core.wire.fields import DOWN

HEARTBEAT: Final = 102
STATUS: Final = 104
LOGIN: Final = 106
RECORD_ACK: Final = 201
RECORD: Final = 202

STATUS_BODY_BYTES: Final = 169
RECORD_BODY_BYTES: Final = 256
CODE: Final = slice(4, 36)
LARGEST_CONNECTOR: Final = 99

_FIRST_LETTER: Final = "A"
# Where the serial and the start time stand: a serial only in the bodies that are exactly as long as its variant.
_SERIALS: Final[dict[int, tuple[slice, int]]] = {
    5: (slice(16, 48), 48),
    6: (slice(43, 75), 75),
    7: (slice(67, 99), 99),
    8: (slice(41, 73), 73),
    103: (slice(13, 45), 45),
    STATUS: (slice(173, 205), 205),
    RECORD_ACK: (slice(45, 77), 77),
    RECORD: (slice(256, 288), 288),
}
_START_TIMES: Final = {STATUS: slice(137, 145), RECORD: slice(70, 78)}
_GUN: Final = slice(37, 38)  # of 104 and 202
SESSION_PARTS: Final[dict[int, tuple[slice, ...]]] = {
    command: (place, CODE, _GUN, _START_TIMES[command]) if command in _START_TIMES else (place,)
    for command, (place, _) in _SERIALS.items()
}
"""By command, the parts of the body that the session's number is made of."""


def _offsets_of(name: str) -> dict[int, int]:
    """Where a field stands, by command, in the commands that have it."""
    return {
        command: field.offset
        for command, message in TABLE.by_type.items()
        for field in message.fields
        if field.name == name
    }


_CODES: Final = frozenset(_offsets_of("pile_code"))
_GUNS: Final = _offsets_of("gun_no")
_END_TIME, _METER_AFTER, _RECORD_INDEX = (
    slice(field.offset, field.offset + field.length)
    for name in ("end_time", "meter_after", "record_index")
    for field in TABLE.by_type[RECORD].fields
    if field.name == name
)
DOWN_COMMANDS: Final = frozenset(number for number, message in TABLE.by_type.items() if message.direction == DOWN)


def text_of(raw: bytes) -> str:
    """An ASCII field: up to its first NUL."""
    return raw.partition(b"\0")[0].decode("latin-1")


def pile_code_of(command: int, body: bytes) -> str | None:
    """The id that the frame names, with its gun's letter if it has one; None when it names none or is too short."""
    if command not in _CODES or len(body) < CODE.stop:
        return None
    return text_of(body[CODE]) or None


def gun_letter_of(wire_code: str, pile_code: str) -> int:
    """The connector that the letter behind the charger's code names, 0 when there is none."""
    letter = wire_code.removeprefix(pile_code)
    if len(letter) == 1 and wire_code != letter and "A" <= letter <= "Z":
        return ord(letter) - ord(_FIRST_LETTER) + 1
    return 0


def connector_of(command: int, body: bytes) -> int:
    """The connector by the gun's number, 1 for the gun 0 of a single-gun pile; 0 when the frame names none."""
    offset = _GUNS.get(command)
    if offset is None or len(body) <= offset:
        return 0
    connector = connector_of_gun(body[offset])
    return connector if connector <= LARGEST_CONNECTOR else 0


def trade_no_of(command: int, body: bytes, pile_code: str) -> str:
    """The session that the frame names: its serial, else what the start time of a 104 or 202 makes; empty for none.

    A record that has neither is told from others by all that it says: no two charges become one. `pile_code` is the
    platform's code of the charger.
    """
    serial = ""
    if command in _SERIALS:
        place, length = _SERIALS[command]
        serial = text_of(body[place]) if len(body) == length else ""
    if command not in _START_TIMES:
        return serial if serial.strip("0") else ""
    if len(body) < _START_TIMES[command].stop:
        return ""
    connector = gun_letter_of(text_of(body[CODE]), pile_code) or connector_of(command, body)
    number = session_number(pile_code, connector, serial, body[_START_TIMES[command]])
    if number or command != RECORD or len(body) < RECORD_BODY_BYTES:
        return number
    return unnamed_record(pile_code, connector_of_gun(connector), bcd8_to_local(body[_END_TIME]), _told_apart_by(body))


def _told_apart_by(body: bytes) -> bytes:
    """What the record says of its charge; where its meter says nothing, its place in the charger's memory too."""
    said = said_of_the_charge(body)
    return said if any(body[_METER_AFTER]) else said + body[_RECORD_INDEX]
