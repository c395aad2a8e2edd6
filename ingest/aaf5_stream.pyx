# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The compiled part of an AAF5 connection: status frames and heartbeats from bytes to spool records."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from core.aaf5.splitter cimport HEADER_BYTES, MAX_FRAME_BYTES, MIN_FRAME_BYTES, START_FIRST, START_SECOND, Aaf5Splitter
from core.aaf5.splitter cimport sum_is_right
from core.aaf5.status cimport STATUS_BODY_BYTES, STATUS_COMMAND, TEXT_BYTES, Status, parse_verified_status
from core.connector cimport STATE_CHARGING, STATE_FAULT, STATE_IDLE, ConnectorCycle
from core.meter.flag_bits cimport FLAG_STORED as READING_WAS_STORED
from core.wire.splitter cimport BAD_CHECKSUM, BAD_LENGTH, FRAME_LE, GARBAGE
from ingest.charger_stream cimport PLACES, ChargerStream, as_u32
from ingest.record_buffer cimport FLAG_STORED, PROTOCOL_AAF5, RecordBuffer

from core.aaf5.bcd_time import bcd8_to_ms
from core.aaf5.session_no import session_number
from core.session_number import session_halves
from core.wire.splitter import receive_buffer_of_thread

cdef enum:
    LENGTH_AT = 2
    COMMAND_AT = 6
    CODE_AT = 4  # in the body
    GUN_AT = 37  # in the body of a status
    HEARTBEAT_COMMAND = 102
    HEARTBEAT_ACK_COMMAND = 101
    STATUS_ACK_COMMAND = 103
    HEARTBEAT_FRAME_BYTES = 47
    HEARTBEAT_COUNTER_AT = 44  # in the frame
    HEARTBEAT_ACK_BYTES = 15
    STATUS_ACK_BYTES = 54
    STATUS_ACK_SERIAL_AT = 21  # in the frame
    STATUS_MIN_BYTES = MIN_FRAME_BYTES + STATUS_BODY_BYTES
    LETTER_A = 0x41
    LETTER_Z = 0x5A
    WORK_CHARGING = 2
    WORK_FAULT = 6
    PLUGGED = 2
    DC = 1
    SECOND_MS = 1000
    STORED_LAG_MS = 120000  # further behind than this, a reading was kept by the charger (DESIGN invariant 6)
    # Kept readings come back to back after a silence as long as they are late; live ones 3 s apart at least (section 5).
    PACED_FROM_MS = 2500
    PACED_TO_MS = STORED_LAG_MS
    TOLD_PLAY_MS = 5000  # a frame needs its time on the way, and the charger counts whole seconds

cdef int64_t TOLD_BEHIND_MS = 31 * 86400000  # longer than any charge lasts and any charger keeps its readings


cdef inline uint16_t read_u16(const uint8_t* at) noexcept nogil:
    return <uint16_t>(at[0] | (<uint16_t>at[1] << 8))


cdef inline uint8_t kind_of_whole(const uint8_t* frame, Py_ssize_t length) noexcept nogil:
    """Span kind of bytes that claim to be one frame."""
    if length < 2 or frame[0] != START_FIRST or frame[1] != START_SECOND:
        return GARBAGE
    if length < MIN_FRAME_BYTES or length > MAX_FRAME_BYTES or read_u16(frame + LENGTH_AT) != length:
        return BAD_LENGTH
    return FRAME_LE if sum_is_right(frame, length) else BAD_CHECKSUM


cdef inline int64_t power_w(const Status* status) noexcept nogil:
    """Voltage times current; the frame's own power has another unit with each maker (aaf5.md section 6)."""
    if status.gun_type == DC:
        return <int64_t>status.dc_voltage_dv * status.dc_current_da // 100
    return (
        <int64_t>status.ac_voltage_a_dv * status.ac_current_a_da
        + <int64_t>status.ac_voltage_b_dv * status.ac_current_b_da
        + <int64_t>status.ac_voltage_c_dv * status.ac_current_c_da
    ) // 100


