from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef enum:
    STATUS_COMMAND = 104
    STATUS_BODY_BYTES = 169  # in every variant
    STATUS_WITH_TEMPERATURES = 173
    STATUS_WITH_SERIAL = 205
    TEXT_BYTES = 32


# Every field of a status frame (104), in wire units under the names of aaf5.md section 3, the widest first.
cdef struct Status:
    uint64_t trade_hi  # the serial as a number, when it is 32 upper-case hex digits, else 0
    uint64_t trade_lo
    uint64_t start_time  # BCD8 as a big-endian number: 0x20250808120101FF
    uint32_t alarm
    uint32_t amount_fen
    uint32_t var2
    uint32_t var3
    uint32_t duration_s
    uint32_t energy_e2kwh
    uint32_t meter_before_e2kwh
    uint32_t meter_now_e2kwh
    uint32_t strategy_param
    uint32_t card_balance_fen
    uint32_t upgrade_mode
    uint32_t power_e1kw
    uint32_t sys3
    uint32_t sys4
    uint32_t sys5
    uint16_t body_bytes  # the size of the body tells the variant
    uint16_t reserved1
    uint16_t reserved2
    uint16_t dc_voltage_dv
    uint16_t dc_current_da
    uint16_t bms_voltage_dv
    uint16_t bms_current_da
    uint16_t ac_voltage_a_dv
    uint16_t ac_voltage_b_dv
    uint16_t ac_voltage_c_dv
    uint16_t ac_current_a_da
    uint16_t ac_current_b_da
    uint16_t ac_current_c_da
    uint16_t remain_minutes
    uint8_t packed  # 1: trade_hi and trade_lo are the serial
    uint8_t info
    uint8_t seq
    uint8_t gun_count
    uint8_t gun_no
    uint8_t gun_type
    uint8_t work_state
    uint8_t soc
    uint8_t car_conn
    uint8_t bms_mode
    uint8_t start_mode
    uint8_t strategy
    uint8_t appt_flag
    uint8_t appt_timeout
    uint8_t temp_outlet  # the temperatures are 0 in a body that has none
    uint8_t temp_ambient
    uint8_t temp_gun
    uint8_t temp_water
    uint8_t pile_code[TEXT_BYTES]  # texts: up to the first NUL, zeros behind
    uint8_t card[TEXT_BYTES]
    uint8_t serial[TEXT_BYTES]


# Fill `out` from a whole frame (AA to checksum); 0 when it is no 104, shorter than the fields common to all variants,
# its length is wrong, or its sum.
cdef bint parse_status(const uint8_t* frame, Py_ssize_t length, Status* out) noexcept nogil

# The same for a frame that the splitter found whole.
cdef bint parse_verified_status(const uint8_t* frame, Py_ssize_t length, Status* out) noexcept nogil


cdef class StatusColumns:
    cdef readonly Py_ssize_t capacity
    cdef readonly Py_ssize_t count
    cdef object _rows
    cdef Status* _at
    cdef object _source
    cdef uint32_t* _source_at

    # Append one row; the caller keeps count < capacity.
    cdef void append_c(self, const Status* row) noexcept nogil
    cdef const Status* row_c(self, Py_ssize_t i) noexcept nogil
