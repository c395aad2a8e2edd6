"""Bodies and frames of AAF5 to fields and back, driven by the table of `core.aaf5.messages`.

Values have two forms, *written* and *raw*, as described in `core.wire.body`.
"""

from collections.abc import Mapping
from typing import Any

from core.aaf5.messages import TABLE
from core.wire.body import DecodedBody
from core.wire.envelope import DecodedFrame, body_of_decoded, decoded_frame
from core.wire.errors import WireEncodeError, WireFrameError

START_BYTES = b"\xaa\xf5"
HEADER_BYTES = 8
CHECKSUM_BYTES = 1
ENVELOPE_BYTES = HEADER_BYTES + CHECKSUM_BYTES
MAX_FRAME_BYTES = 1024
MAX_BODY_BYTES = MAX_FRAME_BYTES - ENVELOPE_BYTES
INFO_BYTE = 0x10
_CHECKED_FROM = 6


def decode_body(frame_type: int, body: bytes) -> DecodedBody:
    """The fields of a body in their written form; never raises.

    The size of the body chooses the variant. One of another size gives the fields that it holds whole of those common
    to all variants (of 104 and 202: only when it holds all of them), and the rest as `undecoded_tail`; so does an
    unknown command, with `name` None (aaf5.md section 6).
    """
    return TABLE.decode(frame_type, body)


def raw_fields(frame_type: int, body: bytes) -> dict[str, Any]:
    """The fields of a body in wire units; never raises.

    Integers are as on the wire, `half_hour_energy` and parameter values lists of them, raw bytes upper-case hex text,
    ASCII text up to its first NUL, times their 8 bytes. Fields that the body does not hold are absent; an unknown
    command gives no fields.
    """
    return TABLE.raw(frame_type, body)


def encode_frame(
    message: str | int, fields: Mapping[str, object], *, seq: bytes = b"\0", info: int = INFO_BYTE
) -> bytes:
    """The frame of a message (its name or command) from fields in the written form, as `decode_body` gives them.

    The variant is the shortest that holds all fields given; every field of it must be given, but `reserved…` may be
    left out. Raises `WireEncodeError`, which names the field and what is allowed.
    """
    described = TABLE.describe(message)
    return wrap_body(described.type, TABLE.encode_written(described, fields), seq=seq, info=info)


def encode_raw(message: str | int, fields: Mapping[str, object], *, seq: bytes = b"\0", info: int = INFO_BYTE) -> bytes:
    """The frame of a message from fields in wire units, as `raw_fields` gives them. Raises as `encode_frame` does."""
    described = TABLE.describe(message)
    return wrap_body(described.type, TABLE.encode_raw(described, fields), seq=seq, info=info)


def wrap_body(frame_type: int, body: bytes, *, seq: bytes = b"\0", info: int = INFO_BYTE) -> bytes:
    """A whole frame around any body: start, length, info, sequence, command, checksum. Raises `WireEncodeError`."""
    if len(body) > MAX_BODY_BYTES:
        raise WireEncodeError(f"command {frame_type}: a body of {len(body)} bytes; at most {MAX_BODY_BYTES} fit")
    if len(seq) != 1:
        raise WireEncodeError(f"seq holds {len(seq)} bytes; it must hold 1")
    if not 0 <= frame_type <= 0xFFFF:
        raise WireEncodeError(f"command {frame_type} must fit two bytes")
    if not 0 <= info <= 0xFF:
        raise WireEncodeError(f"info {info} must fit a byte")
    length = len(body) + ENVELOPE_BYTES
    checked = frame_type.to_bytes(2, "little") + body
    return b"%b%b%c%b%b%c" % (START_BYTES, length.to_bytes(2, "little"), info, seq, checked, sum_checksum(checked))


def sum_checksum(data: bytes) -> int:
    """The low byte of the sum of all bytes."""
    return sum(data) & 0xFF


def decode_frame(frame: bytes) -> DecodedFrame:
    """One whole frame in its parts, taken strictly: its length must match all bytes given.

    Raises `WireFrameError` with the fault "start", "length" or "checksum".
    """
    if frame[:2] != START_BYTES:
        raise WireFrameError("start", f"the first bytes are {frame[:2].hex().upper() or 'missing'}, not AAF5")
    announced = int.from_bytes(frame[2:4], "little") if len(frame) >= 4 else 0
    if not ENVELOPE_BYTES <= announced <= MAX_FRAME_BYTES or announced != len(frame):
        raise WireFrameError("length", _length_fault(frame, announced))
    checksum = sum_checksum(frame[_CHECKED_FROM:-CHECKSUM_BYTES])
    if frame[-1] != checksum:
        raise WireFrameError("checksum", f"the frame ends with {frame[-1]:02X}, its bytes give {checksum:02X}")
    return decoded_frame(
        TABLE,
        int.from_bytes(frame[6:HEADER_BYTES], "little"),
        frame[HEADER_BYTES:-CHECKSUM_BYTES],
        seq=frame[5:6],
        checksum_order="sum",
        flag=frame[4],
    )


def encode_decoded(decoded: DecodedFrame) -> bytes:
    """The frame that `decode_frame` took apart, to the byte. Raises `WireEncodeError`."""
    envelope = decoded.envelope
    if envelope.checksum_order != "sum":
        raise WireEncodeError(f"checksum_order {envelope.checksum_order!r} is none of AAF5; allowed is 'sum'")
    body = body_of_decoded(TABLE, decoded)
    return wrap_body(decoded.type, body, seq=bytes.fromhex(envelope.seq), info=envelope.flag)


def _length_fault(frame: bytes, announced: int) -> str:
    if len(frame) < 4:
        return "the frame ends before its length"
    if not ENVELOPE_BYTES <= announced <= MAX_FRAME_BYTES:
        return f"the length is {announced}; allowed are {ENVELOPE_BYTES}..{MAX_FRAME_BYTES}"
    return f"the length says {announced} bytes in all, {len(frame)} are there"
