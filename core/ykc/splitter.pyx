# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""From a byte stream to YKC frames: every received byte ends in exactly one span, or waits in `pending`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memchr

from core.checksum cimport crc16_modbus_c

from core.wire.splitter import BUFFER_BYTES

cdef enum:
    START_BYTE = 0x68
    ENVELOPE_BYTES = 4  # start, length byte, checksum
    MIN_LENGTH_BYTE = 4

MAX_PENDING = 255 + ENVELOPE_BYTES - 1

globals().update(
    FRAME_LE=FRAME_LE,
    FRAME_BE=FRAME_BE,
    ENCRYPTED=ENCRYPTED,
    GARBAGE=GARBAGE,
    BAD_LENGTH=BAD_LENGTH,
    BAD_CHECKSUM=BAD_CHECKSUM,
)


cdef inline uint8_t verdict_of(const uint8_t* frame, Py_ssize_t total) noexcept nogil:
    """FRAME_LE, FRAME_BE, ENCRYPTED or BAD_CHECKSUM for `total` bytes that begin with a start byte."""
    cdef uint16_t crc = crc16_modbus_c(frame + 2, total - ENVELOPE_BYTES)
    cdef uint8_t low = crc & 0xFF
    cdef uint8_t high = crc >> 8
    cdef uint8_t kind
    if frame[total - 2] == low and frame[total - 1] == high:
        kind = FRAME_LE
    elif frame[total - 2] == high and frame[total - 1] == low:
        kind = FRAME_BE
    else:
        return BAD_CHECKSUM
    return kind if frame[4] == 0 else <uint8_t>ENCRYPTED


cdef class FrameSplitter(StreamSplitter):
    cdef bint _split(self) noexcept nogil:
        cdef const uint8_t* at
        cdef const uint8_t* candidate
        cdef Py_ssize_t left, total
        cdef uint8_t kind
        while True:
            kind = self._take_good_frames()
            at = self.buffer + self._start
            left = self._end - self._start
            if left == 0:
                return True
            if at[0] != START_BYTE:
                candidate = <const uint8_t*>memchr(at, START_BYTE, left)
                if not self._pass_over(left if candidate == NULL else candidate - at):
                    return False
                continue
            if left < 2:
                return True
            if at[1] < MIN_LENGTH_BYTE:
                kind = BAD_LENGTH
                total = 1
            else:
                total = at[1] + ENVELOPE_BYTES
                if left < total:
                    return True
            if kind < GARBAGE:
                if not self._take_frame(total, kind, at[5]):
                    return False
            elif not self._refuse(kind, total):
                return False

    cdef uint8_t _take_good_frames(self) noexcept nogil:
        """Spans of the whole frames that come next, while there is room for spans.

        Gives the verdict on the bytes behind them, where these are long enough for one.
        """
        cdef const uint8_t* at = self.buffer + self._start
        cdef const uint8_t* end = self.buffer + self._end
        cdef Span* first = self.spans + self.count
        cdef Span* span = first
        cdef Span* limit = self.spans + self._held.capacity
        cdef Py_ssize_t total
        cdef uint8_t kind = 0
        while end - at >= 2 and at[0] == START_BYTE and at[1] >= MIN_LENGTH_BYTE:
            total = at[1] + ENVELOPE_BYTES
            if end - at < total:
                break
            kind = verdict_of(at, total)
            if kind >= GARBAGE or span == limit:
                break
            span.start = <uint32_t>(at - self.buffer)
            span.length = <uint32_t>total
            span.frame_type = at[5]
            span.kind = kind
            span.continued = 0
            span += 1
            at += total
        if span != first:
            self._failure = 0
            self._claimed = 0
            self._start = at - self.buffer
            self.count = span - self.spans
        return kind
