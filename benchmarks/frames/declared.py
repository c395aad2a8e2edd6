"""The realtime frame as it is described for `construct`, the parser library that Python users mostly take."""

from typing import Any, Final

import fastcrc
from construct import (
    Byte,
    Bytes,
    Checksum,
    Const,
    GreedyBytes,
    Int16ul,
    Int32ul,
    Prefixed,
    RawCopy,
    Struct,
    this,
)

CONTENT: Final = RawCopy(
    Struct(
        "seq" / Int16ul,
        "encryption" / Byte,
        "type" / Byte,
        "body" / GreedyBytes,
    )
)
FRAME: Final[Any] = Struct(
    "start" / Const(b"\x68"),
    "content" / Prefixed(Byte, CONTENT),
    "checksum" / Checksum(Int16ul, fastcrc.crc16.modbus, this.content.data),
).compile()
READING: Final[Any] = Struct(
    "trade_no" / Bytes(16),
    "pile_code" / Bytes(7),
    "gun" / Byte,
    "state" / Byte,
    "gun_home" / Byte,
    "plugged" / Byte,
    "voltage" / Int16ul,
    "current" / Int16ul,
    "cable_temp" / Byte,
    "cable_id" / Bytes(8),
    "soc" / Byte,
    "battery_temp" / Byte,
    "charge_minutes" / Int16ul,
    "remain_minutes" / Int16ul,
    "energy" / Int32ul,
    "loss_energy" / Int32ul,
    "amount" / Int32ul,
    "fault_bits" / Int16ul,
).compile()
