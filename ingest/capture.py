"""Captures: one frame a line, as `{"ts": epoch_ms, "conn": id, "protocol": "ykc" or "aaf5", "hex": "…"}`."""

import hashlib
from pathlib import Path
from typing import Annotated, Final

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


class Capture(msgspec.Struct):
    """A capture in the order of (`ts`, line). `identities[i]` tells `frames[i]` from every other line, in any file.

    `other_protocols` counts the lines of protocols that are not read here.
    """

    frames: list[CapturedFrame]
    identities: npt.NDArray[np.uint64]
    other_protocols: dict[str, int]


def read_capture(path: Path) -> Capture:
    """Read and sort a capture file. Raises `CaptureError` for a file or a line that is none."""
    decoder = msgspec.json.Decoder(CaptureLine)
    frames: list[CapturedFrame] = []
    identities: list[int] = []
    other_protocols: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if not text.strip():
                    continue
                try:
                    line = decoder.decode(text)
                except msgspec.DecodeError as error:
                    raise CaptureError(f"{path}, line {number}: {error}") from error
                if line.protocol not in PROTOCOLS:
                    other_protocols[line.protocol] = other_protocols.get(line.protocol, 0) + 1
                    continue
                frames.append(_captured(line))
                identities.append(_identity(line))
    except OSError as error:
        raise CaptureError(f"cannot read the capture {path}: {error.strerror}") from error
    order = sorted(range(len(frames)), key=lambda i: frames[i].ts)  # stable: equal times keep the order of the lines
    return Capture(
        [frames[i] for i in order],
        np.array([identities[i] for i in order], dtype=np.uint64),
        other_protocols,
    )


def _captured(line: CaptureLine) -> CapturedFrame:
    try:
        return CapturedFrame(line.ts, str(line.conn), line.protocol, bytes.fromhex(line.hex))
    except ValueError:
        return CapturedFrame(line.ts, str(line.conn), line.protocol, None, line.hex)


def _identity(line: CaptureLine) -> int:
    content = f"{line.ts}\n{line.conn}\n{line.hex.strip().upper()}"
    if line.protocol != FIRST_PROTOCOL:  # a ledger may be older than the second protocol
        content += f"\n{line.protocol}"
    return int.from_bytes(hashlib.blake2b(content.encode(), digest_size=8).digest(), "little")
