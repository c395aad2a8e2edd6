cdef class TurnBudget:
    cdef readonly bint spent
    cdef Py_ssize_t _limit
    cdef Py_ssize_t _bytes
    cdef public object is_overloaded
    cdef bint _scheduled
    cdef object _held

    cpdef spend(self, reader, Py_ssize_t nbytes)
