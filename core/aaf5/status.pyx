# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Status frames (104) to columns, without a Python object per frame."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from core.aaf5.splitter cimport HEADER_BYTES, MIN_FRAME_BYTES, START_FIRST, START_SECOND, sum_is_right
from core.wire.integers cimport read_u16, read_u32, read_u64_high_first

from core.wire.errors import WireBufferError

_WIDE = ("trade_hi", "trade_lo", "start_time")
_NUMBERS = (
    "alarm", "amount_fen", "var2", "var3", "duration_s", "energy_e2kwh", "meter_before_e2kwh", "meter_now_e2kwh",
    "strategy_param", "card_balance_fen", "upgrade_mode", "power_e1kw", "sys3", "sys4", "sys5",
)
_HALVES = (
    "body_bytes", "reserved1", "reserved2", "dc_voltage_dv", "dc_current_da", "bms_voltage_dv", "bms_current_da",
    "ac_voltage_a_dv", "ac_voltage_b_dv", "ac_voltage_c_dv", "ac_current_a_da", "ac_current_b_da", "ac_current_c_da",
    "remain_minutes",
)
_BYTES = (
    "packed", "info", "seq", "gun_count", "gun_no", "gun_type", "work_state", "soc", "car_conn", "bms_mode",
    "start_mode", "strategy", "appt_flag", "appt_timeout", "temp_outlet", "temp_ambient", "temp_gun", "temp_water",
)
_TEXTS = ("pile_code", "card", "serial")

# In the order of `struct Status`, whose memory the rows are.
COLUMN_TYPES = {
    **dict.fromkeys(_WIDE, "uint64"),
    **dict.fromkeys(_NUMBERS, "uint32"),
    **dict.fromkeys(_HALVES, "uint16"),
    **dict.fromkeys(_BYTES, "uint8"),
    **dict.fromkeys(_TEXTS, f"S{TEXT_BYTES}"),
}
_ROW_TYPE = np.dtype(list(COLUMN_TYPES.items()), align=True)
assert _ROW_TYPE.itemsize == sizeof(Status), "the columns do not lie as the fields of struct Status do"


cdef inline void read_text(uint8_t* out, const uint8_t* at) noexcept nogil:
    """The text up to its first NUL; what lies behind it in the frame is not part of it."""
    cdef int i = 0
    memset(out, 0, TEXT_BYTES)
    while i < TEXT_BYTES and at[i] != 0:
        out[i] = at[i]
        i += 1


cdef inline bint hex_digits(const uint8_t* at, uint64_t* out) noexcept nogil:
    """The number that 16 upper-case hex digits write; 0 when one is none."""
    cdef uint64_t value = 0
    cdef uint8_t c
    cdef int i
    for i in range(16):
        c = at[i]
        if 0x30 <= c <= 0x39:
            value = value << 4 | <uint64_t>(c - 0x30)
        elif 0x41 <= c <= 0x46:
            value = value << 4 | <uint64_t>(c - 0x37)
        else:
            return False
    out[0] = value
    return True


cdef bint parse_status(const uint8_t* frame, Py_ssize_t length, Status* out) noexcept nogil:
    if length < HEADER_BYTES + STATUS_BODY_BYTES + 1 or not sum_is_right(frame, length):
        return False
    return parse_verified_status(frame, length, out)


