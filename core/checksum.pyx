# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Checksums of frames and of records on disk: by carry-less multiplication where the machine has it, else by tables.

A table of 256 entries takes one step per byte and each step waits for the one before. Slicing takes a block of
16 (CRC-16) or 8 (CRC-32) bytes per step with as many tables, whose look-ups do not wait for each other. Multiplication
(folding.h) takes 16 bytes with two instructions, or 64 where registers are that wide.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from core.errors import UnknownChecksumError

cdef extern from "core/folding.h" nogil:
    void fill_foldings() noexcept
    bint machine_folds() noexcept
    bint machine_folds_wide() noexcept
    uint16_t crc16_by_folding(const uint8_t* data, Py_ssize_t length) noexcept
    uint16_t crc16_by_wide_folding(const uint8_t* data, Py_ssize_t length) noexcept
    uint32_t crc32_by_folding(uint32_t crc, const uint8_t* data, Py_ssize_t length) noexcept
    uint32_t crc32_by_wide_folding(uint32_t crc, const uint8_t* data, Py_ssize_t length) noexcept

WIDE_CARRY_LESS = "wide carry-less"
CARRY_LESS = "carry-less"
TABLES = "tables"

cdef enum:
    CRC16_SLICES = 16
    CRC32_SLICES = 8

# table[k][b]: what byte b contributes when k more bytes of the block follow it.
cdef uint16_t crc16_table[CRC16_SLICES][256]
cdef uint32_t crc32_table[CRC32_SLICES][256]


cdef void fill_tables() noexcept nogil:
    cdef int byte, bit, slice_no
    cdef uint16_t short_value
    cdef uint32_t long_value
    for byte in range(256):
        short_value = <uint16_t>byte
        long_value = <uint32_t>byte
        for bit in range(8):
            short_value = (short_value >> 1) ^ (0xA001 if short_value & 1 else 0)
            long_value = (long_value >> 1) ^ (0xEDB88320u if long_value & 1 else 0)
        crc16_table[0][byte] = short_value
        crc32_table[0][byte] = long_value
    for byte in range(256):
        for slice_no in range(1, CRC16_SLICES):
            short_value = crc16_table[slice_no - 1][byte]
            crc16_table[slice_no][byte] = (short_value >> 8) ^ crc16_table[0][short_value & 0xFF]
        for slice_no in range(1, CRC32_SLICES):
            long_value = crc32_table[slice_no - 1][byte]
            crc32_table[slice_no][byte] = (long_value >> 8) ^ crc32_table[0][long_value & 0xFF]


fill_tables()
fill_foldings()


cdef uint16_t crc16_by_tables(const uint8_t* data, Py_ssize_t length) noexcept nogil:
    cdef uint16_t crc = 0xFFFF
    while length >= CRC16_SLICES:
        crc = (
            crc16_table[15][data[0] ^ (crc & 0xFF)]
            ^ crc16_table[14][data[1] ^ (crc >> 8)]
            ^ crc16_table[13][data[2]]
            ^ crc16_table[12][data[3]]
            ^ crc16_table[11][data[4]]
            ^ crc16_table[10][data[5]]
            ^ crc16_table[9][data[6]]
            ^ crc16_table[8][data[7]]
            ^ crc16_table[7][data[8]]
            ^ crc16_table[6][data[9]]
            ^ crc16_table[5][data[10]]
            ^ crc16_table[4][data[11]]
            ^ crc16_table[3][data[12]]
            ^ crc16_table[2][data[13]]
            ^ crc16_table[1][data[14]]
            ^ crc16_table[0][data[15]]
        )
        data += CRC16_SLICES
        length -= CRC16_SLICES
    while length > 0:
        crc = (crc >> 8) ^ crc16_table[0][(crc ^ data[0]) & 0xFF]
        data += 1
        length -= 1
    return crc


cdef uint32_t crc32_by_tables(uint32_t crc, const uint8_t* data, Py_ssize_t length) noexcept nogil:
    crc = ~crc
    while length >= CRC32_SLICES:
        crc = (
            crc32_table[7][data[0] ^ (crc & 0xFF)]
            ^ crc32_table[6][data[1] ^ ((crc >> 8) & 0xFF)]
            ^ crc32_table[5][data[2] ^ ((crc >> 16) & 0xFF)]
            ^ crc32_table[4][data[3] ^ (crc >> 24)]
            ^ crc32_table[3][data[4]]
            ^ crc32_table[2][data[5]]
            ^ crc32_table[1][data[6]]
            ^ crc32_table[0][data[7]]
        )
        data += CRC32_SLICES
        length -= CRC32_SLICES
    while length > 0:
        crc = (crc >> 8) ^ crc32_table[0][(crc ^ data[0]) & 0xFF]
        data += 1
        length -= 1
    return ~crc


def implementations():
    """Names of those that this machine can run, the fastest first."""
    names = []
    if machine_folds_wide():
        names.append(WIDE_CARRY_LESS)
    if machine_folds():
        names.append(CARRY_LESS)
    return (*names, TABLES)


def implementation():
    """The name of the one in force."""
    return _in_force


def use(name):
    """Put one in force, in the whole process. Raises `UnknownChecksumError` when the machine cannot run it."""
    global _in_force, crc16_modbus_c, crc32_c
    if name not in implementations():
        raise UnknownChecksumError(f"no checksum {name!r} on this machine; there are {', '.join(implementations())}")
    if name == WIDE_CARRY_LESS:
        crc16_modbus_c = crc16_by_wide_folding
        crc32_c = crc32_by_wide_folding
    elif name == CARRY_LESS:
        crc16_modbus_c = crc16_by_folding
        crc32_c = crc32_by_folding
    else:
        crc16_modbus_c = crc16_by_tables
        crc32_c = crc32_by_tables
    _in_force = name


use(implementations()[0])


def crc16_modbus(const uint8_t[::1] data not None):
    """CRC-16/MODBUS, the checksum of a YKC frame: 0x4B37 for b"123456789" (ykc.md section 1.1)."""
    if data.shape[0] == 0:
        return 0xFFFF
    return crc16_modbus_c(&data[0], data.shape[0])


def crc32(const uint8_t[::1] data not None, uint32_t crc=0):
    """The CRC-32 of zlib; `crc` is the value of what came before. Equal to `binascii.crc32`."""
    if data.shape[0] == 0:
        return crc
    return crc32_c(crc, &data[0], data.shape[0])
