"""The contestants of benchmarks/frames do the same work: what is fast there must find the same readings."""

import pytest

from benchmarks.frames.__main__ import measured, verify
from benchmarks.frames.contestants import COPIED, PILESTREAM, PYTHON_C_CRC, contestants
from benchmarks.frames.other_checksum import checksum_in_force
from benchmarks.frames.stream import stream
from core.checksum import crc16_modbus, implementation
from core.wire.splitter import BUFFER_BYTES


@pytest.mark.parametrize("damaged", [False, True])
def test_contestants_find_what_was_sent(damaged: bool) -> None:
    sent = stream(6, 200, 3, damaged=damaged)
    assert sent == stream(6, 200, 3, damaged=damaged)
    assert sent.readings + 6 * 13 == sent.frames if not damaged else 1100 < sent.readings < 1200
    assert max(map(len, sent.reads)) <= BUFFER_BYTES
    verify(sent)


def test_a_contestant_that_finds_other_values_is_refused() -> None:
    sent = stream(2, 20, 3)
    with pytest.raises(ValueError, match=r"python, crc in c: found .* sent were"):
        verify(sent._replace(energy_e4kwh=sent.energy_e4kwh + 1))


def test_another_checksum_is_in_force_only_meanwhile() -> None:
    before = implementation()
    with checksum_in_force("unchecked"):
        assert crc16_modbus(memoryview(b"123456789\x01\x02")[:9]) == 0x0201
    with checksum_in_force("byte_table"):
        assert crc16_modbus(b"123456789") == 0x4B37
    assert (implementation(), crc16_modbus(b"123456789")) == (before, 0x4B37)


def test_the_report_names_ratios_and_versions() -> None:
    report = measured(stream(1, 32, 1), 1, 10)
    assert set(report["contestants"]) == set(contestants())
    assert len(report["ratios"]) == len(report["contestants"]) - 1
    (ratio,) = report["measures"]["vs_python"]["values"]
    assert ratio == pytest.approx(report["ratios"][f"{PILESTREAM} / {PYTHON_C_CRC}"], rel=0.01)
    assert report["contestants"][COPIED]["values"]
    assert report["versions"]["fastcrc"]