cdef bint parse_verified_status(const uint8_t* frame, Py_ssize_t length, Status* out) noexcept nogil:
    cdef const uint8_t* body = frame + HEADER_BYTES
    cdef Py_ssize_t body_bytes = length - MIN_FRAME_BYTES
    if body_bytes < STATUS_BODY_BYTES or frame[0] != START_FIRST or frame[1] != START_SECOND:
        return False
    if read_u16(frame + 2) != length or read_u16(frame + 6) != STATUS_COMMAND:
        return False
    memset(out, 0, sizeof(Status))
    out.body_bytes = <uint16_t>body_bytes
    out.info = frame[4]
    out.seq = frame[5]
    out.reserved1 = read_u16(body)
    out.reserved2 = read_u16(body + 2)
    read_text(out.pile_code, body + 4)
    out.gun_count = body[36]
    out.gun_no = body[37]
    out.gun_type = body[38]
    out.work_state = body[39]
    out.soc = body[40]
    out.alarm = read_u32(body + 41)
    out.car_conn = body[45]
    out.amount_fen = read_u32(body + 46)
    out.var2 = read_u32(body + 50)
    out.var3 = read_u32(body + 54)
    out.dc_voltage_dv = read_u16(body + 58)
    out.dc_current_da = read_u16(body + 60)
    out.bms_voltage_dv = read_u16(body + 62)
    out.bms_current_da = read_u16(body + 64)
    out.bms_mode = body[66]
    out.ac_voltage_a_dv = read_u16(body + 67)
    out.ac_voltage_b_dv = read_u16(body + 69)
    out.ac_voltage_c_dv = read_u16(body + 71)
    out.ac_current_a_da = read_u16(body + 73)
    out.ac_current_b_da = read_u16(body + 75)
    out.ac_current_c_da = read_u16(body + 77)
    out.remain_minutes = read_u16(body + 79)
    out.duration_s = read_u32(body + 81)
    out.energy_e2kwh = read_u32(body + 85)
    out.meter_before_e2kwh = read_u32(body + 89)
    out.meter_now_e2kwh = read_u32(body + 93)
    out.start_mode = body[97]
    out.strategy = body[98]
    out.strategy_param = read_u32(body + 99)
    out.appt_flag = body[103]
    read_text(out.card, body + 104)
    out.appt_timeout = body[136]
    out.start_time = read_u64_high_first(body + 137)
    out.card_balance_fen = read_u32(body + 145)
    out.upgrade_mode = read_u32(body + 149)
    out.power_e1kw = read_u32(body + 153)
    out.sys3 = read_u32(body + 157)
    out.sys4 = read_u32(body + 161)
    out.sys5 = read_u32(body + 165)
    if body_bytes == STATUS_WITH_TEMPERATURES or body_bytes == STATUS_WITH_SERIAL:
        out.temp_outlet = body[169]
        out.temp_ambient = body[170]
        out.temp_gun = body[171]
        out.temp_water = body[172]
    if body_bytes == STATUS_WITH_SERIAL:
        read_text(out.serial, body + 173)
        out.packed = hex_digits(out.serial, &out.trade_hi) and hex_digits(out.serial + 16, &out.trade_lo)
        if not out.packed:
            out.trade_hi = 0
    return True


def decode_status(const uint8_t[::1] frame not None):
    cdef StatusColumns columns = StatusColumns(1)
    cdef Status row
    if frame.shape[0] == 0 or not parse_status(&frame[0], frame.shape[0], &row):
        return None
    columns.append_c(&row)
    return {name: values[0].item() for name, values in columns.columns().items()}


cdef class StatusColumns:
    def __init__(self, Py_ssize_t capacity):
        if capacity < 1:
            raise WireBufferError(f"room for {capacity} rows: at least 1 is needed")
        self.capacity = capacity
        self.count = 0
        self._rows = np.zeros(capacity, dtype=_ROW_TYPE)
        self._at = <Status*>u8_pointer(self._rows.view(np.uint8))
        self._source = np.zeros(capacity, dtype=np.uint32)
        self._source_at = <uint32_t*>u8_pointer(self._source.view(np.uint8))

    @property
    def source(self):
        return self._source[: self.count]

    def clear(self):
        self.count = 0

    def columns(self):
        rows = self._rows[: self.count]
        return {name: rows[name] for name in COLUMN_TYPES}

    cdef void append_c(self, const Status* row) noexcept nogil:
        memcpy(&self._at[self.count], row, sizeof(Status))
        self.count += 1

    cdef const Status* row_c(self, Py_ssize_t i) noexcept nogil:
        return &self._at[i]

    def decode_many(self, const uint8_t[::1] data not None, const uint64_t[::1] offsets not None,
                    const uint32_t[::1] lengths not None):
        cdef Py_ssize_t frames = offsets.shape[0]
        cdef Py_ssize_t before = self.count
        cdef uint64_t size = data.shape[0]
        cdef Py_ssize_t i, outside = -1
        cdef Status row
        if lengths.shape[0] != frames:
            raise WireBufferError(f"{frames} offsets, but {lengths.shape[0]} lengths")
        if frames > self.capacity - before:
            raise WireBufferError(f"{frames} frames, but only {self.capacity - before} rows are left")
        with nogil:
            for i in range(frames):
                if lengths[i] > size or offsets[i] > size - lengths[i]:
                    outside = i
                    break
                if lengths[i] >= MIN_FRAME_BYTES and parse_status(&data[offsets[i]], lengths[i], &row):
                    self._source_at[self.count] = <uint32_t>i
                    self.append_c(&row)
        if outside >= 0:
            self.count = before
            raise WireBufferError(
                f"frame {outside}: {lengths[outside]} bytes from offset {offsets[outside]} reach beyond {size} bytes"
            )
        return self.count - before


cdef uint8_t* u8_pointer(uint8_t[::1] array) except NULL:
    return &array[0]
