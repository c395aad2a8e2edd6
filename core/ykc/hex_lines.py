"""One line of hex text, one frame, one answer: the work of `pilestream decode ykc`."""

from core.wire.errors import WireFrameError
from core.wire.hex_line import answer_of, frame_of_line, refusal
from core.ykc.codec import decode_frame


def decode_line(line: str) -> dict[str, object]:
    """What the frame of a line says, taken strictly: the length byte must match the whole line; never raises.

    Good frame: `ok` True, `type` ("0x13"), `name` (None for an unknown type), `seq` (its two bytes, low byte first),
    `seq_hex`, `layout_ok`, `fields` as in `core.ykc.codec.decode_body`, `checksum_order`, `envelope` as in
    `core.wire.envelope`, and `encrypted` True when the body cannot be read for that reason.
    Bad frame: `ok` False, `error` ("hex", "start", "length" or "checksum") and `detail` in words.
    """
    try:
        decoded = decode_frame(frame_of_line(line))
    except WireFrameError as error:
        return refusal(error.fault, error.detail)
    answer = answer_of(decoded, f"0x{decoded.type:02X}")
    if decoded.envelope.flag != 0:
        answer["encrypted"] = True
    return answer
