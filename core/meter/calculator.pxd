# One meter, one session: readings in the order of event time in, accepted energy out. Energies are 1e-4 kWh.

from libc.stdint cimport int64_t

from core.meter.trusted_line cimport Doubt, TrustedLine


cdef class MeterCalculator(TrustedLine):
    cdef bint zero_is_false         # an absolute register that is known to stand above zero
    cdef readonly bint has_doubt
    cdef Doubt doubt

    cdef void restart(self, int64_t start_ms) noexcept nogil
    cdef void offer(self, int64_t start_ms, int64_t value) noexcept nogil
    cdef int64_t take(self, int64_t event_ms, int64_t value, int64_t power_w, int64_t counter=*) noexcept nogil
    cdef int64_t take_end(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void close(self) noexcept nogil

    cdef bint confirms_doubt(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef bint is_still_zero(self, int64_t value) noexcept nogil
    cdef void raise_doubt(self, int64_t event_ms, int64_t value) noexcept nogil
    cdef void drop_doubt(self) noexcept nogil
    cdef void believe_doubt(self) noexcept nogil
