"""What a frame carries beside its fields, so that frame = fields + envelope, to the byte.

The written form of a field loses bits: the weekday and flag bits of a time, bytes behind a NUL, padding that is not
zero. Their wire bytes are kept under the field's name; on the way back they are used as long as the field still reads
as they do, so a field that was changed is written anew.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from core.wire.body import MessageTable, hex_bytes, write_rest
from core.wire.errors import WireEncodeError
from core.wire.fields import Field, Message
from core.wire.values import TAIL_KEY, wire_to_written, written_to_wire

FrameOrder = Literal["le", "be", "sum"]


class Envelope(msgspec.Struct, frozen=True):
    """The facts of a frame that are in no field.

    `seq`: hex text of the sequence field as it came; `checksum_order`: byte order of the checksum, "sum" for AAF5;
    `flag`: YKC's encryption flag, AAF5's info byte; `kept`: hex text of wire bytes by the name of the field (`name`,
    `group[0].name`, `bytes_39_49` for bytes between the known fields of a body whose layout is not published).
    """

    seq: str
    checksum_order: FrameOrder
    flag: int
    kept: dict[str, str] = {}


class DecodedFrame(msgspec.Struct, frozen=True):
    """One whole frame. `fields` as `decode_body` gives them, with `undecoded_tail` when `layout_ok` is False."""

    type: int
    name: str | None
    layout_ok: bool
    fields: dict[str, object]
    envelope: Envelope


def decoded_frame(
    table: MessageTable,
    frame_type: int,
    body: bytes,
    *,
    seq: bytes,
    checksum_order: FrameOrder,
    flag: int,
    readable: bool = True,
) -> DecodedFrame:
    """A frame in its parts. `readable` False: the body is encrypted, all of it is `undecoded_tail`."""
    if readable:
        decoded = table.decode(frame_type, body)
        name, layout_ok, fields = decoded.name, decoded.layout_ok, decoded.fields
    else:
        message = table.by_type.get(frame_type)
        name, layout_ok, fields = None if message is None else message.name, False, {TAIL_KEY: body.hex().upper()}
    kept = _kept_bytes(table.by_type.get(frame_type), body, fields)
    return DecodedFrame(frame_type, name, layout_ok, fields, Envelope(seq.hex().upper(), checksum_order, flag, kept))


def body_of_decoded(table: MessageTable, decoded: DecodedFrame) -> bytes:
    """The body that was decoded, to the byte. Raises `WireEncodeError` for fields that cannot be written."""
    message = table.by_type.get(decoded.type)
    fields, kept = decoded.fields, decoded.envelope.kept
    body = bytearray()
    if message is not None:
        for path, field, offset, holder in _places(message, fields):
            body += _gap(kept, len(body), offset)
            body += _wire_of(path, field, holder[field.name], kept.get(path))
        if message.rest is not None and message.rest.name in fields:
            body += write_rest(f"{message.name}.{message.rest.name}", message.rest, fields[message.rest.name])
        if TAIL_KEY not in fields:
            body += _gap(kept, len(body), message.body_length)
    if TAIL_KEY in fields:
        body += hex_bytes(TAIL_KEY, fields[TAIL_KEY])
    return bytes(body)


def _places(message: Message, fields: Mapping[str, object]) -> Iterator[tuple[str, Field, int, Mapping[str, object]]]:
    """The fields that are given: path, description, offset in the body, and the mapping that holds the value."""
    for field in message.all_fields:
        if field.name in fields:
            yield field.name, field, field.offset, fields
    groups = fields.get(message.group_name, ()) if message.group else ()
    if not isinstance(groups, list | tuple):
        raise WireEncodeError(f"{message.name}.{message.group_name}: must be a list of groups, not {groups!r}")
    for number, group in enumerate(groups):
        where = f"{message.group_name}[{number}]"
        offset = message.length + number * message.group_length
        for field in message.group:
            if not isinstance(group, Mapping) or field.name not in group:
                raise WireEncodeError(f"{message.name}.{where}.{field.name}: is missing")
            yield f"{where}.{field.name}", field, offset + field.offset, group


def _kept_bytes(message: Message | None, body: bytes, fields: Mapping[str, object]) -> dict[str, str]:
    """The wire bytes of a body that its written fields do not give back, and those between its known fields."""
    kept: dict[str, str] = {}
    if message is None:
        return kept
    end = 0
    for path, field, offset, holder in _places(message, fields):
        kept |= _kept_gap(body, end, offset)
        end = offset + field.length
        wire = body[offset:end]
        if _wire_of(path, field, holder[field.name], None) != wire:
            kept[path] = wire.hex().upper()
    if TAIL_KEY not in fields:
        kept |= _kept_gap(body, end, message.body_length)
    return kept


def _wire_of(path: str, field: Field, written: object, kept: str | None) -> bytes:
    """The bytes kept for a field while they read as its value does, else those of the value."""
    if kept is not None:
        wire = hex_bytes(path, kept)
        if len(wire) == field.length and wire_to_written(field, wire) == written:
            return wire
    try:
        return written_to_wire(field, written)
    except WireEncodeError as error:
        raise WireEncodeError(f"{path}: {error}") from None


def _gap_name(start: int, end: int) -> str:
    return f"bytes_{start}_{end - 1}"


def _kept_gap(body: bytes, start: int, end: int) -> dict[str, str]:
    return {_gap_name(start, end): body[start:end].hex().upper()} if start < end else {}


def _gap(kept: Mapping[str, str], start: int, end: int) -> bytes:
    if start >= end:
        return b""
    name = _gap_name(start, end)
    return hex_bytes(name, kept[name]) if name in kept else bytes(end - start)
