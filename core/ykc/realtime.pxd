from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from core.ykc.realtime_fields cimport REALTIME_FRAME_BYTES, RealtimePointers


cdef enum:
    REALTIME_TYPE = 0x13
    ORDER_WRONG = 0
    ORDER_LE = 1
    ORDER_BE = 2


# Every field of a realtime frame (0x13), in wire units; the names are the columns of table `readings`.
cdef struct Realtime:
    uint64_t trade_hi  # first 8 bytes of the trade number as a big-endian number
    uint64_t trade_lo
    uint64_t frame_pile  # 7 BCD bytes as a big-endian number
    uint64_t cable_id  # 8 raw bytes as a big-endian number
    uint32_t energy_e4kwh
    uint32_t loss_energy_e4kwh
    uint32_t amount_e4yuan
    uint16_t seq  # little-endian, as the firmware writes it
    uint16_t voltage_dv
    uint16_t current_da
    uint16_t charge_minutes
    uint16_t remain_minutes
    uint16_t fault_bits
    uint8_t checksum_order  # ORDER_*
    uint8_t gun_bcd
    uint8_t state
    uint8_t gun_home
    uint8_t plugged
    uint8_t cable_temp_raw
    uint8_t soc
    uint8_t battery_temp_raw
    uint8_t exact  # 1: write_realtime gives the same bytes


# Fill `out` from a whole frame (start byte to checksum); 0 when it is no 0x13, is encrypted or too short for the table,
# its length byte is wrong, or its checksum fits in neither order.
cdef bint parse_realtime(const uint8_t* frame, Py_ssize_t length, Realtime* out) noexcept nogil

# The same for a frame whose checksum was already found right in `checksum_order` (the splitter's FRAME_LE, FRAME_BE).
cdef bint parse_verified(const uint8_t* frame, Py_ssize_t length, uint8_t checksum_order, Realtime* out) noexcept nogil

# Write the frame of `row` to `out`, which has room for REALTIME_FRAME_BYTES; gives that number.
cdef Py_ssize_t write_realtime(const Realtime* row, uint8_t* out) noexcept nogil


cdef inline uint8_t connector_of_gun(uint8_t gun_bcd) noexcept nogil:
    """The connector's number: gun 0x12 is connector 12."""
    return (gun_bcd >> 4) * 10 + (gun_bcd & 0x0F)


cdef class RealtimeColumns:
    cdef readonly Py_ssize_t capacity
    cdef readonly Py_ssize_t count
    cdef RealtimePointers _at
    cdef dict _arrays
    cdef object _source
    cdef uint32_t* _source_at

    # Append the row of a whole frame; 0 as parse_realtime. The caller keeps count < capacity.
    cdef bint append_c(self, const uint8_t* frame, Py_ssize_t length) noexcept nogil
    cdef void row_c(self, Py_ssize_t i, Realtime* row) noexcept nogil
