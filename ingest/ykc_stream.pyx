# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The compiled part of a YKC connection: realtime frames and heartbeats from bytes to spool records."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from core.checksum cimport crc16_modbus_c
from core.connector cimport ConnectorCycle
from core.meter.flag_bits cimport FLAG_STORED as READING_WAS_STORED
from core.ykc.realtime cimport Realtime, parse_verified
from core.ykc.splitter cimport BAD_CHECKSUM, BAD_LENGTH, ENCRYPTED, FRAME_BE, FRAME_LE, FrameSplitter, GARBAGE, Span
from ingest.record_buffer cimport FLAG_STORED, FRAME_DOWN, FRAME_UP, PROTOCOL_YKC, QUARANTINE, RecordBuffer

cdef enum:
    START_BYTE = 0x68
    HEARTBEAT_TYPE = 0x03
    REALTIME_TYPE = 0x13
    HEARTBEAT_FRAME_BYTES = 17
    HEARTBEAT_ACK_BYTES = 17
    REALTIME_MIN_BYTES = 68
    HEADER_BYTES = 6
    ENVELOPE_BYTES = 4
    MIN_LENGTH_BYTE = 4
    PILE_CODE_BYTES = 7
    PILE_CODE_OFFSET_REALTIME = 22  # in the frame: behind the header and the trade number
    PLACES = 100  # connector numbers are two decimal digits
    REASONS = 32
    MINUTE_MS = 60000
    RECORD_HEADER_BYTES = 56  # what a record costs besides its payload

cdef uint64_t U32_MAX = 0xFFFFFFFF


cdef inline uint32_t as_u32(int64_t value) noexcept nogil:
    """The live figures fit by far; what would not is shown as the limit, never wrapped round."""
    if value < 0:
        return 0
    return <uint32_t>(U32_MAX if <uint64_t>value > U32_MAX else <uint64_t>value)


cdef inline int connector_of_bcd(uint8_t raw) noexcept nogil:
    """0 when it is no decimal number."""
    if raw >> 4 > 9 or (raw & 0x0F) > 9:
        return 0
    return (raw >> 4) * 10 + (raw & 0x0F)


cdef inline uint8_t kind_of_whole(const uint8_t* frame, Py_ssize_t length) noexcept nogil:
    """Span kind of bytes that claim to be one frame."""
    cdef uint16_t crc
    cdef uint8_t kind
    if length < 1 or frame[0] != START_BYTE:
        return GARBAGE
    if length < 2 or frame[1] < MIN_LENGTH_BYTE or frame[1] + ENVELOPE_BYTES != length:
        return BAD_LENGTH
    crc = crc16_modbus_c(frame + 2, length - ENVELOPE_BYTES)
    if frame[length - 2] == (crc & 0xFF) and frame[length - 1] == crc >> 8:
        kind = FRAME_LE
    elif frame[length - 2] == crc >> 8 and frame[length - 1] == (crc & 0xFF):
        kind = FRAME_BE
    else:
        return BAD_CHECKSUM
    return kind if frame[4] == 0 else <uint8_t>ENCRYPTED


