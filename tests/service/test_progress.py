"""The progress bar: on a terminal only, and what its line says."""

import io

import pytest

from service.progress import Progress, progress_line


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_written_where_words_go_into_a_file() -> None:
    stream = io.StringIO()
    with Progress("evaluating", 10, "sessions", stream) as progress:
        progress.step(5)
    assert stream.getvalue() == ""


def test_a_terminal_sees_the_bar_and_an_empty_line_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.progress.EVERY_S", 0.0)
    stream = _Terminal()
    with Progress("evaluating", 10, "sessions", stream) as progress:
        progress.step(5)
    assert "evaluating [###############...............]  50% 5 of 10 sessions" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_the_line_is_taken_away_after_an_error() -> None:
    stream = _Terminal()
    with pytest.raises(ValueError, match="stop"), Progress("evaluating", 10, "sessions", stream):
        raise ValueError("stop")
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("done", "total", "passed_s", "line"),
    [
        (0, 200, 0.0, "replaying [..............................]   0% 0 of 200 frames"),
        (50, 200, 10.0, "replaying [#######.......................]  25% 50 of 200 frames, 0:30 left"),
        (200, 200, 70.0, "replaying [##############################] 100% 200 of 200 frames"),
        (300, 200, 70.0, "replaying [##############################] 100% 300 of 200 frames"),
        (1_234, 0, 75.0, "replaying 1,234 frames, 1:15"),
    ],
)
def test_the_line(done: int, total: int, passed_s: float, line: str) -> None:
    assert progress_line("replaying", done, total, "frames", passed_s) == line
