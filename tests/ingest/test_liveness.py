"""The beat file, and the outage that it tells at the next start."""

import os
from pathlib import Path

import pytest

from ingest.errors import IngestError
from ingest.events import PlatformOutage
from ingest.liveness import Liveness

NOW_MS = 1_795_300_000_000


def test_the_first_start_of_all_reports_nothing(tmp_path: Path) -> None:
    assert Liveness(tmp_path / "beat", "n").outage_before(NOW_MS) is None


def test_a_crash_and_a_stop_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "run" / "beat"
    liveness = Liveness(path, "n")
    assert liveness.beat(NOW_MS)
    assert not liveness.beat(NOW_MS + 1_999)
    assert liveness.beat(NOW_MS + 2_000)
    crashed = PlatformOutage("n", NOW_MS + 2_000, NOW_MS + 9_000, "crashed")
    assert Liveness(path, "n").outage_before(NOW_MS + 9_000) == crashed
    liveness.stopped(NOW_MS + 3_000)
    stopped = PlatformOutage("n", NOW_MS + 3_000, NOW_MS + 9_000, "stopped")
    assert Liveness(path, "n").outage_before(NOW_MS + 9_000) == stopped


def test_a_clock_set_back_reports_nothing_and_beats_on(tmp_path: Path) -> None:
    liveness = Liveness(tmp_path / "beat", "n")
    liveness.beat(NOW_MS)
    assert Liveness(tmp_path / "beat", "n").outage_before(NOW_MS - 1) is None
    assert liveness.beat(NOW_MS - 60_000)


def test_a_file_emptied_by_a_power_failure_still_tells_when_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "beat"
    path.write_bytes(b"")
    os.utime(path, ns=(NOW_MS * 1_000_000, NOW_MS * 1_000_000))
    assert Liveness(path, "n").outage_before(NOW_MS + 5) == PlatformOutage("n", NOW_MS, NOW_MS + 5, "crashed")


def test_a_path_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="cannot read the beat file"):
        Liveness(tmp_path, "n").outage_before(NOW_MS)
