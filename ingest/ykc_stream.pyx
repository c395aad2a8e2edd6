# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""The compiled part of a YKC connection: what comes again and again, from bytes to spool records."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from core.checksum cimport crc16_modbus_c
from core.connector cimport ConnectorCycle
from core.meter.flag_bits cimport FLAG_STORED as READING_WAS_STORED
from core.ykc.realtime cimport Realtime, parse_verified
from core.ykc.splitter cimport BAD_CHECKSUM, BAD_LENGTH, ENCRYPTED, FRAME_BE, FRAME_LE, FrameSplitter, GARBAGE
from ingest.charger_stream cimport ChargerStream, as_u32
from ingest.record_buffer cimport FLAG_STORED, PROTOCOL_YKC, RecordBuffer

from core.wire.splitter import receive_buffer_of_thread

cdef enum:
    START_BYTE = 0x68
    HEARTBEAT_TYPE = 0x03
    REALTIME_TYPE = 0x13
    BMS_DEMAND_TYPE = 0x23
    BMS_INFO_TYPE = 0x25
    HEARTBEAT_FRAME_BYTES = 17
    HEARTBEAT_ACK_BYTES = 17
    REALTIME_MIN_BYTES = 68
    HEADER_BYTES = 6
    ENVELOPE_BYTES = 4
    MIN_LENGTH_BYTE = 4
    PILE_CODE_BYTES = 7
    PILE_CODE_OFFSET_SESSION = 22  # in the frame: behind the header and the trade number
    SESSION_MIN_BYTES = 32  # such a frame as far as its connector, and the checksum


cdef inline int connector_of_bcd(uint8_t raw) noexcept nogil:
    """0 when it is no decimal number."""
    if raw >> 4 > 9 or (raw & 0x0F) > 9:
        return 0
    return (raw >> 4) * 10 + (raw & 0x0F)


cdef inline bint is_periodic_bms(const uint8_t* frame, Py_ssize_t length) noexcept nogil:
    """0x23 and 0x25: twice as many as readings, and nothing but evidence."""
    return (frame[5] == BMS_DEMAND_TYPE or frame[5] == BMS_INFO_TYPE) and length >= SESSION_MIN_BYTES


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


cdef class YkcStream(ChargerStream):
    def __init__(self, RecordBuffer records not None, connection_id, on_event, evidence_limit=65536, splitter=None):
        splitter = FrameSplitter(receive_buffer_of_thread()) if splitter is None else splitter
        super().__init__(records, connection_id, on_event, evidence_limit, splitter, PROTOCOL_YKC)

    cdef int _bind(self, object pile, object state) except -1:
        code = bytes.fromhex(pile.code)
        if len(code) != PILE_CODE_BYTES:
            raise ValueError(f"a pile code has {2 * PILE_CODE_BYTES} digits, not {pile.code!r}")
        memcpy(self._pile_code, PyBytes_AS_STRING(code), PILE_CODE_BYTES)
        return 0

    cdef uint8_t _kind_of(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        return kind_of_whole(frame, length)

    cdef int _type_of(self, const uint8_t* frame) noexcept nogil:
        return frame[5]

    cdef bint _is_heartbeat(self, const uint8_t* frame) noexcept nogil:
        return frame[5] == HEARTBEAT_TYPE

    cdef bint _can_be_fast(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        cdef Py_ssize_t code_at = HEADER_BYTES
        if length < HEARTBEAT_FRAME_BYTES:
            return False
        if (frame[5] == REALTIME_TYPE and length >= REALTIME_MIN_BYTES) or is_periodic_bms(frame, length):
            code_at = PILE_CODE_OFFSET_SESSION
        elif frame[5] != HEARTBEAT_TYPE or length != HEARTBEAT_FRAME_BYTES:
            return False
        if memcmp(frame + code_at, self._pile_code, PILE_CODE_BYTES) != 0:
            return False
        return frame[5] == HEARTBEAT_TYPE or connector_of_bcd(frame[code_at + PILE_CODE_BYTES]) != 0

    cdef bint _take_bound(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        cdef int connector
        if frame[5] == REALTIME_TYPE:
            return self._realtime(frame, length, kind)
        if is_periodic_bms(frame, length):
            connector = connector_of_bcd(frame[PILE_CODE_OFFSET_SESSION + PILE_CODE_BYTES])
            if connector == 0 or memcmp(frame + PILE_CODE_OFFSET_SESSION, self._pile_code, PILE_CODE_BYTES) != 0:
                return False
            self._keep_plain(frame, length, connector)
            return True
        if (
            frame[5] == HEARTBEAT_TYPE
            and length == HEARTBEAT_FRAME_BYTES
            and memcmp(frame + HEADER_BYTES, self._pile_code, PILE_CODE_BYTES) == 0
        ):
            self._keep_plain(frame, length, connector_of_bcd(frame[HEADER_BYTES + PILE_CODE_BYTES]))
            self._acknowledge(frame)
            return True
        return False

    cdef bint _realtime(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        cdef Realtime reading
        cdef ConnectorCycle cycle
        cdef int connector, events
        cdef int64_t event_ms
        cdef uint32_t accepted = 0
        cdef uint32_t amount = 0
        cdef bint stored = False
        if length < REALTIME_MIN_BYTES:
            return False
        if memcmp(frame + PILE_CODE_OFFSET_SESSION, self._pile_code, PILE_CODE_BYTES) != 0:
            return False
        connector = connector_of_bcd(frame[PILE_CODE_OFFSET_SESSION + PILE_CODE_BYTES])
        if connector == 0 or not parse_verified(frame, length, kind, &reading):
            return False
        cycle = self._cycle(connector)
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
        self._keep_reading(
            frame, length, connector, FLAG_STORED if stored else 0, event_ms, accepted, amount,
            cycle.reading_flags | (READING_WAS_STORED if stored else 0),
        )
        if events != 0:
            self._tell(
                frame, length, connector, event_ms, events, reading.state, reading.plugged,
                f"{reading.trade_hi:016X}{reading.trade_lo:016X}",
            )
        return True

    cdef int _acknowledge(self, const uint8_t* heartbeat) except -1:
        """0x04: the heartbeat's sequence number, charger and connector, and a zero (ykc.md section 4)."""
        cdef uint8_t* ack = self._room_for_ack(HEARTBEAT_ACK_BYTES)
        cdef uint16_t crc
        memcpy(ack, heartbeat, HEADER_BYTES + PILE_CODE_BYTES + 1)
        ack[5] = HEARTBEAT_TYPE + 1
        ack[14] = 0
        crc = crc16_modbus_c(ack + 2, HEARTBEAT_ACK_BYTES - ENVELOPE_BYTES)
        ack[15] = crc & 0xFF
        ack[16] = crc >> 8
        return 0
