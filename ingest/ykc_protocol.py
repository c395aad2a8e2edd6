"""YKC as the gateway, the replay and the loader see it: the one object `YKC`."""

from collections.abc import Callable
from typing import Any, Final

from core.directory import Pile
from core.ykc.codec import HEADER_BYTES
from ingest import ykc_types
from ingest.charger_protocol import OnConnectorEvent
from ingest.events import SessionStart
from ingest.record_buffer import PROTOCOL_YKC, RecordBuffer
from ingest.ykc_dialogue import YkcDialogue
from ingest.ykc_stream import YkcStream, whole_frame_kind

CHECKSUM_BYTES: Final = 2
TYPE_OFFSET: Final = 5
SEQ: Final = slice(2, 4)


class YkcProtocol:
    """`ingest.charger_protocol.ChargerProtocol` for YKC V1.5 and V1.6."""

    name = "ykc"
    number = PROTOCOL_YKC
    heartbeat_ms = 10_000
    """ykc.md section 5."""

    def make_stream(
        self, records: RecordBuffer, connection_id: int, on_event: OnConnectorEvent, evidence_limit: int
    ) -> YkcStream:
        """The compiled part of a connection."""
        return YkcStream(records, connection_id, on_event, evidence_limit)

    def make_dialogue(self, find_pile: Callable[[str], tuple[Pile, int] | None], **options: Any) -> YkcDialogue:
        """The part of a connection that answers; `options` are the arguments of `Dialogue`."""
        return YkcDialogue(find_pile, **options)

    def whole_frame_kind(self, frame: bytes) -> int:
        """Span kind of bytes that claim to be one whole frame."""
        return whole_frame_kind(frame)

    def type_of(self, frame: bytes) -> int:
        """The type of a whole frame."""
        return frame[TYPE_OFFSET]

    def seq_of(self, frame: bytes) -> bytes:
        """The two bytes of the sequence field."""
        return frame[SEQ]

    def body_of(self, frame: bytes) -> bytes:
        """The body of a whole frame."""
        return frame[HEADER_BYTES:-CHECKSUM_BYTES]

    def pile_code_of(self, frame_type: int, body: bytes) -> str | None:
        """The 14 digits that the frame names, None when it names none."""
        return ykc_types.pile_code_of(frame_type, body)

    def connector_of(self, frame_type: int, body: bytes) -> int:
        """The connector that the frame is about, 0 when it says none."""
        return ykc_types.connector_of(frame_type, body)

    def trade_no_of(self, frame_type: int, body: bytes, pile_code: str) -> str:
        """The session that the frame names, empty when it names none."""
        return ykc_types.trade_no_of(frame_type, body)

    def charging_evidence(
        self, pile: Pile, connector: int, trade_no: str, event_ms: int, frame: bytes
    ) -> SessionStart | None:
        """None: a reading of YKC does not say who started."""
        return None

    def is_down(self, frame_type: int) -> bool:
        """Whether the platform sends this type."""
        return ykc_types.is_down(frame_type)

    def is_heartbeat(self, frame_type: int) -> bool:
        """Whether it is 0x03."""
        return frame_type == ykc_types.HEARTBEAT

    def is_record(self, frame_type: int) -> bool:
        """Whether it is 0x3B, the bill of a charge."""
        return frame_type == ykc_types.RECORD


YKC: Final = YkcProtocol()
