"""`pilestream replay` of what is no capture."""

from pathlib import Path

import pytest

import pilestream

pytestmark = pytest.mark.server


def test_a_capture_without_a_line_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()
    assert pilestream.main(["replay", str(path), "--data", str(tmp_path / "data")]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert f"pilestream: there is nothing in the capture {path}: it has no line with a frame" in told.err
