from libc.stdint cimport int64_t, uint64_t

from ingest.charger_stream cimport ChargerStream
from ingest.line_health cimport LineHealth
from ingest.turn_budget cimport TurnBudget


cdef class ReadPath:
    cdef public LineHealth health
    cdef public object detector
    cdef public object transport
    cdef public bint closing
    cdef public int64_t probed_at_frames
    cdef readonly bint plain
    cdef public bint watched_for_rest  # it stands in the list of those that wait for the rest of a frame

    # Times of the connection, in UTC epoch milliseconds, 0 = not yet; and for how long its charger may say nothing.
    cdef public int64_t accepted_ms
    cdef public int64_t opened_ms
    cdef public int64_t logged_in_ms
    cdef public int64_t silence_ms
    cdef public int64_t look_ms  # when it is looked after next, whatever comes until then

    cdef ChargerStream _stream
    cdef object _dialogue
    cdef object _clock
    cdef TurnBudget _budget
    cdef list _waiting_for_rest
    cdef uint64_t _quarantined_bytes

    cpdef note_rest(self)
    cdef bint _is_routine(self, object frame)
