from libc.stdint cimport uint64_t

cdef enum:
    REASONS = 32


# What all streams of a gateway have brought since its start: each adds what it counts of itself.
cdef class StreamTotals:
    cdef readonly uint64_t bytes_in
    cdef readonly uint64_t frames
    cdef readonly uint64_t readings
    cdef readonly uint64_t heartbeats
    cdef readonly uint64_t quarantined_bytes
    cdef readonly uint64_t evidence_dropped_bytes
    cdef uint64_t[REASONS] by_reason  # of quarantined_bytes
