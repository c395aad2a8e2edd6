"""The bytes that all contestants get: what many chargers send, cut into reads of a socket."""

from typing import Final, NamedTuple

import numpy as np

from benchmarks.fleet.readings import CHARGING, Columns, blank_columns, frames_of
from core.wire.splitter import BUFFER_BYTES
from core.ykc.codec import CHECKSUM_BYTES, HEADER_BYTES, wrap_body

CODE_FROM: Final = 32_010_600_100_000
READING_EVERY_MS: Final = 15_000
READINGS_PER_HEARTBEAT: Final = 16
LONGER_OF: Final = 5
"""One of so many chargers sends readings longer than the table, as derivatives of the protocol do."""
LONGER_BYTES: Final = (4, 8, 12)
VOLTS_DV: Final = 6_000
PRICE_E4YUAN: Final = 14_000
E4: Final = 10_000
DAMAGED_OF: Final = 200
FOLLOWING: Final = 8


class Stream(NamedTuple):
    """What came, read by read. Each read ends with the last byte of what was sent, whole or damaged."""

    reads: list[bytes]
    frames: int
    """Sent whole, readings and heartbeats."""
    readings: int
    energy_e4kwh: int
    """The sum over the readings that were sent whole, which each contestant must find."""
    is_damaged: bool


def stream(chargers: int, readings: int, seed: int, *, damaged: bool = False) -> Stream:
    """Stored readings of each charger and now and then a heartbeat, one charger after the other.

    With `damaged`, one of 200 frames has a flipped bit or lost its end, or noise stands in its place.
    """
    rng = np.random.default_rng(seed)
    reads: list[bytearray] = [bytearray()]
    frames = whole_readings = energy = 0
    for number in range(chargers):
        columns = _columns(number, readings, rng)
        frames_sent = _sent(number, columns)
        for place, frame in enumerate(frames_sent):
            # A damaged frame claims more bytes than it has: good ones must follow in the same read.
            is_followed = place < len(frames_sent) - FOLLOWING and len(reads[-1]) < BUFFER_BYTES - 100 * FOLLOWING
            is_whole = not (damaged and is_followed and rng.integers(DAMAGED_OF) == 0)
            sent = frame if is_whole else _damaged(frame, place, rng)
            if len(reads[-1]) + len(sent) > BUFFER_BYTES:
                reads.append(bytearray())
            reads[-1] += sent
            frames += is_whole
            if is_whole and frame[5] == 0x13:
                whole_readings += 1
                energy += int.from_bytes(frame[52:56], "little")
    return Stream([bytes(read) for read in reads], frames, whole_readings, energy, damaged)


def _sent(number: int, columns: Columns) -> list[bytes]:
    readings = len(columns["state"])
    frames = frames_of(columns, np.arange(readings) & 0xFFFF)
    if number % LONGER_OF == 0:
        more = bytes(LONGER_BYTES[number // LONGER_OF % len(LONGER_BYTES)])
        frames = [wrap_body(0x13, frame[HEADER_BYTES:-CHECKSUM_BYTES] + more, seq=frame[2:4]) for frame in frames]
    code = bytes.fromhex(f"{CODE_FROM + number:014d}")
    sent = []
    for place, frame in enumerate(frames):
        if place % READINGS_PER_HEARTBEAT == 0:
            sent.append(wrap_body(0x03, code + b"\x01\x00", seq=frame[2:4]))
        sent.append(frame)
    return sent


def _columns(number: int, readings: int, rng: np.random.Generator) -> Columns:
    """A charge at a power that falls slowly and is never quite still."""
    columns = blank_columns(readings)
    moments_ms = np.arange(1, readings + 1) * READING_EVERY_MS
    power_w = (np.linspace(120_000, 40_000, readings) * rng.normal(1.0, 0.02, readings)).astype(np.int64)
    energy = np.cumsum(power_w * READING_EVERY_MS // 360_000)
    for name, value in (("checksum_order", 1), ("state", CHARGING), ("plugged", 1), ("voltage_dv", VOLTS_DV)):
        columns[name][:] = value
    columns["gun_bcd"] = np.arange(readings) % 2 + 1
    columns["trade_hi"][:] = int(f"{CODE_FROM + number:014d}01", 16)
    columns["trade_lo"][:] = int(f"260922{number:010d}", 16)
    columns["frame_pile"][:] = int(f"{CODE_FROM + number:014d}", 16)
    columns["cable_id"] = rng.integers(0, 2**63, readings, dtype=np.uint64)
    columns["current_da"] = power_w * 100 // VOLTS_DV
    columns["cable_temp_raw"] = 75 + power_w // 10_000
    columns["battery_temp_raw"] = 76 + power_w // 20_000
    columns["soc"] = np.minimum(20 + moments_ms // 90_000, 100)
    columns["charge_minutes"] = moments_ms // 60_000 & 0xFFFF
    columns["remain_minutes"] = moments_ms[::-1] // 60_000 & 0xFFFF
    columns["energy_e4kwh"] = columns["loss_energy_e4kwh"] = energy
    columns["amount_e4yuan"] = energy * PRICE_E4YUAN // E4
    return columns


def _damaged(frame: bytes, place: int, rng: np.random.Generator) -> bytes:
    at = 2 + int(rng.integers(len(frame) - 2))
    if place % 3 == 0:
        return frame[:at]
    if place % 3 == 1:
        return rng.bytes(at)
    return frame[:at] + bytes([frame[at] ^ 1 << at % 8]) + frame[at + 1 :]
