"""The errors of YKC's modules: those of all wire protocols, under the names that YKC's callers use."""

from core.wire.errors import WireBufferError as YkcBufferError
from core.wire.errors import WireEncodeError as YkcEncodeError
from core.wire.errors import WireTimeError as YkcTimeError

__all__ = ["YkcBufferError", "YkcEncodeError", "YkcTimeError"]
