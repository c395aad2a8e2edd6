"""One line of hex text, one frame, one answer: the work of `pilestream decode ykc`."""

from core.checksum import crc16_modbus
from core.ykc.codec import HEADER_BYTES, START_BYTE, decode_body
from core.ykc.messages import message_name
from core.ykc.values import TAIL_KEY

_MIN_LENGTH_BYTE = 4
_ENVELOPE_BYTES = 4


def decode_line(line: str) -> dict[str, object]:
    """What the frame of a line says, taken strictly: the length byte must match the whole line; never raises.

    Good frame: `ok` True, `type` ("0x13"), `name` (None for an unknown type), `seq` (its two bytes, low byte first),
    `seq_hex`, `layout_ok`, `fields` as in `core.ykc.codec.decode_body`, `checksum_order`, and `encrypted` True when
    the body cannot be read for that reason.
    Bad frame: `ok` False, `error` ("hex", "start", "length" or "checksum") and `detail` in words.
    """
    try:
        frame = bytes.fromhex(line)
    except ValueError:
        return _refusal("hex", _hex_fault(line))
    if not frame:
        return _refusal("hex", "the line holds no byte")
    if frame[0] != START_BYTE:
        return _refusal("start", f"the first byte is 0x{frame[0]:02X}, not 0x68")
    if len(frame) < 2 or frame[1] < _MIN_LENGTH_BYTE or frame[1] + _ENVELOPE_BYTES != len(frame):
        return _refusal("length", _length_fault(frame))
    checksum = crc16_modbus(frame[2:-2])
    if frame[-2:] == checksum.to_bytes(2, "little"):
        order = "le"
    elif frame[-2:] == checksum.to_bytes(2, "big"):
        order = "be"
    else:
        expected = checksum.to_bytes(2, "little").hex().upper()
        return _refusal("checksum", f"the frame ends with {frame[-2:].hex().upper()}, its bytes give {expected}")
    return {"ok": True, **_content(frame), "checksum_order": order}


def _content(frame: bytes) -> dict[str, object]:
    frame_type, body = frame[5], frame[HEADER_BYTES:-2]
    head: dict[str, object] = {
        "type": f"0x{frame_type:02X}",
        "name": message_name(frame_type),
        "seq": int.from_bytes(frame[2:4], "little"),
        "seq_hex": frame[2:4].hex().upper(),
    }
    if frame[4] != 0:
        return {**head, "encrypted": True, "layout_ok": False, "fields": {TAIL_KEY: body.hex().upper()}}
    decoded = decode_body(frame_type, body)
    return {**head, "layout_ok": decoded.layout_ok, "fields": decoded.fields}


def _refusal(error: str, detail: str) -> dict[str, object]:
    return {"ok": False, "error": error, "detail": detail}


def _hex_fault(line: str) -> str:
    digits = "".join(line.split())
    for position, character in enumerate(digits):
        if character not in "0123456789abcdefABCDEF":
            return f"character {position + 1} is {character!r}, no hex digit"
    return f"{len(digits)} hex digits that do not all come in pairs"


def _length_fault(frame: bytes) -> str:
    if len(frame) < 2:
        return "the frame ends before its length byte"
    if frame[1] < _MIN_LENGTH_BYTE:
        return f"the length byte is {frame[1]}; the smallest is {_MIN_LENGTH_BYTE}"
    return f"the length byte says {frame[1] + _ENVELOPE_BYTES} bytes in all, the line holds {len(frame)}"
