"""One receive buffer for many splitters: what each finds is what it finds alone, whoever reads in between."""

import gc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.aaf5.splitter import Aaf5Splitter
from core.wire.errors import WireBufferError
from core.wire.splitter import BUFFER_BYTES, ReceiveBuffer, StreamSplitter, receive_buffer_of_thread
from core.ykc.codec import wrap_body
from core.ykc.splitter import FrameSplitter

HEARTBEAT = wrap_body(0x03, bytes.fromhex("320106000192360100"), seq=b"\x01\x00")
REALTIME = wrap_body(0x13, bytes(range(60)), seq=b"\x02\x00")
AAF5_FRAME = bytes.fromhex("aaf50c0000006700010203")
AAF5_FRAME += bytes([sum(AAF5_FRAME[6:]) & 0xFF])

Spans = list[tuple[int, bytes]]


def spans_of(splitter: StreamSplitter) -> Spans:
    """All spans of the last feed."""
    return [splitter.span(index) for index in range(splitter.count)]


def written(splitter: StreamSplitter, data: bytes) -> Spans:
    """The spans of bytes that a transport wrote."""
    space = splitter.get_buffer()
    space[: len(data)] = data
    splitter.feed(len(data))
    return spans_of(splitter)


pieces = st.one_of(
    st.sampled_from([HEARTBEAT, REALTIME, AAF5_FRAME, HEARTBEAT * 3, REALTIME[:-1] + b"\0", b"\x68", b"\xaa\xf5"]),
    st.binary(max_size=40),
    st.tuples(st.sampled_from([HEARTBEAT, REALTIME, AAF5_FRAME]), st.integers(0, 70)).map(
        lambda case: case[0][: case[1]]
    ),
)
reads = st.lists(st.tuples(st.integers(0, 3), pieces, st.booleans()), max_size=40)


@settings(deadline=None)
@given(reads)
def test_each_splitter_finds_what_it_finds_alone(turns: list[tuple[int, bytes, bool]]) -> None:
    shared = ReceiveBuffer()
    kinds: list[Any] = [FrameSplitter, Aaf5Splitter, FrameSplitter, Aaf5Splitter]
    sharing = [kind(shared) for kind in kinds]
    alone = [kind() for kind in kinds]
    for number, data, is_written in turns:
        for splitters in (sharing, alone):
            if is_written:
                written(splitters[number], data)
            else:
                splitters[number].feed_bytes(data)
        # What was found earlier and not taken is there still, in whosever memory.
        for one, other in zip(sharing, alone, strict=True):
            assert (spans_of(one), one.pending) == (spans_of(other), other.pending)
    for one, other in zip(sharing, alone, strict=True):
        assert one.flush_pending() == other.flush_pending()


def test_a_living_view_keeps_its_room() -> None:
    shared = ReceiveBuffer()
    first, second = FrameSplitter(shared), FrameSplitter(shared)
    assert first.feed_bytes(REALTIME[:10]) == 0
    space = first.get_buffer()[:4096]
    assert written(second, HEARTBEAT + REALTIME[:20]) == [(1, HEARTBEAT)]
    space[: len(REALTIME) - 10] = REALTIME[10:]
    assert first.feed(len(REALTIME) - 10) == 1
    assert first.span(0) == (1, REALTIME)
    assert written(second, REALTIME[20:]) == [(1, REALTIME)]
    del space
    assert written(second, HEARTBEAT) == [(1, HEARTBEAT)]
    assert first.span(0) == (1, REALTIME)


def test_a_view_outlives_splitter_and_buffer() -> None:
    space = FrameSplitter(ReceiveBuffer()).get_buffer()
    space[:3] = b"abc"
    assert bytes(space[:3]) == b"abc"


def test_bytes_for_a_room_that_another_has_are_refused() -> None:
    shared = ReceiveBuffer()
    first, second = FrameSplitter(shared), FrameSplitter(shared)
    first.get_buffer()[:4] = HEARTBEAT[:4]
    second.feed_bytes(REALTIME[:5])
    with pytest.raises(WireBufferError, match="another splitter took it"):
        first.feed(4)
    assert first.feed(0) == first.pending == 0
    assert second.pending == 5


def test_room_is_what_the_waiting_bytes_leave() -> None:
    shared = ReceiveBuffer()
    first, second = FrameSplitter(shared), FrameSplitter(shared)
    first.feed_bytes(REALTIME[:10])
    second.feed_bytes(REALTIME[:20])
    assert len(first.get_buffer()) == BUFFER_BYTES - 10
    assert len(second.get_buffer()) == BUFFER_BYTES - 20


def test_a_splitter_that_ends_leaves_the_buffer_to_others() -> None:
    shared = ReceiveBuffer()
    last = FrameSplitter(shared)
    for _ in range(50):
        circle: list[Any] = [FrameSplitter(shared)]
        circle.append(circle)
        circle[0].feed_bytes(HEARTBEAT[:4])
        del circle
        gc.collect(0)  # what is younger than the last collection: the circle
        assert last.feed_bytes(HEARTBEAT) == 1
        last = FrameSplitter(shared)
        assert last.feed_bytes(REALTIME) == 1


def test_floods_of_failures_in_a_shared_buffer_do_not_stay() -> None:
    shared = ReceiveBuffer()
    first, second = FrameSplitter(shared), FrameSplitter(shared)
    flood = (b"\x68\x00" + HEARTBEAT) * 3000
    assert first.feed_bytes(flood) == 6000
    assert second.feed_bytes(HEARTBEAT) == 1
    assert [span[1] for span in spans_of(first)] == [b"\x68\x00", HEARTBEAT] * 3000


def test_a_thread_has_one() -> None:
    assert receive_buffer_of_thread() is receive_buffer_of_thread()
