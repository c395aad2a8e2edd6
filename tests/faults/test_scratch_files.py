"""What counts as left behind: a process that is killed leaves a file that stays, one at work leaves none."""

import threading
from pathlib import Path

from ingest.liveness import replace_file
from tests.faults.scratch_files import left_behind, scratch_files


def test_a_file_that_stays_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "clickhouse").mkdir()
    (tmp_path / "clickhouse" / "its_own.tmp").write_bytes(b"")
    (tmp_path / "run").mkdir()
    torn = tmp_path / "run" / ".alive.json.new"
    torn.write_bytes(b"half of")
    assert [file.path for file in left_behind(tmp_path, 0.3)] == [torn]


def test_a_file_that_is_written_again_and_again_is_not(tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            replace_file(tmp_path / "alive.json", b"1" * 65_536)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        assert any(scratch_files(tmp_path) for _ in range(20_000)), "no look met a file that is being written"
        assert left_behind(tmp_path, 0.5) == set()
    finally:
        ended.set()
        writing.join()
