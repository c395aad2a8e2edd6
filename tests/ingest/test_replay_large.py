"""Captures that do not fit into the memory: sorted on the disk, read twice, taken as a whole or not at all."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from ingest import capture as capture_module
from ingest.capture import CapturedFrame, CaptureError, CaptureFile, Step
from ingest.disk import Disk
from ingest.errors import IngestError
from ingest.replay import Replayer
from ingest.spool import Spool
from tests.ingest.charger_frames import CODE, NOW_MS, OTHER_CODE
from tests.ingest.test_replay import Here, Line, session, write_capture


def lines_of(days: int) -> list[Line]:
    """Two chargers, a charge a day each; some frames come at one moment."""
    return [
        line
        for day in range(days)
        for code in (CODE, OTHER_CODE)
        for line in session(code, NOW_MS + day * 24 * 3_600_000)
    ]


@pytest.fixture
def small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many runs, and lines that lie across the borders of what is read at once."""
    monkeypatch.setattr(capture_module, "RUN_BYTES", 3_000)
    monkeypatch.setattr(capture_module, "MOST_RUNS", 10_000)
    monkeypatch.setattr(capture_module, "READ_BYTES", 997)
    monkeypatch.setattr(capture_module, "RUN_READ_BYTES", 101)


def read_all(path: Path, scratch: Path) -> list[CapturedFrame]:
    scratch.mkdir(exist_ok=True)
    with CaptureFile(path) as capture:
        survey = capture.survey()
        return list(capture.frames(survey, survey.identities == survey.identities, scratch))


@pytest.mark.usefixtures("small_runs")
@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_lines_is_brought_to_the_order_of_time_and_line(tmp_path: Path, seed: int) -> None:
    lines = [(ts - ts % 60_000, conn, frame) for ts, conn, frame in lines_of(3)]
    random.Random(seed).shuffle(lines)
    path = write_capture(tmp_path / "a.jsonl", lines)
    found = [(line.ts, line.conn, line.frame) for line in read_all(path, tmp_path / "runs")]
    assert found == sorted(lines, key=lambda line: line[0])
    assert len(list((tmp_path / "runs").iterdir())) > 5


@pytest.mark.usefixtures("small_runs")
def test_a_capture_in_order_needs_no_room_for_sorting(tmp_path: Path) -> None:
    lines = sorted(lines_of(2), key=lambda line: line[0])
    found = read_all(write_capture(tmp_path / "a.jsonl", lines), tmp_path / "runs")
    assert [(line.ts, line.conn, line.frame) for line in found] == lines
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.usefixtures("small_runs")
def test_a_large_capture_becomes_what_a_small_one_does(tmp_path: Path) -> None:
    lines = lines_of(3)
    in_order, shuffled = list(lines), list(lines)
    in_order.sort(key=lambda line: line[0])
    random.Random(7).shuffle(shuffled)
    one, two, three = (Here(tmp_path / name) for name in ("one", "two", "three"))
    one.frames(in_order)
    two.replay(write_capture(tmp_path / "a.jsonl", in_order))
    report = three.replay(write_capture(tmp_path / "b.jsonl", shuffled))
    assert one.content.headers == two.content.headers
    assert one.content.up == two.content.up
    assert one.content.events == two.content.events
    assert sorted(three.content.up) == sorted(one.content.up)
    assert (report.frames, report.repeated) == (len(lines), 0)
    assert three.replay(tmp_path / "b.jsonl").repeated == len(lines)
    assert [path.suffix for path in (three.folder / "replayed").iterdir()] == [".lines"], "no runs are left"


@pytest.mark.usefixtures("small_runs")
def test_a_wrong_line_is_named_by_its_number_and_nothing_is_taken(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.jsonl", lines_of(2))
    with path.open("a", encoding="utf-8") as file:
        file.write('\n\n{"ts": 1, "conn": "c", "protocol": "ykc", "hex": ""}')
    here = Here(tmp_path)
    with pytest.raises(CaptureError, match=f"line {len(lines_of(2)) + 3}"):
        here.replay(path)
    assert not list(here.folder.glob("*.seg"))
    assert not (here.folder / "replayed").exists() or not list((here.folder / "replayed").iterdir())


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_module, "LONGEST_LINE_BYTES", 1 << 20)
    monkeypatch.setattr(capture_module, "READ_BYTES", 1 << 18)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"ts": 1}' * 500_000)
    with pytest.raises(CaptureError, match="line 1: longer than 1 MB"):
        read_all(path, tmp_path / "runs")


