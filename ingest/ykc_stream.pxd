from libc.stdint cimport uint8_t

from ingest.charger_stream cimport ChargerStream


cdef class YkcStream(ChargerStream):
    cdef uint8_t[7] _pile_code

    cdef bint _realtime(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1
    cdef int _acknowledge(self, const uint8_t* heartbeat) except -1
