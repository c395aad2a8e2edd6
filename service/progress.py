"""A progress bar on a terminal; nothing at all where words go into a file or a pipe."""

import sys
import time
from types import TracebackType
from typing import Final, TextIO

WIDTH: Final = 30
EVERY_S: Final = 0.2
SECONDS_PER_MINUTE: Final = 60


class Progress:
    """Used as a context: `step` adds to what is done, and the line is taken away at the end.

    `what` stands before the bar, `total` is the work in `unit` (0 = not known). Goes to standard error.
    """

    def __init__(self, what: str, total: int, unit: str = "", stream: TextIO | None = None) -> None:
        self._what = what
        self._total = total
        self._unit = unit
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._done = 0
        self._began_s = time.monotonic()
        self._drawn_s = 0.0

    def __enter__(self) -> "Progress":
        self._draw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def step(self, count: int = 1) -> None:
        """So much more is done."""
        self._done += count
        if time.monotonic() - self._drawn_s >= EVERY_S:
            self._draw()

    def _draw(self) -> None:
        if not self._shown:
            return
        self._drawn_s = time.monotonic()
        self._stream.write(f"\r\x1b[K{progress_line(self._what, self._done, self._total, self._unit, self._passed_s)}")
        self._stream.flush()

    @property
    def _passed_s(self) -> float:
        return time.monotonic() - self._began_s


def progress_line(what: str, done: int, total: int, unit: str, passed_s: float) -> str:
    """The line as it is drawn: the bar, how much of how much, and how long it will still take."""
    count = f"{done:,} {unit}".strip()
    if total <= 0:
        return f"{what} {count}, {_clock(passed_s)}"
    share = min(done / total, 1.0)
    full = int(share * WIDTH)
    left = f", {_clock(passed_s * (1 - share) / share)} left" if 0 < share < 1 else ""
    return f"{what} [{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%} {done:,} of {total:,} {unit}".rstrip() + left


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), SECONDS_PER_MINUTE)
    return f"{minutes}:{rest:02d}"
