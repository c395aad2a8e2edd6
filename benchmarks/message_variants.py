"""Every message of both protocols in each of its lengths: a sample there and back, and the known real frames."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from core.aaf5 import codec as aaf5_codec
from core.aaf5.messages import TABLE as AAF5_TABLE
from core.wire.body import MessageTable
from core.wire.envelope import DecodedFrame
from core.wire.errors import WireEncodeError, WireFrameError
from core.wire.fields import Field, Message
from core.wire.values import TAIL_KEY, time_format, wire_to_written
from core.ykc import codec as ykc_codec
from core.ykc.messages import TABLE as YKC_TABLE

REAL_FRAMES: Final = Path(__file__).parents[1] / "tests" / "data" / "frames.jsonl"
REPEATS: Final = 3
RAW_BYTES: Final = 24
SAMPLE_TIME: Final = datetime(2026, 5, 17, 12, 34, 56)

Done = Literal["whole", "raw", "no"]


class Codec(msgspec.Struct, frozen=True):
    """What a protocol's codec module and tables offer here, and how its types are written."""

    name: str
    table: MessageTable
    encode_frame: Callable[..., bytes]
    wrap_body: Callable[..., bytes]
    decode_frame: Callable[[bytes], DecodedFrame]
    encode_decoded: Callable[[DecodedFrame], bytes]
    type_form: str
    body_at: int
    checksum_bytes: int


CODECS: Final = {
    "ykc": Codec(
        "ykc",
        YKC_TABLE,
        ykc_codec.encode_frame,
        ykc_codec.wrap_body,
        ykc_codec.decode_frame,
        ykc_codec.encode_decoded,
        "0x{:02X}",
        ykc_codec.HEADER_BYTES,
        ykc_codec.CHECKSUM_BYTES,
    ),
    "aaf5": Codec(
        "aaf5",
        AAF5_TABLE,
        aaf5_codec.encode_frame,
        aaf5_codec.wrap_body,
        aaf5_codec.decode_frame,
        aaf5_codec.encode_decoded,
        "{}",
        aaf5_codec.HEADER_BYTES,
        1,
    ),
}
"""By the name of the protocol."""


class Variant(msgspec.Struct, frozen=True):
    """A message in one of its lengths. `number` counts them from 0, the shortest; `size` says the length in words."""

    protocol: str
    message: Message
    number: int
    size: str

    @property
    def written_type(self) -> str:
        """The type as its document writes it."""
        return CODECS[self.protocol].type_form.format(self.message.type)

    @property
    def key(self) -> tuple[str, int, int]:
        """What names it."""
        return self.protocol, self.message.type, self.number

    @property
    def label(self) -> str:
        """What names it, for people."""
        return f"{self.protocol} {self.written_type} {self.message.name} ({self.size})"


def variants() -> Iterator[Variant]:
    """All of them, in the order of the tables."""
    for protocol, codec in CODECS.items():
        for message in codec.table.by_type.values():
            for number, size in enumerate(_sizes(message)):
                yield Variant(protocol, message, number, size)


def variant_number(message: Message, body_bytes: int) -> int:
    """Which variant a body of that size is; a body longer than its table counts as the longest that it holds."""
    if message.rest is not None and message.rest.when is not None:
        return int(body_bytes > message.length)
    if not message.layout_known:
        return 0
    return max((number for number, size in enumerate(message.sizes) if size <= body_bytes), default=0)


def sample_body(variant: Variant) -> bytes:
    """A body with something in every field."""
    message = variant.message
    if not message.layout_known:
        size = message.body_length or RAW_BYTES
        return bytes(1 + place % 255 for place in range(size))
    tails = message.tails[: variant.number]
    fixed = [*message.fields, *(field for tail in tails for field in tail)]
    wire = {field.name: _sample(field, place) for place, field in enumerate(fixed)}
    rest = b""
    if message.rest is not None:
        due = message.rest.when is None or variant.number == 1
        if message.rest.when is not None:
            name, value = message.rest.when
            wire[name] = bytes([value if due else 1 - value])
        if due:
            rest = bytes(range(1, 1 + REPEATS * message.rest.item_bytes))
        if message.rest.count_field is not None:
            count = next(field for field in fixed if field.name == message.rest.count_field)
            wire[count.name] = REPEATS.to_bytes(count.length, "little")
    if message.count_field is not None:
        wire[message.count_field] = bytes([REPEATS])
    groups = b"".join(
        _sample(field, 50 + repeat + place)
        for repeat in range(REPEATS if message.group else 0)
        for place, field in enumerate(message.group)
    )
    return b"".join(wire.values()) + groups + rest


