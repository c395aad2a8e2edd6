# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What the splitters of all protocols share: the receive buffer, and spans that account for every byte."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

import threading

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


cdef class ReceiveBuffer:
    def __cinit__(self):
        # Not initialised, so that its pages are touched only where bytes arrive.
        self.bytes = <uint8_t*>malloc(CAPACITY_BYTES)
        self.spans = <Span*>malloc(FEW_SPANS * sizeof(Span))
        self.capacity = FEW_SPANS
        if self.bytes == NULL or self.spans == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.bytes)
        free(self.spans)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.bytes + self._lend_from, CAPACITY_BYTES - self._lend_from, 0, flags)
        self.users += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.users -= 1

    cdef object lend(self, Py_ssize_t start):
        """The room from `start` on; while the view or a part of it lives, only the holder may write there."""
        self._lend_from = start
        return memoryview(self)

    cdef bint grow(self) noexcept nogil:
        """Twice as many spans; False when there is no memory for them."""
        cdef Span* more = <Span*>realloc(self.spans, 2 * self.capacity * sizeof(Span))
        if more == NULL:
            return False
        self.spans = more
        self.capacity *= 2
        return True

    cdef void shrink(self) noexcept:
        """A flood of tiny failures made the spans many; nobody must keep that for ever."""
        cdef Span* fewer
        if self.capacity > MANY_SPANS:
            fewer = <Span*>realloc(self.spans, FEW_SPANS * sizeof(Span))
            if fewer != NULL:
                self.spans = fewer
                self.capacity = FEW_SPANS


_of_thread = threading.local()


def receive_buffer_of_thread():
    try:
        return _of_thread.buffer
    except AttributeError:
        _of_thread.buffer = ReceiveBuffer()
        return _of_thread.buffer


# The buffer that it must leave when it ends is needed until then, whatever the collector of cycles does before.
@cython.no_gc_clear
cdef class StreamSplitter:
    def __cinit__(self, ReceiveBuffer shared=None):
        self._shared = shared

    def __dealloc__(self):
        self._leave()
        free(self._parked)

    @property
    def pending(self):
        return self._end - self._start

    def get_buffer(self, sizehint=-1):
        self._begin_read()
        return self._held.lend(self._end)

    cpdef Py_ssize_t feed_bytes(self, const uint8_t[::1] data) except -1:
        cdef Py_ssize_t nbytes = data.shape[0]
        self._begin_read()
        if nbytes > CAPACITY_BYTES - self._end:
            raise WireBufferError(f"{nbytes} bytes do not fit: the buffer has room for {CAPACITY_BYTES - self._end}")
        if nbytes > 0:
            memcpy(self.buffer + self._end, &data[0], nbytes)
        return self.feed(nbytes)

    cpdef Py_ssize_t feed(self, Py_ssize_t nbytes) except -1:
        if self._held is None and nbytes != 0:
            raise WireBufferError(f"{nbytes} bytes were written to no buffer: another splitter took it meanwhile")
        if nbytes < 0 or nbytes > CAPACITY_BYTES - self._end:
            raise WireBufferError(f"{nbytes} bytes do not fit: the buffer has room for {CAPACITY_BYTES - self._end}")
        if nbytes == 0:
            return self.count
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

    cdef int _begin_read(self) except -1:
        """Have a buffer with what waits at its front; the spans of the last feed end, taken or not."""
        cdef Py_ssize_t waiting = self._end - self._start
        cdef ReceiveBuffer room = self._free_buffer()
        if waiting > 0:
            memmove(room.bytes, self.buffer + self._start, waiting)
        if room is not self._held:
            self._leave()
            room.holder = <PyObject*>self
            self._held = room
        free(self._parked)
        self._parked = NULL
        room.shrink()
        self.buffer = room.bytes
        self.spans = room.spans
        self._start = 0
        self._end = waiting
        self.count = 0
        self._next = 0
        return 0

    cdef ReceiveBuffer _free_buffer(self):
        """The one that is shared, when nobody needs what is in it, else one of its own."""
        cdef ReceiveBuffer shared = self._shared
        if shared is None:
            return self._held if self._held is not None else ReceiveBuffer()
        if shared.holder == <PyObject*>self or shared.holder == NULL:
            return shared
        if shared.users == 0 and (<StreamSplitter>shared.holder)._park():
            return shared
        return self._held if self._held is not None else ReceiveBuffer()

    cdef bint _park(self) noexcept:
        """Take what is still needed out of the buffer, so that another may have it; False when there is no memory."""
        cdef Py_ssize_t first = self.spans[self._next].start if self._next < self.count else self._start
        cdef Py_ssize_t nbytes = self._end - first
        cdef Py_ssize_t left = self.count - self._next
        cdef Py_ssize_t i
        cdef Span* spans
        if nbytes > 0:
            self._parked = malloc(left * sizeof(Span) + nbytes)
            if self._parked == NULL:
                return False
            spans = <Span*>self._parked
            for i in range(left):
                spans[i] = self.spans[self._next + i]
                spans[i].start -= <uint32_t>first
            self.spans = spans
            self.buffer = <uint8_t*>(spans + left)
            memcpy(self.buffer, self._held.bytes + first, nbytes)
        self.count = left
        self._next = 0
        self._start -= first
        self._end -= first
        self._leave()
        return True

    cdef void _leave(self) noexcept:
        """Let the buffer go."""
        if self._held is not None and self._held.holder == <PyObject*>self:
            self._held.holder = NULL
        self._held = None

    cdef Span* next_span(self) noexcept:
        """The first span that was not taken yet, which is taken now; NULL when all are."""
        if self._next == self.count:
            return NULL
        self._next += 1
        return &self.spans[self._next - 1]

    cdef void pin(self) noexcept:
        """Until `unpin`, spans and buffer stay where they are, whoever reads meanwhile."""
        if self._held is not None:
            self._held.users += 1

    cdef void unpin(self) noexcept:
        """The end of what `pin` began; nothing was read for this splitter in between."""
        if self._held is not None:
            self._held.users -= 1

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
        cdef Span* span
        if self.count == self._held.capacity:
            if not self._held.grow():
                return False
            self.spans = self._held.spans
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