def whole_frame_kind(bytes data not None):
    """Span kind of bytes that claim to be one whole frame."""
    return kind_of_whole(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef class YkcStream:
    def __cinit__(self):
        self._acks = NULL

    def __init__(self, RecordBuffer records not None, connection_id, on_event, evidence_limit=65536, splitter=None):
        self.splitter = FrameSplitter() if splitter is None else splitter
        self.records = records
        self.connection_id = connection_id
        self.presences = []
        self._on_event = on_event
        self._evidence_limit = evidence_limit
        self._cycles = []
        self._minute = -1
        self._evidence_minute = -1

    def __dealloc__(self):
        free(self._acks)

    @property
    def quarantined(self):
        return {reason: self._quarantined[reason] for reason in range(REASONS) if self._quarantined[reason]}

    def bind(self, pile_id, str pile_code not None, list cycles not None, new_cycle):
        code = bytes.fromhex(pile_code)
        if len(code) != PILE_CODE_BYTES:
            raise ValueError(f"a pile code has {2 * PILE_CODE_BYTES} digits, not {pile_code!r}")
        if len(cycles) != PLACES:
            raise ValueError(f"the list of connectors needs {PLACES} places, not {len(cycles)}")
        memcpy(self._pile_code, PyBytes_AS_STRING(code), PILE_CODE_BYTES)
        self._cycles = cycles
        self._new_cycle = new_cycle
        self.pile_id = pile_id

    def feed(self, Py_ssize_t nbytes, int64_t receive_ms):
        self._heard(nbytes, receive_ms)
        self.splitter.feed(nbytes)
        self._cursor = 0

    def feed_bytes(self, data, int64_t receive_ms):
        self._heard(len(data), receive_ms)
        self.splitter.feed_bytes(data)
        self._cursor = 0

    def next_frame(self):
        cdef FrameSplitter splitter = self.splitter
        cdef const uint8_t* frame
        cdef Span* span
        while self._cursor < splitter.count:
            span = &splitter.spans[self._cursor]
            self._cursor += 1
            frame = splitter.buffer + span.start
            if span.kind >= GARBAGE:
                self.garbage_run += span.length
                self._quarantine(frame, span.length, span.kind)
            elif not self._fast(frame, span.length, span.kind):
                return span.kind, span.frame_type, PyBytes_FromStringAndSize(<const char*>frame, span.length)
        return None

    def take_frame(self, bytes data not None, int64_t receive_ms):
        cdef const uint8_t* frame = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data)
        cdef uint8_t kind = kind_of_whole(frame, length)
        self._heard(length, receive_ms)
        if kind >= GARBAGE:
            self.garbage_run += length
            self._quarantine(frame, length, kind)
            return None
        if self._fast(frame, length, kind):
            return None
        return kind, frame[5], data

    def take_fast(self, bytes data not None, int64_t receive_ms):
        cdef const uint8_t* frame = <const uint8_t*>PyBytes_AS_STRING(data)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(data)
        cdef Py_ssize_t code_at = HEADER_BYTES
        cdef uint8_t kind
        if self.pile_id == 0 or length < HEARTBEAT_FRAME_BYTES:
            return False
        if frame[5] == REALTIME_TYPE and length >= REALTIME_MIN_BYTES:
            code_at = PILE_CODE_OFFSET_REALTIME
        elif frame[5] != HEARTBEAT_TYPE or length != HEARTBEAT_FRAME_BYTES:
            return False
        if memcmp(frame + code_at, self._pile_code, PILE_CODE_BYTES) != 0:
            return False
        if frame[5] == REALTIME_TYPE and connector_of_bcd(frame[code_at + PILE_CODE_BYTES]) == 0:
            return False
        kind = kind_of_whole(frame, length)
        if kind != FRAME_LE and kind != FRAME_BE:
            return False
        self._heard(length, receive_ms)
        return self._fast(frame, length, kind)

    def keep(self, bytes frame not None, int connector, int64_t event_ms):
        return 1 == self.records.append_c(
            FRAME_UP, PROTOCOL_YKC, connector, 0, self.pile_id, self.connection_id, self._receive_ms, event_ms, 0, 0, 0, 0,
            <const uint8_t*>PyBytes_AS_STRING(frame), <uint32_t>PyBytes_GET_SIZE(frame),
        )

    def keep_sent(self, bytes frame not None, int connector, int64_t sent_ms):
        self.records.append_c(
            FRAME_DOWN, PROTOCOL_YKC, connector, 0, self.pile_id, self.connection_id, sent_ms, sent_ms, 0, 0, 0, 0,
            <const uint8_t*>PyBytes_AS_STRING(frame), <uint32_t>PyBytes_GET_SIZE(frame),
        )

    def quarantine(self, bytes data not None, uint32_t reason):
        self._quarantine(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), reason)

    def take_acks(self):
        if self._acks_length == 0:
            return b""
        acks = PyBytes_FromStringAndSize(<const char*>self._acks, self._acks_length)
        self._acks_length = 0
        return acks

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
        return 0

    cdef int _finish_minute(self) except -1:
        if self.pile_id != 0 and self._minute_frames > 0:
            heard = (self._first_ms, self._last_ms, self._minute_frames, self._minute_heartbeats, self._minute_bytes)
            self.presences.append(heard)
        self._minute = -1
        self._minute_frames = 0
        self._minute_heartbeats = 0
        self._minute_bytes = 0
        return 0

    cdef bint _fast(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        """Deal with a good frame; 0 when Python must."""
        cdef uint8_t frame_type = frame[5]
        if kind == ENCRYPTED:
            # No key exchange is defined: dropped and counted (ykc.md section 1), with its bytes as evidence.
            self._quarantine(frame, length, ENCRYPTED)
            return True
        self.garbage_run = 0
        self.frames += 1
        self._minute_frames += 1
        if frame_type == HEARTBEAT_TYPE:
            self.heartbeats += 1
            self._minute_heartbeats += 1
        if self.pile_id == 0:
            return False
        if frame_type == REALTIME_TYPE:
            return self._realtime(frame, length, kind)
        if (
            frame_type == HEARTBEAT_TYPE
            and length == HEARTBEAT_FRAME_BYTES
            and memcmp(frame + HEADER_BYTES, self._pile_code, PILE_CODE_BYTES) == 0
        ):
            self._heartbeat(frame, length)
            return True
        return False

    cdef bint _realtime(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        cdef Realtime* reading = &self._reading
        cdef ConnectorCycle cycle
        cdef int connector, events
        cdef int64_t event_ms
        cdef uint32_t accepted = 0
        cdef uint32_t amount = 0
        cdef bint stored = False
        if length < REALTIME_MIN_BYTES:
            return False
        if memcmp(frame + PILE_CODE_OFFSET_REALTIME, self._pile_code, PILE_CODE_BYTES) != 0:
            return False
        connector = connector_of_bcd(frame[PILE_CODE_OFFSET_REALTIME + PILE_CODE_BYTES])
        if connector == 0 or not parse_verified(frame, length, kind, reading):
            return False
        if self._cycles[connector] is None:
            self._new_cycle(connector, self._receive_ms)
        cycle = <ConnectorCycle?>self._cycles[connector]
        event_ms = cycle.event_time_of(
            self._receive_ms, reading.state, reading.trade_hi, reading.trade_lo, reading.charge_minutes, &stored
        )
        events = cycle.observe(
            event_ms, reading.state, reading.plugged, reading.trade_hi, reading.trade_lo, reading.energy_e4kwh,
            <int64_t>reading.voltage_dv * reading.current_da // 100, reading.charge_minutes,
        )
        if cycle.session_start_ms != 0 and reading.trade_hi == cycle.trade_hi and reading.trade_lo == cycle.trade_lo:
            accepted = as_u32(cycle.accepted_e4kwh)
            amount = as_u32(cycle.amount_fen)
        self.records.append_c(
            FRAME_UP, PROTOCOL_YKC, connector, FLAG_STORED if stored else 0, self.pile_id, self.connection_id, self._receive_ms,
            event_ms, accepted, amount, cycle.reading_flags | (READING_WAS_STORED if stored else 0), 0, frame,
            <uint32_t>length,
        )
        self.readings += 1
        self.fast_frames += 1
        if events != 0:
            self._on_event(
                connector, event_ms, events, reading.state, reading.plugged,
                f"{reading.trade_hi:016X}{reading.trade_lo:016X}",
            )
        return True

    cdef int _heartbeat(self, const uint8_t* frame, Py_ssize_t length) except -1:
        cdef int connector = connector_of_bcd(frame[HEADER_BYTES + PILE_CODE_BYTES])
        self.records.append_c(
            FRAME_UP, PROTOCOL_YKC, connector, 0, self.pile_id, self.connection_id, self._receive_ms, self._receive_ms, 0, 0, 0, 0,
            frame, <uint32_t>length,
        )
        self.fast_frames += 1
        self._acknowledge(frame)
        return 0

    cdef int _acknowledge(self, const uint8_t* heartbeat) except -1:
        """0x04: the heartbeat's sequence number, charger and connector, and a zero (ykc.md section 4)."""
        cdef Py_ssize_t needed = self._acks_length + HEARTBEAT_ACK_BYTES
        cdef uint8_t* ack
        cdef uint16_t crc
        if needed > self._acks_capacity:
            ack = <uint8_t*>realloc(self._acks, 2 * needed)
            if ack == NULL:
                raise MemoryError
            self._acks = ack
            self._acks_capacity = 2 * needed
        ack = self._acks + self._acks_length
        memcpy(ack, heartbeat, HEADER_BYTES + PILE_CODE_BYTES + 1)
        ack[5] = HEARTBEAT_TYPE + 1
        ack[14] = 0
        crc = crc16_modbus_c(ack + 2, HEARTBEAT_ACK_BYTES - ENVELOPE_BYTES)
        ack[15] = crc & 0xFF
        ack[16] = crc >> 8
        self._acks_length = needed
        return 0

    cdef int _quarantine(self, const uint8_t* data, Py_ssize_t length, uint32_t reason) except -1:
        cdef int64_t minute = self._receive_ms // MINUTE_MS
        self.quarantined_bytes += length
        if reason < REASONS:
            self._quarantined[reason] += length
        if minute != self._evidence_minute:
            self._evidence_minute = minute
            self._evidence_bytes = 0
        if self._evidence_bytes + length + RECORD_HEADER_BYTES > self._evidence_limit:
            self.evidence_dropped_bytes += length
            return 0
        self._evidence_bytes += length + RECORD_HEADER_BYTES
        self.records.append_c(
            QUARANTINE, PROTOCOL_YKC, 0, 0, self.pile_id, self.connection_id, self._receive_ms, self._receive_ms, 0, 0, 0, reason,
            data, <uint32_t>length,
        )
        return 0
