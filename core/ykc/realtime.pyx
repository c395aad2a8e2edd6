# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""Realtime frames (0x13) to columns and back, without a Python object per frame."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

import numpy as np

from core.checksum cimport crc16_modbus_c
from core.wire.integers cimport read_u16, read_u32, read_u64_high_first, write_u16, write_u32, write_u64_high_first
from core.ykc.realtime_fields cimport (
    HEADER_BYTES, Group, add_to_group, is_exact, machine_transposes, put, put_rest,
)
from core.ykc.splitter cimport ENCRYPTED, FrameSplitter, Span

from core.errors import UnknownRowWriterError
from core.ykc.errors import YkcBufferError, YkcEncodeError

cdef enum:
    LENGTH_BYTE = 64
    CHECKSUM_BYTES = 2
    PAGE_BYTES = 4096
    CACHE_LINE_BYTES = 64

COLUMN_TYPES = {
    "trade_hi": "uint64",
    "trade_lo": "uint64",
    "frame_pile": "uint64",
    "gun_bcd": "uint8",
    "seq": "uint16",
    "checksum_order": "uint8",
    "state": "uint8",
    "gun_home": "uint8",
    "plugged": "uint8",
    "voltage_dv": "uint16",
    "current_da": "uint16",
    "cable_temp_raw": "uint8",
    "cable_id": "uint64",
    "soc": "uint8",
    "battery_temp_raw": "uint8",
    "charge_minutes": "uint16",
    "remain_minutes": "uint16",
    "energy_e4kwh": "uint32",
    "loss_energy_e4kwh": "uint32",
    "amount_e4yuan": "uint32",
    "fault_bits": "uint16",
    "exact": "uint8",
}
TRANSPOSED = "eight frames at once"
BY_FIELD = "field by field"
cdef bint transposes = machine_transposes()
_ORDER_NUMBERS = {"le": ORDER_LE, "be": ORDER_BE, ORDER_LE: ORDER_LE, ORDER_BE: ORDER_BE}
_PILE_CODE_LIMIT = 1 << 56


cdef inline uint8_t order_of(const uint8_t* frame, Py_ssize_t length) noexcept nogil:
    """In which order the frame's last two bytes are its checksum, ORDER_WRONG when in none."""
    cdef uint16_t crc = crc16_modbus_c(frame + 2, length - 4)
    cdef uint16_t found = read_u16(frame + length - CHECKSUM_BYTES)
    if found == crc:
        return ORDER_LE
    if found == <uint16_t>(crc << 8 | crc >> 8):
        return ORDER_BE
    return ORDER_WRONG


cdef bint parse_realtime(const uint8_t* frame, Py_ssize_t length, Realtime* out) noexcept nogil:
    if length < REALTIME_FRAME_BYTES:
        return False
    return parse_verified(frame, length, order_of(frame, length), out)


cdef inline bint is_reading(const uint8_t* frame, Py_ssize_t length) noexcept nogil:
    """Whether these bytes are laid out as a realtime frame that the table covers; their checksum is not looked at."""
    if length < REALTIME_FRAME_BYTES or frame[0] != 0x68 or frame[1] + 4 != length:
        return False
    return frame[4] == 0 and frame[5] == REALTIME_TYPE


cdef bint parse_verified(const uint8_t* frame, Py_ssize_t length, uint8_t checksum_order, Realtime* out) noexcept nogil:
    cdef const uint8_t* body = frame + HEADER_BYTES
    if checksum_order == ORDER_WRONG or not is_reading(frame, length):
        return False
    out.seq = read_u16(frame + 2)
    out.checksum_order = checksum_order
    out.trade_hi = read_u64_high_first(body)
    out.trade_lo = read_u64_high_first(body + 8)
    out.frame_pile = read_u64_high_first(body + 16) >> 8
    out.gun_bcd = body[23]
    out.state = body[24]
    out.gun_home = body[25]
    out.plugged = body[26]
    out.voltage_dv = read_u16(body + 27)
    out.current_da = read_u16(body + 29)
    out.cable_temp_raw = body[31]
    out.cable_id = read_u64_high_first(body + 32)
    out.soc = body[40]
    out.battery_temp_raw = body[41]
    out.charge_minutes = read_u16(body + 42)
    out.remain_minutes = read_u16(body + 44)
    out.energy_e4kwh = read_u32(body + 46)
    out.loss_energy_e4kwh = read_u32(body + 50)
    out.amount_e4yuan = read_u32(body + 54)
    out.fault_bits = read_u16(body + 58)
    out.exact = is_exact(length)
    return True


