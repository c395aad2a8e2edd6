"""How a stream comes in pieces: drawn from the bytes themselves, so that an input alone repeats a failure."""

import zlib
from random import Random


def cuts_of(stream: bytes) -> list[bytes]:
    """The stream in one to about a dozen pieces, some empty; the same bytes always give the same pieces."""
    rng = Random(zlib.crc32(stream))
    if not stream or rng.random() < 0.1:
        return [stream]
    if len(stream) <= 64 and rng.random() < 0.2:
        return [stream[at : at + 1] for at in range(len(stream))]
    borders = sorted(rng.randint(0, len(stream)) for _ in range(rng.randint(1, 12)))
    return [stream[a:b] for a, b in zip([0, *borders], [*borders, len(stream)], strict=True)]
