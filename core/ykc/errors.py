"""What callers of the YKC codec can be told. Bytes from a charger never raise: they are answered by verdicts."""

from core.errors import CoreError


class YkcEncodeError(CoreError):
    """A message cannot be written: the text names message, field and what is allowed."""


class YkcTimeError(CoreError):
    """A time or a zone cannot be written as CP56Time2a."""


class YkcBufferError(CoreError):
    """More bytes were handed over than a buffer holds."""
