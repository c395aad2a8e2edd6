# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What the splitters of all protocols share: the receive buffer, and spans that account for every byte."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from core.wire.errors import WireBufferError

cdef enum:
    CAPACITY_BYTES = 65536
    FEW_SPANS = 256
    MANY_SPANS = 4096

BUFFER_BYTES = CAPACITY_BYTES

globals().update(
    FRAME_LE=FRAME_LE,
    FRAME_BE=FRAME_BE,
    ENCRYPTED=ENCRYPTED,
    GARBAGE=GARBAGE,
    BAD_LENGTH=BAD_LENGTH,
    BAD_CHECKSUM=BAD_CHECKSUM,
)


cdef class StreamSplitter:
    def __cinit__(self):
        # Not initialised, so that its pages are touched only where bytes arrive: a quiet connection costs one or two.
        self._storage = PyByteArray_FromStringAndSize(NULL, CAPACITY_BYTES)
        self.buffer = <uint8_t*>PyByteArray_AS_STRING(self._storage)
        # The view also pins the bytearray: while it is exported nobody can resize it.
        self._whole_view = memoryview(self._storage)
        self._capacity = FEW_SPANS
        self.spans = <Span*>malloc(FEW_SPANS * sizeof(Span))
        if self.spans == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.spans)

    @property
    def pending(self):
        return self._end - self._start

    def get_buffer(self, sizehint=-1):
        self._compact()
        if self._end == 0:
            return self._whole_view
        return self._whole_view[self._end :]

    cpdef Py_ssize_t feed_bytes(self, const uint8_t[::1] data) except -1:
        cdef Py_ssize_t nbytes = data.shape[0]
        self._compact()
        if nbytes > CAPACITY_BYTES - self._end:
            raise WireBufferError(f"{nbytes} bytes do not fit: the buffer has room for {CAPACITY_BYTES - self._end}")
        if nbytes > 0:
            memcpy(self.buffer + self._end, &data[0], nbytes)
        return self.feed(nbytes)

    cpdef Py_ssize_t feed(self, Py_ssize_t nbytes) except -1:
        if nbytes < 0 or nbytes > CAPACITY_BYTES - self._end:
            raise WireBufferError(f"{nbytes} bytes do not fit: the buffer has room for {CAPACITY_BYTES - self._end}")
        self._end += nbytes
        if not self._split():
            raise MemoryError
        return self.count

    cdef bint _split(self) noexcept nogil:
        """Turn what has arrived into spans; False when there is no memory for them. Each protocol has its own."""
        return True

    def span(self, Py_ssize_t index):
        cdef Span* span = self._at(index)
        return span.kind, PyBytes_FromStringAndSize(<const char*>self.buffer + span.start, span.length)

    def frame_type(self, Py_ssize_t index):
        return self._at(index).frame_type

    def continued(self, Py_ssize_t index):
        return self._at(index).continued != 0

    def flush_pending(self):
        rest = PyBytes_FromStringAndSize(<const char*>self.buffer + self._start, self._end - self._start)
        self._start = self._end
        self._failure = 0
        self._claimed = 0
        return rest

    cdef Span* _at(self, Py_ssize_t index) except NULL:
        if index < 0 or index >= self.count:
            raise IndexError(f"span {index} of {self.count}")
        return &self.spans[index]

    cdef void _compact(self) noexcept:
        """Move what waits to the front and end the life of the spans."""
        cdef Span* fewer
        if self._start > 0:
            memmove(self.buffer, self.buffer + self._start, self._end - self._start)
            self._end -= self._start
            self._start = 0
        self.count = 0
        if self._capacity > MANY_SPANS:
            # A flood of tiny failures made the array grow; a connection must not keep that for ever.
            fewer = <Span*>realloc(self.spans, FEW_SPANS * sizeof(Span))
            if fewer != NULL:
                self.spans = fewer
                self._capacity = FEW_SPANS

    cdef bint _take_frame(self, Py_ssize_t length, uint8_t kind, uint16_t frame_type) noexcept nogil:
        """The next `length` bytes are a whole frame; what failed before ends here."""
        self._failure = 0
        self._claimed = 0
        return self._add_span(length, kind, frame_type, 0)

    cdef bint _refuse(self, uint8_t kind, Py_ssize_t claimed) noexcept nogil:
        """The next byte starts no frame although it looked so; skip it alone.

        A wrong length must not swallow the good frames behind it. A start inside the extent of a failed frame belongs
        to that failure, one behind it is a failure of its own.
        """
        if self._claimed == 0 and not self._fail(kind, claimed):
            return False
        return self._skip(1)

    cdef bint _pass_over(self, Py_ssize_t length) noexcept nogil:
        """The next `length` bytes start nothing: part of the failure under way, or garbage."""
        if self._failure == 0 and not self._fail(GARBAGE, 0):
            return False
        return self._skip(length)

    cdef bint _add_span(self, Py_ssize_t length, uint8_t kind, uint16_t frame_type, uint8_t continued) noexcept nogil:
        cdef Span* more
        cdef Span* span
        if self.count == self._capacity:
            more = <Span*>realloc(self.spans, 2 * self._capacity * sizeof(Span))
            if more == NULL:
                return False
            self.spans = more
            self._capacity *= 2
        span = &self.spans[self.count]
        span.start = <uint32_t>self._start
        span.length = <uint32_t>length
        span.kind = kind
        span.frame_type = frame_type
        span.continued = continued
        self.count += 1
        self._start += length
        return True

    cdef bint _fail(self, uint8_t kind, Py_ssize_t claimed) noexcept nogil:
        """A failure of `kind` begins here; the bytes skipped next go to its span."""
        self._failure = kind
        self._claimed = claimed
        return self._add_span(0, kind, 0, 0)

    cdef bint _skip(self, Py_ssize_t length) noexcept nogil:
        """Give the next `length` bytes to the span of the failure under way."""
        if self.count == 0 and not self._add_span(0, self._failure, 0, 1):
            return False
        self.spans[self.count - 1].length += <uint32_t>length
        self._start += length
        self._claimed = self._claimed - length if self._claimed > length else 0
        return True
