"""Low-rate facts into the spool."""

from collections.abc import Callable

import msgspec

from ingest.events import Event, PlatformOutage
from ingest.facts_guard import FactsGuard, Verdict
from ingest.record_buffer import EVENT, FLAG_SHEDDABLE, RecordBuffer


class EventLog:
    """Appends events as spool records, their payload the MessagePack of `ingest.events.Event`.

    `watch` is told of each event, in the same breath: what a gateway must react to, whoever said it. `guard` decides
    which events are written, and which of them for good; without one all are.
    """

    def __init__(
        self,
        records: RecordBuffer,
        watch: Callable[[Event], None] | None = None,
        guard: FactsGuard | None = None,
    ) -> None:
        self._records = records
        self._encoder = msgspec.msgpack.Encoder()
        self._watch = watch
        self._guard = guard

    def add(self, event: Event, receive_ms: int, *, sheddable: bool = False) -> None:
        """Append one event; it is durable when the spool says so.

        `sheddable` events go with the telemetry: what anybody can cause must not fill the lane that is never shed.
        """
        payload = self._encoder.encode(event)
        verdict = Verdict.SHEDDABLE if sheddable else Verdict.KEEP
        if self._guard is not None and not sheddable:
            verdict = self._guard.judge(event, len(payload), receive_ms)
        if verdict is not Verdict.KNOWN:
            self._append(event, payload, receive_ms, FLAG_SHEDDABLE if verdict is Verdict.SHEDDABLE else 0)
        if self._watch is not None:
            self._watch(event)

    def _append(self, event: Event, payload: bytes, receive_ms: int, flags: int) -> None:
        self._records.append(
            EVENT,
            flags=flags,
            payload=payload,
            pile_id=0 if isinstance(event, PlatformOutage) else event.pile_id,
            connection_id=getattr(event, "connection_id", 0),
            connector=getattr(event, "connector", 0),
            receive_ms=receive_ms,
        )
