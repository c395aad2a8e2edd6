"""One line of hex text to the bytes of one frame, or to the words that refuse it."""

import msgspec

from core.wire.envelope import DecodedFrame
from core.wire.errors import FrameFault, WireFrameError


def frame_of_line(line: str) -> bytes:
    """The bytes of a line, blanks ignored. Raises `WireFrameError` with the fault "hex"."""
    try:
        frame = bytes.fromhex(line)
    except ValueError:
        raise WireFrameError("hex", _hex_fault(line)) from None
    if not frame:
        raise WireFrameError("hex", "the line holds no byte")
    return frame


def refusal(fault: FrameFault, detail: str) -> dict[str, object]:
    """The answer to a line that holds no good frame."""
    return {"ok": False, "error": fault, "detail": detail}


def answer_of(decoded: DecodedFrame, shown_type: object) -> dict[str, object]:
    """What the frame of a line says; `shown_type` is its type as the protocol writes it."""
    return {
        "ok": True,
        "type": shown_type,
        "name": decoded.name,
        "seq": int.from_bytes(bytes.fromhex(decoded.envelope.seq), "little"),
        "seq_hex": decoded.envelope.seq,
        "layout_ok": decoded.layout_ok,
        "fields": decoded.fields,
        "checksum_order": decoded.envelope.checksum_order,
        "envelope": msgspec.to_builtins(decoded.envelope),
    }


def _hex_fault(line: str) -> str:
    digits = "".join(line.split())
    for position, character in enumerate(digits):
        if character not in "0123456789abcdefABCDEF":
            return f"character {position + 1} is {character!r}, no hex digit"
    return f"{len(digits)} hex digits that do not all come in pairs"
