"""The messages of both protocols as a page for readers: `python -m core.wire.describe` writes docs/messages.md."""

from collections.abc import Iterator
from pathlib import Path

from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.wire.fields import Field, Message, Rest
from core.wire.values import decimal_text
from core.ykc.messages import MESSAGES as YKC_MESSAGES

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"

_HEAD = """\
# Messages of the charger protocols

Made from the tables that decode and encode (`core/ykc/messages.py`, `core/aaf5/messages.py`) by
`python -m core.wire.describe`; a test fails when this page says something else than they do.

Integers are little-endian. A scaled value is written as a decimal string with all its decimals: `0.1 V` means that the
wire value 2251 is written "225.1". *BCD* and *bytes* are written as hex text, *text* ends before its padding of NULs,
*c text* at its first NUL, times are ISO text in the station's local time without zone, or null when the bytes hold no
time. Offsets count from the first byte of the body.

`pilestream decode` prints beside the fields of a frame its `envelope`: `seq` (the sequence bytes), `checksum_order`
("le", "be", "sum"), `flag` (YKC: encryption flag, AAF5: info byte) and `kept`, the wire bytes of each field whose
written form does not give them back, such as the day of the week in a time or what lies behind a NUL. Fields and
envelope together are the frame, to the byte. A body that does not fit its table has `layout_ok` false: the fields that
it holds whole are there, the bytes behind them are `undecoded_tail`.
"""
_YKC_HEAD = """\
## YKC V1.5 and V1.6

Frame: 0x68, length byte (body + 4), two sequence bytes, encryption flag, type, body of at most 251 bytes, CRC-16/MODBUS
in either byte order. A body that is longer than its table is a variant (YLC): its beginning is decoded.
"""
_AAF5_HEAD = """\
## AAF5 V2.6 to V3.4

Frame: AA F5, length of the whole frame (2 bytes, 9..1024), info byte, sequence byte, command (2 bytes), body, the low
byte of the sum from the command on. The size of the body is the only sign of a variant.
"""
_KINDS = {
    "bcd": "BCD",
    "bytes": "bytes",
    "text": "text",
    "text_reversed": "text, reversed",
    "c_text": "c text",
    "slots": "u8 list",
    "cell_volt_group": "u16: 12 bits voltage, 4 bits group",
}
_ARROWS = {"up": "charger → platform", "down": "platform → charger", "unknown": "direction not published"}


def page() -> str:
    """The whole page."""
    lines = [_HEAD, _YKC_HEAD, *_protocol(YKC_MESSAGES, "0x{:02X}"), _AAF5_HEAD, *_protocol(AAF5_MESSAGES, "{}")]
    return "\n".join(lines).rstrip() + "\n"


def _protocol(messages: dict[int, Message], type_form: str) -> Iterator[str]:
    yield "| type | name | direction | body | answer |"
    yield "|---|---|---|---|---|"
    for message in messages.values():
        answer = "" if message.reply is None else type_form.format(message.reply)
        row = (type_form.format(message.type), message.name, message.direction, _size(message), answer)
        yield f"| {' | '.join(row)} |"
    yield ""
    for message in messages.values():
        yield from _message(message, type_form)


def _size(message: Message) -> str:
    if not message.layout_known:
        return str(message.body_length) if message.body_length else "not published"
    sizes = [str(size) for size in message.sizes]
    text = ", ".join(sizes[:-1]) + (" or " if len(sizes) > 1 else "") + sizes[-1]
    if message.group:
        return f"{text} + {message.group_length}n"
    if message.rest is not None:
        return f"{text} + {message.rest.item_bytes if message.rest.item_bytes > 1 else ''}n"
    return text


def _message(message: Message, type_form: str) -> Iterator[str]:
    title = f" ({message.title})" if message.title else ""
    yield f"### {type_form.format(message.type)} {message.name}{title}"
    yield ""
    facts = [_ARROWS[message.direction], f"body: {_size(message)}"]
    if message.since:
        facts.append(f"since V{message.since}")
    if message.reply is not None:
        facts.append(f"answered by {type_form.format(message.reply)}")
    if not message.layout_known:
        facts.append("kept raw")
    if message.note:
        facts.append(message.note)
    yield "; ".join(facts) + "."
    yield ""
    if message.fields:
        yield from _table([(field, "") for field in message.fields] + _tail_rows(message))
    if message.group:
        times = f"`{message.count_field}` times" if message.count_field else "up to the end of the body"
        yield f"Then `{message.group_name}`, {times}, each of {message.group_length} bytes:"
        yield ""
        yield from _table([(field, "") for field in message.group])
    if message.rest is not None:
        yield _rest(message.rest)
        yield ""


def _tail_rows(message: Message) -> list[tuple[Field, str]]:
    return [
        (field, f"from {size} bytes on")
        for tail, size in zip(message.tails, message.sizes[1:], strict=True)
        for field in tail
    ]


def _table(rows: list[tuple[Field, str]]) -> Iterator[str]:
    yield "| off | len | field | type | unit | values |"
    yield "|--:|--:|---|---|---|---|"
    for field, variant in rows:
        words = ", ".join(f"{number} {meaning}" for number, meaning in field.values.items())
        said = "; ".join(part for part in (variant, words, field.note) if part)
        yield f"| {field.offset} | {field.length} | {field.name} | {_type(field)} | {_unit(field)} | {said} |"
    yield ""


def _type(field: Field) -> str:
    if field.kind == "uint":
        return f"u{8 * field.length}"
    if field.kind == "uint_list":
        return f"{field.count} x u{8 * field.length // field.count}"
    if field.kind == "time":
        return field.time.name if field.time else "time"
    return _KINDS[field.kind]


def _unit(field: Field) -> str:
    scale = decimal_text(1, field.decimals) if field.decimals else ""
    parts = [f"{scale} {field.unit}".strip()]
    if field.add:
        zero = decimal_text(field.add, field.decimals) if field.decimals else str(field.add)
        parts.append(f"wire 0 is {zero}")
    return ", ".join(part for part in parts if part)


def _rest(rest: Rest) -> str:
    what = "bytes as hex text" if rest.kind == "bytes" else f"numbers of {rest.item_bytes} bytes"
    how_many = f"`{rest.count_field}` of them" if rest.count_field else "up to the end of the body"
    when = f", only when `{rest.when[0]}` is {rest.when[1]}" if rest.when else ""
    return f"Then `{rest.name}`: {what}, {how_many}{when}."


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
