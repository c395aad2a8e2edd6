"""The value of one field: wire bytes to its written or raw form, and back."""

import re
from datetime import datetime

from core.wire.errors import WireEncodeError, WireTimeError
from core.wire.fields import Field, TimeFormat

TAIL_KEY = "undecoded_tail"

_CELL_VOLT_BITS = 12
_CELL_VOLT_MASK = (1 << _CELL_VOLT_BITS) - 1
_DECIMAL = re.compile(r"(-?)(\d+)(?:\.(\d*))?", re.ASCII)


def wire_to_written(field: Field, wire: bytes) -> object:
    """The value as `pilestream decode` shows it."""
    match field.kind:
        case "uint":
            return _shown(field, int.from_bytes(wire, "little"))
        case "uint_list":
            return [_shown(field, value) for value in _integers(field, wire)]
        case "time":
            form = time_format(field)
            local = form.to_local(wire)
            return None if local is None else local.isoformat(timespec=form.timespec)
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
        case "uint_list":
            return _integers(field, wire)
        case "time" | "slots":
            return wire
        case _:
            return _text_form(field, wire)


def written_to_wire(field: Field, value: object) -> bytes:
    """The bytes of a written value; raises `WireEncodeError` that says what is allowed."""
    match field.kind:
        case "uint":
            return _wire_integer(field, _scaled_integer(field, value) - field.add)
        case "uint_list":
            return b"".join(
                _wire_integer(field, _scaled_integer(field, item) - field.add) for item in _items(field, value)
            )
        case "time":
            return _time_to_wire(time_format(field), value)
        case "slots":
            return _slots_to_wire(field, value)
        case "cell_volt_group":
            return _cell_volt_group_to_wire(field, value)
        case _:
            return _text_to_wire(field, value)


def raw_to_wire(field: Field, value: object) -> bytes:
    """The bytes of a value in wire units; raises `WireEncodeError` that says what is allowed."""
    match field.kind:
        case "uint" | "cell_volt_group":
            return _raw_integer(field, value)
        case "uint_list":
            return b"".join(_raw_integer(field, item) for item in _items(field, value))
        case "time" | "slots":
            if not isinstance(value, bytes | bytearray) or len(value) != field.length:
                raise WireEncodeError(f"{value!r} must be {field.length} bytes")
            return bytes(value)
        case _:
            return _text_to_wire(field, value)


def decimal_text(value: int, decimals: int) -> str:
    """An integer in units of 10**-`decimals` as a decimal string with all its decimals."""
    sign = "-" if value < 0 else ""
    digits = f"{abs(value):0{decimals + 1}d}"
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def time_format(field: Field) -> TimeFormat:
    """The format of a field that holds a time; a table that names none is wrong."""
    if field.time is None:
        raise WireTimeError(f"{field.name}: its table names no format of time")
    return field.time


def _shown(field: Field, wire_value: int) -> object:
    value = wire_value + field.add
    return decimal_text(value, field.decimals) if field.decimals else value


def _integers(field: Field, wire: bytes) -> list[int]:
    size = field.length // field.count
    return [int.from_bytes(wire[at : at + size], "little") for at in range(0, field.length, size)]


def _text_form(field: Field, wire: bytes) -> str:
    if field.kind in ("bcd", "bytes"):
        return wire.hex().upper()
    if field.kind == "c_text":
        return wire.partition(b"\0")[0].decode("latin-1")
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
        raise WireEncodeError(f"{value!r} is no integer or decimal string; allowed are {_allowed(field)}")
    sign, whole, fraction = matched[1], matched[2], (matched[3] or "").rstrip("0")
    if len(fraction) > field.decimals:
        raise WireEncodeError(f"{value!r} has more than {field.decimals} decimals; allowed are {_allowed(field)}")
    scaled = int(whole + fraction.ljust(field.decimals, "0"))
    return -scaled if sign else scaled


def _wire_integer(field: Field, wire_value: int) -> bytes:
    if not 0 <= wire_value <= field.wire_max:
        shown = wire_value + field.add
        text = decimal_text(shown, field.decimals) if field.decimals else str(shown)
        raise WireEncodeError(f"{text} does not fit; allowed are {_allowed(field)}")
    return wire_value.to_bytes(field.length // field.count, "little")


def _raw_integer(field: Field, value: object) -> bytes:
    if isinstance(value, bool) or not isinstance(value, int):
        raise WireEncodeError(f"{value!r} is no integer; allowed are 0..{field.wire_max}")
    if not 0 <= value <= field.wire_max:
        raise WireEncodeError(f"{value} does not fit; allowed are 0..{field.wire_max}")
    return value.to_bytes(field.length // field.count, "little")


def _items(field: Field, value: object) -> list[object]:
    items = list(value) if isinstance(value, list | tuple) else []
    if len(items) != field.count:
        raise WireEncodeError(f"{value!r} must be a list of {field.count} numbers; allowed are {_allowed(field)}")
    return items


def _time_to_wire(form: TimeFormat, value: object) -> bytes:
    if value is None:
        return bytes(form.length)
    try:
        local = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        if local.tzinfo is not None:
            raise WireEncodeError(f"{value!r} carries a zone; the wire has local time without one")
        return form.from_local(local)
    except (ValueError, WireTimeError) as error:
        raise WireEncodeError(f"{value!r} is no local time of the years {form.years}, nor None") from error


def _slots_to_wire(field: Field, value: object) -> bytes:
    slots = value if isinstance(value, list | tuple) else ()
    if len(slots) != field.length or not all(type(slot) is int and 0 <= slot <= 255 for slot in slots):
        raise WireEncodeError(f"{value!r} must be {field.length} integers of 0..255")
    return bytes(slots)


def _cell_volt_group_to_wire(field: Field, value: object) -> bytes:
    if not isinstance(value, dict) or set(value) != {"volt", "group"}:
        raise WireEncodeError(f"{value!r} must hold 'volt' (0.00..40.95) and 'group' (0..15)")
    volt = _scaled_integer(Field(field.name, field.length, "uint", 2), value["volt"])
    group = value["group"]
    if not 0 <= volt <= _CELL_VOLT_MASK or type(group) is not int or not 0 <= group <= 15:
        raise WireEncodeError(f"{value!r} does not fit; allowed are volt 0.00..40.95 and group 0..15")
    return (volt | group << _CELL_VOLT_BITS).to_bytes(field.length, "little")


def _text_to_wire(field: Field, value: object) -> bytes:
    if not isinstance(value, str):
        raise WireEncodeError(f"{value!r} must be text")
    if field.kind in ("bcd", "bytes"):
        return _hex_to_wire(field, value)
    if field.kind == "text_reversed":
        value = value[::-1]
    try:
        wire = value.encode("latin-1")
    except UnicodeEncodeError:
        raise WireEncodeError(f"{value!r} must be of characters of one byte") from None
    if len(wire) > field.length:
        raise WireEncodeError(f"{value!r} has {len(wire)} characters; allowed are 0..{field.length}")
    if field.kind == "c_text" and b"\0" in wire:
        raise WireEncodeError(f"{value!r} holds a NUL, which ends such a text")
    return wire.ljust(field.length, b"\0")


def _hex_to_wire(field: Field, value: str) -> bytes:
    digits = 2 * field.length
    if len(value) != digits or not re.fullmatch(r"[0-9A-Fa-f]*", value):
        raise WireEncodeError(f"{value!r} must be {digits} digits")
    return bytes.fromhex(value)
