"""What of a stored frame or fact names a person: cards, accounts, passwords, plates, the serial part of a VIN.

Evidence that leaves the house goes to the maker of a charger, who needs every other byte of it. What is hidden is shown
as hidden: stars instead of characters, `**` instead of a byte, so that lengths and places stay true.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.conformance.observed import body_of
from core.wire.fields import Field, Message
from core.wire.values import TAIL_KEY
from core.ykc.messages import MESSAGES as YKC_MESSAGES

SECRET: Final = frozenset({"password", "user"})
NUMBERS: Final = frozenset({"card", "card_no", "logical_card", "physical_card", "card_or_account", "plate", "account"})
VIN: Final = "vin"
USER_IDS: Final = {"aaf5": frozenset({"reserved1"})}
"""Fields that hold the number of a user although their name does not say so (aaf5.md, firmware F)."""
SHOWN_OF_NUMBER: Final = 4
SHOWN_OF_VIN: Final = 11
"""Maker and model of the vehicle; the serial number behind them names the one vehicle and so its owner."""
HIDDEN_BYTE: Final = "**"
_BODY_AT: Final = {"ykc": 6, "aaf5": 8}
_NEVER_READ: Final = ("password_query", "password_reply")
"""Messages that hold a password at a place that nobody published: their whole body is hidden."""


def masked_number(number: str) -> str:
    """A card, account or plate with its last characters only; empty and all zero stay as they are."""
    if not number.strip("0 "):
        return number
    shown = SHOWN_OF_NUMBER if len(number) >= 2 * SHOWN_OF_NUMBER else 1
    return "*" * (len(number) - shown) + number[-shown:]


def masked_vin(vin: str) -> str:
    """A VIN without the serial number of the vehicle."""
    if not vin.strip("0 "):
        return vin
    shown = SHOWN_OF_VIN if len(vin) > SHOWN_OF_VIN else 0
    return vin[:shown] + "*" * (len(vin) - shown)


def masked_fields(protocol: str, frame_type: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The decoded fields of a frame with what names a person hidden, groups of fields included.

    Of a type that nobody knows every field is hidden.
    """
    message = _message(protocol, frame_type)
    if message is None:
        return {name: "*" * len(str(value)) for name, value in fields.items()}
    hides_tail = any(_names_a_person(protocol, name) for name in _field_names(message))
    return {name: _masked_value(protocol, name, value, hides_tail) for name, value in fields.items()}


def masked_hex(protocol: str, frame_type: int, frame: bytes) -> str:
    """The bytes of a frame as hex digits with `**` for each byte that names a person. Never raises.

    Of a type that nobody knows the whole body is hidden: nobody can say where in it a card or a VIN stands.
    """
    digits = [f"{byte:02X}" for byte in frame]
    message = _message(protocol, frame_type)
    body = body_of(protocol, frame)
    for first, last in [(0, len(body))] if message is None else _hidden_spans(protocol, message, body):
        for place in range(_BODY_AT[protocol] + first, _BODY_AT[protocol] + min(last, len(body))):
            digits[place] = HIDDEN_BYTE
    return "".join(digits)


def _message(protocol: str, frame_type: int) -> Message | None:
    return (YKC_MESSAGES if protocol == "ykc" else AAF5_MESSAGES).get(frame_type)


def _field_names(message: Message) -> Iterator[str]:
    for field in (*message.all_fields, *message.group):
        yield field.name


def _hidden_spans(protocol: str, message: Message, body: bytes) -> Iterator[tuple[int, int]]:
    """From where to where the body names a person, also where it has another size than the table's."""
    if message.name in _NEVER_READ:
        yield 0, len(body)
        return
    personal = [field for field in message.all_fields if _names_a_person(protocol, field.name)]
    for field in personal:
        if any(body[field.offset : field.offset + field.length]):
            yield _hidden_part(field, field.offset)
    in_group = [field for field in message.group if _names_a_person(protocol, field.name)]
    if in_group:
        for at in range(message.length, len(body), message.group_length):
            yield from (_hidden_part(field, at + field.offset) for field in in_group)
    elif personal and message.rest is None and len(body) not in message.sizes:
        # nobody knows what stands behind the fields of a record that is longer than its table
        yield max(size for size in (0, *message.sizes) if size <= len(body)), len(body)


def _names_a_person(protocol: str, name: str) -> bool:
    return name in SECRET or name in NUMBERS or name == VIN or name in USER_IDS.get(protocol, ())


def _hidden_part(field: Field, at: int) -> tuple[int, int]:
    """The whole field; of a VIN that stands in its own order the serial part."""
    first = SHOWN_OF_VIN if field.name == VIN and field.kind != "text_reversed" else 0
    return at + first, at + field.length


def _masked_value(protocol: str, name: str, value: Any, hides_tail: bool) -> Any:
    if isinstance(value, list):
        return [
            {key: _masked_value(protocol, key, part, hides_tail) for key, part in item.items()}
            if isinstance(item, Mapping)
            else item
            for item in value
        ]
    if name == TAIL_KEY and hides_tail:
        return "*" * len(str(value))
    if name in SECRET:
        return "*" * len(str(value))
    if name == VIN:
        return masked_vin(str(value))
    if name in NUMBERS:
        return masked_number(str(value))
    if name in USER_IDS.get(protocol, ()):
        return "*" if value else value
    return value
