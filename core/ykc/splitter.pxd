from libc.stdint cimport uint8_t

from core.wire.splitter cimport BAD_CHECKSUM, BAD_LENGTH, ENCRYPTED, FRAME_BE, FRAME_LE, GARBAGE, Span, StreamSplitter


cdef class FrameSplitter(StreamSplitter):
    cdef uint8_t _take_good_frames(self) noexcept nogil
