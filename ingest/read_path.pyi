"""The part of a connection that runs for each read of its socket, compiled."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from ingest.charger_link import Frame
from ingest.charger_protocol import ChargerDialogue
from ingest.charger_stream import ChargerStream
from ingest.line_health import LineHealth
from ingest.protocol_detection import ProtocolDetector
from ingest.turn_budget import TurnBudget

NOT_PROBED: Final = -1
NO_LOOK: Final = -1

class ReadPath:
    """The buffer that the event loop fills belongs to the compiled splitter: no copy in between.

    A read of nothing but readings and heartbeats of a charger that has logged in is dealt with here, answers included;
    anything else is left to the subclass: `handle_detected`, `handle_fed`.
    """

    health: LineHealth
    detector: ProtocolDetector | None
    """Takes the bytes until they tell which protocol they are of; None where that is known."""
    transport: asyncio.Transport | None
    closing: bool
    probed_at_frames: int
    """How many frames had come when a sign of life was asked for, `NOT_PROBED` when none is awaited."""
    plain: bool
    """Whether the last thing that happened left nothing for Python to look at before the next frame for Python."""

    accepted_ms: int
    opened_ms: int
    logged_in_ms: int
    silence_ms: int
    look_ms: int
    """When it is to be looked after next, whatever comes until then; `NO_LOOK` while that is not known."""
    watched_for_rest: bool

    def __init__(self, clock: Callable[[], int], budget: TurnBudget, waiting_for_rest: list[Any]) -> None:
        """`waiting_for_rest` gets every connection that has received a part of a frame; whoever takes it out sets its
        `watched_for_rest` back."""

    def note_rest(self) -> None:
        """A part of a frame has come: put it among those that wait for the rest."""
    def begin(self, stream: ChargerStream, dialogue: ChargerDialogue) -> None:
        """Read into this stream from now on."""

    def settle(self, plain: bool) -> None:
        """All that was read is handled; `plain`: the charger has logged in and nothing waits for a decision."""

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""

    def handle_detected(self, nbytes: int, now_ms: int) -> None:
        """Bytes for the detector have come."""

    def handle_fed(self, frame: Frame | None, now_ms: int) -> None:
        """Bytes were fed to the stream, and `frame` is the first one that Python must handle, if any."""
