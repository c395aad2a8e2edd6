"""What a recovery finds it sets aside with its reason, writes down, logs and shows."""

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.disk import Disk
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments
from ingest.set_aside import LIST_FILE, read_set_aside
from ingest.spool_folders import close_unattended, spool_folders
from ingest.spool_recovery import RECOVERY_FILE, read_recovery
from ingest.spool_status import read_spool_status
from service.settings import Settings
from service.status import read_status
from tests.ingest.charger_frames import heartbeat
from tests.ingest.spool_parts import NOW_MS, add_frame, open_spool

RECORD = 56 + len(heartbeat())


def spool_with(folder: Path, frames: int) -> Path:
    spool = open_spool(folder)
    for number in range(frames):
        add_frame(spool, heartbeat(), receive_ms=NOW_MS + number)
    spool.close()
    (segment,) = list_segments(folder)
    return segment.path


@pytest.mark.parametrize("torn", [b"", b'{"at_ms": 17'])
def test_a_torn_note_of_a_recovery_stops_nobody(tmp_path: Path, torn: bytes) -> None:
    folder = tmp_path / "spool" / "0"
    spool_with(folder, 2)
    (folder / RECOVERY_FILE).write_bytes(torn)
    assert read_recovery(folder) is None
    assert "recovery" not in read_status(Settings(data=str(tmp_path)))["spool"]["folders"]["0"]
    open_spool(folder).close()
    assert read_recovery(folder) is not None, "the next one is told again"


def test_torn_and_flipped_bytes_are_told_with_their_reasons(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "spool" / "0"
    path = spool_with(folder, 10)
    data = bytearray(path.read_bytes())
    data[SEGMENT_HEADER_BYTES + 3 * RECORD + 60] ^= 4
    path.write_bytes(data[:-7])
    (folder / "00000000000000aa.seg").write_bytes(b"torn at its creation")
    with caplog.at_level(logging.WARNING):
        open_spool(folder).close()
    recovery = read_recovery(folder)
    assert recovery is not None
    assert (recovery.records, recovery.cut_bytes, recovery.damaged_bytes, recovery.files) == (8, RECORD - 7, RECORD, 1)
    assert recovery.at_ms == NOW_MS
    assert {(entry.segment, entry.offset, entry.reason) for entry in read_set_aside(folder)} == {
        (path.stem, SEGMENT_HEADER_BYTES + 9 * RECORD, "incomplete"),
        ("00000000000000aa", 0, "header"),
    }
    for entry in read_set_aside(folder):
        assert (folder / entry.file).stat().st_size == entry.length
    assert "set aside 66 torn bytes, 1 files without a header; found 73 damaged bytes" in caplog.text
    shown = read_status(Settings(data=str(tmp_path)))["spool"]["folders"]["0"]
    assert shown["set_aside"] == {
        "header": {"stretches": 1, "bytes": 20},
        "incomplete": {"stretches": 1, "bytes": RECORD - 7},
    }
    assert shown["recovery"]["damaged_bytes"] == RECORD
    assert json.loads(json.dumps(shown)) == shown


def test_a_sound_folder_has_nothing_to_tell(tmp_path: Path) -> None:
    spool_with(tmp_path, 3)
    open_spool(tmp_path).close()
    assert not (tmp_path / LIST_FILE).exists()
    assert read_spool_status(tmp_path)["folders"]["."] == {"segments": 1, "bytes": SEGMENT_HEADER_BYTES + 3 * RECORD}


def test_a_list_cut_by_a_crash_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = spool_with(tmp_path, 2)
    path.write_bytes(path.read_bytes()[:-1])
    open_spool(tmp_path).close()
    with (tmp_path / LIST_FILE).open("ab") as file:
        file.write(b'{"segment":"00')
    assert len(read_set_aside(tmp_path)) == 1


WRITER = """
import sys, time
from pathlib import Path
from tests.ingest.spool_parts import open_spool, add_frame
from tests.ingest.charger_frames import heartbeat
spool = open_spool(Path(sys.argv[1]))
add_frame(spool, heartbeat())
spool.commit()
print("written", flush=True)
time.sleep(60)
"""


def test_a_folder_is_closed_only_when_its_writer_is_gone(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "3")], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"written\n"
    assert close_unattended(tmp_path / "3", Disk(), NOW_MS) == frozenset()
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    (segment,) = list_segments(tmp_path / "3")
    assert close_unattended(tmp_path / "3", Disk(), NOW_MS) == {segment.segment_id}


def test_folders_are_found_by_what_lies_in_them(tmp_path: Path) -> None:
    for name in ("10", "2", "restored"):
        spool_with(tmp_path / name, 1)
    (tmp_path / "restored" / "writer.lock").unlink()
    (tmp_path / "replayed" / "staging-x").mkdir(parents=True)
    (tmp_path / "loaded").mkdir()
    assert [path.name for path in spool_folders(tmp_path)] == [tmp_path.name, "2", "10", "restored"]
    assert len(close_unattended(tmp_path / "restored", Disk(), NOW_MS)) == 1


def test_what_the_limit_cost_is_shown(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool" / "0", segment_bytes=400, max_bytes=2_000)
    for number in range(60):
        add_frame(spool, heartbeat(), receive_ms=NOW_MS + number)
        spool.commit()
    shed = spool.shed
    spool.close()
    assert shed.records > 0
    shown = read_status(Settings(data=str(tmp_path)))["spool"]["folders"]["0"]["shed"]
    assert shown == {"segments": shed.segments, "records": shed.records, "bytes": shed.bytes}
