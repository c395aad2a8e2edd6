"""Captures: one frame a line, as `{"ts": epoch_ms, "conn": id, "protocol": "ykc" or "aaf5", "hex": "…"}`.

A capture may be far larger than the memory. It is read twice: the first time every line is checked and its identity
taken down (8 bytes), the second time the frames come in the order of (`ts`, line). A file that is not in that order is
sorted on the disk in between.
"""

import hashlib
import os
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal, Self

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.errors import IngestError

PROTOCOLS: Final = frozenset({"ykc", "aaf5"})
FIRST_PROTOCOL: Final = "ykc"


class CaptureError(IngestError):
    """A capture cannot be read; the message names the file and the line."""


FIRST_MS: Final = 946_684_800_000  # the year 2000
LAST_MS: Final = 4_102_444_800_000  # the year 2100: what lies beyond is no time in milliseconds
ReceiveMs = Annotated[int, msgspec.Meta(ge=FIRST_MS, le=LAST_MS)]


_COMPRESSED: Final = {
    b"\x1f\x8b": "gunzip",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"\xfd7zXZ\x00": "unxz",
    b"PK\x03\x04": "unzip",
}
"""How files begin that are compressed, and what unpacks them."""

LONGEST_LINE_BYTES: Final = 16 << 20
READ_BYTES: Final = 4 << 20
RUN_READ_BYTES: Final = 128 << 10
RUN_BYTES: Final = 64 << 20
MOST_RUNS: Final = 256
TOLD_EVERY: Final = 16_384

Step = Literal["check", "sort", "take"]
Progress = Callable[[Step, int, int], None]
"""Called now and then with what is being done, the bytes of the capture that are done, and all of them."""


class CaptureLine(msgspec.Struct, frozen=True):
    """One line. `ts` is when the frame was received."""

    ts: ReceiveMs
    conn: str | int
    protocol: str
    hex: str


class CapturedFrame(msgspec.Struct, frozen=True):
    """One frame of a capture; `frame` is None when the line's hex is none, which then stands in `text`."""

    ts: int
    conn: str
    protocol: str
    frame: bytes | None
    text: str = ""


class Survey(msgspec.Struct, frozen=True):
    """What the first reading found: `identities[i]` tells the i-th frame of the file from every other, in any file.

    `until_ms`: the latest of their times, 0 without any. `other_protocols` counts the lines of protocols that are not
    read here.
    """

    identities: npt.NDArray[np.uint64]
    in_order: bool
    until_ms: int
    other_protocols: dict[str, int]


