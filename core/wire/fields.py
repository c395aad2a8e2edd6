"""The vocabulary in which messages are described: fields, parts that repeat or may be absent, messages."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

UP: Literal["up"] = "up"
DOWN: Literal["down"] = "down"
UNKNOWN: Literal["unknown"] = "unknown"

Direction = Literal["up", "down", "unknown"]
Kind = Literal[
    "uint", "uint_list", "bcd", "bytes", "text", "text_reversed", "c_text", "time", "slots", "cell_volt_group"
]


class TimeFormat(msgspec.Struct, frozen=True):
    """How a protocol spells a local time. `to_local` gives None for bytes that spell none.

    `from_local` raises `WireTimeError` for a year outside `years`; `timespec` is the precision of the ISO text.
    """

    name: str
    length: int
    years: str
    timespec: Literal["seconds", "milliseconds"]
    to_local: Callable[[bytes], datetime | None]
    from_local: Callable[[datetime], bytes]


class Field(msgspec.Struct, frozen=True):
    """One field of a body: `length` bytes from `offset` (from the first byte of the body, or of its group).

    Kinds (ykc.md section 2, aaf5.md section 1):
    - uint: little-endian; the written value is (wire value + `add`) / 10**`decimals`, a decimal string if there are
      decimals, else a number;
    - uint_list: `count` of them one after the other, a list of such values;
    - bcd: two digits a byte, written as the hex text, since other nibbles do occur;
    - bytes: raw, written as hex text;
    - text: padded on the right with NUL; one character a byte (Latin-1), so that any byte has a written form;
    - text_reversed: the same with the characters in reverse order;
    - c_text: the same up to the first NUL, whatever lies behind it;
    - time: a local time in the protocol's format, written as ISO text without zone, None when it holds no time;
    - slots: one number a byte;
    - cell_volt_group: u16, bits 0-11 in 0.01 V, bits 12-15 a group number.

    `unit` is that of the written value, `values` says what its numbers mean, `note` what else a reader must know.
    """

    name: str
    length: int
    kind: Kind
    decimals: int = 0
    add: int = 0
    offset: int = 0
    count: int = 1
    time: TimeFormat | None = None
    unit: str = ""
    values: dict[int, str] = {}
    note: str = ""

    @property
    def wire_max(self) -> int:
        """The largest integer on the wire, for the kinds that are integers."""
        return (1 << (8 * self.length // self.count)) - 1


class Rest(msgspec.Struct, frozen=True):
    """A last part whose length is told by the message: `item_bytes` each, written as a list of numbers or as hex text.

    `count_field` names the field that tells how many items follow, None when the body's end does. `when` = (field,
    value): the part is there only when that field holds that value.
    """

    name: str
    kind: Literal["uint_list", "bytes"]
    item_bytes: int = 1
    count_field: str | None = None
    when: tuple[str, int] | None = None
    note: str = ""


class Message(msgspec.Struct, frozen=True):
    """One message type. `fields` are always there; what may follow depends on the message:

    - `tails`: groups of fields that longer variants add one after the other; the size of the body is the only sign of
      the variant;
    - `group`: fields that repeat up to the end of the body, under `group_name`; `count_field` names the fixed field
      that tells how often, None when the body's end does;
    - `rest`: see `Rest`.

    `layout_known` is False when no layout is published: such a body never fits, its bytes are kept. Fields of it may
    still be known by their offsets; `body_length` is then its size, 0 when that is not known either.
    `whole_only`: a body shorter than the fixed fields is not read at all (aaf5.md section 6).
    `since` is the version of the protocol that brought the message, empty for the oldest one described.
    """

    type: int
    name: str
    title: str
    direction: Direction
    fields: tuple[Field, ...] = ()
    reply: int | None = None
    group: tuple[Field, ...] = ()
    count_field: str | None = None
    group_name: str = "cards"
    tails: tuple[tuple[Field, ...], ...] = ()
    rest: Rest | None = None
    layout_known: bool = True
    body_length: int = 0
    whole_only: bool = False
    since: str = ""
    note: str = ""

    @property
    def length(self) -> int:
        """Bytes of the fixed part of the body."""
        return extent(self.fields)

    @property
    def group_length(self) -> int:
        """Bytes of one group, 0 when nothing repeats."""
        return extent(self.group)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of the body in each variant, without what repeats."""
        return (self.length, *(extent(tail) for tail in self.tails))

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """The fixed fields and those of all tails."""
        return (*self.fields, *(field for tail in self.tails for field in tail))


def extent(fields: tuple[Field, ...]) -> int:
    """Bytes up to the end of the last field."""
    return fields[-1].offset + fields[-1].length if fields else 0


def placed(fields: tuple[Field, ...], offset: int = 0) -> tuple[Field, ...]:
    """The fields one after the other from `offset`, each with its own."""
    result = []
    for field in fields:
        result.append(msgspec.structs.replace(field, offset=offset))
        offset += field.length
    return tuple(result)


def laid_out(message: Message) -> Message:
    """The message with the offset of each field; one whose layout is not known keeps the offsets it was given."""
    if not message.layout_known:
        return message
    fields = placed(message.fields)
    end = extent(fields)
    tails = []
    for tail in message.tails:
        tails.append(placed(tail, end))
        end = extent(tails[-1])
    return msgspec.structs.replace(message, fields=fields, tails=tuple(tails), group=placed(message.group))


def u8(name: str, add: int = 0, *, unit: str = "", values: dict[int, str] | None = None, note: str = "") -> Field:
    """One unsigned byte."""
    return Field(name, 1, "uint", add=add, unit=unit, values=values or {}, note=note)


def u16(
    name: str,
    decimals: int = 0,
    add: int = 0,
    *,
    unit: str = "",
    values: dict[int, str] | None = None,
    note: str = "",
) -> Field:
    """Two bytes, low byte first."""
    return Field(name, 2, "uint", decimals, add, unit=unit, values=values or {}, note=note)


def u32(name: str, decimals: int = 0, *, unit: str = "", values: dict[int, str] | None = None, note: str = "") -> Field:
    """Four bytes, low byte first."""
    return Field(name, 4, "uint", decimals, unit=unit, values=values or {}, note=note)


def uint(name: str, length: int, decimals: int = 0, *, unit: str = "", note: str = "") -> Field:
    """`length` bytes, low byte first."""
    return Field(name, length, "uint", decimals, unit=unit, note=note)


def raw(name: str, length: int, *, note: str = "") -> Field:
    """`length` bytes without a meaning of their own."""
    return Field(name, length, "bytes", note=note)


def text(name: str, length: int, *, note: str = "") -> Field:
    """ASCII, padded with NUL."""
    return Field(name, length, "text", note=note)


def slots(name: str, length: int, *, note: str = "") -> Field:
    """`length` numbers of one byte each."""
    return Field(name, length, "slots", note=note)