cdef inline void seal(uint8_t* frame, uint16_t length, uint16_t command) noexcept nogil:
    """Length, command and sum of an answer whose body is written."""
    cdef uint8_t total = 0
    cdef int i
    frame[LENGTH_AT] = length & 0xFF
    frame[LENGTH_AT + 1] = length >> 8
    frame[COMMAND_AT] = command & 0xFF
    frame[COMMAND_AT + 1] = command >> 8
    for i in range(COMMAND_AT, length - 1):
        total += frame[i]
    frame[length - 1] = total


def whole_frame_kind(bytes data not None):
    """Span kind of bytes that claim to be one whole frame."""
    return kind_of_whole(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef class Aaf5Stream(ChargerStream):
    def __init__(self, RecordBuffer records not None, connection_id, on_event, evidence_limit=65536, splitter=None):
        splitter = Aaf5Splitter(receive_buffer_of_thread()) if splitter is None else splitter
        super().__init__(records, connection_id, on_event, evidence_limit, splitter, PROTOCOL_AAF5)

    def __dealloc__(self):
        free(self._guns)

    cdef int _bind(self, object pile, object state) except -1:
        code = pile.code.encode("ascii", "replace")
        if not 0 < len(code) <= TEXT_BYTES or not pile.code.isascii():
            raise ValueError(f"a pile code has 1 to {TEXT_BYTES} ASCII characters, not {pile.code!r}")
        self._code_bytes = len(code)
        memcpy(self._code, PyBytes_AS_STRING(code), self._code_bytes)
        self._gun_letters = pile.gun_letters
        self._counts_sessions = pile.register_kind == "session"
        self._pile_code = pile.code
        self._zone = pile.zone
        return 0

    cdef uint8_t _kind_of(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        return kind_of_whole(frame, length)

    cdef int _type_of(self, const uint8_t* frame) noexcept nogil:
        return read_u16(frame + COMMAND_AT)

    cdef bint _is_heartbeat(self, const uint8_t* frame) noexcept nogil:
        return read_u16(frame + COMMAND_AT) == HEARTBEAT_COMMAND

    cdef bint _can_be_fast(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        cdef uint8_t gun_no = 0
        cdef uint16_t command
        if length < HEARTBEAT_FRAME_BYTES or frame[0] != START_FIRST:
            return False
        command = read_u16(frame + COMMAND_AT)
        if command == STATUS_COMMAND and length >= STATUS_MIN_BYTES:
            gun_no = frame[HEADER_BYTES + GUN_AT]
        elif command != HEARTBEAT_COMMAND or length != HEARTBEAT_FRAME_BYTES:
            return False
        return self._connector_of(frame + HEADER_BYTES, gun_no) > 0

    cdef bint _take_bound(self, const uint8_t* frame, Py_ssize_t length, uint8_t kind) except -1:
        cdef uint16_t command = read_u16(frame + COMMAND_AT)
        if command == STATUS_COMMAND:
            return self._take_status(frame, length)
        if (
            command == HEARTBEAT_COMMAND
            and length == HEARTBEAT_FRAME_BYTES
            and self._connector_of(frame + HEADER_BYTES, 0) > 0
        ):
            self._keep_plain(frame, length, self.connector)
            self._acknowledge_heartbeat(frame)
            return True
        return False

    cdef int _connector_of(self, const uint8_t* body, uint8_t gun_no) noexcept nogil:
        """The connector that the frame speaks for, by the connection, the gun's letter, or its number (aaf5.md section 6).

        0 when the frame names another charger or gun, or no connector that there can be.
        """
        cdef const uint8_t* code = body + CODE_AT
        cdef Py_ssize_t end = self._code_bytes
        cdef int connector = self.connector
        if memcmp(code, self._code, end) != 0:
            return 0
        if end < TEXT_BYTES and code[end] != 0:
            if not self._gun_letters or not LETTER_A <= code[end] <= LETTER_Z:
                return 0
            if connector != 0 and connector != code[end] - LETTER_A + 1:
                return 0
            connector = code[end] - LETTER_A + 1
            end += 1
            if end < TEXT_BYTES and code[end] != 0:
                return 0
        if connector == 0:
            connector = gun_no if gun_no != 0 else 1
        return connector if connector < PLACES else 0

    cdef bint _take_status(self, const uint8_t* frame, Py_ssize_t length) except -1:
        cdef Status* status = &self._status
        cdef ConnectorCycle cycle
        cdef Gun* gun
        cdef int connector, events, state
        cdef int64_t taken_ms
        cdef uint32_t accepted = 0
        cdef uint32_t amount = 0
        cdef bint kept = False
        if not parse_verified_status(frame, length, status):
            return False
        connector = self._connector_of(frame + HEADER_BYTES, status.gun_no)
        if connector == 0:
            return False
        gun = self._gun(connector)
        if (
            not gun.named
            or gun.start_time != status.start_time
            or memcmp(gun.serial, status.serial, TEXT_BYTES) != 0
        ):
            self._name_session(gun, connector)
        state = STATE_IDLE
        if status.work_state == WORK_CHARGING:
            state = STATE_CHARGING
        elif status.work_state == WORK_FAULT:
            state = STATE_FAULT
        cycle = self._cycle(connector)
        taken_ms = self._taken_ms(gun, cycle, state, &kept)
        cycle.next_is_stored = kept
        events = self._observe(cycle, gun, taken_ms, state)
        if cycle.session_start_ms != 0 and gun.trade_hi == cycle.trade_hi and gun.trade_lo == cycle.trade_lo:
            accepted = as_u32(cycle.accepted_e4kwh)
            amount = as_u32(cycle.amount_fen)
        self._keep_reading(
            frame, length, connector, FLAG_STORED if kept else 0, taken_ms, accepted, amount,
            cycle.reading_flags | (READING_WAS_STORED if kept else 0),
        )
        self._acknowledge_status(frame)
        if events != 0:
            self._tell(
                frame, length, connector, taken_ms, events, state, status.car_conn == PLUGGED,
                self._state.session_text(gun.trade_hi, gun.trade_lo),
            )
        return True

    cdef Gun* _gun(self, int connector) except NULL:
        cdef Gun* more
        if connector >= self._places:
            more = <Gun*>realloc(self._guns, (connector + 1) * sizeof(Gun))
            if more == NULL:
                raise MemoryError
            memset(more + self._places, 0, (connector + 1 - self._places) * sizeof(Gun))
            self._guns = more
            self._places = connector + 1
        return &self._guns[connector]

    cdef int _name_session(self, Gun* gun, int connector) except -1:
        """The session's number as the halves that hot columns hold, once for all its frames."""
        cdef Status* status = &self._status
        start = int(status.start_time).to_bytes(8, "big")
        serial = PyBytes_FromStringAndSize(<const char*>status.serial, TEXT_BYTES).rstrip(b"\0").decode("latin-1")
        number = session_number(self._pile_code, connector, serial, start)
        halves = session_halves(number)
        if number:
            self._state.note_session(*halves, number)
        gun.trade_hi, gun.trade_lo = halves
        gun.start_ms = bcd8_to_ms(start, self._zone)
        if gun.start_ms != 0:
            gun.start_ms -= <int64_t>self._state.clock_offset_ms(gun.start_ms)
        gun.clock_shown = self._state.clock_shown
        gun.has_lag = False
        gun.start_time = status.start_time
        memcpy(gun.serial, status.serial, TEXT_BYTES)
        gun.named = True
        return 0

    cdef int64_t _taken_ms(self, Gun* gun, ConnectorCycle cycle, int state, bint* kept) noexcept:
        """When the reading was taken by the platform's clock, and whether the charger had kept it.

        A hint: for the screen, for the state, and to find rows by; the bill takes the times that
        `core.meter.device_times` finds in the whole session. A reading that keeps its pace, and whose own time goes on
        no faster than the platform's, is live, whatever the charger's clock says, and shows how far that is behind. So
        what is late against it came from the charger's memory. Where neither a live reading of the session nor a login
        has shown the clock, only readings tell that came back to back with times of their own.
        """
        cdef int64_t gap_ms = self._receive_ms - gun.last_receive_ms
        cdef int64_t lag_ms, behind_ms, gained_ms
        cdef bint paced, knows
        cdef bint first = not gun.has_lag
        gun.last_receive_ms = self._receive_ms
        kept[0] = False
        gun.has_lag = state == STATE_CHARGING and gun.start_ms != 0
        if not gun.has_lag:
            return self._receive_ms
        lag_ms = self._receive_ms - gun.start_ms - <int64_t>self._status.duration_s * SECOND_MS
        gained_ms = lag_ms - gun.lag_ms
        gun.lag_ms = lag_ms
        knows = cycle.has_device_lag and cycle.timed_hi == gun.trade_hi and cycle.timed_lo == gun.trade_lo
        knows = knows and cycle.device_start_ms == gun.start_ms
        behind_ms = cycle.device_lag_ms if knows else 0
        paced = PACED_FROM_MS <= gap_ms <= PACED_TO_MS
        if first:
            paced = paced and (knows or not gun.clock_shown)
        else:
            paced = paced and -TOLD_PLAY_MS <= gained_ms <= gap_ms + TOLD_PLAY_MS
        if paced and not first:
            cycle.has_device_lag = True
            cycle.device_lag_ms = lag_ms
            cycle.device_start_ms = gun.start_ms
            cycle.timed_hi = gun.trade_hi
            cycle.timed_lo = gun.trade_lo
        if paced or not STORED_LAG_MS < lag_ms - behind_ms <= TOLD_BEHIND_MS:
            return self._receive_ms
        if not knows and not gun.clock_shown:
            if first or gap_ms >= PACED_FROM_MS or -TOLD_PLAY_MS <= gained_ms <= TOLD_PLAY_MS:
                return self._receive_ms
        kept[0] = True
        return self._receive_ms - lag_ms + behind_ms

    cdef int _observe(self, ConnectorCycle cycle, const Gun* gun, int64_t taken_ms, int state) noexcept:
        cdef Status* status = &self._status
        cdef int64_t register = status.energy_e2kwh if self._counts_sessions else status.meter_now_e2kwh
        cdef uint32_t minutes = status.duration_s // 60
        cycle.offered_register_e4kwh = 0 if self._counts_sessions else <int64_t>status.meter_before_e2kwh * 100
        return cycle.observe(
            taken_ms, state, status.car_conn == PLUGGED, gun.trade_hi, gun.trade_lo, register * 100, power_w(status),
            <int>(minutes if minutes < 0xFFFF else 0xFFFF),
        )

    cdef int _acknowledge_status(self, const uint8_t* frame) except -1:
        """103: the gun's number and the serial, as they came (aaf5.md section 3)."""
        cdef uint8_t* ack = self._room_for_ack(STATUS_ACK_BYTES)
        memcpy(ack, frame, HEADER_BYTES)
        memset(ack + HEADER_BYTES, 0, STATUS_ACK_BYTES - HEADER_BYTES)
        ack[HEADER_BYTES + 4] = self._status.gun_no
        memcpy(ack + STATUS_ACK_SERIAL_AT, self._status.serial, TEXT_BYTES)
        seal(ack, STATUS_ACK_BYTES, STATUS_ACK_COMMAND)
        return 0

    cdef int _acknowledge_heartbeat(self, const uint8_t* frame) except -1:
        """101: the heartbeat's counter (aaf5.md section 3)."""
        cdef uint8_t* ack = self._room_for_ack(HEARTBEAT_ACK_BYTES)
        memcpy(ack, frame, HEADER_BYTES)
        memset(ack + HEADER_BYTES, 0, HEARTBEAT_ACK_BYTES - HEADER_BYTES)
        memcpy(ack + HEADER_BYTES + 4, frame + HEARTBEAT_COUNTER_AT, 2)
        seal(ack, HEARTBEAT_ACK_BYTES, HEARTBEAT_ACK_COMMAND)
        return 0
