"""Bodies and frames of YKC to fields and back, driven by the table of `core.ykc.messages`.

Values have two forms, *written* and *raw*, as described in `core.wire.body`.
"""

from collections.abc import Mapping
from typing import Any, Literal

from core.checksum import crc16_modbus
from core.wire.body import DecodedBody
from core.wire.envelope import DecodedFrame, body_of_decoded, decoded_frame
from core.wire.errors import WireEncodeError, WireFrameError
from core.ykc.messages import TABLE

START_BYTE = 0x68
HEADER_BYTES = 6
CHECKSUM_BYTES = 2
ENVELOPE_BYTES = 4
"""What the length byte does not count: start, itself, checksum."""
MIN_LENGTH_BYTE = 4
MAX_BODY_BYTES = 251

ChecksumOrder = Literal["le", "be"]


def decode_body(frame_type: int, body: bytes) -> DecodedBody:
    """The fields of a body in their written form; never raises.

    A body of another size than the table's gives the fields that it holds whole, in the table's order, and the rest
    as `undecoded_tail`; so does an unknown type, with `name` None.
    """
    return TABLE.decode(frame_type, body)


def raw_fields(frame_type: int, body: bytes) -> dict[str, Any]:
    """The fields of a body in wire units; never raises.

    Integers are as on the wire (no scale, no offset), BCD and raw bytes upper-case hex text, ASCII text without its
    padding, times and slot lists the bytes themselves. Fields that a short body does not hold are absent; an unknown
    type gives no fields.
    """
    return TABLE.raw(frame_type, body)


def encode_frame(
    message: str | int,
    fields: Mapping[str, object],
    *,
    seq: bytes = b"\0\0",
    checksum_order: ChecksumOrder = "le",
) -> bytes:
    """The frame of a message (its name or type) from fields in the written form, as `decode_body` gives them.

    Every field must be given, but `reserved` may be left out. Raises `WireEncodeError`, which names the field and what
    is allowed.
    """
    described = TABLE.describe(message)
    return wrap_body(described.type, TABLE.encode_written(described, fields), seq=seq, checksum_order=checksum_order)


def encode_raw(
    message: str | int,
    fields: Mapping[str, object],
    *,
    seq: bytes = b"\0\0",
    checksum_order: ChecksumOrder = "le",
) -> bytes:
    """The frame of a message from fields in wire units, as `raw_fields` gives them. Raises as `encode_frame` does."""
    described = TABLE.describe(message)
    return wrap_body(described.type, TABLE.encode_raw(described, fields), seq=seq, checksum_order=checksum_order)


def wrap_body(
    frame_type: int, body: bytes, *, seq: bytes = b"\0\0", checksum_order: ChecksumOrder = "le", encryption: int = 0
) -> bytes:
    """A whole frame around any body: start byte, length, sequence, flag, type, checksum. Raises `WireEncodeError`."""
    if len(body) > MAX_BODY_BYTES:
        raise WireEncodeError(f"type 0x{frame_type:02X}: a body of {len(body)} bytes; at most {MAX_BODY_BYTES} fit")
    if len(seq) != 2:
        raise WireEncodeError(f"seq holds {len(seq)} bytes; it must hold 2")
    if not (0 <= frame_type <= 255 and 0 <= encryption <= 255):
        raise WireEncodeError(f"type {frame_type} and encryption flag {encryption} must each fit a byte")
    if checksum_order not in ("le", "be"):
        raise WireEncodeError(f"checksum_order {checksum_order!r}; allowed are 'le' and 'be'")
    checked = b"%b%c%c%b" % (seq, encryption, frame_type, body)
    order: Literal["little", "big"] = "little" if checksum_order == "le" else "big"
    return b"%c%c%b%b" % (START_BYTE, len(checked), checked, crc16_modbus(checked).to_bytes(2, order))


def decode_frame(frame: bytes) -> DecodedFrame:
    """One whole frame in its parts, taken strictly: the length byte must match all bytes given.

    A frame with another encryption flag than 0 gives its body as `undecoded_tail`. Raises `WireFrameError` with the
    fault "start", "length" or "checksum".
    """
    if frame[:1] != b"%c" % START_BYTE:
        raise WireFrameError("start", f"the first byte is {_first_byte(frame)}, not 0x68")
    if len(frame) < 2 or frame[1] < MIN_LENGTH_BYTE or frame[1] + ENVELOPE_BYTES != len(frame):
        raise WireFrameError("length", _length_fault(frame))
    checksum = crc16_modbus(frame[2:-CHECKSUM_BYTES])
    found = frame[-CHECKSUM_BYTES:]
    low_first, high_first = checksum.to_bytes(2, "little"), checksum.to_bytes(2, "big")
    if found not in (low_first, high_first):
        detail = f"the frame ends with {found.hex().upper()}, its bytes give {low_first.hex().upper()}"
        raise WireFrameError("checksum", detail)
    return decoded_frame(
        TABLE,
        frame[5],
        frame[HEADER_BYTES:-CHECKSUM_BYTES],
        seq=frame[2:4],
        checksum_order="le" if found == low_first else "be",
        flag=frame[4],
        readable=frame[4] == 0,
    )


def encode_decoded(decoded: DecodedFrame) -> bytes:
    """The frame that `decode_frame` took apart, to the byte. Raises `WireEncodeError`."""
    envelope = decoded.envelope
    if envelope.checksum_order == "sum":
        raise WireEncodeError("checksum_order 'sum' is none of YKC; allowed are 'le' and 'be'")
    return wrap_body(
        decoded.type,
        body_of_decoded(TABLE, decoded),
        seq=bytes.fromhex(envelope.seq),
        checksum_order=envelope.checksum_order,
        encryption=envelope.flag,
    )


def _first_byte(frame: bytes) -> str:
    return f"0x{frame[0]:02X}" if frame else "missing"


def _length_fault(frame: bytes) -> str:
    if len(frame) < 2:
        return "the frame ends before its length byte"
    if frame[1] < MIN_LENGTH_BYTE:
        return f"the length byte is {frame[1]}; the smallest is {MIN_LENGTH_BYTE}"
    return f"the length byte says {frame[1] + ENVELOPE_BYTES} bytes in all, {len(frame)} are there"
