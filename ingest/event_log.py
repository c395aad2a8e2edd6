"""Low-rate facts into the spool."""

from collections.abc import Callable

import msgspec

from ingest.events import Event, PlatformOutage
from ingest.record_buffer import EVENT, FLAG_SHEDDABLE, RecordBuffer


class EventLog:
    """Appends events as spool records, their payload the MessagePack of `ingest.events.Event`.

    `watch` is told of each event that was added, in the same breath: what a gateway must react to, whoever said it.
    """

    def __init__(self, records: RecordBuffer, watch: Callable[[Event], None] | None = None) -> None:
        self._records = records
        self._encoder = msgspec.msgpack.Encoder()
        self._watch = watch

    def add(self, event: Event, receive_ms: int, *, sheddable: bool = False) -> None:
        """Append one event; it is durable when the spool says so.

        `sheddable` events go with the telemetry: what anybody can cause must not fill the lane that is never shed.
        """
        self._records.append(
            EVENT,
            flags=FLAG_SHEDDABLE if sheddable else 0,
            payload=self._encoder.encode(event),
            pile_id=0 if isinstance(event, PlatformOutage) else event.pile_id,
            connection_id=getattr(event, "connection_id", 0),
            connector=getattr(event, "connector", 0),
            receive_ms=receive_ms,
        )
        if self._watch is not None:
            self._watch(event)
