"""What is fuzzed: each target is a check for any bytes, how to get behind its checksums, and what to begin with."""

from collections.abc import Callable

import msgspec

from core.aaf5 import messages as aaf5_messages
from core.ykc import messages as ykc_messages
from tests.fuzz.aaf5_properties import check_aaf5_body, check_aaf5_bytes
from tests.fuzz.corpus_file import kept_inputs, real_frames
from tests.fuzz.record_properties import check_records, records_of, seal_records
from tests.fuzz.sealing import Seal, seal_aaf5, seal_ykc
from tests.fuzz.ykc_properties import check_ykc_body, check_ykc_bytes, check_ykc_line
from tests.fuzz.ykc_stream_properties import check_ykc_stream

Check = Callable[[bytes], None]
Seeds = Callable[[], list[bytes]]


class Target(msgspec.Struct, frozen=True):
    """`check` raises for an input that breaks a promise, and for nothing else. `seeds` gives the first inputs."""

    check: Check
    seeds: Seeds
    seal: Seal | None = None
    longest: int = 2048


def _ykc_bodies() -> list[bytes]:
    """Type byte and body: of the real frames, and of every message that is described."""
    empty = [bytes([number]) + bytes(message.length) for number, message in ykc_messages.MESSAGES.items()]
    return [frame[5:-2] for frame in real_frames("ykc")] + empty


def _aaf5_bodies() -> list[bytes]:
    """Two bytes of command and a body, as `_ykc_bodies`, in each size of a message."""
    empty = [
        number.to_bytes(2, "little") + bytes(size)
        for number, message in aaf5_messages.MESSAGES.items()
        for size in message.sizes
    ]
    return [frame[6:-1] for frame in real_frames("aaf5")] + empty


def _streams(frames: list[bytes]) -> list[bytes]:
    """Frames alone, joined, with a byte between them, and each without its last byte."""
    return [*frames, b"".join(frames[:8]), b"\0".join(frames[::3][:8]), b"".join(frame[:-1] for frame in frames[:4])]


def _ykc_streams() -> list[bytes]:
    return _streams(real_frames("ykc"))


def _aaf5_streams() -> list[bytes]:
    return _streams(real_frames("aaf5") + [aaf5_frame(body) for body in _aaf5_bodies()])


def _lines(frames: list[bytes]) -> list[bytes]:
    return frames + [frame.hex().encode() for frame in frames] + [frames[0].hex(" ").encode() + b"\n"]


def _ykc_lines() -> list[bytes]:
    return _lines(real_frames("ykc"))


def _segments() -> list[bytes]:
    return records_of([frame for protocol in ("ykc", "aaf5") for frame in real_frames(protocol)[:4]])


def aaf5_frame(command_and_body: bytes) -> bytes:
    """A frame around two bytes of command and a body."""
    length = len(command_and_body) + 7
    return b"\xaa\xf5%b\x10\0%b%c" % (length.to_bytes(2, "little"), command_and_body, sum(command_and_body) & 0xFF)


TARGETS: dict[str, Target] = {
    "ykc_splitter": Target(check_ykc_bytes, _ykc_streams, seal_ykc),
    "ykc_body": Target(check_ykc_body, _ykc_bodies, longest=252),
    "ykc_line": Target(check_ykc_line, _ykc_lines, longest=600),
    "ykc_stream": Target(check_ykc_stream, _ykc_streams, seal_ykc),
    "aaf5_splitter": Target(check_aaf5_bytes, _aaf5_streams, seal_aaf5),
    "aaf5_body": Target(check_aaf5_body, _aaf5_bodies, longest=1017),
    "spool_records": Target(check_records, _segments, seal_records),
}


def first_inputs(name: str) -> list[bytes]:
    """What a target begins with: its seeds and the inputs kept from earlier runs, without doubles."""
    return list(dict.fromkeys([*TARGETS[name].seeds(), *kept_inputs(name)]))
