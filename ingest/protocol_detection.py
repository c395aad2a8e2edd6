"""Which protocol a connection speaks, told from its first bytes. No sockets, no clock."""

from collections.abc import Callable
from typing import Final

YKC_START: Final = b"\x68"
AAF5_START: Final = b"\xaa\xf5"
YKC_ENVELOPE_BYTES: Final = 4
YKC_MIN_LENGTH_BYTE: Final = 4
AAF5_MIN_BYTES: Final = 9
AAF5_MAX_BYTES: Final = 1_024
AAF5_HEADER_BYTES: Final = 4
# Room for the garbage that a modem may put before the first frame, and for that frame.
DETECTION_BYTES: Final = 4_096

# A verdict on bytes that claim to be one whole frame: whether their checksum is right.
IsGoodFrame = Callable[[bytes], bool]


class ProtocolDetector:
    """Collects a connection's first bytes until they hold one whole good frame of either protocol.

    A start byte alone proves nothing: 0x68 is the letter h, and stands inside frames of the other protocol too. So the
    protocol is that of the first frame whose length and checksum are right; what stands before it is garbage that the
    protocol's own splitter will count. Each possible start is looked at once when it comes and once when its last byte
    has come, whatever the cuts.
    """

    def __init__(self, is_good_ykc: IsGoodFrame, is_good_aaf5: IsGoodFrame, limit: int = DETECTION_BYTES) -> None:
        self._checks = {"ykc": is_good_ykc, "aaf5": is_good_aaf5}
        self._limit = limit
        self._buffer = bytearray(limit)
        self._length = 0
        self._searched = 0
        self._open: list[tuple[int, int, str]] = []  # claimed end, start, protocol: frames whose rest is to come
        self.protocol = ""

    @property
    def received(self) -> bytes:
        """All bytes so far, in their order."""
        return bytes(self._buffer[: self._length])

    @property
    def exhausted(self) -> bool:
        """Whether there is no more room, and still no frame."""
        return not self.protocol and self._length == self._limit

    @property
    def pending(self) -> int:
        """Number of bytes that wait for a verdict."""
        return self._length

    def get_buffer(self) -> memoryview:
        """Where the next bytes go."""
        return memoryview(self._buffer)[self._length :]

    def feed(self, nbytes: int) -> str:
        """Take `nbytes` that were written into `get_buffer()`; gives "ykc", "aaf5", or "" while it cannot be told."""
        self._length += nbytes
        self._find_starts()
        still_open = []
        for claim in sorted(self._open, key=lambda claim: claim[1]):
            end, start, protocol = claim
            if end > self._length:
                still_open.append(claim)
            elif self._checks[protocol](bytes(self._buffer[start:end])):
                self.protocol = protocol
                break
        self._open = still_open
        return self.protocol

    def _find_starts(self) -> None:
        """Note every place where a frame may begin; stops where the header is still to come."""
        at = self._searched
        while at < self._length:
            starts = (self._buffer.find(start, at, self._length) for start in (YKC_START, AAF5_START[:1]))
            at = min((start for start in starts if start >= 0), default=self._length)
            if at == self._length:
                break
            protocol = "ykc" if self._buffer[at] == YKC_START[0] else "aaf5"
            length = self._ykc_length(at) if protocol == "ykc" else self._aaf5_length(at)
            if length is None:
                break
            if length:
                self._open.append((at + length, at, protocol))
            at += 1
        self._searched = at

    def _ykc_length(self, at: int) -> int | None:
        """Bytes that the frame at `at` claims to have (ykc.md section 1), 0 = it is none, None = not known yet."""
        if at + 1 >= self._length:
            return None
        length_byte = self._buffer[at + 1]
        return length_byte + YKC_ENVELOPE_BYTES if length_byte >= YKC_MIN_LENGTH_BYTE else 0

    def _aaf5_length(self, at: int) -> int | None:
        """As `_ykc_length` (aaf5.md section 1)."""
        header = bytes(self._buffer[at : min(at + AAF5_HEADER_BYTES, self._length)])
        if not header.startswith(AAF5_START[: len(header)]):
            return 0
        if len(header) < AAF5_HEADER_BYTES:
            return None
        length = int.from_bytes(header[2:], "little")
        return length if AAF5_MIN_BYTES <= length <= AAF5_MAX_BYTES else 0
