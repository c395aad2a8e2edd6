"""The AAF5 splitter against a plain twin: every cut of a stream, every kind of damage, and every byte accounted for."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aaf5.codec import sum_checksum, wrap_body
from core.aaf5.splitter import (
    BAD_CHECKSUM,
    BAD_LENGTH,
    BUFFER_BYTES,
    FRAME_LE,
    GARBAGE,
    MAX_PENDING,
    Aaf5Splitter,
)
from core.wire.errors import WireBufferError

HEARTBEAT = wrap_body(102, bytes(4) + b"20231212000010".ljust(32, b"\0") + b"\x05\x00", seq=b"\x41")
STATUS = wrap_body(104, bytes(range(169)))
SHORTEST = wrap_body(999, b"")
LONGEST = wrap_body(13, bytes(1015))

Spans = list[tuple[int, bytes]]


def damaged(frame: bytes, position: int, to: int) -> bytes:
    """The frame with one byte changed."""
    assert frame[position] != to
    return frame[:position] + bytes([to]) + frame[position + 1 :]


def plain_split(stream: bytes) -> tuple[Spans, bytes]:
    """The rules of aaf5.md section 1 as plainly as they can be written: spans and what waits."""
    spans: Spans = []
    failure = claimed_until = at = 0
    while at < len(stream):
        rest = stream[at:]
        if rest == b"\xaa":
            break
        starts = rest[:2] == b"\xaa\xf5"
        kind, size = GARBAGE, 1
        if starts:
            if len(rest) < 4:
                break
            size = int.from_bytes(rest[2:4], "little")
            if not 9 <= size <= 1024:
                kind, size = BAD_LENGTH, 1
            elif len(rest) < size:
                break
            else:
                kind = FRAME_LE if sum(rest[6 : size - 1]) & 0xFF == rest[size - 1] else BAD_CHECKSUM
        if kind == FRAME_LE:
            spans.append((kind, rest[:size]))
            failure = claimed_until = 0
            at += size
            continue
        if failure and (not starts or at < claimed_until):
            spans[-1] = (spans[-1][0], spans[-1][1] + rest[:1])
        else:
            spans.append((kind, rest[:1]))
            failure, claimed_until = kind, at + (size if starts else 0)
        at += 1
    return spans, stream[at:]


def split(pieces: list[bytes]) -> tuple[Spans, bytes]:
    """What the splitter makes of a stream that comes in these pieces; a failure cut by a feed is joined again."""
    splitter = Aaf5Splitter()
    spans: Spans = []
    for piece in pieces:
        for index in range(splitter.feed_bytes(piece)):
            kind, found = splitter.span(index)
            assert found
            command = int.from_bytes(found[6:8], "little") if kind == FRAME_LE else 0
            assert splitter.frame_type(index) == command
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


BROKEN = damaged(STATUS, 20, 0xEE)
STREAM = (
    HEARTBEAT + b"\x00\xaa\x01" + STATUS + b"\xaa\xf5\x08\x00" + HEARTBEAT + BROKEN + SHORTEST + b"\xaa" + HEARTBEAT
)
STREAM_SPANS: Spans = [
    (FRAME_LE, HEARTBEAT),
    (GARBAGE, b"\x00\xaa\x01"),
    (FRAME_LE, STATUS),
    (BAD_LENGTH, b"\xaa\xf5\x08\x00"),
    (FRAME_LE, HEARTBEAT),
    (BAD_CHECKSUM, BROKEN),
    (FRAME_LE, SHORTEST),
    (GARBAGE, b"\xaa"),
    (FRAME_LE, HEARTBEAT),
]


def test_the_plain_twin_knows_the_rules() -> None:
    assert plain_split(STREAM) == (STREAM_SPANS, b"")


@pytest.mark.parametrize("border", range(len(STREAM) + 1))
def test_cut_at_every_byte(border: int) -> None:
    assert split(cut(STREAM, border)) == (STREAM_SPANS, b"")


def test_byte_by_byte() -> None:
    assert split([bytes([byte]) for byte in STREAM]) == (STREAM_SPANS, b"")


@pytest.mark.parametrize("frame", [SHORTEST, LONGEST], ids=["shortest", "longest"])
def test_extreme_lengths(frame: bytes) -> None:
    assert split([frame + HEARTBEAT]) == ([(FRAME_LE, frame), (FRAME_LE, HEARTBEAT)], b"")
    assert split([frame[:-1]]) == ([], frame[:-1])


@pytest.mark.parametrize("length", [0, 8, 1025, 0xFFFF])
def test_impossible_length_is_no_frame_and_waits_for_nothing(length: int) -> None:
    bad = b"\xaa\xf5" + length.to_bytes(2, "little")
    assert split([bad]) == ([(BAD_LENGTH, bad)], b"")
    assert split([bad + HEARTBEAT]) == ([(BAD_LENGTH, bad), (FRAME_LE, HEARTBEAT)], b"")


def test_wrong_length_does_not_swallow_the_frames_behind_it() -> None:
    too_long = damaged(HEARTBEAT, 2, 200)
    assert split([too_long + STATUS * 4]) == ([(BAD_CHECKSUM, too_long), *[(FRAME_LE, STATUS)] * 4], b"")


def test_damaged_length_waits_for_1024_bytes_at_most() -> None:
    splitter = Aaf5Splitter()
    stream = HEARTBEAT[:2] + b"\x00\x04" + HEARTBEAT[4:] + HEARTBEAT * 40
    assert sum_checksum(stream[6:1023]) != stream[1023]
    assert splitter.feed_bytes(stream[:1023]) == 0
    assert splitter.pending == MAX_PENDING == 1023
    assert splitter.feed_bytes(stream[1023:1024]) > 1
    assert splitter.span(0) == (BAD_CHECKSUM, stream[: len(HEARTBEAT)])


def test_frame_inside_a_damaged_frame_is_found() -> None:
    outer = damaged(wrap_body(13, bytes(20) + HEARTBEAT + bytes(20)), 10, 1)
    begin = outer.index(HEARTBEAT)
    spans, _ = split([outer])
    assert spans[:2] == [(BAD_CHECKSUM, outer[:begin]), (FRAME_LE, HEARTBEAT)]


pieces_of_a_stream = st.lists(
    st.sampled_from([HEARTBEAT, STATUS, SHORTEST, BROKEN, b"\xaa", b"\xf5", b"\xaa\xf5", b"\xaa\xf5\x09\x00"])
    | st.binary(max_size=12)
    | st.binary(min_size=4, max_size=14).map(lambda body: b"\xaa\xf5" + bytes([len(body) + 3, 0]) + body),
    max_size=12,
).map(b"".join)


@given(pieces_of_a_stream, st.lists(st.integers(0, 2000), max_size=8))
def test_any_stream_however_cut_is_split_as_the_plain_twin_does(stream: bytes, borders: list[int]) -> None:
    assert split(cut(stream, *(min(border, len(stream)) for border in borders))) == plain_split(stream)


def test_buffer_takes_what_fits_and_refuses_more() -> None:
    splitter = Aaf5Splitter()
    splitter.feed_bytes(HEARTBEAT[:5])
    assert len(splitter.get_buffer()) == BUFFER_BYTES - 5
    with pytest.raises(WireBufferError):
        splitter.feed_bytes(bytes(BUFFER_BYTES - 4))
    with pytest.raises(WireBufferError):
        splitter.feed(-1)
    with pytest.raises(IndexError):
        splitter.span(0)
