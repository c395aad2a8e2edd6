"""The history as a capture: lines of JSON in the order of time."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.historic.history import Frame
from benchmarks.historic.names import AAF5_PREFIX

LINES_AT_ONCE: Final = 10_000


def write_capture(path: Path, frames: Iterable[Frame]) -> Iterator[int]:
    """Write one line a frame; gives, again and again, how many lines were written since the last time.

    The names of connections are those of this package, which hold nothing that JSON would have to escape.
    """
    with path.open("w", encoding="ascii") as file:
        lines: list[str] = []
        for time_ms, connection, frame in frames:
            protocol = "aaf5" if connection.startswith(AAF5_PREFIX) else "ykc"
            lines.append(
                f'{{"ts":{time_ms},"conn":"{connection}","protocol":"{protocol}","hex":"{frame.hex().upper()}"}}\n'
            )
            if len(lines) == LINES_AT_ONCE:
                file.write("".join(lines))
                yield len(lines)
                lines.clear()
        file.write("".join(lines))
        yield len(lines)