class CaptureFile:
    """A capture that is open for its two readings; raises `CaptureError` for a file or a line that is none."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self._path = path
        self._progress = progress
        self._decode = msgspec.json.Decoder(CaptureLine).decode
        try:
            self._file = path.open("rb", buffering=0)
            self._size, self._changed_ns = self._stamp()
        except OSError as error:
            raise CaptureError(f"cannot read the capture {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def survey(self) -> Survey:
        """Check every line and take down which they are; raises `CaptureError` where there is none."""
        digests = bytearray()
        other_protocols: dict[str, int] = {}
        in_order, until_ms = True, 0
        for line, _text in self._lines("check"):
            if line.protocol not in PROTOCOLS:
                other_protocols[line.protocol] = other_protocols.get(line.protocol, 0) + 1
                continue
            digests += _identity(line)
            in_order &= line.ts >= until_ms
            until_ms = max(until_ms, line.ts)
        if not digests:
            others = ", ".join(f"{count} lines of {name!r}" for name, count in other_protocols.items())
            held = (
                f"only {others}, and {' and '.join(sorted(PROTOCOLS))} are read" if others else "no line with a frame"
            )
            raise CaptureError(f"there is nothing in the capture {self._path}: it has {held}")
        return Survey(np.frombuffer(digests, dtype="<u8"), in_order, until_ms, other_protocols)

    def frames(self, survey: Survey, wanted: npt.NDArray[np.bool_], scratch: Path) -> Iterator[CapturedFrame]:
        """The frames at the wanted places, in the order of (`ts`, line); `scratch`: an empty folder for sorting.

        Raises `CaptureError` when the file is not what was surveyed; what was given until then is not to be used.
        """
        if survey.in_order:
            yield from (_captured(line) for line, _text in self._wanted("take", wanted))
        else:
            runs = [_run_frames(path) for path in self._write_runs(wanted, scratch)]
            frames = int(np.count_nonzero(wanted))
            # equal times: an earlier run holds earlier lines, and each run keeps the order of its lines
            for count, frame in enumerate(merge(*runs, key=attrgetter("ts")), 1):
                yield frame
                if self._progress is not None and (count % TOLD_EVERY == 0 or count == frames):
                    self._progress("take", self._size * count // frames, self._size)
        if self._stamp() != (self._size, self._changed_ns):
            raise CaptureError(f"{self._path} was changed while it was read; nothing of it was taken")

    def _write_runs(self, wanted: npt.NDArray[np.bool_], scratch: Path) -> list[Path]:
        """Parts of the capture, each a file of lines in the order of time, in the order of their parts."""
        paths: list[Path] = []
        most_bytes = max(RUN_BYTES, self._size // MOST_RUNS)
        run: list[tuple[int, bytes]] = []
        held = 0

        def write() -> None:
            run.sort(key=lambda entry: entry[0])
            paths.append(scratch / f"{len(paths):06d}.run")
            with paths[-1].open("wb") as file:
                file.writelines(text + b"\n" for _ts, text in run)
            run.clear()

        for line, text in self._wanted("sort", wanted):
            run.append((line.ts, text))
            held += len(text)
            if held >= most_bytes:
                write()
                held = 0
        if run:
            write()
        return paths

    def _wanted(self, step: Step, wanted: npt.NDArray[np.bool_]) -> Iterator[tuple[CaptureLine, bytes]]:
        places = iter(wanted.data)
        try:
            for line, text in self._lines(step):
                if line.protocol in PROTOCOLS and next(places):
                    yield line, text
        except StopIteration as error:
            raise CaptureError(f"{self._path} was changed while it was read; nothing of it was taken") from error

    def _lines(self, step: Step) -> Iterator[tuple[CaptureLine, bytes]]:
        """Every line that is not empty, decoded and as it stands."""
        try:
            self._file.seek(0)
            number = 0
            for block in _blocks(self._file, READ_BYTES, self._path):
                for text in block:
                    number += 1
                    if number == 1:
                        text = self._first_line(text)
                    if text and not text.isspace():
                        yield self._decode(text), text
                if self._progress is not None:
                    self._progress(step, min(self._file.tell(), self._size), self._size)
        except msgspec.DecodeError as error:
            raise CaptureError(f"{self._path}, line {number}: {error}") from error
        except OSError as error:
            raise CaptureError(f"cannot read the capture {self._path}: {error.strerror}") from error

    def _first_line(self, text: bytes) -> bytes:
        """Without the mark that editors put before UTF-8; raises `CaptureError` for a compressed file."""
        for begin, command in _COMPRESSED.items():
            if text.startswith(begin):
                raise CaptureError(f"the capture {self._path} is compressed; unpack it first, with {command}")
        return text.removeprefix(BOM_UTF8)

    def _stamp(self) -> tuple[int, int]:
        state = os.fstat(self._file.fileno())
        return state.st_size, state.st_mtime_ns


def _run_frames(path: Path) -> Iterator[CapturedFrame]:
    decode = msgspec.json.Decoder(CaptureLine).decode
    with path.open("rb", buffering=0) as file:
        for block in _blocks(file, RUN_READ_BYTES, path):
            for text in block:
                if text:
                    yield _captured(decode(text))


def _blocks(file: BinaryIO, read_bytes: int, path: Path) -> Iterator[list[bytes]]:
    """The lines of a file, those of one read at a time."""
    rest = b""
    number = 0
    while data := file.read(read_bytes):
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        number += len(lines)
        if len(rest) > LONGEST_LINE_BYTES:
            raise CaptureError(f"{path}, line {number + 1}: longer than {LONGEST_LINE_BYTES >> 20} MB")
        yield lines
    yield [rest]


def _captured(line: CaptureLine) -> CapturedFrame:
    try:
        return CapturedFrame(line.ts, str(line.conn), line.protocol, bytes.fromhex(line.hex))
    except ValueError:
        return CapturedFrame(line.ts, str(line.conn), line.protocol, None, line.hex)


def _identity(line: CaptureLine) -> bytes:
    content = f"{line.ts}\n{line.conn}\n{line.hex.strip().upper()}"
    if line.protocol != FIRST_PROTOCOL:  # a ledger may be older than the second protocol
        content += f"\n{line.protocol}"
    return hashlib.blake2b(content.encode(), digest_size=8).digest()
