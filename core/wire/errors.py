"""What callers of the wire protocols can be told. Bytes from a charger never raise: they are answered by verdicts."""

from typing import Literal

from core.errors import CoreError

FrameFault = Literal["hex", "start", "length", "checksum"]


class WireEncodeError(CoreError):
    """A message cannot be written: the text names message, field and what is allowed."""


class WireTimeError(CoreError):
    """A time or a zone cannot be written in the protocol's form."""


class WireBufferError(CoreError):
    """More bytes were handed over than a buffer holds."""


class WireFrameError(CoreError):
    """Bytes that a caller took for one whole frame are none; `fault` says where a strict receiver stops."""

    def __init__(self, fault: FrameFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
