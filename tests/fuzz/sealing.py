"""Makes mutated bytes pass the checks of an envelope, so that a fuzzer gets behind a checksum that it cannot guess."""

from collections.abc import Callable
from random import Random

from core.checksum import crc16_modbus

Seal = Callable[[bytes, Random], bytes]

_YKC_MIN_LENGTH = 4
_YKC_ENVELOPE = 4
_AAF5_MIN_LENGTH = 9
_AAF5_MAX_LENGTH = 1024
_AAF5_CHECKED_FROM = 6


def seal_ykc(stream: bytes, rng: Random) -> bytes:
    """The stream with most of its frames' checksums made right, in either order; a frame cut short may be closed.

    ykc.md section 1: length byte from the sequence to the body's end, CRC-16/MODBUS over the same bytes.
    """
    data = bytearray(stream)
    at = data.find(0x68)
    while 0 <= at < len(data) - 1:
        size = data[at + 1] + _YKC_ENVELOPE
        rest = len(data) - at
        if rest < size <= 259 and rest >= _YKC_MIN_LENGTH + _YKC_ENVELOPE and rng.random() < 0.5:
            size = rest
            data[at + 1] = size - _YKC_ENVELOPE
        whole = _YKC_MIN_LENGTH + _YKC_ENVELOPE <= size <= rest
        if not whole or rng.random() < 0.1:
            at = data.find(0x68, at + 1)
            continue
        if rng.random() < 0.9:
            data[at + 4] = 0
        checksum = crc16_modbus(bytes(data[at + 2 : at + size - 2]))
        data[at + size - 2 : at + size] = checksum.to_bytes(2, "little" if rng.random() < 0.9 else "big")
        at = data.find(0x68, at + size)
    return bytes(data)


def seal_aaf5(stream: bytes, rng: Random) -> bytes:
    """The stream with most of its frames' sums made right; a frame cut short may be closed.

    aaf5.md section 1: u16 length of the whole frame, low byte of the sum from the command to the data's end.
    """
    data = bytearray(stream)
    at = data.find(b"\xaa\xf5")
    while 0 <= at < len(data) - 3:
        size = int.from_bytes(data[at + 2 : at + 4], "little")
        rest = len(data) - at
        if (size > rest or size < _AAF5_MIN_LENGTH) and rest >= _AAF5_MIN_LENGTH and rng.random() < 0.5:
            size = min(rest, _AAF5_MAX_LENGTH)
            data[at + 2 : at + 4] = size.to_bytes(2, "little")
        whole = _AAF5_MIN_LENGTH <= size <= min(rest, _AAF5_MAX_LENGTH)
        if not whole or rng.random() < 0.1:
            at = data.find(b"\xaa\xf5", at + 2)
            continue
        data[at + size - 1] = sum(data[at + _AAF5_CHECKED_FROM : at + size - 1]) & 0xFF
        at = data.find(b"\xaa\xf5", at + size)
    return bytes(data)


def seal_either(stream: bytes, rng: Random) -> bytes:
    """As one protocol or the other."""
    return seal_ykc(stream, rng) if rng.random() < 0.5 else seal_aaf5(stream, rng)
