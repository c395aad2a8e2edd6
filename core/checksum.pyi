"""Checksums of frames and of records on disk: by carry-less multiplication where the machine has it, else by tables."""

from typing import Final

from typing_extensions import Buffer

WIDE_CARRY_LESS: Final = "wide carry-less"
"""64 bytes with two instructions (VPCLMULQDQ and AVX-512 of x86)."""
CARRY_LESS: Final = "carry-less"
"""16 bytes with two instructions (PCLMULQDQ of x86)."""
TABLES: Final = "tables"
"""16 (CRC-16) or 8 (CRC-32) bytes a step by look-ups; on every machine."""

def crc16_modbus(data: Buffer) -> int:
    """CRC-16/MODBUS, the checksum of a YKC frame: 0x4B37 for b"123456789" (ykc.md section 1.1)."""

def crc32(data: Buffer, crc: int = 0) -> int:
    """The CRC-32 of zlib; `crc` is the value of what came before. Equal to `binascii.crc32`."""

def implementations() -> tuple[str, ...]:
    """Names of those that this machine can run, the fastest first. All give the same checksums."""

def implementation() -> str:
    """The name of the one in force; after import, the fastest."""

def use(name: str) -> None:
    """Put one in force, in the whole process. Raises `UnknownChecksumError` when the machine cannot run it."""
