"""What splitter and decoders of AAF5 promise for any bytes: no raise, no loss, and the compiled ones say the same."""

import json

from core.aaf5.codec import MAX_BODY_BYTES, decode_body, raw_fields, wrap_body
from core.aaf5.splitter import MAX_PENDING, Aaf5Splitter
from tests.fuzz.split_properties import check_split

LONGEST_BODY = MAX_BODY_BYTES


def check_aaf5_bytes(stream: bytes) -> None:
    """The splitter's promises."""
    check_split(Aaf5Splitter, MAX_PENDING, stream)


def check_aaf5_body(data: bytes) -> None:
    """Two bytes of command and a body: the table's decoder and its encoder."""
    if len(data) < 2:
        return
    command, body = int.from_bytes(data[:2], "little"), data[2 : 2 + LONGEST_BODY]
    decoded = decode_body(command, body)
    json.dumps(decoded.fields, allow_nan=False)
    fields = raw_fields(command, body)
    assert decoded.layout_ok <= (decoded.name is not None), "a layout without a name"
    assert decoded.name is None or set(fields) == set(decoded.fields) - {"undecoded_tail"}, "raw and written differ"
    assert wrap_body(command, body)[8:-1] == body
