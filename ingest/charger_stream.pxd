from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from core.connector cimport ConnectorCycle
from core.wire.splitter cimport StreamSplitter
from ingest.record_buffer cimport RecordBuffer
from ingest.stream_totals cimport StreamTotals

cdef enum:
    PLACES = 100  # connectors have the numbers 1 to 99, 0 is the whole charger


cdef uint32_t as_u32(int64_t value) noexcept nogil


cdef class ChargerStream:
    cdef readonly StreamSplitter splitter
    cdef readonly RecordBuffer records
    cdef readonly uint64_t connection_id
    cdef readonly uint32_t pile_id  # 0 until bind()
    cdef readonly int protocol
    cdef StreamTotals _totals  # what it counts of itself is counted there too

    # Since the connection was opened:
    cdef readonly uint64_t bytes_in
    cdef readonly uint64_t frames
    cdef readonly uint64_t readings
    cdef readonly uint64_t heartbeats
    cdef readonly uint64_t fast_frames  # readings and heartbeats that no Python code saw
    cdef readonly uint64_t quarantined_bytes
    cdef readonly uint64_t evidence_dropped_bytes  # part of quarantined_bytes that was counted, not kept
    cdef readonly uint64_t garbage_run  # quarantined bytes since the last good frame
    cdef uint64_t* _quarantined  # by reason; NULL while nothing ever was

    # The charger
    cdef readonly int connector  # the one that the connection speaks for, 0 = all
    cdef list _cycles  # by connector number; the pile's state owns it, and fills and lengthens it through `cycle`
    cdef object _state
    cdef object _on_event
    cdef readonly bytes event_frame  # the frame for which on_event is being called
    cdef int64_t _receive_ms

    # Answers that the compiled path made, not yet taken.
    cdef uint8_t* _acks
    cdef Py_ssize_t _acks_length
    cdef Py_ssize_t _acks_capacity

    # What was heard: minutes that are over, and the one under way.
    cdef list _presences  # None while there are none
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

    cpdef feed(self, Py_ssize_t nbytes, int64_t receive_ms)
    cpdef next_frame(self)
    cpdef bytes take_acks(self)

    # What a protocol supplies
    cdef int _bind(self, object pile, object state) except -1
    cdef uint8_t _kind_of(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil
    cdef int _type_of(self, const uint8_t* frame) noexcept nogil
    cdef bint _is_heartbeat(self, const uint8_t* frame) noexcept nogil
    cdef bint _can_be_fast(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil
    cdef bint _take_bound(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1

    # What the protocols share
    cdef bint _fast(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1
    cdef ConnectorCycle _cycle(self, int connector)
    cdef int _tell(
        self, const uint8_t* frame, Py_ssize_t length, int connector, int64_t event_ms, int events, int state,
        bint plugged, object trade_no
    ) except -1
    cdef int _keep_reading(
        self, const uint8_t* frame, Py_ssize_t length, int connector, int flags, int64_t event_ms, uint32_t accepted,
        uint32_t amount, uint32_t live_flags
    ) except -1
    cdef int _keep_plain(self, const uint8_t* frame, Py_ssize_t length, int connector) except -1
    cdef uint8_t* _room_for_ack(self, Py_ssize_t size) except NULL
    cdef int _heard(self, Py_ssize_t nbytes, int64_t receive_ms) except -1
    cdef int _quarantine(self, const uint8_t* data, Py_ssize_t length, uint32_t reason) except -1
    cdef int _finish_minute(self) except -1
