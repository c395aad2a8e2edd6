"""Bodies of messages to fields and back, driven by a protocol's table.

Two forms of values: *written* as people read them (decimal strings in physical units, ISO times, hex text) and *raw*
in wire units (integers, times as their bytes) for programs.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from core.wire.errors import WireEncodeError
from core.wire.fields import Field, Message, Rest, laid_out
from core.wire.values import TAIL_KEY, raw_to_wire, wire_to_raw, wire_to_written, written_to_wire

ReadField = Callable[[Field, bytes], object]
WriteField = Callable[[Field, object], bytes]


class DecodedBody(msgspec.Struct, frozen=True):
    """What a body says. `layout_ok`: it fits the table exactly; else `fields` ends with `undecoded_tail` (hex text)."""

    name: str | None
    layout_ok: bool
    fields: dict[str, object]


class MessageTable:
    """The messages of one protocol by number and by name."""

    def __init__(self, messages: tuple[Message, ...], type_text: Callable[[int], str]) -> None:
        self.by_type: dict[int, Message] = {message.type: laid_out(message) for message in messages}
        self.by_name: dict[str, Message] = {message.name: message for message in self.by_type.values()}
        self._type_text = type_text

    def describe(self, message: str | int) -> Message:
        """The message of a name or a type. Raises `WireEncodeError` that names the nearest."""
        found = self.by_name.get(message) if isinstance(message, str) else self.by_type.get(message)
        if found is None:
            if isinstance(message, str):
                raise WireEncodeError(f"there is no message {message!r}{_nearest(message, set(self.by_name))}")
            raise WireEncodeError(f"there is no message type {self._type_text(message)}")
        return found

    def decode(self, frame_type: int, body: bytes) -> DecodedBody:
        """The fields of a body in their written form; never raises.

        A body of another size than the table's gives the fields that it holds whole, in the table's order, and the rest
        as `undecoded_tail`; so does an unknown type, with `name` None.
        """
        message = self.by_type.get(frame_type)
        if message is None:
            return DecodedBody(None, False, {TAIL_KEY: body.hex().upper()})
        fields, end, layout_ok = read_body(message, body, wire_to_written)
        if end != len(body) or not (layout_ok or message.body_length):
            fields[TAIL_KEY] = body[end:].hex().upper()
        return DecodedBody(message.name, layout_ok, fields)

    def raw(self, frame_type: int, body: bytes) -> dict[str, Any]:
        """The fields of a body in wire units; never raises. An unknown type gives no fields."""
        message = self.by_type.get(frame_type)
        return {} if message is None else read_body(message, body, wire_to_raw)[0]

    def encode_written(self, message: Message, fields: Mapping[str, object]) -> bytes:
        """The body of a message from fields as `decode` gives them. Raises `WireEncodeError`."""
        return write_body(message, fields, written_to_wire)

    def encode_raw(self, message: Message, fields: Mapping[str, object]) -> bytes:
        """The body of a message from fields as `raw` gives them. Raises `WireEncodeError`."""
        return write_body(message, fields, raw_to_wire)


def read_body(message: Message, body: bytes, read: ReadField) -> tuple[dict[str, object], int, bool]:
    """The whole fields of a body, where they end, and whether the body fits the table exactly."""
    if not message.layout_known:
        return _read_sparse(message, body, read)
    described = fields_by_size(message, len(body))
    fields: dict[str, object] = {}
    if message.whole_only and len(body) < message.length:
        return fields, 0, False
    end = 0
    for field in described:
        if field.offset + field.length > len(body):
            return fields, end, False
        end = field.offset + field.length
        fields[field.name] = read(field, body[field.offset : end])
    complete = True
    if message.group:
        groups, end, complete = _read_groups(message, body, end, read)
        fields[message.group_name] = groups
    if message.rest is not None and rest_is_due(message, body):
        fields[message.rest.name], end, complete = _read_rest(message, message.rest, body, end)
    return fields, end, complete and end == len(body)


def fields_by_size(message: Message, size: int) -> tuple[Field, ...]:
    """The fields of the variant that has this size, those common to all variants when none has."""
    described = message.fields
    for tail, tail_end in zip(message.tails, message.sizes[1:], strict=True):
        if size in message.sizes and size >= tail_end:
            described += tail
    return described


def rest_is_due(message: Message, body: bytes) -> bool:
    """Whether the message's `rest` belongs to this body, by the field that says so."""
    rest = message.rest
    if rest is None:
        return False
    if rest.when is None:
        return True
    name, value = rest.when
    return _number_at(message, name, body) == value


def _read_sparse(message: Message, body: bytes, read: ReadField) -> tuple[dict[str, object], int, bool]:
    """The known fields of a body without a published layout; it never fits."""
    fields: dict[str, object] = {}
    end = 0
    for field in message.fields:
        if field.offset + field.length > len(body):
            return fields, end, False
        end = field.offset + field.length
        fields[field.name] = read(field, body[field.offset : end])
    return fields, len(body) if len(body) == message.body_length else end, False


def _read_groups(message: Message, body: bytes, end: int, read: ReadField) -> tuple[list[dict[str, object]], int, bool]:
    wanted = _number_at(message, message.count_field, body) if message.count_field else None
    size = message.group_length
    held = (len(body) - end) // size
    groups = []
    for _ in range(held if wanted is None else min(wanted, held)):
        groups.append({f.name: read(f, body[end + f.offset : end + f.offset + f.length]) for f in message.group})
        end += size
    return groups, end, wanted is None or len(groups) == wanted


