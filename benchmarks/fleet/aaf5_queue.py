"""The records of one AAF5 connection: sent one by one, each until it is answered (aaf5.md section 5)."""

from typing import Any, Final

import msgspec

from benchmarks.fleet.messages import Message
from benchmarks.fleet.record_book import NEVER_MS

REPEAT_MS: Final = 10_000
FLOOD_MS: Final = 50
QUEUE_LIMIT: Final = 50


class QueuedRecord(msgspec.Struct):
    """One record. The first `ignored_acks` answers to it get lost."""

    number: str
    message: Message
    ignored_acks: int = 0


class RecordQueue:
    """Records in the order of sending: a new one goes in front.

    `compares`: an answer counts for the record that it names; else for the one at the head, whatever it names.
    `floods`: an unanswered record is repeated at once, else every 10 s. `acknowledged` are the numbers of the sessions
    whose record was answered as such, `wrong_acks` counts answers that were taken for another record.
    """

    def __init__(self, *, compares: bool, floods: bool) -> None:
        self.acknowledged: list[str] = []
        self.wrong_acks = 0
        self._compares = compares
        self._repeat_ms = FLOOD_MS if floods else REPEAT_MS
        self._queue: list[QueuedRecord] = []
        self._next_ms = 0

    def add(self, number: str, message: Message, *, ignored_acks: int = 0) -> None:
        """Put a record in front; the oldest one beyond the limit is forgotten."""
        self._queue.insert(0, QueuedRecord(number, message, ignored_acks))
        del self._queue[QUEUE_LIMIT:]
        self._next_ms = 0

    def due(self, now_ms: int) -> Message | None:
        """The record to send now, if it is time."""
        if not self._queue or now_ms < self._next_ms:
            return None
        self._next_ms = now_ms + self._repeat_ms
        return self._queue[0].message

    def next_due_ms(self) -> int:
        """When `due` has something again, `NEVER_MS` when nothing waits."""
        return self._next_ms if self._queue else NEVER_MS

    def answered(self, fields: dict[str, Any]) -> None:
        """201 has come."""
        found = next((record for record in self._queue if _names(fields, record.message)), None)
        taken = found if self._compares else next(iter(self._queue), None)
        if taken is None:
            return
        if taken.ignored_acks:
            taken.ignored_acks -= 1
            return
        self._queue.remove(taken)
        self._next_ms = 0
        if taken is found:
            self.acknowledged.append(taken.number)
        else:
            self.wrong_acks += 1

    def logged_in(self) -> None:
        """A new connection: what waits is sent at once."""
        self._next_ms = 0

    @property
    def unacknowledged(self) -> list[str]:
        """Numbers of the sessions whose record still waits."""
        return [record.number for record in self._queue]

    def __len__(self) -> int:
        return len(self._queue)


def _names(answer: dict[str, Any], record: Message) -> bool:
    """Whether an answer echoes the record's gun, card and index, and its serial if it has one."""
    fields = record[1]
    names = ("gun_no", "card", "record_index", *(["serial"] if "serial" in fields else []))
    return all(answer.get(name) == fields[name] for name in names)
