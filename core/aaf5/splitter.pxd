from libc.stdint cimport uint8_t

from core.wire.splitter cimport BAD_CHECKSUM, BAD_LENGTH, FRAME_LE, GARBAGE, Span, StreamSplitter


cdef enum:
    START_FIRST = 0xAA
    START_SECOND = 0xF5
    HEADER_BYTES = 8
    MIN_FRAME_BYTES = 9  # header and checksum
    MAX_FRAME_BYTES = 1024


# Whether the last of `total` bytes is the sum of those from the command on; `total` is at least MIN_FRAME_BYTES.
cdef inline bint sum_is_right(const uint8_t* frame, Py_ssize_t total) noexcept nogil:
    cdef uint8_t found = 0
    cdef Py_ssize_t i
    for i in range(6, total - 1):
        found += frame[i]
    return found == frame[total - 1]


cdef class Aaf5Splitter(StreamSplitter):
    pass
