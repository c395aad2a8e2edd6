# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The part of a connection that runs for each read of its socket, compiled."""

from libc.stdint cimport int64_t, uint64_t

from ingest.charger_stream cimport ChargerStream
from ingest.line_health cimport LineHealth
from ingest.turn_budget cimport TurnBudget

cdef enum:
    UNPROBED = -1
    UNPLANNED = -1
    # Room given to a connection in a turn whose budget is spent: enough for what an honest charger sends at once.
    SMALL_READ_BYTES = 4096

NOT_PROBED = UNPROBED
NO_LOOK = UNPLANNED


cdef class ReadPath:
    def __init__(self, clock not None, TurnBudget budget not None, list waiting_for_rest not None):
        self._clock = clock
        self._budget = budget
        self._waiting_for_rest = waiting_for_rest
        self.probed_at_frames = UNPROBED

    def begin(self, ChargerStream stream not None, dialogue not None):
        self._stream = stream
        self._dialogue = dialogue
        self.plain = False

    def settle(self, bint plain):
        self.plain = plain
        self._quarantined_bytes = self._stream.quarantined_bytes

    cpdef note_rest(self):
        if not self.watched_for_rest:
            self.watched_for_rest = True
            self._waiting_for_rest.append(self)

    def get_buffer(self, sizehint):
        if self.detector is not None:
            return self.detector.get_buffer()
        room = self._stream.splitter.get_buffer(sizehint)
        return room[:SMALL_READ_BYTES] if self._budget.spent else room

    def buffer_updated(self, Py_ssize_t nbytes):
        cdef int64_t now_ms
        cdef ChargerStream stream = self._stream
        cdef bint pending
        if self.closing:
            return
        now_ms = self._clock()
        if self.detector is not None:
            self.handle_detected(nbytes, now_ms)
        else:
            stream.feed(nbytes, now_ms)
            frame = stream.next_frame() if self.plain else None
            if self._is_routine(frame):
                pending = stream.splitter._end != stream.splitter._start
                self.health.good_read(stream.frames, pending, now_ms)
                if pending:
                    self.note_rest()
                if stream._acks_length > 0:
                    self.transport.write(stream.take_acks())
            else:
                self.handle_fed(frame, now_ms)
        self._budget.spend(self, nbytes)

    cdef bint _is_routine(self, object frame):
        """Whether a read had nothing but what the stream has dealt with: neither news nor bad bytes."""
        cdef ChargerStream stream = self._stream
        return (
            self.plain
            and frame is None
            and stream.quarantined_bytes == self._quarantined_bytes
            and self.probed_at_frames == UNPROBED
            and stream._presences is None
            and self._dialogue.offered_tariff is None
        )
