from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint16_t, uint32_t


cdef enum SpanKind:
    FRAME_LE = 1  # a whole frame with a right checksum: low byte first, or of one byte as in AAF5
    FRAME_BE = 2  # a whole frame, checksum high byte first
    ENCRYPTED = 3  # a whole frame with a right checksum whose encryption flag is not 0
    GARBAGE = 10  # bytes that start no frame
    BAD_LENGTH = 11  # a start whose length is impossible, and what was skipped after it
    BAD_CHECKSUM = 12  # a start whose frame failed its checksum, and what was skipped after it


cdef struct Span:
    uint32_t start  # offset in `buffer`
    uint32_t length
    uint16_t frame_type  # of a whole frame, else 0
    uint8_t kind  # SpanKind
    uint8_t continued  # 1: more bytes of the failure that ended the spans of the feed before


# Where the bytes of a read are written, and the spans found in them. Splitters of one thread may share one.
cdef class ReceiveBuffer:
    cdef uint8_t* bytes
    cdef Span* spans
    cdef Py_ssize_t capacity  # of `spans`
    cdef PyObject* holder  # the splitter whose bytes are in it; not counted as a reference, it leaves when it ends
    cdef Py_ssize_t users  # views that live, and pins: no other splitter may have it
    cdef Py_ssize_t _lend_from

    cdef object lend(self, Py_ssize_t start)
    cdef bint grow(self) noexcept nogil
    cdef void shrink(self) noexcept


cdef class StreamSplitter:
    # Valid from one feed until the next call of get_buffer or feed_bytes. When another splitter takes the shared buffer
    # they move, those that were not taken.
    cdef uint8_t* buffer
    cdef Span* spans
    cdef readonly Py_ssize_t count

    cdef ReceiveBuffer _shared  # None: it has one of its own
    cdef ReceiveBuffer _held  # where `buffer` and `spans` are, None when parked, or when nothing was read
    cdef void* _parked  # spans and bytes that had to leave the shared buffer, in memory of their exact size
    cdef Py_ssize_t _next  # first span that was not taken
    cdef Py_ssize_t _start  # first byte that is in no span yet
    cdef Py_ssize_t _end  # behind the last byte received
    cdef uint8_t _failure  # kind of the failure that the next skipped byte belongs to, 0 = none
    cdef Py_ssize_t _claimed  # bytes from `_start` on that the failed frame claims by its length

    cpdef Py_ssize_t feed(self, Py_ssize_t nbytes) except -1
    cpdef Py_ssize_t feed_bytes(self, const uint8_t[::1] data) except -1
    cdef Span* _at(self, Py_ssize_t index) except NULL
    cdef Span* next_span(self) noexcept
    cdef void pin(self) noexcept
    cdef void unpin(self) noexcept
    cdef int _begin_read(self) except -1
    cdef ReceiveBuffer _free_buffer(self)
    cdef bint _park(self) noexcept
    cdef void _leave(self) noexcept
    cdef bint _split(self) noexcept nogil
    cdef bint _take_frame(self, Py_ssize_t length, uint8_t kind, uint16_t frame_type) noexcept nogil
    cdef bint _refuse(self, uint8_t kind, Py_ssize_t claimed) noexcept nogil
    cdef bint _pass_over(self, Py_ssize_t length) noexcept nogil
    cdef bint _add_span(self, Py_ssize_t length, uint8_t kind, uint16_t frame_type, uint8_t continued) noexcept nogil
    cdef bint _fail(self, uint8_t kind, Py_ssize_t claimed) noexcept nogil
    cdef bint _skip(self, Py_ssize_t length) noexcept nogil
