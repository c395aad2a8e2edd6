"""What the chargers of a whole platform send, encoded beforehand, and what of it must be found in the database."""

import time
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.fleet.readings import FRAME_BYTES
from benchmarks.sockets.traffic import (
    CHUNK,
    READING_EVERY_MS,
    SEQ,
    Traffic,
    code_of,
    energy_steps,
    heartbeat_frame,
    login_frame,
    reading_frames,
    record_frame,
)
from core.ykc.codec import encode_raw

MODEL_NO: Final = "0001"
# The mixture of a reading: an odd constant for each part, as in `readings.sql` and `pacer.c`.
_OF_TRADE_HI: Final = np.uint64(0x9E3779B97F4A7C15)
_OF_TRADE_LO: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_OF_SEQ: Final = np.uint64(0x165667B19E3779F9)
_OF_ENERGY: Final = np.uint64(0xD6E8FEB86659FD93)
_TRADE_AT: Final = slice(6, 22)
_SEQ_AT: Final = slice(2, 4)
_ENERGY_AT: Final = slice(52, 56)


class Sent(NamedTuple):
    """What must be stored: so many readings, their digest modulo 2^64, so many records."""

    readings: int
    digest: int
    records: int


def write_lives(path: Path, connections: int, first: int = 0) -> Path:
    """The frames of each charger's life, as `pacer.c` wants them; `first` is the number of the first charger."""
    now_ms = time.time_ns() // 1_000_000
    with path.open("wb") as file:
        for begin in range(first, first + connections, CHUNK):
            numbers = np.arange(begin, min(begin + CHUNK, first + connections))
            frames = reading_frames(numbers, np.zeros((len(numbers), 1), np.int64))
            for number, reading in zip(numbers.tolist(), frames, strict=True):
                record = record_frame(number, 0, now_ms, now_ms)
                file.write(login_frame(number) + check_frame(number) + heartbeat_frame(number))
                file.write(_without_number(reading) + _without_number(record))
    return path


def write_stored(path: Path, connections: int, readings: int, seed: int) -> tuple[Traffic, Sent]:
    """Each charger was offline for a whole charge: after a heartbeat and a check of its tariff come its stored readings
    and its record.
    """
    rng = np.random.default_rng(seed)
    now_ms = time.time_ns() // 1_000_000
    login, tail = len(login_frame(0)), len(record_frame(0, 0, now_ms, now_ms))
    before = len(heartbeat_frame(0) + check_frame(0))
    digest = 0
    with path.open("wb") as file:
        for begin in range(0, connections, CHUNK):
            numbers = np.arange(begin, min(begin + CHUNK, connections))
            energies = np.cumsum(energy_steps(rng, len(numbers), readings), axis=1)
            frames = reading_frames(numbers, energies)
            digest += digest_of(b"".join(frames))
            for row, number in enumerate(numbers.tolist()):
                file.write(login_frame(number) + heartbeat_frame(number) + check_frame(number))
                file.write(b"".join(frames[row * readings : (row + 1) * readings]))
                begun_ms = now_ms - readings * READING_EVERY_MS
                file.write(record_frame(number, int(energies[row, -1]), begun_ms, now_ms))
    frames_sent = connections * (readings + 1)
    traffic = Traffic(path, connections, login, before + readings * FRAME_BYTES, tail, frames_sent)
    return traffic, Sent(connections * readings, digest % 2**64, connections)


def digest_of(frames: bytes) -> int:
    """The sum of the mixtures of realtime frames that lie one after the other, modulo 2^64."""
    rows = np.frombuffer(frames, np.uint8).reshape(-1, FRAME_BYTES)
    trades = _column(rows[:, _TRADE_AT], ">u8")
    mix = trades[:, 0] * _OF_TRADE_HI + trades[:, 1] * _OF_TRADE_LO
    mix = (
        mix + _column(rows[:, _SEQ_AT], "<u2")[:, 0] * _OF_SEQ + _column(rows[:, _ENERGY_AT], "<u4")[:, 0] * _OF_ENERGY
    )
    return int(np.sum(mix ^ (mix >> np.uint64(32)), dtype=np.uint64))


def check_frame(number: int) -> bytes:
    """0x05 of the charger behind a connection: it holds the tariff that is valid."""
    return encode_raw(
        "tariff_check", {"pile_code": code_of(number), "model_no": MODEL_NO}, seq=SEQ, checksum_order="le"
    )


def _without_number(frame: bytes) -> bytes:
    """The frame with zeros for the last digits of its trade number; its sender counts there, and seals it anew."""
    return frame[: _TRADE_AT.stop - 4] + bytes(4) + frame[_TRADE_AT.stop :]


def _column(rows: npt.NDArray[np.uint8], kind: str) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(rows).view(kind).astype(np.uint64)
