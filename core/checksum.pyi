"""Checksums of frames and of records on disk, computed from lookup tables many bytes at a time."""

from typing_extensions import Buffer

def crc16_modbus(data: Buffer) -> int:
    """CRC-16/MODBUS, the checksum of a YKC frame: 0x4B37 for b"123456789" (ykc.md section 1.1)."""

def crc32(data: Buffer, crc: int = 0) -> int:
    """The CRC-32 of zlib; `crc` is the value of what came before. Equal to `binascii.crc32`."""
