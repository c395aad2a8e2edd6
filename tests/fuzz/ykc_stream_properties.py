"""The compiled part of a YKC connection under any bytes."""

from core.ykc.splitter import GARBAGE, FrameSplitter
from ingest.connection_registry import PileState
from ingest.record_buffer import RecordBuffer
from ingest.ykc_stream import YkcStream
from tests.fuzz.stream_properties import check_stream
from tests.ingest.charger_frames import make_pile

HEARTBEAT_ACK = 0x04
# The charger of the public sample frames, so that the compiled path has something to do.
PILE = make_pile("32010200000001")


def check_ykc_stream(data: bytes) -> None:
    """Raise AssertionError where a connection loses bytes or answers with anything but heartbeat acks."""
    answers = check_stream(_make_stream, data)
    splitter = FrameSplitter()
    for index in range(splitter.feed_bytes(answers)):
        kind, _ = splitter.span(index)
        assert kind < GARBAGE and splitter.frame_type(index) == HEARTBEAT_ACK, "an answer that is none"
    assert splitter.pending == 0, "half an answer"


def _make_stream(bound: bool, evidence_limit: int) -> YkcStream:
    stream = YkcStream(RecordBuffer(), 7, lambda *_: None, evidence_limit)
    if bound:
        stream.bind(PILE, PileState(PILE))
    return stream