@pytest.mark.parametrize("in_order", [True, False])
def test_a_capture_that_changes_while_it_is_read_is_not_taken(tmp_path: Path, in_order: bool) -> None:
    lines = sorted(lines_of(1), key=lambda line: line[0], reverse=not in_order)
    path = write_capture(tmp_path / "a.jsonl", lines)
    here = Here(tmp_path)
    spool = Spool(here.folder, clock=lambda: NOW_MS)

    def change(step: Step, _done: int, _size: int) -> None:
        if step != "check":
            write_capture(path, lines + lines)

    with pytest.raises(CaptureError, match="was changed while it was read"):
        Replayer(here.directory, spool).replay_lines(path, change)
    spool.close()
    assert not list(here.folder.glob("*.seg"))
    assert list((here.folder / "replayed").iterdir()) == []


def test_a_full_disk_gives_no_telemetry_up_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spool of live frames sheds the oldest; of a capture either all is taken or nothing."""
    path = write_capture(tmp_path / "a.jsonl", lines_of(40))
    here = Here(tmp_path)
    room = [100_000]
    write = Disk.write

    def until_full(self: Disk, file: int, data: memoryview) -> int:
        room[0] -= len(data)
        if room[0] < 0:
            room[0] = 60_000  # what shedding would make room for
            raise OSError(28, "No space left on device")
        return write(self, file, data)

    small = Spool.__init__

    def small_segments(self: Spool, folder: Path, **options: object) -> None:
        small(self, folder, **{**options, "segment_bytes": 20_000})  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "write", until_full)
        patch.setattr(Spool, "__init__", small_segments)
        patch.setattr("ingest.replay.WRITE_AT_BYTES", 10_000)
        patch.setattr("ingest.replay.LOOK_EVERY", 100)
        with pytest.raises((IngestError, OSError)):
            here.replay(path)
    assert not list(here.folder.glob("*.seg"))
    assert here.replay(path).frames == len(lines_of(40))


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.jsonl", lines_of(2))
    here = Here(tmp_path)
    spool = Spool(here.folder, clock=lambda: NOW_MS)
    told: list[tuple[Step, int, int]] = []
    Replayer(here.directory, spool).replay_lines(path, lambda *step: told.append(step))
    spool.close()
    size = path.stat().st_size
    ends = dict.fromkeys(entry for entry in told if entry[1] == size)
    assert list(ends) == [("check", size, size), ("sort", size, size), ("take", size, size)]


READ_WITH_LITTLE_MEMORY = """
import sys, resource
from pathlib import Path
from ingest.capture import CaptureFile
path = Path(sys.argv[1])
with CaptureFile(path) as capture:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    survey = capture.survey()
    wanted = survey.identities == survey.identities
    count = sum(1 for _ in capture.frames(survey, wanted, Path(sys.argv[2])))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.long
def test_the_memory_for_a_shuffled_capture_has_a_bound(tmp_path: Path) -> None:
    """Two million lines in no order (600 MB): as lines in memory they would take two gigabytes."""
    path = tmp_path / "a.jsonl"
    frame = "68" + "00" * 120
    rng = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(2_000_000):
            line = {"ts": NOW_MS + rng.randrange(10**10), "conn": "c", "protocol": "ykc", "hex": frame}
            file.write(json.dumps(line) + "\n")
    scratch = tmp_path / "runs"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", READ_WITH_LITTLE_MEMORY, str(path), str(scratch)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    count, kilobytes = map(int, done.stdout.split())
    assert count == 2_000_000
    assert kilobytes < 300 * 1024, "a run of 64 MB, and 8 bytes a line"
