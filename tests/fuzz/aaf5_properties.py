"""What splitter and decoders of AAF5 promise for any bytes."""

import numpy as np

from core.aaf5.codec import MAX_BODY_BYTES, decode_body, decode_frame, encode_decoded, raw_fields, wrap_body
from core.aaf5.hex_lines import decode_line
from core.aaf5.splitter import MAX_PENDING, Aaf5Splitter
from core.aaf5.status import StatusColumns, decode_status
from tests.core.status_by_table import columns_by_the_table
from tests.fuzz.decode_properties import check_fields, check_line, check_round_trip
from tests.fuzz.split_properties import GARBAGE, check_split

STATUS = 104
STATUS_FRAME_BYTES = 178


def check_aaf5_bytes(stream: bytes) -> None:
    """The splitter's promises, and those of the compiled decoder for what it found."""
    _check_columns([frame for kind, frame in check_split(Aaf5Splitter, MAX_PENDING, stream) if kind < GARBAGE])


def check_aaf5_body(data: bytes) -> None:
    """Two bytes of command and a body: the table's decoder and encoder, and the compiled decoder of 104."""
    if len(data) < 2:
        return
    command, body = int.from_bytes(data[:2], "little"), data[2 : 2 + MAX_BODY_BYTES]
    check_fields(decode_body(command, body), raw_fields(command, body))
    frame = wrap_body(command, body, seq=data[-1:], info=data[-2])
    check_round_trip(frame, decode_frame, encode_decoded)
    _check_columns([frame])


def check_aaf5_line(data: bytes) -> None:
    """Lines of `pilestream decode aaf5`."""
    check_line(data, decode_line, Aaf5Splitter())


def _check_columns(frames: list[bytes]) -> None:
    """Rows of the compiled decoder, one by one and in a batch, are those of the table."""
    rows = []
    for frame in frames:
        row = decode_status(frame)
        is_status = frame[6:8] == STATUS.to_bytes(2, "little") and len(frame) >= STATUS_FRAME_BYTES
        assert (row is not None) is is_status, "a status without a row, or a row without a status"
        if row is not None:
            assert row == columns_by_the_table(frame), "compiled row and table differ"
            rows.append(row)
    if not rows:
        return
    lengths = np.array([len(frame) for frame in frames], dtype=np.uint32)
    offsets = (np.cumsum(lengths) - lengths).astype(np.uint64)
    columns = StatusColumns(len(frames))
    assert columns.decode_many(b"".join(frames), offsets, lengths) == len(rows), "a batch finds other rows"
    for name, values in columns.columns().items():
        assert values.tolist() == [row[name] for row in rows], f"column {name} differs in a batch"
