"""The value of one field: wire bytes to its written or raw form, and back."""

import re
from datetime import datetime

from core.ykc.cp56 import CP56_BYTES, cp56_to_local, local_to_cp56
from core.ykc.errors import YkcEncodeError, YkcTimeError
from core.ykc.fields import Field

GROUP_KEY = "cards"  # all groups of the protocol are cards
TAIL_KEY = "undecoded_tail"

_CELL_VOLT_BITS = 12
_CELL_VOLT_MASK = (1 << _CELL_VOLT_BITS) - 1
_DECIMAL = re.compile(r"(-?)(\d+)(?:\.(\d*))?", re.ASCII)


def wire_to_written(field: Field, wire: bytes) -> object:
    """The value as `pilestream decode` shows it."""
    match field.kind:
        case "uint":
            value = int.from_bytes(wire, "little") + field.add
            return decimal_text(value, field.decimals) if field.decimals else value
        case "time":
            local = cp56_to_local(wire)
            return None if local is None else local.isoformat(timespec="milliseconds")
        case "slots":
            return list(wire)
        case "cell_volt_group":
            value = int.from_bytes(wire, "little")
            return {"volt": decimal_text(value & _CELL_VOLT_MASK, 2), "group": value >> _CELL_VOLT_BITS}
        case _:
            return _text_form(field, wire)


def wire_to_raw(field: Field, wire: bytes) -> object:
    """The value in wire units."""
    match field.kind:
        case "uint" | "cell_volt_group":
            return int.from_bytes(wire, "little")
        case "time" | "slots":
            return wire
        case _:
            return _text_form(field, wire)


def written_to_wire(field: Field, value: object) -> bytes:
    """The bytes of a written value; raises `YkcEncodeError` that says what is allowed."""
    match field.kind:
        case "uint":
            return _wire_integer(field, _scaled_integer(field, value) - field.add)
        case "time":
            return _time_to_wire(value)
        case "slots":
            return _slots_to_wire(field, value)
        case "cell_volt_group":
            return _cell_volt_group_to_wire(field, value)
        case _:
            return _text_to_wire(field, value)


def raw_to_wire(field: Field, value: object) -> bytes:
    """The bytes of a value in wire units; raises `YkcEncodeError` that says what is allowed."""
    match field.kind:
        case "uint" | "cell_volt_group":
            if isinstance(value, bool) or not isinstance(value, int):
                raise YkcEncodeError(f"{value!r} is no integer; allowed are 0..{field.wire_max}")
            if not 0 <= value <= field.wire_max:
                raise YkcEncodeError(f"{value} does not fit; allowed are 0..{field.wire_max}")
            return value.to_bytes(field.length, "little")
        case "time" | "slots":
            if not isinstance(value, bytes | bytearray) or len(value) != field.length:
                raise YkcEncodeError(f"{value!r} must be {field.length} bytes")
            return bytes(value)
        case _:
            return _text_to_wire(field, value)


def decimal_text(value: int, decimals: int) -> str:
    """An integer in units of 10**-`decimals` as a decimal string with all its decimals."""
    sign = "-" if value < 0 else ""
    digits = f"{abs(value):0{decimals + 1}d}"
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def _text_form(field: Field, wire: bytes) -> str:
    if field.kind in ("bcd", "bytes"):
        return wire.hex().upper()
    text = wire.rstrip(b"\0").decode("latin-1")
    return text[::-1] if field.kind == "text_reversed" else text


def _allowed(field: Field) -> str:
    low, high = field.add, field.wire_max + field.add
    if not field.decimals:
        return f"{low}..{high}"
    return f"{decimal_text(low, field.decimals)}..{decimal_text(high, field.decimals)}"


def _scaled_integer(field: Field, value: object) -> int:
    """A written number in units of its last decimal; floats are refused, since they cannot hold all amounts."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value * 10**field.decimals)
    matched = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise YkcEncodeError(f"{value!r} is no integer or decimal string; allowed are {_allowed(field)}")
    sign, whole, fraction = matched[1], matched[2], (matched[3] or "").rstrip("0")
    if len(fraction) > field.decimals:
        raise YkcEncodeError(f"{value!r} has more than {field.decimals} decimals; allowed are {_allowed(field)}")
    scaled = int(whole + fraction.ljust(field.decimals, "0"))
    return -scaled if sign else scaled


def _wire_integer(field: Field, wire_value: int) -> bytes:
    if not 0 <= wire_value <= field.wire_max:
        shown = wire_value + field.add
        text = decimal_text(shown, field.decimals) if field.decimals else str(shown)
        raise YkcEncodeError(f"{text} does not fit; allowed are {_allowed(field)}")
    return wire_value.to_bytes(field.length, "little")


def _time_to_wire(value: object) -> bytes:
    if value is None:
        return bytes(CP56_BYTES)
    try:
        local = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if local.tzinfo is not None:
            raise YkcEncodeError(f"{value!r} carries a zone; the wire has local time without one")
        return local_to_cp56(local)
    except (ValueError, YkcTimeError) as error:
        raise YkcEncodeError(f"{value!r} is no local time of the years 2000..2127, nor None") from error


def _slots_to_wire(field: Field, value: object) -> bytes:
    slots = value if isinstance(value, list | tuple) else ()
    if len(slots) != field.length or not all(type(slot) is int and 0 <= slot <= 255 for slot in slots):
        raise YkcEncodeError(f"{value!r} must be {field.length} integers of 0..255")
    return bytes(slots)


def _cell_volt_group_to_wire(field: Field, value: object) -> bytes:
    if not isinstance(value, dict) or set(value) != {"volt", "group"}:
        raise YkcEncodeError(f"{value!r} must hold 'volt' (0.00..40.95) and 'group' (0..15)")
    volt = _scaled_integer(Field(field.name, field.length, "uint", 2), value["volt"])
    group = value["group"]
    if not 0 <= volt <= _CELL_VOLT_MASK or type(group) is not int or not 0 <= group <= 15:
        raise YkcEncodeError(f"{value!r} does not fit; allowed are volt 0.00..40.95 and group 0..15")
    return (volt | group << _CELL_VOLT_BITS).to_bytes(field.length, "little")


def _text_to_wire(field: Field, value: object) -> bytes:
    if not isinstance(value, str):
        raise YkcEncodeError(f"{value!r} must be text")
    if field.kind in ("bcd", "bytes"):
        return _hex_to_wire(field, value)
    if field.kind == "text_reversed":
        value = value[::-1]
    try:
        wire = value.encode("latin-1")
    except UnicodeEncodeError:
        raise YkcEncodeError(f"{value!r} must be of characters of one byte") from None
    if len(wire) > field.length:
        raise YkcEncodeError(f"{value!r} has {len(wire)} characters; allowed are 0..{field.length}")
    return wire.ljust(field.length, b"\0")


def _hex_to_wire(field: Field, value: str) -> bytes:
    digits = 2 * field.length
    if len(value) != digits or not re.fullmatch(r"[0-9A-Fa-f]*", value):
        raise YkcEncodeError(f"{value!r} must be {digits} digits")
    return bytes.fromhex(value)
