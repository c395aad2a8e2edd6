"""Connections of one thread read into one buffer: frames that wait for their turn are not overwritten."""

from typing import Any

from core.directory import Pile
from core.ykc.codec import wrap_body
from ingest.connection_registry import PileState
from ingest.record_buffer import LANE_TELEMETRY, RecordBuffer
from ingest.ykc_stream import YkcStream
from tests.ingest.charger_frames import NOW_MS, charging, heartbeat, make_pile, trade_no_of

UNKNOWN = [wrap_body(0x70, bytes([number]) * 40) for number in range(4)]


def test_frames_that_python_has_not_asked_for_wait_while_others_read() -> None:
    first, second = (YkcStream(RecordBuffer(), number, lambda *_: None) for number in (1, 2))
    first.feed_bytes(b"".join(UNKNOWN) + UNKNOWN[0][:9], NOW_MS)
    assert first.next_frame() == (1, 0x70, UNKNOWN[0])
    for number in range(3):
        second.feed_bytes(UNKNOWN[number] * 3, NOW_MS)
        assert second.next_frame() == (1, 0x70, UNKNOWN[number])
        assert first.next_frame() == (1, 0x70, UNKNOWN[number + 1])
    assert first.next_frame() is None
    first.feed_bytes(UNKNOWN[0][9:], NOW_MS)
    assert first.next_frame() == (1, 0x70, UNKNOWN[0])


def test_who_is_told_of_an_event_may_read_for_another_connection() -> None:
    def read_elsewhere(*_: Any) -> None:
        other.feed_bytes(UNKNOWN[1] * 30, NOW_MS)
        while other.next_frame() is not None:
            told.append(1)

    told: list[int] = []
    records = RecordBuffer()
    pile: Pile = make_pile()
    stream, other = YkcStream(records, 1, read_elsewhere), YkcStream(RecordBuffer(), 2, lambda *_: None)
    stream.bind(pile, PileState(pile))
    trade_no = trade_no_of()
    sent = [charging(trade_no, 0, 0), heartbeat(), charging(trade_no, 100, 1), UNKNOWN[2]]
    stream.feed_bytes(b"".join(sent), NOW_MS)
    assert stream.next_frame() == (1, 0x70, UNKNOWN[2])
    assert stream.next_frame() is None
    assert told, "the charge's begin was told to nobody"
    lane = records.take(LANE_TELEMETRY)
    assert all(frame in lane for frame in sent[:3]), "another's bytes were kept"
