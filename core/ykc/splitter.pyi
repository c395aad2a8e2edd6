"""From a byte stream to YKC frames: every received byte ends in exactly one span, or waits in `pending`."""

from typing import Final

from core.wire.splitter import StreamSplitter

FRAME_LE: Final = 1
FRAME_BE: Final = 2
ENCRYPTED: Final = 3
GARBAGE: Final = 10
BAD_LENGTH: Final = 11
BAD_CHECKSUM: Final = 12

BUFFER_BYTES: Final = 65536
MAX_PENDING: Final = 258

class FrameSplitter(StreamSplitter):
    """The splitter of YKC (ykc.md section 1.2): a frame begins with 0x68 and has at most 259 bytes."""
