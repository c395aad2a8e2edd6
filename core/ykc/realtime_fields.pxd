# The fields of a realtime frame (0x13), from its bytes into columns.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from core.wire.integers cimport read_u16, read_u32, read_u64_high_first


cdef enum:
    REALTIME_FRAME_BYTES = 68
    HEADER_BYTES = 6
    ENVELOPE_BYTES = 4  # start, length byte, checksum
    GROUP = 8


cdef extern from "core/ykc/transposing.h" nogil:
    ctypedef struct RealtimePointers:
        uint64_t* trade_hi
        uint64_t* trade_lo
        uint64_t* frame_pile
        uint64_t* cable_id
        uint32_t* energy_e4kwh
        uint32_t* loss_energy_e4kwh
        uint32_t* amount_e4yuan
        uint16_t* seq
        uint16_t* voltage_dv
        uint16_t* current_da
        uint16_t* charge_minutes
        uint16_t* remain_minutes
        uint16_t* fault_bits
        uint8_t* checksum_order
        uint8_t* gun_bcd
        uint8_t* state
        uint8_t* gun_home
        uint8_t* plugged
        uint8_t* cable_temp_raw
        uint8_t* soc
        uint8_t* battery_temp_raw
        uint8_t* exact

    bint machine_transposes() noexcept
    void put_eight(const RealtimePointers* to, Py_ssize_t i, const uint8_t* const* frames) noexcept


# Frames that become rows together.
cdef struct Group:
    const uint8_t* frames[GROUP]
    uint8_t orders[GROUP]
    uint8_t exacts[GROUP]


cdef inline bint is_exact(Py_ssize_t length) noexcept nogil:
    """Each byte of the table goes to a column as wide as itself, and the checksum is known to be right in the order
    that is noted: only what stands behind the table is not kept."""
    return length == REALTIME_FRAME_BYTES


cdef inline void put(const RealtimePointers* to, Py_ssize_t i, const uint8_t* frame, uint8_t order) noexcept nogil:
    """The fields of a frame into row `i`, without a stop on the way: the compiler keeps none of them back."""
    cdef const uint8_t* body = frame + HEADER_BYTES
    to.seq[i] = read_u16(frame + 2)
    to.checksum_order[i] = order
    to.trade_hi[i] = read_u64_high_first(body)
    to.trade_lo[i] = read_u64_high_first(body + 8)
    to.frame_pile[i] = read_u64_high_first(body + 16) >> 8
    to.gun_bcd[i] = body[23]
    to.state[i] = body[24]
    to.gun_home[i] = body[25]
    to.plugged[i] = body[26]
    to.voltage_dv[i] = read_u16(body + 27)
    to.current_da[i] = read_u16(body + 29)
    to.cable_temp_raw[i] = body[31]
    to.cable_id[i] = read_u64_high_first(body + 32)
    to.soc[i] = body[40]
    to.battery_temp_raw[i] = body[41]
    to.charge_minutes[i] = read_u16(body + 42)
    to.remain_minutes[i] = read_u16(body + 44)
    to.energy_e4kwh[i] = read_u32(body + 46)
    to.loss_energy_e4kwh[i] = read_u32(body + 50)
    to.amount_e4yuan[i] = read_u32(body + 54)
    to.fault_bits[i] = read_u16(body + 58)
    to.exact[i] = is_exact(frame[1] + ENVELOPE_BYTES)


cdef inline void put_bytes(uint8_t* to, const uint8_t* const* frames, Py_ssize_t at) noexcept nogil:
    # All are read before the first is written: else the compiler must fear that writing one changes the next.
    cdef uint8_t a = frames[0][at], b = frames[1][at], c = frames[2][at], d = frames[3][at]
    cdef uint8_t e = frames[4][at], f = frames[5][at], g = frames[6][at], h = frames[7][at]
    to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = a, b, c, d, e, f, g, h


