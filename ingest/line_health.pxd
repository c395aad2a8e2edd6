from libc.stdint cimport int64_t, uint64_t


cdef class LineHealth:
    cdef readonly int64_t last_frame_ms
    cdef object _limits
    cdef int64_t _opened_ms
    cdef int64_t _heard_ms
    cdef int64_t _partial_since_ms
    cdef uint64_t _frames
    cdef uint64_t _quarantined_bytes
    cdef int _encrypted_reads
    cdef dict _quarantined  # bytes by reason at the last read, None while nothing ever was

    cdef void good_read(self, uint64_t frames, bint pending, int64_t now_ms) noexcept
    cdef dict _new_quarantine(self, object stream)