cdef inline void write_content(const Realtime* row, uint8_t* out) noexcept nogil:
    """The frame of `row` without its checksum."""
    cdef uint8_t* body = out + HEADER_BYTES
    out[0] = 0x68
    out[1] = LENGTH_BYTE
    write_u16(out + 2, row.seq)
    out[4] = 0
    out[5] = REALTIME_TYPE
    write_u64_high_first(body, row.trade_hi)
    write_u64_high_first(body + 8, row.trade_lo)
    write_u64_high_first(body + 16, row.frame_pile << 8)
    body[23] = row.gun_bcd
    body[24] = row.state
    body[25] = row.gun_home
    body[26] = row.plugged
    write_u16(body + 27, row.voltage_dv)
    write_u16(body + 29, row.current_da)
    body[31] = row.cable_temp_raw
    write_u64_high_first(body + 32, row.cable_id)
    body[40] = row.soc
    body[41] = row.battery_temp_raw
    write_u16(body + 42, row.charge_minutes)
    write_u16(body + 44, row.remain_minutes)
    write_u32(body + 46, row.energy_e4kwh)
    write_u32(body + 50, row.loss_energy_e4kwh)
    write_u32(body + 54, row.amount_e4yuan)
    write_u16(body + 58, row.fault_bits)


cdef Py_ssize_t write_realtime(const Realtime* row, uint8_t* out) noexcept nogil:
    cdef uint16_t crc
    write_content(row, out)
    crc = crc16_modbus_c(out + 2, REALTIME_FRAME_BYTES - 4)
    if row.checksum_order == ORDER_BE:
        crc = <uint16_t>(crc << 8 | crc >> 8)
    write_u16(out + REALTIME_FRAME_BYTES - CHECKSUM_BYTES, crc)
    return REALTIME_FRAME_BYTES


def implementations():
    """Ways to write rows that this machine can go, the fastest first."""
    return (TRANSPOSED, BY_FIELD) if machine_transposes() else (BY_FIELD,)


def implementation():
    """The name of the one in force."""
    return TRANSPOSED if transposes else BY_FIELD


def use(name):
    """Put one in force, in the whole process. Raises `YkcBufferError` when the machine cannot."""
    global transposes
    if name not in implementations():
        others = ", ".join(implementations())
        raise UnknownRowWriterError(f"rows cannot be written {name!r} on this machine, but {others}")
    transposes = name == TRANSPOSED


def decode_realtime(const uint8_t[::1] frame not None):
    cdef Realtime row
    if frame.shape[0] < REALTIME_FRAME_BYTES or not parse_realtime(&frame[0], frame.shape[0], &row):
        return None
    return row


def encode_realtime(row not None):
    cdef RealtimeColumns columns = RealtimeColumns(1)
    one = {}
    for name in COLUMN_TYPES:
        if name == "exact":
            continue
        if name not in row:
            raise YkcEncodeError(f"realtime: column {name} is missing")
        value = _ORDER_NUMBERS.get(row[name], -1) if name == "checksum_order" else row[name]
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise YkcEncodeError(f"realtime: column {name} must be an integer, not {value!r}")
        one[name] = np.array([value.__index__()], dtype=object)
    columns.fill(one)
    return columns.frames()


def staggered_arrays(Py_ssize_t rows):
    """Zeros for each column and for `source`, in one piece of memory.

    All are written to at the same row. Were they allocated one by one, long ones would each begin at the begin of a
    page, and those lines would compete for the same few places of the cache.
    """
    cdef Py_ssize_t start = 0
    cdef bint are_long = rows * sizeof(uint64_t) >= PAGE_BYTES
    starts = {}
    types = COLUMN_TYPES | {"source": "uint32"}
    for name, kind in types.items():
        start += (2 * CACHE_LINE_BYTES * len(starts) - start) % PAGE_BYTES if are_long else -start % sizeof(uint64_t)
        starts[name] = start
        start += rows * np.dtype(kind).itemsize
    memory = np.zeros(start, dtype=np.uint8)
    return {
        name: memory[starts[name] : starts[name] + rows * np.dtype(kind).itemsize].view(kind)
        for name, kind in types.items()
    }


