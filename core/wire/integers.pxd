# Integers in the bytes of a frame. Byte by byte, so that the machine's own byte order and the alignment do not matter;
# compilers make one load of each.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef inline uint16_t read_u16(const uint8_t* at) noexcept nogil:
    return <uint16_t>(at[0] | at[1] << 8)


cdef inline uint32_t read_u32(const uint8_t* at) noexcept nogil:
    return at[0] | <uint32_t>at[1] << 8 | <uint32_t>at[2] << 16 | <uint32_t>at[3] << 24


cdef inline uint32_t read_u32_high_first(const uint8_t* at) noexcept nogil:
    return <uint32_t>at[0] << 24 | <uint32_t>at[1] << 16 | <uint32_t>at[2] << 8 | at[3]


cdef inline uint64_t read_u64_high_first(const uint8_t* at) noexcept nogil:
    return <uint64_t>read_u32_high_first(at) << 32 | read_u32_high_first(at + 4)


cdef inline void write_u16(uint8_t* at, uint16_t value) noexcept nogil:
    at[0] = value & 0xFF
    at[1] = value >> 8


cdef inline void write_u32(uint8_t* at, uint32_t value) noexcept nogil:
    write_u16(at, value & 0xFFFF)
    write_u16(at + 2, value >> 16)


cdef inline void write_u64_high_first(uint8_t* at, uint64_t value) noexcept nogil:
    cdef int i
    for i in range(8):
        at[i] = <uint8_t>(value >> (56 - 8 * i))
