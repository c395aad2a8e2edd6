"""Ways from the bytes of reads to columns. Each gives how many readings it found, and the sum of their energies."""

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import fastcrc
import numpy as np
from construct import ConstructError

from benchmarks.frames.declared import FRAME
from benchmarks.frames.declared import READING as DECLARED_READING
from benchmarks.frames.other_checksum import checksum_in_force
from benchmarks.frames.stream import Stream
from core.checksum import CARRY_LESS, TABLES, implementations
from core.ykc import realtime
from core.ykc.codec import decode_frame
from core.ykc.realtime import RealtimeColumns
from core.ykc.splitter import ENCRYPTED, FrameSplitter

START: Final = 0x68
REALTIME: Final = 0x13
HEADER_BYTES: Final = 6
ENVELOPE_BYTES: Final = 4
READING: Final = struct.Struct("<16s7sBBBBHHB8sBBHHIIIH")
READING_FRAME_BYTES: Final = HEADER_BYTES + READING.size + 2
ENERGY: Final = 14
ROWS: Final = 16_384
READS_AT_ONCE: Final = 4
"""So many buffers are filled, then measured: a clock for each would be seen, and more would not fit the cache."""
SLOW_READS: Final = 8
"""So many reads are measured of what would take minutes for all."""

PILESTREAM: Final = "pilestream"
PYTHON_C_CRC: Final = "python, crc in c"
PYTHON_TABLE: Final = "python, crc by table"
DECLARED: Final = "construct, crc in c"
ORACLE: Final = "oracle, by the table of fields"
BYTE_TABLE: Final = "the same code, crc by byte table"
OTHERS: Final = {
    TABLES: "the same code, crc by slicing",
    CARRY_LESS: "the same code, crc by carry-less multiplication",
}
"""The product's own, where it takes another on this machine."""
UNCHECKED: Final = "the same code without crc"
FIELD_BY_FIELD: Final = "the same code, columns field by field"
COPIED: Final = "pilestream, with the copy into its buffer"
MEMCPY: Final = "memcpy"

Found = tuple[int, int]
Contestant = Callable[[Stream, bool], tuple[float, Found]]
"""Gives the processor time of one pass in seconds, and what was found; energies only when it is to verify."""


def contestants() -> dict[str, tuple[Contestant, int]]:
    """By name: a contestant, and how many passes make one of its runs."""
    found: dict[str, tuple[Contestant, int]] = {
        PYTHON_C_CRC: (partial(_python, crc=fastcrc.crc16.modbus), 1),
        PYTHON_TABLE: (partial(_python, crc=table_crc16), 1),
        DECLARED: (_declared, 1),
        ORACLE: (_oracle, 1),
        PILESTREAM: (partial(_compiled, checksum=implementations()[0]), 20),
        UNCHECKED: (partial(_compiled, checksum="unchecked"), 20),
        BYTE_TABLE: (partial(_compiled, checksum="byte_table"), 10),
        COPIED: (_copied, 20),
        MEMCPY: (_memcpy, 20),
    }
    for checksum in implementations()[1:]:
        found[OTHERS[checksum]] = (partial(_compiled, checksum=checksum), 20)
    if realtime.implementation() != realtime.BY_FIELD:
        found[FIELD_BY_FIELD] = (partial(_compiled, checksum=implementations()[0], writing=realtime.BY_FIELD), 20)
    return found


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_TABLE: Final = [_table_entry(byte) for byte in range(256)]


def table_crc16(data: bytes) -> int:
    """CRC-16/MODBUS as it is mostly written in Python."""
    crc, table = 0xFFFF, _TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


def _python(stream: Stream, verify: bool, crc: Callable[[bytes], int]) -> tuple[float, Found]:
    """What a user would write: struct for the fields, in step again byte by byte, columns as tuples."""
    unpack = READING.unpack_from
    readings = energy = 0
    started = time.thread_time()
    for data in stream.reads:
        rows: list[tuple[int, ...]] = []
        append = rows.append
        at, size = 0, len(data)
        while size - at > 1:
            end = at + data[at + 1] + ENVELOPE_BYTES
            if data[at] != START or end > size or crc(data[at + 2 : end - 2]) != data[end - 2] | data[end - 1] << 8:
                at += 1
                continue
            if data[at + 5] == REALTIME and end - at >= READING_FRAME_BYTES:
                append(unpack(data, at + HEADER_BYTES))
            at = end
        columns = list(zip(*rows, strict=True))
        readings += len(rows)
        if verify and columns:
            energy += sum(columns[ENERGY])
    return time.thread_time() - started, (readings, energy)


