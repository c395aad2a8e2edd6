"""The vocabulary in which the messages of YKC are described: fields, groups that repeat, messages."""

from typing import Literal

import msgspec

UP: Literal["up"] = "up"
DOWN: Literal["down"] = "down"

Kind = Literal["uint", "bcd", "bytes", "text", "text_reversed", "time", "slots", "cell_volt_group"]


class Field(msgspec.Struct, frozen=True):
    """One field of a body: `length` bytes from `offset` (from the first byte of the body, or of its group).

    Kinds (ykc.md section 2):
    - uint: little-endian; the written value is (wire value + `add`) / 10**`decimals`, a decimal string if there are
      decimals, else a number;
    - bcd: two digits a byte, written as the hex text, since other nibbles do occur;
    - bytes: raw, written as hex text;
    - text: padded on the right with NUL; one character a byte (Latin-1), so that any byte has a written form;
    - text_reversed: the same with the characters in reverse order;
    - time: CP56Time2a, written as ISO text with milliseconds and without zone, None when it holds no time;
    - slots: one number a byte;
    - cell_volt_group: u16, bits 0-11 in 0.01 V, bits 12-15 a group number.
    """

    name: str
    length: int
    kind: Kind
    decimals: int = 0
    add: int = 0
    offset: int = 0

    @property
    def wire_max(self) -> int:
        """The largest integer on the wire, for the kinds that are integers."""
        return (1 << (8 * self.length)) - 1


class Message(msgspec.Struct, frozen=True):
    """One message type. `length` counts the fixed fields; groups of `group` follow up to the end of the body.

    `count_field` names the fixed field that tells how many groups follow, None when the body's end does.
    """

    type: int
    name: str
    title: str
    direction: Literal["up", "down"]
    fields: tuple[Field, ...]
    reply: int | None = None
    group: tuple[Field, ...] = ()
    count_field: str | None = None

    @property
    def length(self) -> int:
        """Bytes of the fixed part of the body."""
        return extent(self.fields)

    @property
    def group_length(self) -> int:
        """Bytes of one group, 0 when nothing repeats."""
        return extent(self.group)


def extent(fields: tuple[Field, ...]) -> int:
    """Bytes that the fields take together."""
    return fields[-1].offset + fields[-1].length if fields else 0


def placed(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields one after the other, each with its offset."""
    offset = 0
    result = []
    for field in fields:
        result.append(msgspec.structs.replace(field, offset=offset))
        offset += field.length
    return tuple(result)


def u8(name: str, add: int = 0) -> Field:
    """One unsigned byte."""
    return Field(name, 1, "uint", add=add)


def u16(name: str, decimals: int = 0, add: int = 0) -> Field:
    """Two bytes, low byte first."""
    return Field(name, 2, "uint", decimals, add)


def u32(name: str, decimals: int = 0) -> Field:
    """Four bytes, low byte first."""
    return Field(name, 4, "uint", decimals)


def uint(name: str, length: int, decimals: int = 0) -> Field:
    """`length` bytes, low byte first."""
    return Field(name, length, "uint", decimals)


def current(name: str) -> Field:
    """A current of the BMS messages: 0.1 A, wire value 4000 is 0 A, charging is negative."""
    return Field(name, 2, "uint", 1, -4000)


def temperature(name: str) -> Field:
    """A temperature in degrees C: wire value 50 is 0."""
    return Field(name, 1, "uint", add=-50)


def bcd(name: str, length: int) -> Field:
    """`length` bytes of two decimal digits each."""
    return Field(name, length, "bcd")


def raw(name: str, length: int) -> Field:
    """`length` bytes without a meaning of their own."""
    return Field(name, length, "bytes")


def text(name: str, length: int) -> Field:
    """ASCII, padded with NUL."""
    return Field(name, length, "text")


def time(name: str) -> Field:
    """A CP56Time2a in the station's local time."""
    return Field(name, 7, "time")
