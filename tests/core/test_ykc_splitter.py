"""The splitter against a plain twin: every cut of a stream, every kind of damage, and every byte accounted for."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checksum import crc16_modbus
from core.ykc.codec import wrap_body
from core.ykc.errors import YkcBufferError
from core.ykc.splitter import (
    BAD_CHECKSUM,
    BAD_LENGTH,
    BUFFER_BYTES,
    ENCRYPTED,
    FRAME_BE,
    FRAME_LE,
    GARBAGE,
    MAX_PENDING,
    FrameSplitter,
)

HEARTBEAT = wrap_body(0x03, bytes.fromhex("320106000192360100"), seq=b"\x01\x00")
REALTIME = wrap_body(0x13, bytes(range(60)), seq=b"\x02\x00")
BIG_ENDIAN = wrap_body(0x03, bytes.fromhex("320106000192360100"), seq=b"\x03\x00", checksum_order="be")
LONGEST = wrap_body(0x44, bytes(251))
SHORTEST = wrap_body(0x70, b"")
WHOLE = (FRAME_LE, FRAME_BE, ENCRYPTED)

Spans = list[tuple[int, bytes]]


def damaged(frame: bytes, position: int, to: int) -> bytes:
    """The frame with one byte changed."""
    assert frame[position] != to
    return frame[:position] + bytes([to]) + frame[position + 1 :]


def plain_split(stream: bytes) -> tuple[Spans, bytes]:
    """The rules of ykc.md section 1.2 as plainly as they can be written: spans and what waits."""
    spans: Spans = []
    failure = claimed_until = at = 0
    while at < len(stream):
        rest = stream[at:]
        kind, size = GARBAGE, 1
        if rest[0] == 0x68:
            if len(rest) < 2:
                break
            size = rest[1] + 4
            if rest[1] < 4:
                kind, size = BAD_LENGTH, 1
            elif len(rest) < size:
                break
            else:
                crc = crc16_modbus(rest[2 : size - 2])
                low_first, high_first = crc.to_bytes(2, "little"), crc.to_bytes(2, "big")
                kind = {low_first: FRAME_LE}.get(rest[size - 2 : size], BAD_CHECKSUM)
                if kind == BAD_CHECKSUM and rest[size - 2 : size] == high_first:
                    kind = FRAME_BE
                if kind != BAD_CHECKSUM and rest[4]:
                    kind = ENCRYPTED
        if kind in WHOLE:
            spans.append((kind, rest[:size]))
            failure = claimed_until = 0
            at += size
            continue
        goes_on = failure and (rest[0] != 0x68 or at < claimed_until)
        if goes_on:
            spans[-1] = (spans[-1][0], spans[-1][1] + rest[:1])
        else:
            spans.append((kind, rest[:1]))
            failure, claimed_until = kind, at + (size if rest[0] == 0x68 else 0)
        at += 1
    return spans, stream[at:]


def split(pieces: list[bytes]) -> tuple[Spans, bytes]:
    """What the splitter makes of a stream that comes in these pieces; a failure cut by a feed is joined again."""
    splitter = FrameSplitter()
    spans: Spans = []
    for piece in pieces:
        for index in range(splitter.feed_bytes(piece)):
            kind, found = splitter.span(index)
            assert found
            assert (splitter.frame_type(index) == found[5]) if kind in WHOLE else splitter.frame_type(index) == 0
            if splitter.continued(index):
                assert index == 0
                assert spans[-1][0] == kind
                spans[-1] = (kind, spans[-1][1] + found)
            else:
                spans.append((kind, found))
        assert splitter.pending <= MAX_PENDING
    return spans, splitter.flush_pending()


def cut(stream: bytes, *borders: int) -> list[bytes]:
    edges = [0, *sorted(borders), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


STREAM = HEARTBEAT + REALTIME + b"\x00\x68\x01" + BIG_ENDIAN + damaged(REALTIME, 20, 0xEE) + SHORTEST + HEARTBEAT
STREAM_SPANS: Spans = [
    (FRAME_LE, HEARTBEAT),
    (FRAME_LE, REALTIME),
    (GARBAGE, b"\x00"),
    (BAD_LENGTH, b"\x68\x01"),
    (FRAME_BE, BIG_ENDIAN),
    (BAD_CHECKSUM, damaged(REALTIME, 20, 0xEE)),
    (FRAME_LE, SHORTEST),
    (FRAME_LE, HEARTBEAT),
]


def test_the_plain_twin_knows_the_rules() -> None:
    assert plain_split(STREAM) == (STREAM_SPANS, b"")


@pytest.mark.parametrize("border", range(len(STREAM) + 1))
def test_cut_at_every_byte(border: int) -> None:
    assert split(cut(STREAM, border)) == (STREAM_SPANS, b"")


def test_byte_by_byte() -> None:
    assert split([bytes([byte]) for byte in STREAM]) == (STREAM_SPANS, b"")


def test_joined_frames_come_out_one_by_one() -> None:
    splitter = FrameSplitter()
    assert splitter.feed_bytes((HEARTBEAT + REALTIME) * 700) == 1400
    assert splitter.pending == 0
    assert [splitter.span(i) for i in (0, 1, 1398, 1399)] == [(FRAME_LE, HEARTBEAT), (FRAME_LE, REALTIME)] * 2


def test_wrong_length_byte_does_not_swallow_the_frames_behind_it() -> None:
    too_long = damaged(HEARTBEAT, 1, 200)
    frames = [(FRAME_LE, REALTIME)] * 4
    assert split([too_long + REALTIME * 4]) == ([(BAD_CHECKSUM, too_long), *frames], b"")
    too_short = damaged(REALTIME, 1, 9)
    assert split([too_short + REALTIME * 4]) == ([(BAD_CHECKSUM, too_short), *frames], b"")


def test_damaged_length_byte_waits_for_259_bytes_at_most() -> None:
    splitter = FrameSplitter()
    stream = damaged(HEARTBEAT, 1, 255) + HEARTBEAT * 20
    assert splitter.feed_bytes(stream[:258]) == 0
    assert splitter.pending == 258
    assert splitter.feed_bytes(stream[258:259]) == 1 + (258 - 17) // 17
    assert splitter.span(0) == (BAD_CHECKSUM, stream[:17])


def test_two_damaged_frames_are_two_failures() -> None:
    bad = damaged(HEARTBEAT, 8, 0xEE)
    assert split([bad + bad + HEARTBEAT]) == ([(BAD_CHECKSUM, bad), (BAD_CHECKSUM, bad), (FRAME_LE, HEARTBEAT)], b"")


def test_start_byte_inside_a_damaged_frame_makes_no_second_failure() -> None:
    bad = wrap_body(0x03, b"\x68\x05\x68\x04\x00\x68\x00\x01\x02")[:-1] + b"\xee"
    assert split([bad + HEARTBEAT]) == ([(BAD_CHECKSUM, bad), (FRAME_LE, HEARTBEAT)], b"")


def test_frame_inside_a_damaged_frame_is_found() -> None:
    outer = wrap_body(0x44, b"\x01\x02" + HEARTBEAT + b"\x03\x04")[:-1] + b"\xee"
    begin = outer.index(HEARTBEAT)
    spans, pending = split([outer + REALTIME])
    assert spans[1] == (FRAME_LE, HEARTBEAT)
    assert spans[0] == (BAD_CHECKSUM, outer[:begin])
    assert b"".join(found for _, found in spans) + pending == outer + REALTIME


def test_encrypted_frame_is_known_by_its_checksum() -> None:
    encrypted = wrap_body(0x13, bytes(64), encryption=1)
    assert split([encrypted + HEARTBEAT]) == ([(ENCRYPTED, encrypted), (FRAME_LE, HEARTBEAT)], b"")
    bad = damaged(encrypted, 10, 1)
    assert split([bad + HEARTBEAT])[0][0] == (BAD_CHECKSUM, bad)


@pytest.mark.parametrize("length", range(4))
def test_length_byte_below_four_is_no_frame_whatever_follows(length: int) -> None:
    content = b"\x00\x00\x00"[:length]
    looks_right = bytes([0x68, length]) + content + crc16_modbus(content).to_bytes(2, "little")
    assert split([looks_right + HEARTBEAT]) == ([(BAD_LENGTH, looks_right), (FRAME_LE, HEARTBEAT)], b"")


@pytest.mark.parametrize("frame", [SHORTEST, LONGEST], ids=["shortest", "longest"])
def test_extreme_lengths(frame: bytes) -> None:
    assert split([frame + HEARTBEAT]) == ([(FRAME_LE, frame), (FRAME_LE, HEARTBEAT)], b"")
    assert split([frame[:-1]]) == ([], frame[:-1])


def test_buffer_takes_what_fits_and_refuses_more() -> None:
    splitter = FrameSplitter()
    splitter.feed_bytes(HEARTBEAT[:5])
    assert len(splitter.get_buffer()) == BUFFER_BYTES - 5
    with pytest.raises(YkcBufferError):
        splitter.feed_bytes(bytes(BUFFER_BYTES - 4))
    with pytest.raises(YkcBufferError):
        splitter.feed(BUFFER_BYTES - 4)
    with pytest.raises(YkcBufferError):
        splitter.feed(-1)
    assert splitter.feed_bytes(HEARTBEAT[5:]) == 1
    assert splitter.span(0) == (FRAME_LE, HEARTBEAT)


def test_bytes_written_to_the_buffer_are_fed_without_a_copy() -> None:
    splitter = FrameSplitter()
    stream = STREAM * 50
    received: Spans = []
    while stream:
        space = splitter.get_buffer(65536)
        size = min(len(space), 1000, len(stream))
        space[:size] = stream[:size]
        stream = stream[size:]
        received += [splitter.span(i) for i in range(splitter.feed(size))]
    joined: Spans = [span for span in received if span[0] in WHOLE]
    assert joined == [span for span in STREAM_SPANS * 50 if span[0] in WHOLE]


def test_view_outlives_the_splitter() -> None:
    space = FrameSplitter().get_buffer()
    space[:3] = b"abc"
    assert bytes(space[:3]) == b"abc"


def test_spans_of_no_feed_are_an_error() -> None:
    splitter = FrameSplitter()
    splitter.feed_bytes(HEARTBEAT)
    for index in (-1, 1):
        with pytest.raises(IndexError):
            splitter.span(index)
        with pytest.raises(IndexError):
            splitter.frame_type(index)
        with pytest.raises(IndexError):
            splitter.continued(index)
    splitter.get_buffer()
    assert splitter.count == 0


def test_flush_ends_a_failure() -> None:
    splitter = FrameSplitter()
    splitter.feed_bytes(b"\x00\x00" + HEARTBEAT[:4])
    assert splitter.flush_pending() == HEARTBEAT[:4]
    assert splitter.pending == 0
    assert splitter.feed_bytes(b"\x01") == 1
    assert not splitter.continued(0)


@pytest.mark.parametrize("evil", [b"\x68", b"\x68\xff", b"\x68\x00", b"\x68\x04"], ids=["68", "68ff", "6800", "6804"])
def test_floods_of_start_bytes_are_accounted_for(evil: bytes) -> None:
    splitter = FrameSplitter()
    flood = evil * (60_000 // len(evil))
    for _ in range(2):
        before = splitter.pending
        count = splitter.feed_bytes(flood)
        found = sum(len(splitter.span(i)[1]) for i in range(count))
        assert before + len(flood) == found + splitter.pending
    assert splitter.flush_pending() == flood[len(flood) - splitter_rest(evil, flood) :]


def splitter_rest(evil: bytes, flood: bytes) -> int:
    """How many bytes of a flood must wait."""
    return len(plain_split(evil * 300)[1]) if len(flood) > 300 * len(evil) else len(flood)


pieces = st.one_of(
    st.sampled_from([HEARTBEAT, REALTIME, BIG_ENDIAN, SHORTEST, LONGEST, wrap_body(0x03, bytes(9), encryption=1)]),
    st.binary(max_size=90).map(lambda body: wrap_body(0x13, body)),
    st.binary(max_size=20),
    st.lists(st.sampled_from([0x68, 0x04, 0x00, 0x05, 0x0C]), max_size=12).map(bytes),
    st.tuples(st.sampled_from([HEARTBEAT, REALTIME]), st.integers(0, 16), st.integers(0, 255)).map(
        lambda case: case[0][: case[1]] + bytes([case[2]]) + case[0][case[1] + 1 :]
    ),
    st.sampled_from([HEARTBEAT, REALTIME]).flatmap(lambda frame: st.integers(0, len(frame)).map(lambda n: frame[:n])),
)
streams = st.lists(pieces, max_size=12).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(streams, st.lists(st.integers(0, 1000), max_size=8))
def test_any_stream_in_any_pieces_is_split_as_by_the_plain_twin(stream: bytes, borders: list[int]) -> None:
    spans, pending = split(cut(stream, *(border % (len(stream) + 1) for border in borders)))
    assert (spans, pending) == plain_split(stream)
    assert b"".join(found for _, found in spans) + pending == stream


@settings(max_examples=100, deadline=None)
@given(streams)
def test_whole_frames_between_garbage_are_all_found(noise: bytes) -> None:
    """After at most one longest frame's worth of good frames the splitter is in step again."""
    good = HEARTBEAT * 20
    spans, _ = split([noise + good])
    assert spans[-4:] == [(FRAME_LE, HEARTBEAT)] * 4
