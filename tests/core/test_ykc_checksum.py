"""Both checksums against plain bit-by-bit ones, over every length and alignment that the blocks can meet."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.checksum import crc16_modbus, crc32


def bitwise_crc16(data: bytes) -> int:
    """CRC-16/MODBUS by its definition."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def test_check_value_of_the_protocol() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37


@pytest.mark.parametrize("length", range(70))
def test_crc16_at_every_length(length: int) -> None:
    data = bytes((7 * i + length) & 0xFF for i in range(length))
    assert crc16_modbus(data) == bitwise_crc16(data)


@given(st.binary(max_size=300))
def test_crc16_is_the_bitwise_one(data: bytes) -> None:
    assert crc16_modbus(data) == bitwise_crc16(data)


@given(st.binary(max_size=200), st.integers(0, 15))
def test_crc16_does_not_depend_on_alignment(data: bytes, shift: int) -> None:
    assert crc16_modbus(memoryview(bytes(shift) + data)[shift:]) == bitwise_crc16(data)


@given(st.binary(max_size=300))
def test_crc32_is_zlibs(data: bytes) -> None:
    assert crc32(data) == binascii.crc32(data)


@given(st.binary(max_size=100), st.binary(max_size=100), st.integers(0, 2**32 - 1))
def test_crc32_goes_on_where_it_stopped(first: bytes, second: bytes, start: int) -> None:
    assert crc32(second, crc32(first, start)) == binascii.crc32(first + second, start)


def test_text_is_refused() -> None:
    with pytest.raises(TypeError):
        crc16_modbus("123456789")  # type: ignore[arg-type]
