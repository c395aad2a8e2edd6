# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""A digest of rows that ClickHouse computes as well: a sum of hashes, so that the order does not matter."""

from libc.stdint cimport uint64_t

cdef uint64_t FIRST_FACTOR = 0xFF51AFD7ED558CCD
cdef uint64_t SECOND_FACTOR = 0xC4CEB9FE1A85EC53
cdef uint64_t SALT = 0x4CF2D2BAAE6DA887


cdef inline uint64_t int_hash64(uint64_t x) noexcept nogil:
    """`intHash64` of ClickHouse: the finalizer of MurmurHash3 over a salted number."""
    x ^= SALT
    x ^= x >> 33
    x *= FIRST_FACTOR
    x ^= x >> 33
    x *= SECOND_FACTOR
    return x ^ x >> 33


def rows_digest(const uint64_t[::1] segment_offset not None, const uint64_t[::1] value not None):
    cdef Py_ssize_t rows = segment_offset.shape[0]
    cdef Py_ssize_t i
    cdef uint64_t digest = 0
    if value.shape[0] != rows:
        raise ValueError(f"{rows} rows, but {value.shape[0]} values")
    with nogil:
        for i in range(rows):
            digest += int_hash64(int_hash64(segment_offset[i]) ^ value[i])
    return digest
