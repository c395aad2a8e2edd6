"""Captures that hold nothing."""

from pathlib import Path

import pytest

from ingest.capture import CaptureError, CaptureFile


@pytest.mark.parametrize("content", ["", "\n", " \n\n\t\n"])
def test_a_capture_without_a_line_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content)
    with CaptureFile(path) as capture, pytest.raises(CaptureError, match=r"nothing in the capture .*empty\.jsonl"):
        capture.survey()


def test_lines_of_another_protocol_are_something(tmp_path: Path) -> None:
    path = tmp_path / "ocpp.jsonl"
    path.write_text('{"ts": 1700000000000, "conn": "a", "protocol": "ocpp", "hex": "00"}\n')
    with CaptureFile(path) as capture:
        assert capture.survey().other_protocols == {"ocpp": 1}
