"""Each implementation of both checksums against plain ones, over every length and place that its blocks can meet."""

import binascii
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.checksum import crc16_modbus, crc32, implementation, implementations, use
from core.errors import UnknownChecksumError

# A folded message goes in pieces of 256 bytes; 1024 meets every border of pieces, blocks and words.
LONGEST = 1024
ALIGNMENTS = 16
NOISE = bytes((167 * i + (i >> 3) * 29 + (i >> 7)) & 0xFF for i in range(LONGEST + ALIGNMENTS))

with_each = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(params=["tables", "carry-less", "wide carry-less"])
def checksum(request: pytest.FixtureRequest) -> Iterator[str]:
    """The implementation in force during the test."""
    if request.param not in implementations():
        pytest.skip(f"this machine has no {request.param}")
    before = implementation()
    use(request.param)
    yield request.param
    use(before)


def bitwise_crc16(data: bytes, crc: int = 0xFFFF) -> int:
    """CRC-16/MODBUS by its definition."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def test_check_values(checksum: str) -> None:
    assert implementation() == checksum
    assert crc16_modbus(b"123456789") == 0x4B37
    assert crc32(b"123456789") == 0xCBF43926
    assert (crc16_modbus(b""), crc32(b""), crc32(b"", 7)) == (0xFFFF, 0, 7)


@pytest.mark.parametrize("start", range(ALIGNMENTS))
def test_every_length_at_every_alignment(checksum: str, start: int) -> None:
    view = memoryview(NOISE)
    plain = 0xFFFF
    for length in range(LONGEST + 1):
        data = view[start : start + length]
        assert crc16_modbus(data) == plain, length
        assert crc32(data) == binascii.crc32(data), length
        plain = bitwise_crc16(NOISE[start + length : start + length + 1], plain)


@with_each
@given(data=st.binary(max_size=300))
def test_crc16_is_the_bitwise_one(checksum: str, data: bytes) -> None:
    assert crc16_modbus(data) == bitwise_crc16(data)


@with_each
@given(data=st.binary(max_size=LONGEST))
def test_crc32_is_zlibs(checksum: str, data: bytes) -> None:
    assert crc32(data) == binascii.crc32(data)


@with_each
@given(first=st.binary(max_size=100), second=st.binary(max_size=100), start=st.integers(0, 2**32 - 1))
def test_crc32_goes_on_where_it_stopped(checksum: str, first: bytes, second: bytes, start: int) -> None:
    assert crc32(second, crc32(first, start)) == binascii.crc32(first + second, start)


@with_each
@given(data=st.binary(min_size=1, max_size=LONGEST), bit=st.integers(0, 8 * LONGEST - 1))
def test_one_flipped_bit_is_seen(checksum: str, data: bytes, bit: int) -> None:
    flipped = bytearray(data)
    flipped[bit // 8 % len(data)] ^= 1 << bit % 8
    assert crc16_modbus(flipped) != crc16_modbus(data)
    assert crc32(flipped) != crc32(data)


def test_an_unknown_implementation_is_refused() -> None:
    before = implementation()
    with pytest.raises(UnknownChecksumError, match=r"no checksum 'fastest' on this machine; there are .*tables"):
        use("fastest")
    assert implementation() == before


def test_text_is_refused() -> None:
    with pytest.raises(TypeError):
        crc16_modbus("123456789")  # type: ignore[arg-type]
