"""What the decoders of both protocols promise for any bytes: nothing is raised, and frames come back to the byte."""

import json
from collections.abc import Callable

import msgspec

from core.wire.body import DecodedBody
from core.wire.envelope import DecodedFrame
from core.wire.values import TAIL_KEY
from tests.fuzz.split_properties import GARBAGE, Splitter

LINE_ERRORS = ("hex", "start", "length", "checksum")
DecodeFrame = Callable[[bytes], DecodedFrame]
EncodeDecoded = Callable[[DecodedFrame], bytes]
DecodeLine = Callable[[str], dict[str, object]]


def check_round_trip(frame: bytes, decode_frame: DecodeFrame, encode_decoded: EncodeDecoded) -> None:
    """A good frame is reproduced from its parts, also when these were written as JSON in between."""
    decoded = decode_frame(frame)
    assert encode_decoded(decoded) == frame, "another frame came back"
    text = msgspec.json.encode(decoded)
    assert encode_decoded(msgspec.json.decode(text, type=DecodedFrame)) == frame, "JSON lost something"


def check_fields(decoded: DecodedBody, raw: dict[str, object]) -> None:
    """The written and the raw form of a body hold the same fields, and the written one is fit for JSON."""
    json.dumps(decoded.fields, allow_nan=False)
    if decoded.name is None:
        assert not decoded.layout_ok and not raw, "fields without a message"
    else:
        assert set(raw) == set(decoded.fields) - {TAIL_KEY}, "raw and written fields differ"
    assert not decoded.layout_ok or TAIL_KEY not in decoded.fields, "a tail behind a layout that fits"


def check_line(data: bytes, decode_line: DecodeLine, splitter: Splitter) -> None:
    """Text as `pilestream decode` gets it, and the same bytes written as hex: the latter is what the splitter finds."""
    _check_answer(decode_line(data.decode("latin-1")))
    answer = decode_line(data.hex())
    _check_answer(answer)
    spans = [splitter.span(index) for index in range(splitter.feed_bytes(data))]
    whole = len(spans) == 1 and spans[0][0] < GARBAGE and spans[0][1] == data
    assert answer["ok"] is whole, "the line's decoder and the splitter disagree on what a frame is"


def _check_answer(answer: dict[str, object]) -> None:
    json.dumps(answer, allow_nan=False)
    if answer["ok"]:
        assert isinstance(answer["fields"], dict)
    else:
        assert answer["error"] in LINE_ERRORS and answer["detail"]
