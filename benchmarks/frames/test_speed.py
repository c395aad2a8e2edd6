"""Single steps by pytest-benchmark: `python -m pytest benchmarks/frames/test_speed.py`."""

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.frames.other_checksum import checksum_in_force
from benchmarks.frames.stream import stream
from core.checksum import crc16_modbus, crc32, implementations
from core.ykc import realtime
from core.ykc.realtime import RealtimeColumns
from core.ykc.splitter import FrameSplitter

FRAME_CONTENT = bytes(range(64))
RECORD = bytes(range(116))
READINGS = 800
SENT = stream(1, READINGS, 1)


@pytest.fixture(params=implementations())
def checksum(request: pytest.FixtureRequest) -> Any:
    """The implementation that is measured."""
    with checksum_in_force(request.param):
        yield request.param


def test_crc16_of_a_frame(benchmark: BenchmarkFixture, checksum: str) -> None:
    benchmark(crc16_modbus, FRAME_CONTENT)


def test_crc32_of_a_record(benchmark: BenchmarkFixture, checksum: str) -> None:
    benchmark(crc32, RECORD)


def test_split_of_a_read(benchmark: BenchmarkFixture, checksum: str) -> None:
    splitter = FrameSplitter()
    assert benchmark(splitter.feed_bytes, SENT.reads[0]) == SENT.frames


@pytest.mark.parametrize("writing", realtime.implementations())
def test_decode_of_what_was_split(benchmark: BenchmarkFixture, writing: str) -> None:
    realtime.use(writing)
    splitter = FrameSplitter()
    splitter.feed_bytes(SENT.reads[0])
    columns = RealtimeColumns(SENT.frames)

    def decode() -> int:
        columns.clear()
        return columns.append_spans(splitter)

    assert benchmark(decode) == READINGS
    realtime.use(realtime.implementations()[0])