def _check_fits(str name, values):
    """Raise `YkcEncodeError` when a value of the column does not fit its field."""
    if values.dtype.kind not in "iu" and not all(type(value) is int for value in values.tolist()):
        raise YkcEncodeError(f"realtime: column {name} holds {values.dtype} values; it must hold integers")
    if len(values) == 0:
        return
    low, high = 0, int(np.iinfo(COLUMN_TYPES[name]).max)
    if name == "frame_pile":
        high = _PILE_CODE_LIMIT - 1
    if name == "checksum_order":
        low, high = ORDER_LE, ORDER_BE
    smallest, largest = int(values.min()), int(values.max())
    if smallest < low or largest > high:
        wrong = smallest if smallest < low else largest
        raise YkcEncodeError(f"realtime: column {name} holds {wrong}; allowed are {low}..{high}")


cdef class RealtimeColumns:
    def __init__(self, Py_ssize_t capacity):
        if capacity < 1:
            raise YkcBufferError(f"room for {capacity} rows: at least 1 is needed")
        self.capacity = capacity
        self.count = 0
        self._arrays = staggered_arrays(capacity)
        self._source = self._arrays.pop("source")
        self._source_at = u32_pointer(self._source)
        self._at.trade_hi = u64_pointer(self._arrays["trade_hi"])
        self._at.trade_lo = u64_pointer(self._arrays["trade_lo"])
        self._at.frame_pile = u64_pointer(self._arrays["frame_pile"])
        self._at.cable_id = u64_pointer(self._arrays["cable_id"])
        self._at.energy_e4kwh = u32_pointer(self._arrays["energy_e4kwh"])
        self._at.loss_energy_e4kwh = u32_pointer(self._arrays["loss_energy_e4kwh"])
        self._at.amount_e4yuan = u32_pointer(self._arrays["amount_e4yuan"])
        self._at.seq = u16_pointer(self._arrays["seq"])
        self._at.voltage_dv = u16_pointer(self._arrays["voltage_dv"])
        self._at.current_da = u16_pointer(self._arrays["current_da"])
        self._at.charge_minutes = u16_pointer(self._arrays["charge_minutes"])
        self._at.remain_minutes = u16_pointer(self._arrays["remain_minutes"])
        self._at.fault_bits = u16_pointer(self._arrays["fault_bits"])
        self._at.checksum_order = u8_pointer(self._arrays["checksum_order"])
        self._at.gun_bcd = u8_pointer(self._arrays["gun_bcd"])
        self._at.state = u8_pointer(self._arrays["state"])
        self._at.gun_home = u8_pointer(self._arrays["gun_home"])
        self._at.plugged = u8_pointer(self._arrays["plugged"])
        self._at.cable_temp_raw = u8_pointer(self._arrays["cable_temp_raw"])
        self._at.soc = u8_pointer(self._arrays["soc"])
        self._at.battery_temp_raw = u8_pointer(self._arrays["battery_temp_raw"])
        self._at.exact = u8_pointer(self._arrays["exact"])

    @property
    def source(self):
        return self._source[: self.count]

    def clear(self):
        self.count = 0

    def columns(self):
        return {name: array[: self.count] for name, array in self._arrays.items()}

    cdef bint append_c(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil:
        cdef uint8_t order
        if not is_reading(frame, length):
            return False
        order = order_of(frame, length)
        if order == ORDER_WRONG:
            return False
        put(&self._at, self.count, frame, order)
        self.count += 1
        return True

    cdef void row_c(self, Py_ssize_t i, Realtime* row) noexcept nogil:
        row.trade_hi = self._at.trade_hi[i]
        row.trade_lo = self._at.trade_lo[i]
        row.frame_pile = self._at.frame_pile[i]
        row.cable_id = self._at.cable_id[i]
        row.energy_e4kwh = self._at.energy_e4kwh[i]
        row.loss_energy_e4kwh = self._at.loss_energy_e4kwh[i]
        row.amount_e4yuan = self._at.amount_e4yuan[i]
        row.seq = self._at.seq[i]
        row.voltage_dv = self._at.voltage_dv[i]
        row.current_da = self._at.current_da[i]
        row.charge_minutes = self._at.charge_minutes[i]
        row.remain_minutes = self._at.remain_minutes[i]
        row.fault_bits = self._at.fault_bits[i]
        row.checksum_order = self._at.checksum_order[i]
        row.gun_bcd = self._at.gun_bcd[i]
        row.state = self._at.state[i]
        row.gun_home = self._at.gun_home[i]
        row.plugged = self._at.plugged[i]
        row.cable_temp_raw = self._at.cable_temp_raw[i]
        row.soc = self._at.soc[i]
        row.battery_temp_raw = self._at.battery_temp_raw[i]
        row.exact = self._at.exact[i]

    def decode_many(self, const uint8_t[::1] data not None, const uint64_t[::1] offsets not None,
                    const uint32_t[::1] lengths not None):
        cdef Py_ssize_t frames = offsets.shape[0]
        cdef Py_ssize_t to = self.count
        cdef uint64_t size = data.shape[0]
        cdef Py_ssize_t i, outside = -1
        cdef const uint8_t* frame
        cdef uint8_t order
        cdef Group group
        cdef int rows = 0
        if lengths.shape[0] != frames:
            raise YkcBufferError(f"{frames} offsets, but {lengths.shape[0]} lengths")
        if frames > self.capacity - to:
            raise YkcBufferError(f"{frames} frames, but only {self.capacity - to} rows are left")
        with nogil:
            for i in range(frames):
                if lengths[i] > size or offsets[i] > size - lengths[i]:
                    outside = i
                    break
                if lengths[i] < REALTIME_FRAME_BYTES:
                    continue
                frame = &data[offsets[i]]
                if not is_reading(frame, lengths[i]):
                    continue
                order = order_of(frame, lengths[i])
                if order == ORDER_WRONG:
                    continue
                self._source_at[to] = <uint32_t>i
                rows = add_to_group(&self._at, to, &group, rows, frame, lengths[i], order, transposes)
                to += 1
            put_rest(&self._at, to, &group, rows)
        if outside >= 0:
            raise YkcBufferError(
                f"frame {outside}: {lengths[outside]} bytes from offset {offsets[outside]} reach beyond {size} bytes"
            )
        to -= self.count
        self.count += to
        return to

    def append_spans(self, FrameSplitter splitter not None):
        cdef Py_ssize_t before = self.count
        cdef Py_ssize_t i, to = before
        cdef Span* span
        cdef Group group
        cdef int rows = 0
        if splitter.count > self.capacity - before:
            raise YkcBufferError(f"{splitter.count} spans, but only {self.capacity - before} rows are left")
        with nogil:
            for i in range(splitter.count):
                span = &splitter.spans[i]
                # What else is_reading asks the splitter has found already.
                if span.kind >= ENCRYPTED or span.frame_type != REALTIME_TYPE or span.length < REALTIME_FRAME_BYTES:
                    continue
                self._source_at[to] = <uint32_t>i
                rows = add_to_group(
                    &self._at, to, &group, rows, splitter.buffer + span.start, span.length, span.kind, transposes
                )
                to += 1
            put_rest(&self._at, to, &group, rows)
        self.count = to
        return self.count - before

    def fill(self, columns not None):
        rows = -1
        for name in COLUMN_TYPES:
            if name == "exact":
                continue
            if name not in columns:
                raise YkcEncodeError(f"realtime: column {name} is missing")
            values = np.asarray(columns[name])
            if rows < 0:
                rows = len(values)
            if len(values) != rows:
                raise YkcEncodeError(f"realtime: column {name} has {len(values)} rows, others {rows}")
            _check_fits(name, values)
        if rows > self.capacity:
            raise YkcBufferError(f"{rows} rows, but there is room for {self.capacity}")
        for name in COLUMN_TYPES:
            self._arrays[name][:rows] = 1 if name == "exact" else columns[name]
        self._source[:rows] = np.arange(rows, dtype=np.uint32)
        self.count = rows

    def frames(self):
        cdef bytes out = PyBytes_FromStringAndSize(NULL, self.count * REALTIME_FRAME_BYTES)
        cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(out)
        cdef Realtime row
        cdef Py_ssize_t i
        with nogil:
            for i in range(self.count):
                self.row_c(i, &row)
                at += write_realtime(&row, at)
        return out


cdef uint8_t* u8_pointer(uint8_t[::1] array) except NULL:
    return &array[0]


cdef uint16_t* u16_pointer(uint16_t[::1] array) except NULL:
    return &array[0]


cdef uint32_t* u32_pointer(uint32_t[::1] array) except NULL:
    return &array[0]


cdef uint64_t* u64_pointer(uint64_t[::1] array) except NULL:
    return &array[0]
