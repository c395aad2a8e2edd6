"""What a splitter promises for any bytes (its invariants), checked against itself in three ways of feeding."""

from typing import Protocol

from core.wire.splitter import ReceiveBuffer
from tests.fuzz.pieces import cuts_of

GARBAGE = 10
"""From this span kind on, bytes are no frame; the same number in both protocols."""
LONGEST_INPUT = 8192

Spans = list[tuple[int, bytes]]


class Splitter(Protocol):
    """The Python face of a protocol's splitter."""

    @property
    def pending(self) -> int: ...
    def get_buffer(self, sizehint: int = -1) -> memoryview: ...
    def feed(self, nbytes: int) -> int: ...
    def feed_bytes(self, data: bytes) -> int: ...
    def span(self, index: int) -> tuple[int, bytes]: ...
    def frame_type(self, index: int) -> int: ...
    def continued(self, index: int) -> bool: ...
    def flush_pending(self) -> bytes: ...


class NewSplitter(Protocol):
    """The class of a protocol's splitter."""

    def __call__(self, shared: ReceiveBuffer | None = None) -> Splitter: ...


def check_split(new_splitter: NewSplitter, max_pending: int, stream: bytes) -> Spans:
    """Raise AssertionError where the splitter breaks a promise; gives the spans of the stream in one piece."""
    stream = stream[:LONGEST_INPUT]
    whole, waiting = _split(new_splitter(), [stream], max_pending)
    assert b"".join(found for _, found in whole) + waiting == stream, "bytes lost, doubled or moved"
    pieces = cuts_of(stream)
    assert _split(new_splitter(), pieces, max_pending) == (whole, waiting), f"cut into {[len(p) for p in pieces]}"
    shared = ReceiveBuffer()
    beside = new_splitter(shared)
    found = _split(new_splitter(shared), pieces, max_pending, beside)
    assert found == (whole, waiting), "another that reads in between changes what is found"
    _check_at_the_edge(new_splitter(), stream, whole, waiting)
    for kind, frame in whole:
        if kind < GARBAGE:
            assert _split(new_splitter(), [frame], max_pending) == ([(kind, frame)], b""), "a frame by itself differs"
    return whole


def _split(
    splitter: Splitter, pieces: list[bytes], max_pending: int, beside: Splitter | None = None
) -> tuple[Spans, bytes]:
    """Spans and what waits; a failure that a feed's border cut is joined again. `beside` reads the same behind it."""
    spans: Spans = []
    for piece in pieces:
        before = splitter.pending
        given = 0
        count = splitter.feed_bytes(piece)
        if beside is not None:
            beside.feed_bytes(piece)
        for index in range(count):
            kind, found = splitter.span(index)
            assert found, "an empty span"
            given += len(found)
            if splitter.continued(index):
                assert index == 0 and spans and spans[-1][0] == kind, "a span continues nothing"
                spans[-1] = (kind, spans[-1][1] + found)
            else:
                spans.append((kind, found))
            assert (splitter.frame_type(index) == 0) or kind < GARBAGE, "a failure with a frame type"
        assert before + len(piece) == given + splitter.pending, "bytes lost or doubled within a feed"
        assert splitter.pending <= max_pending, "more waits than a frame can need"
    return spans, splitter.flush_pending()


def _check_at_the_edge(splitter: Splitter, stream: bytes, whole: Spans, waiting: bytes) -> None:
    """The stream once more in the last bytes of the buffer, where reading on would leave the memory of the buffer."""
    space = splitter.get_buffer()
    filler = len(space) - len(stream)
    space[:filler] = bytes(filler)
    space[filler:] = stream
    count = splitter.feed(len(space))
    found = [splitter.span(index) for index in range(count)]
    assert found and found[0][0] == GARBAGE and found[0][1][:filler].count(0) == filler, "the filler was not skipped"
    behind = found[0][1][filler:]
    # Garbage behind garbage is one failure, so the stream's own first span may have joined the filler.
    spans = [(GARBAGE, behind), *found[1:]] if behind else found[1:]
    assert (spans, splitter.flush_pending()) == (whole, waiting), "at the end of the buffer it splits otherwise"
