from libc.stdint cimport uint8_t, uint16_t, uint32_t

# The implementations in force; `use` of this module changes them.

# CRC-16/MODBUS over `length` bytes (ykc.md section 1.1).
cdef uint16_t (*crc16_modbus_c)(const uint8_t* data, Py_ssize_t length) noexcept nogil

# CRC-32 of zlib; `crc` is the value of the bytes before, 0 at the start.
cdef uint32_t (*crc32_c)(uint32_t crc, const uint8_t* data, Py_ssize_t length) noexcept nogil
