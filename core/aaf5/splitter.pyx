# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""From a byte stream to AAF5 frames: every received byte ends in exactly one span, or waits in `pending`."""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memchr

from core.wire.splitter import BUFFER_BYTES

MAX_PENDING = MAX_FRAME_BYTES - 1

globals().update(
    FRAME_LE=FRAME_LE,
    GARBAGE=GARBAGE,
    BAD_LENGTH=BAD_LENGTH,
    BAD_CHECKSUM=BAD_CHECKSUM,
)


cdef class Aaf5Splitter(StreamSplitter):
    cdef bint _split(self) noexcept nogil:
        cdef const uint8_t* at
        cdef const uint8_t* candidate
        cdef Py_ssize_t left, total
        while True:
            at = self.buffer + self._start
            left = self._end - self._start
            if left == 0:
                return True
            if at[0] != START_FIRST:
                candidate = <const uint8_t*>memchr(at, START_FIRST, left)
                if not self._pass_over(left if candidate == NULL else candidate - at):
                    return False
                continue
            if left < 2:
                return True
            if at[1] != START_SECOND:
                if not self._pass_over(1):
                    return False
                continue
            if left < 4:
                return True
            total = at[2] | at[3] << 8
            if total < MIN_FRAME_BYTES or total > MAX_FRAME_BYTES:
                if not self._refuse(BAD_LENGTH, 1):
                    return False
                continue
            if left < total:
                return True
            if sum_is_right(at, total):
                if not self._take_frame(total, FRAME_LE, <uint16_t>(at[6] | at[7] << 8)):
                    return False
            elif not self._refuse(BAD_CHECKSUM, total):
                return False