def _declared(stream: Stream, verify: bool) -> tuple[float, Found]:
    """What a user would take instead of writing it: a parser library that is told the layout."""
    readings = energy = 0
    reads = stream.reads[: None if verify else SLOW_READS]
    started = time.thread_time()
    for data in reads:
        rows: list[Any] = []
        at, size = 0, len(data)
        while size - at > 1:
            end = at + data[at + 1] + ENVELOPE_BYTES
            try:
                frame = FRAME.parse(data[at:end])
                body = frame.content.value.body
                if frame.content.value.type == REALTIME and len(body) >= READING.size:
                    rows.append(DECLARED_READING.parse(body))
            except ConstructError:
                at += 1
                continue
            at = end
        columns = {name: [row[name] for row in rows] for name in (rows[0] if rows else ()) if name != "_io"}
        readings += len(rows)
        if verify and columns:
            energy += sum(columns["energy"])
    return (time.thread_time() - started) * _whole(stream, reads), (readings, energy)


def _oracle(stream: Stream, verify: bool) -> tuple[float, Found]:
    """The table-driven decoder that `pilestream decode` uses and the tests compare the compiled one with."""
    splitter = FrameSplitter()
    readings = energy = 0
    reads = stream.reads[: None if verify else SLOW_READS]
    started = time.thread_time()
    for data in reads:
        splitter.flush_pending()
        spans = [splitter.span(index) for index in range(splitter.feed_bytes(data))]
        decoded = [decode_frame(frame).fields for kind, frame in spans if kind < ENCRYPTED and frame[5] == REALTIME]
        columns = {name: [row.get(name) for row in decoded] for name in (decoded[0] if decoded else ())}
        readings += len(decoded)
        if verify and columns:
            energy += sum(int(str(text).replace(".", "")) for text in columns["energy"])
    return (time.thread_time() - started) * _whole(stream, reads), (readings, energy)


def _whole(stream: Stream, reads: list[bytes]) -> float:
    """How many times as many bytes the whole stream has as these reads."""
    return sum(map(len, stream.reads)) / sum(map(len, reads))


def _compiled(stream: Stream, verify: bool, checksum: str, writing: str = "") -> tuple[float, Found]:
    """Bytes that lie in a receive buffer, where the kernel has just put them, to columns."""
    splitters = [FrameSplitter() for _ in range(READS_AT_ONCE)]
    for splitter in splitters:
        splitter.feed_bytes(stream.reads[0])  # its spans have grown then, as those of a gateway that serves
    columns = RealtimeColumns(ROWS)
    readings = energy = 0
    busy_s = 0.0
    with checksum_in_force(checksum), _writing(writing):
        for first in range(0, len(stream.reads), READS_AT_ONCE):
            fed = list(zip(splitters, stream.reads[first : first + READS_AT_ONCE], strict=False))
            for splitter, data in fed:
                splitter.flush_pending()
                splitter.get_buffer()[: len(data)] = data
            started = time.thread_time()
            for splitter, data in fed:
                columns.clear()
                splitter.feed(len(data))
                readings += columns.append_spans(splitter)
                if verify:
                    energy += _energy(columns)
            busy_s += time.thread_time() - started
    return busy_s, (readings, energy)


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Rows are written in that way meanwhile; empty: in the fastest."""
    before = realtime.implementation()
    realtime.use(name or before)
    try:
        yield
    finally:
        realtime.use(before)


def _copied(stream: Stream, verify: bool) -> tuple[float, Found]:
    """As `_compiled`, through one splitter into whose buffer each read is copied first."""
    splitter = FrameSplitter()
    columns = RealtimeColumns(ROWS)
    readings = energy = 0
    started = time.thread_time()
    for data in stream.reads:
        splitter.flush_pending()
        columns.clear()
        splitter.feed_bytes(data)
        readings += columns.append_spans(splitter)
        if verify:
            energy += _energy(columns)
    return time.thread_time() - started, (readings, energy)


def _energy(columns: RealtimeColumns) -> int:
    return int(np.sum(columns.columns()["energy_e4kwh"], dtype=np.int64))


def _memcpy(stream: Stream, verify: bool) -> tuple[float, Found]:
    """Nothing but the bytes, into one buffer."""
    room = memoryview(bytearray(max(map(len, stream.reads))))
    started = time.thread_time()
    for data in stream.reads:
        room[: len(data)] = data
    return time.thread_time() - started, (stream.readings, stream.energy_e4kwh)
