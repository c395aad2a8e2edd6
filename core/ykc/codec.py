"""Bodies of YKC messages to fields and back, driven by the table of `core.ykc.messages`.

Two forms of values: *written* as people read them (decimal strings in physical units, ISO times, hex text) and *raw*
in wire units (integers, times as their 7 bytes) for programs that must not lose a bit.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from core.checksum import crc16_modbus
from core.ykc.errors import YkcEncodeError
from core.ykc.fields import Field, Message
from core.ykc.messages import MESSAGES, MESSAGES_BY_NAME
from core.ykc.values import (
    GROUP_KEY,
    TAIL_KEY,
    raw_to_wire,
    wire_to_raw,
    wire_to_written,
    written_to_wire,
)

START_BYTE = 0x68
HEADER_BYTES = 6
MAX_BODY_BYTES = 251

ChecksumOrder = Literal["le", "be"]


class DecodedBody(msgspec.Struct, frozen=True):
    """What a body says. `layout_ok`: it fits the table exactly; else `fields` ends with `undecoded_tail` (hex text)."""

    name: str | None
    layout_ok: bool
    fields: dict[str, object]


def decode_body(frame_type: int, body: bytes) -> DecodedBody:
    """The fields of a body in their written form; never raises.

    A body of another size than the table's gives the fields that it holds whole, in the table's order, and the rest
    as `undecoded_tail`; so does an unknown type, with `name` None.
    """
    message = MESSAGES.get(frame_type)
    if message is None:
        return DecodedBody(None, False, {TAIL_KEY: body.hex().upper()})
    fields, end, complete = _read(message, body, wire_to_written)
    if not complete or end != len(body):
        fields[TAIL_KEY] = body[end:].hex().upper()
        return DecodedBody(message.name, False, fields)
    return DecodedBody(message.name, True, fields)


def raw_fields(frame_type: int, body: bytes) -> dict[str, Any]:
    """The fields of a body in wire units; never raises.

    Integers are as on the wire (no scale, no offset), BCD and raw bytes upper-case hex text, ASCII text without its
    padding, times and slot lists the bytes themselves. Fields that a short body does not hold are absent; an unknown
    type gives no fields.
    """
    message = MESSAGES.get(frame_type)
    if message is None:
        return {}
    return _read(message, body, wire_to_raw)[0]


def encode_frame(
    message: str | int,
    fields: Mapping[str, object],
    *,
    seq: bytes = b"\0\0",
    checksum_order: ChecksumOrder = "le",
) -> bytes:
    """The frame of a message (its name or type) from fields in the written form, as `decode_body` gives them.

    Every field must be given, but `reserved` may be left out. Raises `YkcEncodeError`, which names the field and what
    is allowed.
    """
    described = _message(message)
    return wrap_body(described.type, _write(described, fields, written_to_wire), seq=seq, checksum_order=checksum_order)


def encode_raw(
    message: str | int,
    fields: Mapping[str, object],
    *,
    seq: bytes = b"\0\0",
    checksum_order: ChecksumOrder = "le",
) -> bytes:
    """The frame of a message from fields in wire units, as `raw_fields` gives them. Raises as `encode_frame` does."""
    described = _message(message)
    return wrap_body(described.type, _write(described, fields, raw_to_wire), seq=seq, checksum_order=checksum_order)


def wrap_body(
    frame_type: int, body: bytes, *, seq: bytes = b"\0\0", checksum_order: ChecksumOrder = "le", encryption: int = 0
) -> bytes:
    """A whole frame around any body: start byte, length, sequence, flag, type, checksum. Raises `YkcEncodeError`."""
    if len(body) > MAX_BODY_BYTES:
        raise YkcEncodeError(f"type 0x{frame_type:02X}: a body of {len(body)} bytes; at most {MAX_BODY_BYTES} fit")
    if len(seq) != 2:
        raise YkcEncodeError(f"seq holds {len(seq)} bytes; it must hold 2")
    if not (0 <= frame_type <= 255 and 0 <= encryption <= 255):
        raise YkcEncodeError(f"type {frame_type} and encryption flag {encryption} must each fit a byte")
    if checksum_order not in ("le", "be"):
        raise YkcEncodeError(f"checksum_order {checksum_order!r}; allowed are 'le' and 'be'")
    checked = b"%b%c%c%b" % (seq, encryption, frame_type, body)
    order: Literal["little", "big"] = "little" if checksum_order == "le" else "big"
    return b"%c%c%b%b" % (START_BYTE, len(checked), checked, crc16_modbus(checked).to_bytes(2, order))


def _read(message: Message, body: bytes, read: Callable[[Field, bytes], object]) -> tuple[dict[str, object], int, bool]:
    """The whole fields of a body, where they end, and whether the table is complete."""
    fields: dict[str, object] = {}
    end = 0
    for field in message.fields:
        if field.offset + field.length > len(body):
            return fields, end, False
        end = field.offset + field.length
        fields[field.name] = read(field, body[field.offset : end])
    if not message.group:
        return fields, end, True
    wanted = body[_field(message, message.count_field).offset] if message.count_field else None
    size = message.group_length
    held = (len(body) - end) // size
    groups = []
    for _ in range(held if wanted is None else min(wanted, held)):
        groups.append({f.name: read(f, body[end + f.offset : end + f.offset + f.length]) for f in message.group})
        end += size
    fields[GROUP_KEY] = groups
    return fields, end, wanted is None or len(groups) == wanted


def _write(message: Message, fields: Mapping[str, object], write: Callable[[Field, object], bytes]) -> bytes:
    """The body of a message from its fields."""
    known = {field.name for field in message.fields} | ({GROUP_KEY} if message.group else set())
    for name in fields:
        if name not in known:
            raise YkcEncodeError(f"{message.name}: it has no field {name!r}{_nearest(name, known)}")
    parts = [_write_field(message.name, field, fields, write) for field in message.fields]
    if not message.group:
        return b"".join(parts)
    groups = fields.get(GROUP_KEY, ())
    if not isinstance(groups, list | tuple):
        raise YkcEncodeError(f"{message.name}.{GROUP_KEY}: must be a list of groups, not {groups!r}")
    if message.count_field and fields[message.count_field] != len(groups):
        announced = fields[message.count_field]
        raise YkcEncodeError(
            f"{message.name}.{message.count_field}: {announced!r} groups announced, {len(groups)} given"
        )
    for position, group in enumerate(groups):
        where = f"{message.name}.{GROUP_KEY}[{position}]"
        if not isinstance(group, Mapping):
            raise YkcEncodeError(f"{where}: must hold fields, not {group!r}")
        allowed = {field.name for field in message.group}
        for name in group:
            if name not in allowed:
                raise YkcEncodeError(f"{where}: it has no field {name!r}{_nearest(str(name), allowed)}")
        parts += [_write_field(where, field, group, write) for field in message.group]
    return b"".join(parts)


def _write_field(
    where: str, field: Field, fields: Mapping[str, object], write: Callable[[Field, object], bytes]
) -> bytes:
    if field.name not in fields:
        if field.name == "reserved":
            return bytes(field.length)
        raise YkcEncodeError(f"{where}.{field.name}: is missing")
    try:
        return write(field, fields[field.name])
    except YkcEncodeError as error:
        raise YkcEncodeError(f"{where}.{field.name}: {error}") from None


def _message(message: str | int) -> Message:
    found = MESSAGES_BY_NAME.get(message) if isinstance(message, str) else MESSAGES.get(message)
    if found is None:
        if isinstance(message, str):
            raise YkcEncodeError(f"there is no message {message!r}{_nearest(message, set(MESSAGES_BY_NAME))}")
        raise YkcEncodeError(f"there is no message type 0x{message:02X}")
    return found


def _field(message: Message, name: str) -> Field:
    return next(field for field in message.fields if field.name == name)


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; the nearest is {close[0]!r}" if close else ""
