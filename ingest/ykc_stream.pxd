from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from core.ykc.realtime cimport Realtime
from core.ykc.splitter cimport FrameSplitter
from ingest.record_buffer cimport RecordBuffer


cdef class YkcStream:
    cdef readonly FrameSplitter splitter
    cdef readonly RecordBuffer records
    cdef readonly uint64_t connection_id
    cdef readonly uint32_t pile_id  # 0 until bind()

    # Since the connection was opened:
    cdef readonly uint64_t bytes_in
    cdef readonly uint64_t frames
    cdef readonly uint64_t readings
    cdef readonly uint64_t heartbeats
    cdef readonly uint64_t fast_frames  # readings and heartbeats that no Python code saw
    cdef readonly uint64_t quarantined_bytes
    cdef readonly uint64_t evidence_dropped_bytes  # part of quarantined_bytes that was counted, not kept
    cdef readonly uint64_t garbage_run  # quarantined bytes since the last good frame
    cdef uint64_t[32] _quarantined  # by reason

    cdef uint8_t[7] _pile_code
    cdef list _cycles  # by connector number; the pile's state owns it and fills it through _new_cycle
    cdef object _new_cycle
    cdef object _on_event
    cdef Realtime _reading
    cdef Py_ssize_t _cursor  # next span
    cdef int64_t _receive_ms

    # Heartbeat answers not yet taken.
    cdef uint8_t* _acks
    cdef Py_ssize_t _acks_length
    cdef Py_ssize_t _acks_capacity

    # What was heard: minutes that are over, and the one under way.
    cdef readonly list presences
    cdef int64_t _minute
    cdef int64_t _first_ms
    cdef int64_t _last_ms
    cdef uint32_t _minute_frames
    cdef uint32_t _minute_heartbeats
    cdef uint32_t _minute_bytes

    # Evidence kept in the minute under way.
    cdef int64_t _evidence_minute
    cdef uint64_t _evidence_bytes
    cdef uint64_t _evidence_limit

    cdef int _heard(self, Py_ssize_t nbytes, int64_t receive_ms) except -1
    cdef bint _fast(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1
    cdef bint _realtime(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1
    cdef int _heartbeat(self, const uint8_t* frame, Py_ssize_t length) except -1
    cdef int _quarantine(self, const uint8_t* data, Py_ssize_t length, uint32_t reason) except -1
    cdef int _finish_minute(self) except -1
    cdef int _acknowledge(self, const uint8_t* frame) except -1