def _read_rest(message: Message, rest: Rest, body: bytes, end: int) -> tuple[object, int, bool]:
    held = (len(body) - end) // rest.item_bytes
    wanted = held if rest.count_field is None else _number_at(message, rest.count_field, body)
    count = min(wanted, held)
    part = body[end : end + count * rest.item_bytes]
    complete = count == wanted
    if rest.kind == "bytes":
        return part.hex().upper(), end + len(part), complete
    size = rest.item_bytes
    numbers = [int.from_bytes(part[at : at + size], "little") for at in range(0, len(part), size)]
    return numbers, end + len(part), complete


def write_body(message: Message, fields: Mapping[str, object], write: WriteField) -> bytes:
    """The body of a message from its fields; which variant it is, the fields of tails say."""
    described = fields_given(message, fields)
    _check_known(message, fields)
    if not message.layout_known:
        return _write_sparse(message, fields, write)
    parts = [_write_field(message.name, field, fields, write) for field in described]
    if message.group:
        parts += _write_groups(message, fields, write)
    if message.rest is not None:
        parts.append(_write_rest(message, message.rest, b"".join(parts), fields))
    return b"".join(parts)


def fields_given(message: Message, fields: Mapping[str, object]) -> tuple[Field, ...]:
    """The fields of the shortest variant that holds all that are given."""
    last = 0
    for number, tail in enumerate(message.tails, 1):
        if any(field.name in fields for field in tail):
            last = number
    return (*message.fields, *(field for tail in message.tails[:last] for field in tail))


def _check_known(message: Message, fields: Mapping[str, object]) -> None:
    known = {field.name for field in message.all_fields}
    if message.group:
        known.add(message.group_name)
    if message.rest is not None:
        known.add(message.rest.name)
    if not message.layout_known:
        known.add(TAIL_KEY)
    for name in fields:
        if name not in known:
            raise WireEncodeError(f"{message.name}: it has no field {name!r}{_nearest(name, known)}")


def _write_sparse(message: Message, fields: Mapping[str, object], write: WriteField) -> bytes:
    """What is known at its place, zeros between, the undecoded bytes behind."""
    body = bytearray()
    for field in message.fields:
        body += bytes(field.offset - len(body)) + _write_field(message.name, field, fields, write)
    tail = fields.get(TAIL_KEY)
    if tail is None:
        return bytes(body.ljust(message.body_length, b"\0"))
    return bytes(body) + hex_bytes(f"{message.name}.{TAIL_KEY}", tail)


def _write_groups(message: Message, fields: Mapping[str, object], write: WriteField) -> list[bytes]:
    groups = fields.get(message.group_name, ())
    if not isinstance(groups, list | tuple):
        raise WireEncodeError(f"{message.name}.{message.group_name}: must be a list of groups, not {groups!r}")
    if message.count_field and fields[message.count_field] != len(groups):
        announced = fields[message.count_field]
        raise WireEncodeError(
            f"{message.name}.{message.count_field}: {announced!r} groups announced, {len(groups)} given"
        )
    parts = []
    allowed = {field.name for field in message.group}
    for position, group in enumerate(groups):
        where = f"{message.name}.{message.group_name}[{position}]"
        if not isinstance(group, Mapping):
            raise WireEncodeError(f"{where}: must hold fields, not {group!r}")
        for name in group:
            if name not in allowed:
                raise WireEncodeError(f"{where}: it has no field {name!r}{_nearest(str(name), allowed)}")
        parts += [_write_field(where, field, group, write) for field in message.group]
    return parts


def _write_rest(message: Message, rest: Rest, before: bytes, fields: Mapping[str, object]) -> bytes:
    where = f"{message.name}.{rest.name}"
    if not rest_is_due(message, before):
        if fields.get(rest.name) and rest.when is not None:
            raise WireEncodeError(f"{where}: belongs only to a message whose {rest.when[0]} is {rest.when[1]}")
        return b""
    written = write_rest(where, rest, fields.get(rest.name, () if rest.kind == "uint_list" else ""))
    announced = None if rest.count_field is None else _number_at(message, rest.count_field, before)
    items = len(written) // rest.item_bytes
    if announced is not None and announced != items:
        raise WireEncodeError(f"{message.name}.{rest.count_field}: {announced} announced, {items} given")
    return written


def write_rest(where: str, rest: Rest, value: object) -> bytes:
    """The bytes of a last part. Raises `WireEncodeError` that begins with `where`."""
    if rest.kind == "bytes":
        return hex_bytes(where, value)
    numbers = value if isinstance(value, list | tuple) else None
    limit = (1 << (8 * rest.item_bytes)) - 1
    if numbers is None or not all(type(number) is int and 0 <= number <= limit for number in numbers):
        raise WireEncodeError(f"{where}: {value!r} must be a list of integers of 0..{limit}")
    return b"".join(number.to_bytes(rest.item_bytes, "little") for number in numbers)


def hex_bytes(where: str, value: object) -> bytes:
    """The bytes of hex text of any even length. Raises `WireEncodeError` that begins with `where`."""
    try:
        if not isinstance(value, str):
            raise ValueError("no text")
        return bytes.fromhex(value)
    except ValueError:
        raise WireEncodeError(f"{where}: {value!r} must be hex digits in pairs") from None


def _write_field(where: str, field: Field, fields: Mapping[str, object], write: WriteField) -> bytes:
    if field.name not in fields:
        if field.name.rstrip("0123456789") == "reserved":
            return bytes(field.length)
        raise WireEncodeError(f"{where}.{field.name}: is missing")
    try:
        return write(field, fields[field.name])
    except WireEncodeError as error:
        raise WireEncodeError(f"{where}.{field.name}: {error}") from None


def _number_at(message: Message, name: str, body: bytes) -> int:
    field = next(field for field in message.all_fields if field.name == name)
    return int.from_bytes(body[field.offset : field.offset + field.length], "little")


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; the nearest is {close[0]!r}" if close else ""
