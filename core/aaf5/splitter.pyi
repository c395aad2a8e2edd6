"""From a byte stream to AAF5 frames: every received byte ends in exactly one span, or waits in `pending`."""

from typing import Final

from core.wire.splitter import StreamSplitter

FRAME_LE: Final = 1
GARBAGE: Final = 10
BAD_LENGTH: Final = 11
BAD_CHECKSUM: Final = 12

BUFFER_BYTES: Final = 65536
MAX_PENDING: Final = 1023

class Aaf5Splitter(StreamSplitter):
    """The splitter of AAF5 (aaf5.md section 1): a frame begins with AA F5 and has 9 to 1024 bytes.

    A whole frame has the kind `FRAME_LE`: plain, checksum right. The sum has 8 bits, so one of 256 damaged frames
    passes; what its command and size are worth the reader of the frame decides.
    """
