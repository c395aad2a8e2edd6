"""One line of hex text, one frame, one answer: the work of `pilestream decode aaf5`."""

from core.aaf5.codec import decode_frame
from core.wire.errors import WireFrameError
from core.wire.hex_line import answer_of, frame_of_line, refusal


def decode_line(line: str) -> dict[str, object]:
    """What the frame of a line says, taken strictly: the length must match the whole line; never raises.

    Good frame: `ok` True, `type` (the command, a number), `name` (None for an unknown command), `seq`, `seq_hex`,
    `layout_ok`, `fields` as in `core.aaf5.codec.decode_body`, `checksum_order` ("sum") and `envelope` as in
    `core.wire.envelope`.
    Bad frame: `ok` False, `error` ("hex", "start", "length" or "checksum") and `detail` in words.
    """
    try:
        decoded = decode_frame(frame_of_line(line))
    except WireFrameError as error:
        return refusal(error.fault, error.detail)
    return answer_of(decoded, decoded.type)
