# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The compiled part of a connection that all protocols share: spans to records, evidence, presence, answers."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from core.connector cimport ConnectorCycle
from core.wire.splitter cimport BAD_CHECKSUM, ENCRYPTED, GARBAGE, Span, StreamSplitter
from ingest.record_buffer cimport FRAME_DOWN, FRAME_UP, QUARANTINE, RecordBuffer
from ingest.stream_totals cimport REASONS, StreamTotals

cdef enum:
    MINUTE_MS = 60000
    RECORD_HEADER_BYTES = 56  # what a record costs besides its payload

cdef uint64_t U32_MAX = 0xFFFFFFFF


cdef uint32_t as_u32(int64_t value) noexcept nogil:
    """The live figures fit by far; what would not is shown as the limit, never wrapped round."""
    if value < 0:
        return 0
    return <uint32_t>(U32_MAX if <uint64_t>value > U32_MAX else <uint64_t>value)


cdef class ChargerStream:
    def __cinit__(self):
        self._acks = NULL
        self._quarantined = NULL

    def __init__(self, RecordBuffer records not None, connection_id, on_event, evidence_limit, splitter, protocol):
        self.splitter = splitter
        self.records = records
        self.connection_id = connection_id
        self.protocol = protocol
        self.event_frame = b""
        self._on_event = on_event
        self._totals = StreamTotals.__new__(StreamTotals)
        self._evidence_limit = evidence_limit
        self._minute = -1
        self._evidence_minute = -1

    def __dealloc__(self):
        free(self._acks)
        free(self._quarantined)

    @property
    def quarantined(self):
        if self._quarantined == NULL:
            return {}
        return {reason: self._quarantined[reason] for reason in range(REASONS) if self._quarantined[reason]}

    def count_into(self, StreamTotals totals not None):
        self._totals = totals

    def bind(self, pile, state, int connector=0):
        cycles = <list?>state.cycles
        if not 0 <= connector < PLACES:
            raise ValueError(f"connectors have the numbers 1 to {PLACES - 1}, 0 is all of them, not {connector}")
        self.connector = connector
        self._bind(pile, state)
        self._cycles = cycles
        self._state = state
        self.pile_id = pile.pile_id

    cpdef feed(self, Py_ssize_t nbytes, int64_t receive_ms):
        self._heard(nbytes, receive_ms)
        self.splitter.feed(nbytes)

    def feed_bytes(self, data, int64_t receive_ms):
        self._heard(len(data), receive_ms)
        self.splitter.feed_bytes(data)

    cpdef next_frame(self):
        cdef StreamSplitter splitter = self.splitter
        cdef const uint8_t* frame
        cdef Span* span
        # Whoever is told of an event may read for another connection, and the frame is used behind that.
        splitter.pin()
        try:
            while True:
                span = splitter.next_span()
                if span == NULL:
                    return None
                frame = splitter.buffer + span.start
                if span.kind >= GARBAGE:
                    self.garbage_run += span.length
                    self._quarantine(frame, span.length, span.kind)
                elif not self._fast(frame, span.length, span.kind):
                    return span.kind, span.frame_type, PyBytes_FromStringAndSize(<const char*>frame, span.length)
        finally:
            splitter.unpin()

    def take_frame(self, bytes data not None, int64_t receive_ms):
        cdef const uint8_t* frame = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data)
        cdef uint8_t kind = self._kind_of(frame, length)
        self._heard(length, receive_ms)
        if kind >= GARBAGE:
            self.garbage_run += length
            self._quarantine(frame, length, kind)
            return None
        if self._fast(frame, length, kind):
            return None
        return kind, self._type_of(frame), data

    def take_fast(self, bytes data not None, int64_t receive_ms):
        cdef const uint8_t* frame = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data)
        cdef uint8_t kind
        if self.pile_id == 0 or not self._can_be_fast(frame, length):
            return False
        kind = self._kind_of(frame, length)
        if kind >= ENCRYPTED:
            return False
        self._heard(length, receive_ms)
        return self._fast(frame, length, kind)

    def keep(self, bytes frame not None, int connector, int64_t event_ms):
        return 1 == self.records.append_c(
            FRAME_UP, self.protocol, connector, 0, self.pile_id, self.connection_id, self._receive_ms, event_ms, 0, 0,
            0, 0, <const uint8_t*>PyBytes_AS_STRING(frame), <uint32_t>PyBytes_GET_SIZE(frame),
        )

    def keep_sent(self, bytes frame not None, int connector, int64_t sent_ms):
        self.records.append_c(
            FRAME_DOWN, self.protocol, connector, 0, self.pile_id, self.connection_id, sent_ms, sent_ms, 0, 0, 0, 0,
            <const uint8_t*>PyBytes_AS_STRING(frame), <uint32_t>PyBytes_GET_SIZE(frame),
        )

    def quarantine(self, bytes data not None, uint32_t reason):
        self._quarantine(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), reason)

    cpdef bytes take_acks(self):
        if self._acks_length == 0:
            return b""
        acks = PyBytes_FromStringAndSize(<const char*>self._acks, self._acks_length)
        self._acks_length = 0
        return acks

    @property
    def has_presences(self):
        return self._presences is not None

    def take_presences(self):
        presences = self._presences
        self._presences = None
        return presences if presences is not None else []

    def end_minute(self, int64_t now_ms):
        if self._minute >= 0 and now_ms // MINUTE_MS != self._minute:
            self._finish_minute()

    def close(self):
        rest = self.splitter.flush_pending()
        if rest:
            # Bytes that may have become a frame, had the line lived: for the quarantine, a frame whose checksum is bad.
            self.quarantine(rest, BAD_CHECKSUM)
        if self._minute >= 0:
            self._finish_minute()

    # ---- what a protocol supplies -----------------------------------------------------------------------------

    cdef int _bind(self, object pile, object state) except -1:
        """Take what frames of this charger are known by; ValueError for a code that no frame can carry."""
        return 0

    cdef uint8_t _kind_of(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        """Span kind of bytes that claim to be one frame."""
        return GARBAGE

    cdef int _type_of(self, const uint8_t* frame) noexcept nogil:
        return 0

    cdef bint _is_heartbeat(self, const uint8_t* frame) noexcept nogil:
        return False

    cdef bint _can_be_fast(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        """Whether bytes look like a frame that `_take_bound` deals with, if they are one."""
        return False

    cdef bint _take_bound(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        """Deal with a good frame on a connection that has logged in; 0 when Python must."""
        return False

    # ---- what the protocols share -----------------------------------------------------------------------------

    cdef bint _fast(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        """Deal with a good frame; 0 when Python must."""
        if kind == ENCRYPTED:
            # No key exchange is defined: dropped and counted (ykc.md section 1), with its bytes as evidence.
            self._quarantine(frame, length, ENCRYPTED)
            return True
        self.garbage_run = 0
        self.frames += 1
        self._totals.frames += 1
        self._minute_frames += 1
        if self._is_heartbeat(frame):
            self.heartbeats += 1
            self._totals.heartbeats += 1
            self._minute_heartbeats += 1
        if self.pile_id == 0:
            return False
        return self._take_bound(frame, length, kind)

    cdef ConnectorCycle _cycle(self, int connector):
        if connector >= len(self._cycles) or self._cycles[connector] is None:
            self._state.cycle(connector, self._receive_ms)
        return <ConnectorCycle?>self._cycles[connector]

    cdef int _tell(
        self, const uint8_t* frame, Py_ssize_t length, int connector, int64_t event_ms, int events, int state,
        bint plugged, object trade_no
    ) except -1:
        """A connector changed: rare enough for Python objects."""
        self.event_frame = PyBytes_FromStringAndSize(<const char*>frame, length)
        try:
            self._on_event(connector, event_ms, events, state, plugged, trade_no)
        finally:
            self.event_frame = b""
        return 0

    cdef int _keep_reading(
        self, const uint8_t* frame, Py_ssize_t length, int connector, int flags, int64_t event_ms, uint32_t accepted,
        uint32_t amount, uint32_t live_flags
    ) except -1:
        self.records.append_c(
            FRAME_UP, self.protocol, connector, flags, self.pile_id, self.connection_id, self._receive_ms, event_ms,
            accepted, amount, live_flags, 0, frame, <uint32_t>length,
        )
        self.readings += 1
        self._totals.readings += 1
        self.fast_frames += 1
        return 0

    cdef int _keep_plain(self, const uint8_t* frame, Py_ssize_t length, int connector) except -1:
        self.records.append_c(
            FRAME_UP, self.protocol, connector, 0, self.pile_id, self.connection_id, self._receive_ms,
            self._receive_ms, 0, 0, 0, 0, frame, <uint32_t>length,
        )
        self.fast_frames += 1
        return 0

    cdef uint8_t* _room_for_ack(self, Py_ssize_t size) except NULL:
        """Where the next answer of `size` bytes goes; it counts as made."""
        cdef Py_ssize_t needed = self._acks_length + size
        cdef uint8_t* more
        if needed > self._acks_capacity:
            more = <uint8_t*>realloc(self._acks, 2 * needed)
            if more == NULL:
                raise MemoryError
            self._acks = more
            self._acks_capacity = 2 * needed
        self._acks_length = needed
        return self._acks + needed - size

    cdef int _heard(self, Py_ssize_t nbytes, int64_t receive_ms) except -1:
        cdef int64_t minute = receive_ms // MINUTE_MS
        if minute != self._minute:
            if self._minute >= 0:
                self._finish_minute()
            self._minute = minute
            self._first_ms = receive_ms
        self._receive_ms = receive_ms
        self._last_ms = receive_ms
        self._minute_bytes += <uint32_t>nbytes
        self.bytes_in += nbytes
        self._totals.bytes_in += nbytes
        return 0

    cdef int _finish_minute(self) except -1:
        if self.pile_id != 0 and self._minute_frames > 0:
            heard = (self._first_ms, self._last_ms, self._minute_frames, self._minute_heartbeats, self._minute_bytes)
            if self._presences is None:
                self._presences = []
            self._presences.append(heard)
        self._minute = -1
        self._minute_frames = 0
        self._minute_heartbeats = 0
        self._minute_bytes = 0
        return 0

    cdef int _quarantine(self, const uint8_t* data, Py_ssize_t length, uint32_t reason) except -1:
        cdef int64_t minute = self._receive_ms // MINUTE_MS
        self.quarantined_bytes += length
        if self._quarantined == NULL:
            self._quarantined = <uint64_t*>calloc(REASONS, sizeof(uint64_t))
            if self._quarantined == NULL:
                raise MemoryError
        self._totals.quarantined_bytes += length
        if reason < REASONS:
            self._quarantined[reason] += length
            self._totals.by_reason[reason] += length
        if minute != self._evidence_minute:
            self._evidence_minute = minute
            self._evidence_bytes = 0
        if self._evidence_bytes + length + RECORD_HEADER_BYTES > self._evidence_limit:
            self.evidence_dropped_bytes += length
            self._totals.evidence_dropped_bytes += length
            return 0
        self._evidence_bytes += length + RECORD_HEADER_BYTES
        self.records.append_c(
            QUARANTINE, self.protocol, 0, 0, self.pile_id, self.connection_id, self._receive_ms, self._receive_ms, 0, 0,
            0, reason, data, <uint32_t>length,
        )
        return 0
