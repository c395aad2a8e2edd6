"""What the decoders of YKC promise for any bytes: no raise, no loss, and the compiled ones say the same."""

import json

import numpy as np

from core.ykc.codec import decode_body, raw_fields, wrap_body
from core.ykc.hex_lines import decode_line
from core.ykc.realtime import RealtimeColumns, decode_realtime, encode_realtime
from core.ykc.splitter import BUFFER_BYTES, FRAME_LE, MAX_PENDING, FrameSplitter
from tests.core.realtime_by_table import columns_by_the_table
from tests.fuzz.split_properties import GARBAGE, Spans, check_split

LONGEST_BODY = 251
REALTIME_TYPE = 0x13
REALTIME_FRAME_BYTES = 68
LINE_ERRORS = ("hex", "start", "length", "checksum")


def check_ykc_bytes(stream: bytes) -> None:
    """The splitter's promises, and then the compiled decoder over what it found."""
    spans = check_split(FrameSplitter, MAX_PENDING, stream)
    _check_columns(spans)


def check_ykc_body(data: bytes) -> None:
    """One byte of message type and a body: the table's decoder, its encoder, and the compiled decoder of 0x13."""
    if not data:
        return
    frame_type, body = data[0], data[1 : 1 + LONGEST_BODY]
    decoded = decode_body(frame_type, body)
    json.dumps(decoded.fields, allow_nan=False)
    fields = raw_fields(frame_type, body)
    assert decoded.layout_ok <= (decoded.name is not None), "a layout without a name"
    assert decoded.name is None or set(fields) == set(decoded.fields) - {"undecoded_tail"}, "raw and written differ"
    frame = wrap_body(frame_type, body, seq=body[:2].ljust(2, b"\1"))
    _check_columns([(FRAME_LE, frame)])


def check_ykc_line(data: bytes) -> None:
    """Text as `pilestream decode ykc` gets it, and the same bytes written as hex."""
    _check_answer(decode_line(data.decode("latin-1")))
    answer = decode_line(data.hex())
    _check_answer(answer)
    spans: Spans = []
    if 0 < len(data) <= BUFFER_BYTES:
        splitter = FrameSplitter()
        spans = [splitter.span(index) for index in range(splitter.feed_bytes(data))]
    whole = len(spans) == 1 and spans[0][0] < GARBAGE and spans[0][1] == data
    assert answer["ok"] is whole, "the line's decoder and the splitter disagree on what a frame is"


def _check_answer(answer: dict[str, object]) -> None:
    json.dumps(answer, allow_nan=False)
    if answer["ok"]:
        assert isinstance(answer["fields"], dict)
    else:
        assert answer["error"] in LINE_ERRORS and answer["detail"]


def _check_columns(spans: Spans) -> None:
    """Rows of the compiled decoder, one by one and in a batch, are those of the table."""
    frames = [frame for kind, frame in spans if kind < GARBAGE]
    rows = []
    for frame in frames:
        row = decode_realtime(frame)
        is_reading = frame[5] == REALTIME_TYPE and frame[4] == 0 and len(frame) >= REALTIME_FRAME_BYTES
        assert (row is not None) is is_reading, "a reading without a row, or a row without a reading"
        if row is not None:
            assert row == columns_by_the_table(frame), "compiled row and table differ"
            assert (encode_realtime(row) == frame) is (row["exact"] == 1), "'exact' is not what it says"
            rows.append(row)
    if not rows:
        return
    data = b"".join(frames)
    lengths = np.array([len(frame) for frame in frames], dtype=np.uint32)
    offsets = (np.cumsum(lengths) - lengths).astype(np.uint64)
    columns = RealtimeColumns(len(frames))
    assert columns.decode_many(data, offsets, lengths) == len(rows), "a batch finds other rows than single calls"
    for name, values in columns.columns().items():
        assert values.tolist() == [row[name] for row in rows], f"column {name} differs in a batch"
