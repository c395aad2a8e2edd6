"""The AAF5 family as the gateway, the replay and the loader see it: the one object `AAF5`."""

from collections.abc import Callable
from typing import Any, Final

from core.aaf5.codec import CHECKSUM_BYTES, HEADER_BYTES, raw_fields
from core.directory import Pile
from ingest import aaf5_types
from ingest.aaf5_dialogue import Aaf5Dialogue
from ingest.aaf5_stream import Aaf5Stream, whole_frame_kind
from ingest.charger_protocol import OnConnectorEvent
from ingest.events import SessionStart
from ingest.record_buffer import PROTOCOL_AAF5, RecordBuffer
from ingest.start_evidence import aaf5_method, plain_card

SEQ: Final = slice(5, 6)
COMMAND: Final = slice(6, 8)


class Aaf5Protocol:
    """`ingest.charger_protocol.ChargerProtocol` for AAF5 V2.6 to V3.4."""

    name = "aaf5"
    number = PROTOCOL_AAF5
    heartbeat_ms = 30_000
    """For a charger whose login does not say its period (aaf5.md section 5 prescribes 3 s at least and no most)."""

    def make_stream(
        self, records: RecordBuffer, connection_id: int, on_event: OnConnectorEvent, evidence_limit: int
    ) -> Aaf5Stream:
        """The compiled part of a connection."""
        return Aaf5Stream(records, connection_id, on_event, evidence_limit)

    def make_dialogue(self, find_pile: Callable[[str], tuple[Pile, int] | None], **options: Any) -> Aaf5Dialogue:
        """The part of a connection that answers; `options` are the arguments of `Aaf5Dialogue`."""
        return Aaf5Dialogue(find_pile, **options)

    def whole_frame_kind(self, frame: bytes) -> int:
        """Span kind of bytes that claim to be one whole frame."""
        return whole_frame_kind(frame)

    def type_of(self, frame: bytes) -> int:
        """The command of a whole frame."""
        return int.from_bytes(frame[COMMAND], "little")

    def seq_of(self, frame: bytes) -> bytes:
        """The one byte of the sequence field."""
        return frame[SEQ]

    def body_of(self, frame: bytes) -> bytes:
        """The data of a whole frame."""
        return frame[HEADER_BYTES:-CHECKSUM_BYTES]

    def pile_code_of(self, frame_type: int, body: bytes) -> str | None:
        """The id that the frame names, with its gun's letter if it has one; None when it names none."""
        return aaf5_types.pile_code_of(frame_type, body)

    def connector_of(self, frame_type: int, body: bytes) -> int:
        """The connector by the gun's number, 0 when the frame names none."""
        return aaf5_types.connector_of(frame_type, body)

    def trade_no_of(self, frame_type: int, body: bytes, pile_code: str) -> str:
        """The session that the frame names, empty when it names none."""
        return aaf5_types.trade_no_of(frame_type, body, pile_code)

    def charging_evidence(
        self, pile: Pile, connector: int, trade_no: str, event_ms: int, frame: bytes
    ) -> SessionStart | None:
        """Who started, by `start_mode` and card of the status frame that first shows the charge."""
        if not frame:
            return None
        fields = raw_fields(aaf5_types.STATUS, self.body_of(frame))
        method = aaf5_method(fields["start_mode"])
        return SessionStart(
            pile_id=pile.pile_id,
            connector=connector,
            trade_no=trade_no,
            event_ms=event_ms,
            method=method,
            account=plain_card(fields["card"]),
            source="status",
            granted=1,
            reason="" if method != "unknown" else f"start_mode {fields['start_mode']}",
            frame=frame,
        )

    def is_down(self, frame_type: int) -> bool:
        """Whether the platform sends this command."""
        return frame_type in aaf5_types.DOWN_COMMANDS

    def is_heartbeat(self, frame_type: int) -> bool:
        """Whether it is 102."""
        return frame_type == aaf5_types.HEARTBEAT

    def is_record(self, frame_type: int) -> bool:
        """Whether it is 202, the bill of a charge."""
        return frame_type == aaf5_types.RECORD


AAF5: Final = Aaf5Protocol()
