"""The code that runs once per frame must not touch the interpreter: `cython -a` rates its lines white."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOT = [
    ("core/checksum.pyx", "crc16_by_tables"),
    ("core/checksum.pyx", "crc32_by_tables"),
    ("core/wire/splitter.pyx", "grow"),
    ("core/wire/splitter.pyx", "_take_frame"),
    ("core/wire/splitter.pyx", "_refuse"),
    ("core/wire/splitter.pyx", "_pass_over"),
    ("core/wire/splitter.pyx", "_add_span"),
    ("core/wire/splitter.pyx", "_fail"),
    ("core/wire/splitter.pyx", "_skip"),
    ("core/ykc/splitter.pyx", "verdict_of"),
    ("core/ykc/splitter.pyx", "_split"),
    ("core/ykc/splitter.pyx", "_take_good_frames"),
    ("core/aaf5/splitter.pyx", "_split"),
    ("core/aaf5/status.pyx", "read_text"),
    ("core/aaf5/status.pyx", "hex_digits"),
    ("core/aaf5/status.pyx", "parse_status"),
    ("core/aaf5/status.pyx", "parse_verified_status"),
    ("core/aaf5/status.pyx", "append_c"),
    ("core/ykc/realtime.pyx", "order_of"),
    ("core/ykc/realtime.pyx", "parse_realtime"),
    ("core/ykc/realtime.pyx", "is_reading"),
    ("core/ykc/realtime.pyx", "parse_verified"),
    ("core/ykc/realtime.pyx", "write_content"),
    ("core/ykc/realtime.pyx", "write_realtime"),
    ("core/ykc/realtime.pyx", "append_c"),
    ("core/ykc/realtime.pyx", "row_c"),
    ("ingest/charger_stream.pyx", "_fast"),
    ("ingest/charger_stream.pyx", "_heard"),
    ("ingest/charger_stream.pyx", "_keep_plain"),
    ("ingest/ykc_stream.pyx", "kind_of_whole"),
    ("ingest/ykc_stream.pyx", "_can_be_fast"),
    ("ingest/ykc_stream.pyx", "_take_bound"),
    ("ingest/ykc_stream.pyx", "_acknowledge"),
    ("ingest/aaf5_stream.pyx", "kind_of_whole"),
    ("ingest/aaf5_stream.pyx", "power_w"),
    ("ingest/aaf5_stream.pyx", "seal"),
    ("ingest/aaf5_stream.pyx", "_can_be_fast"),
    ("ingest/aaf5_stream.pyx", "_take_bound"),
    ("ingest/aaf5_stream.pyx", "_connector_of"),
    ("ingest/aaf5_stream.pyx", "_taken_ms"),
    ("ingest/aaf5_stream.pyx", "_observe"),
    ("ingest/aaf5_stream.pyx", "_acknowledge_status"),
    ("ingest/aaf5_stream.pyx", "_acknowledge_heartbeat"),
]


@pytest.fixture(scope="module")
def line_scores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, int]]:
    """For each module the score that Cython gives to each line; 0 is C alone, above it Python is called."""
    folder = tmp_path_factory.mktemp("annotated")
    scores = {}
    for source in sorted({source for source, _ in HOT}):
        target = folder / f"{source.replace('/', '_')}.c"
        command = [sys.executable, "-m", "cython", "-3", "-a", source, "-o", str(target)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
        page = target.with_suffix(".html").read_text("utf-8")
        found = re.findall(r'class="cython line score-(\d+)".*?<span class="">0*(\d+)</span>:', page)
        scores[source] = {int(line): int(score) for score, line in found}
    return scores


def lines_of(source: str, function: str) -> range:
    """The line numbers of a function's body, without its head."""
    lines = (ROOT / source).read_text("utf-8").splitlines()
    head = next(i for i, line in enumerate(lines) if re.match(rf"\s*cdef\b.*\b{function}\(.*:$", line))
    indent = len(lines[head]) - len(lines[head].lstrip())
    end = head + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    return range(head + 2, end + 1)


def test_scores_are_read_at_all(line_scores: dict[str, dict[int, int]]) -> None:
    for source, scores in line_scores.items():
        assert len(scores) == len((ROOT / source).read_text("utf-8").splitlines())
        assert max(scores.values()) > 0


@pytest.mark.parametrize(("source", "function"), HOT)
def test_hot_function_is_c_alone(source: str, function: str, line_scores: dict[str, dict[int, int]]) -> None:
    lines = lines_of(source, function)
    assert len(lines) >= 2
    yellow = {line: line_scores[source][line] for line in lines if line_scores[source][line]}
    assert yellow == {}