def decodes(variant: Variant) -> Done:
    """Whether the decoder gives every field of a sample, each the value of its own bytes; "raw" = bytes alone."""
    codec = CODECS[variant.protocol]
    body = sample_body(variant)
    decoded = codec.decode_frame(codec.wrap_body(variant.message.type, body))
    if decoded.name != variant.message.name:
        return "no"
    if not variant.message.layout_known:
        return "raw" if codec.encode_decoded(decoded) == codec.wrap_body(variant.message.type, body) else "no"
    tails = variant.message.tails[: variant.number]
    fixed = (*variant.message.fields, *(field for tail in tails for field in tail))
    expected = {field.name: wire_to_written(field, body[field.offset : field.offset + field.length]) for field in fixed}
    same = all(decoded.fields.get(name) == value for name, value in expected.items())
    return "whole" if same and decoded.layout_ok and TAIL_KEY not in decoded.fields else "no"


def encodes(variant: Variant) -> Done:
    """Whether the encoder makes a sample from its written fields to the byte; "raw" = from its bytes."""
    codec = CODECS[variant.protocol]
    frame = codec.wrap_body(variant.message.type, sample_body(variant))
    fields = codec.decode_frame(frame).fields
    try:
        same = codec.encode_frame(variant.message.name, fields) == frame
    except WireEncodeError:
        same = False
    if variant.message.layout_known:
        return "whole" if same else "no"
    return "raw" if codec.encode_decoded(codec.decode_frame(frame)) == frame else "no"


class RealFrames(msgspec.Struct):
    """How many frames of real chargers, or of the documents, are known: sound ones, and ones that are refused."""

    valid: int = 0
    invalid: int = 0


def real_frames(path: Path = REAL_FRAMES) -> dict[tuple[str, int, int], RealFrames]:
    """The known frames of each variant, by its key; valid is what the codec takes and reads by its table."""
    found: dict[tuple[str, int, int], RealFrames] = {}
    for line in path.read_text("utf-8").splitlines():
        known: dict[str, Any] = json.loads(line)
        codec, frame = CODECS[known["protocol"]], bytes.fromhex(known["hex"])
        message = codec.table.by_name[known["name"]]
        body_bytes = len(frame) - codec.body_at - codec.checksum_bytes
        key = known["protocol"], message.type, variant_number(message, body_bytes)
        counts = found.setdefault(key, RealFrames())
        try:
            sound = codec.encode_decoded(codec.decode_frame(frame)) == frame
        except WireFrameError:
            sound = False
        counts.valid += sound
        counts.invalid += not sound
    return found


def _sizes(message: Message) -> list[str]:
    if not message.layout_known:
        return [str(message.body_length) if message.body_length else "not published"]
    if message.group:
        return [f"{message.length} + {message.group_length}n"]
    if message.rest is not None:
        item = str(message.rest.item_bytes) if message.rest.item_bytes > 1 else ""
        with_rest = f"{message.length} + {item}n"
        return [with_rest] if message.rest.when is None else [str(message.length), with_rest]
    return [str(size) for size in message.sizes]


def _sample(field: Field, place: int) -> bytes:
    """Bytes of a field that no other field of a message has, and whose written form gives them back."""
    size = field.length
    match field.kind:
        case "time":
            return time_format(field).from_local(SAMPLE_TIME)
        case "bcd":
            return bytes.fromhex(f"{place * 7_919 + 1:0{2 * size}d}"[-2 * size :])
        case "text" | "text_reversed" | "c_text":
            return bytes(65 + (place + i) % 26 for i in range(size))
        case "slots":
            return bytes((place + i) % 4 for i in range(size))
        case _:
            return bytes(1 + (place * 11 + i) % 250 for i in range(size))
