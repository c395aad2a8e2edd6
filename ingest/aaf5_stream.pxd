from libc.stdint cimport int64_t, uint8_t, uint64_t

from core.aaf5.status cimport TEXT_BYTES, Status
from core.connector cimport ConnectorCycle
from ingest.charger_stream cimport ChargerStream


# What the last status frames of one gun said: most frames repeat the session of the one before.
cdef struct Gun:
    uint64_t start_time  # BCD8 as a big-endian number
    uint64_t trade_hi
    uint64_t trade_lo
    int64_t start_ms  # by the platform's clock as far as the charger's is known, 0 = unknown
    int64_t last_receive_ms  # 0 = nothing heard over this connection
    int64_t lag_ms  # by how much the time of its last charging reading was behind
    bint has_lag
    bint clock_shown  # its login showed the charger's clock
    bint named
    uint8_t serial[TEXT_BYTES]


cdef class Aaf5Stream(ChargerStream):
    cdef uint8_t[TEXT_BYTES] _code
    cdef Py_ssize_t _code_bytes
    cdef bint _gun_letters
    cdef bint _counts_sessions  # the meter's register is the energy of the session
    cdef str _pile_code
    cdef str _zone
    cdef Status _status
    cdef Gun* _guns
    cdef int _places

    cdef int _connector_of(self, const uint8_t* body, uint8_t gun_no) noexcept nogil
    cdef bint _take_status(self, const uint8_t* frame, Py_ssize_t length) except -1
    cdef Gun* _gun(self, int connector) except NULL
    cdef int _name_session(self, Gun* gun, int connector) except -1
    cdef int64_t _taken_ms(self, Gun* gun, ConnectorCycle cycle, int state, bint* kept) noexcept
    cdef int _observe(self, ConnectorCycle cycle, const Gun* gun, int64_t taken_ms, int state) noexcept
    cdef int _acknowledge_status(self, const uint8_t* frame) except -1
    cdef int _acknowledge_heartbeat(self, const uint8_t* frame) except -1
