"""What the splitters of all protocols share: the receive buffer, and spans that account for every byte."""

from typing import Final

from typing_extensions import Buffer

FRAME_LE: Final = 1
FRAME_BE: Final = 2
ENCRYPTED: Final = 3
GARBAGE: Final = 10
BAD_LENGTH: Final = 11
BAD_CHECKSUM: Final = 12

BUFFER_BYTES: Final = 65536

class ReceiveBuffer:
    """Room for one read, and for what is found in it: shared by splitters that take turns.

    It belongs to the splitter that read last. What that one still needs (the begin of a frame, frames that were not
    taken) moves to memory of its own as soon as another reads; where it cannot, because a view of the room still lives
    or because its frames are just being handled, the other one gets a buffer of its own for that read.
    """

def receive_buffer_of_thread() -> ReceiveBuffer:
    """The one that all connections of this thread share. Its splitters must not be used in another thread."""

class StreamSplitter:
    """Splits one connection's stream of bytes into frames and quarantined stretches; the protocols are subclasses.

    Its receive buffer, `shared` or one of its own, never grows. Invariants:

    1. The spans of one feed are adjacent and in the order of the stream; their bytes plus `pending` are all the
       bytes received that no earlier feed gave.
    2. What is found does not depend on how the stream was cut into feeds, except that a failure cut by the border of a
       feed comes as two spans, the second one marked `continued`.
    3. At most as many bytes wait as the longest frame has, less one (`MAX_PENDING` of the protocol).
    4. Others that read into a shared buffer change none of this: not what was found, and not what waits.
    """

    def __init__(self, shared: ReceiveBuffer | None = None) -> None: ...
    @property
    def pending(self) -> int:
        """Bytes received that may still become a frame."""

    @property
    def count(self) -> int:
        """Number of spans of the last feed."""

    def get_buffer(self, sizehint: int = -1) -> memoryview:
        """Where the next bytes are to be written; ends the life of the spans of the last feed."""

    def feed(self, nbytes: int) -> int:
        """Take `nbytes` that were written into `get_buffer()`; gives the number of spans.

        Raises `WireBufferError` when that many bytes do not fit.
        """

    def feed_bytes(self, data: Buffer) -> int:
        """Copy `data` in and split it; gives the number of spans.

        Raises `WireBufferError` when `data` is longer than `BUFFER_BYTES - pending`.
        """

    def span(self, index: int) -> tuple[int, bytes]:
        """Kind and bytes of a span of the last feed. Raises `IndexError`."""

    def frame_type(self, index: int) -> int:
        """Message type of the frame in a span, 0 when it holds none. Raises `IndexError`."""

    def continued(self, index: int) -> bool:
        """Whether a span carries on the failure at the end of the feed before. Raises `IndexError`."""

    def flush_pending(self) -> bytes:
        """The bytes that wait, and forget them: for the end of the connection."""
