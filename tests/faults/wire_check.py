"""The little of the YKC protocol that a judge must know by itself: where a frame ends, and whether it arrived whole."""

from typing import Final

START: Final = 0x68
ENVELOPE_BYTES: Final = 4
LOGIN_ANSWER: Final = 0x02
HEARTBEAT_ANSWER: Final = 0x04
RECORD_ANSWER: Final = 0x40
TRADE_NO: Final = slice(6, 22)


class GarbledError(Exception):
    """What came over the line is not a frame."""


def crc16(data: bytes, crc: int = 0xFFFF) -> int:
    """CRC-16/MODBUS, bit by bit: written apart from the one that is tested."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def take_frames(buffer: bytearray) -> list[bytes]:
    """Remove the whole frames from the begin of `buffer` and give them.

    Raises GarbledError at bytes that begin no frame. The checksum is left to `is_whole`.
    """
    frames = []
    while len(buffer) >= 2:
        if buffer[0] != START:
            raise GarbledError(buffer[:16].hex())
        size = buffer[1] + ENVELOPE_BYTES
        if len(buffer) < size:
            break
        frames.append(bytes(buffer[:size]))
        del buffer[:size]
    return frames


def is_whole(frame: bytes) -> bool:
    """Whether the checksum is right, in either order of its bytes."""
    check = crc16(frame[2:-2]).to_bytes(2, "little")
    return frame[-2:] in (check, check[::-1])
