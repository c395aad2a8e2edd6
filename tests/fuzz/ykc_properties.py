"""What splitter and decoders of YKC promise for any bytes."""

import numpy as np

from core.ykc.codec import decode_body, decode_frame, encode_decoded, raw_fields, wrap_body
from core.ykc.hex_lines import decode_line
from core.ykc.realtime import RealtimeColumns, decode_realtime, encode_realtime
from core.ykc.splitter import MAX_PENDING, FrameSplitter
from tests.core.realtime_by_table import columns_by_the_table
from tests.fuzz.decode_properties import check_fields, check_line, check_round_trip
from tests.fuzz.split_properties import GARBAGE, check_split

LONGEST_BODY = 251
REALTIME_TYPE = 0x13
REALTIME_FRAME_BYTES = 68


def check_ykc_bytes(stream: bytes) -> None:
    """The splitter's promises, and those of the compiled decoder for what it found."""
    _check_columns([frame for kind, frame in check_split(FrameSplitter, MAX_PENDING, stream) if kind < GARBAGE])


def check_ykc_body(data: bytes) -> None:
    """One byte of message type and a body: the table's decoder and encoder, and the compiled decoder of 0x13."""
    if not data:
        return
    frame_type, body = data[0], data[1 : 1 + LONGEST_BODY]
    check_fields(decode_body(frame_type, body), raw_fields(frame_type, body))
    seq = body[-2:].rjust(2, b"\1")
    for encryption in (0, 1):
        frame = wrap_body(frame_type, body, seq=seq, checksum_order="be" if seq[0] & 1 else "le", encryption=encryption)
        check_round_trip(frame, decode_frame, encode_decoded)
        _check_columns([frame])


def check_ykc_line(data: bytes) -> None:
    """Lines of `pilestream decode ykc`."""
    check_line(data, decode_line, FrameSplitter())


def _check_columns(frames: list[bytes]) -> None:
    """Rows of the compiled decoder, one by one and in a batch, are those of the table."""
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
