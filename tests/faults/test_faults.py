"""A short run of the fault suite: some kills of a real platform, and a power cut that no early answer survives.

`make faults` runs it at length; the tally is in docs/promises.md.
"""

from pathlib import Path

import pytest

from tests.faults.charger_driver import NUMBERS_OF_A_RUN
from tests.faults.kills import PILES, kill_rounds
from tests.faults.platter import Platter
from tests.faults.power_cuts import gateway_without_power
from tests.faults.sender_log import number_of
from tests.faults.wire_check import GarbledError, is_whole, take_frames
from tests.ingest.charger_frames import heartbeat, record

pytestmark = [pytest.mark.fault]
SEED = 20_260


@pytest.mark.server
@pytest.mark.system
def test_a_platform_killed_under_load_keeps_every_acknowledged_bill_once(tmp_path: Path) -> None:
    """Promises P1, P4: one of two workers, their hub, loader and ClickHouse are killed; no leak, ended by SIGTERM."""
    rows = kill_rounds(tmp_path, 1, SEED, targets=("gateway+hub+loader+clickhouse",), workers=2)
    assert [line for row in rows for line in row.wrong] == []
    assert rows[-1].acknowledged == rows[-1].found > 0


@pytest.mark.server
def test_an_acknowledged_bill_survives_a_power_cut(tmp_path: Path) -> None:
    """Promise P1."""
    row = gateway_without_power(tmp_path, SEED)
    assert row.wrong == []
    assert row.acknowledged == row.found > 0


@pytest.mark.server
@pytest.mark.parametrize("mutation", ["early_ack", pytest.param("no_sync", marks=pytest.mark.long)])
def test_the_suite_sees_an_acknowledgement_before_the_sync(mutation: str, tmp_path: Path) -> None:
    """Promise P1: the test above has teeth."""
    row = gateway_without_power(tmp_path, SEED, **{mutation: True})
    assert row.missing > 0
    assert all(line.startswith("acknowledged and missing") for line in row.wrong)


def test_a_power_cut_leaves_synced_bytes_under_synced_names(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    platter = Platter(tmp_path / "platter")
    platter.take_in(folder)
    with (folder / "known.seg").open("wb", buffering=0) as file:
        file.write(b"synced")
        platter.note_file(file.fileno())
        platter.note_folder(folder)
        file.write(b" and not")
    (folder / "nameless.seg").write_bytes(b"never listed")
    platter.cut(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"known.seg": b"synced"}


def test_the_witness_reads_frames_by_itself() -> None:
    frames = [heartbeat(), record("0" * 32)]
    buffer = bytearray(frames[0] + frames[1] + frames[0][:5])
    assert take_frames(buffer) == frames
    assert all(is_whole(frame) for frame in frames)
    assert bytes(buffer) == frames[0][:5]
    assert not is_whole(frames[0][:-3] + b"\xff" + frames[0][-2:])
    with pytest.raises(GarbledError):
        take_frames(bytearray(b"\x00\x01\x02"))


def test_a_number_is_in_the_trade_number() -> None:
    assert number_of(f"{PILES[0]}01{NUMBERS_OF_A_RUN + 7:016d}") == NUMBERS_OF_A_RUN + 7