cdef inline void put_shorts(uint16_t* to, const uint8_t* const* frames, Py_ssize_t at) noexcept nogil:
    cdef uint16_t a = read_u16(frames[0] + at), b = read_u16(frames[1] + at)
    cdef uint16_t c = read_u16(frames[2] + at), d = read_u16(frames[3] + at)
    cdef uint16_t e = read_u16(frames[4] + at), f = read_u16(frames[5] + at)
    cdef uint16_t g = read_u16(frames[6] + at), h = read_u16(frames[7] + at)
    to[0], to[1], to[2], to[3], to[4], to[5], to[6], to[7] = a, b, c, d, e, f, g, h


cdef inline void put_words(uint32_t* to, const uint8_t* const* frames, Py_ssize_t at) noexcept nogil:
    cdef int row
    for row in range(GROUP):
        to[row] = read_u32(frames[row] + at)


cdef inline void put_longs(uint64_t* to, const uint8_t* const* frames, Py_ssize_t at, int shift) noexcept nogil:
    cdef int row
    for row in range(GROUP):
        to[row] = read_u64_high_first(frames[row] + at) >> shift


cdef inline void put_fields(const RealtimePointers* to, Py_ssize_t i, const uint8_t* const* frames) noexcept nogil:
    """Field by field, what `put_eight` does at once."""
    put_longs(to.trade_hi + i, frames, HEADER_BYTES, 0)
    put_longs(to.trade_lo + i, frames, HEADER_BYTES + 8, 0)
    put_longs(to.cable_id + i, frames, HEADER_BYTES + 32, 0)
    put_longs(to.frame_pile + i, frames, HEADER_BYTES + 16, 8)
    put_words(to.energy_e4kwh + i, frames, HEADER_BYTES + 46)
    put_words(to.loss_energy_e4kwh + i, frames, HEADER_BYTES + 50)
    put_words(to.amount_e4yuan + i, frames, HEADER_BYTES + 54)
    put_shorts(to.seq + i, frames, 2)
    put_shorts(to.voltage_dv + i, frames, HEADER_BYTES + 27)
    put_shorts(to.current_da + i, frames, HEADER_BYTES + 29)
    put_shorts(to.charge_minutes + i, frames, HEADER_BYTES + 42)
    put_shorts(to.remain_minutes + i, frames, HEADER_BYTES + 44)
    put_shorts(to.fault_bits + i, frames, HEADER_BYTES + 58)
    put_bytes(to.gun_bcd + i, frames, HEADER_BYTES + 23)
    put_bytes(to.state + i, frames, HEADER_BYTES + 24)
    put_bytes(to.gun_home + i, frames, HEADER_BYTES + 25)
    put_bytes(to.plugged + i, frames, HEADER_BYTES + 26)
    put_bytes(to.cable_temp_raw + i, frames, HEADER_BYTES + 31)
    put_bytes(to.soc + i, frames, HEADER_BYTES + 40)
    put_bytes(to.battery_temp_raw + i, frames, HEADER_BYTES + 41)


cdef inline void put_group(const RealtimePointers* to, Py_ssize_t i, Group* group, bint transposes) noexcept nogil:
    """As `put`, for all of a group: row by row each store would go to another line of the cache."""
    if transposes:
        put_eight(to, i, group.frames)
    else:
        put_fields(to, i, group.frames)
    memcpy(to.checksum_order + i, group.orders, GROUP)
    memcpy(to.exact + i, group.exacts, GROUP)


cdef inline int add_to_group(const RealtimePointers* to, Py_ssize_t i, Group* group, int rows, const uint8_t* frame,
                             Py_ssize_t length, uint8_t order, bint transposes) noexcept nogil:
    """The frame becomes row `i` when its group, which has `rows`, is full or `put_rest` is called; gives its rows."""
    group.frames[rows] = frame
    group.orders[rows] = order
    group.exacts[rows] = is_exact(length)
    if rows + 1 < GROUP:
        return rows + 1
    put_group(to, i + 1 - GROUP, group, transposes)
    return 0


cdef inline void put_rest(const RealtimePointers* to, Py_ssize_t end, const Group* group, int rows) noexcept nogil:
    """The rows of a group that did not become full, up to row `end`."""
    cdef int i
    for i in range(rows):
        put(to, end - rows + i, group.frames[i], group.orders[i])
