"""Captures that hold nothing."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ingest.capture import CaptureError, CaptureFile


@pytest.mark.parametrize("content", ["", "\n", " \n\n\t\n"])
def test_a_capture_without_a_line_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text(content)
    with CaptureFile(path) as capture, pytest.raises(CaptureError, match=r"nothing in the capture .*empty\.jsonl"):
        capture.survey()


LINE = '{"ts": 1700000000000, "conn": "a", "protocol": "%s", "hex": "00"}\n'


def test_lines_of_another_protocol_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "ocpp.jsonl"
    path.write_text(LINE % "ocpp" + LINE % "ykc")
    with CaptureFile(path) as capture:
        assert capture.survey().other_protocols == {"ocpp": 1}


def test_a_capture_of_other_protocols_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ocpp.jsonl"
    path.write_text(2 * (LINE % "ocpp") + LINE % "YKC")
    said = r"it has only 2 lines of 'ocpp', 1 lines of 'YKC', and aaf5 and ykc are read"
    with CaptureFile(path) as capture, pytest.raises(CaptureError, match=said):
        capture.survey()


def test_the_mark_before_utf8_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    marked, plain = tmp_path / "marked.jsonl", tmp_path / "plain.jsonl"
    later = LINE.replace("1700000000000", "1600000000000")  # out of order: it is sorted, too
    plain.write_text(LINE % "ykc" + later % "ykc")
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    found = []
    for path in (marked, plain):
        scratch = tmp_path / f"{path.stem}-scratch"
        scratch.mkdir()
        with CaptureFile(path) as capture:
            survey = capture.survey()
            frames = list(capture.frames(survey, np.ones(2, dtype=np.bool_), scratch))
        found.append((survey.identities.tolist(), frames))
    assert found[0] == found[1]


def test_a_compressed_capture_is_named_so_and_what_unpacks_it(tmp_path: Path) -> None:
    path = tmp_path / "capture.jsonl.gz"
    path.write_bytes(gzip.compress((LINE % "ykc").encode()))
    with CaptureFile(path) as capture, pytest.raises(CaptureError, match=r"jsonl\.gz is compressed.*gunzip"):
        capture.survey()
