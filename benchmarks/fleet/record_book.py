"""The charger's memory of its records: sent, sent again, and deleted when the platform says so (ykc.md section 5)."""

from typing import Final

import msgspec

from benchmarks.fleet.messages import Message

ACK_STORED: Final = 0
RETRY_MS: Final = 30_000
LAST_RETRY_MS: Final = 300_000
QUICK_TRIES: Final = 3
BACKLOG_LIMIT: Final = 100
NEVER_MS: Final = 2**62


class KeptRecord(msgspec.Struct):
    """One record in the charger. `next_ms`: when it is sent again, `NEVER_MS` = after the next login."""

    trade_no: str
    message: Message
    next_ms: int
    ignored_acks: int = 0
    tries: int = 0
    first_ms: int = 0
    refused: bool = False


class RecordBook:
    """Records not yet acknowledged, and the numbers of those that are."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self._kept: dict[str, KeptRecord] = {}
        self._known: set[str] = set()

    def add(self, trade_no: str, message: Message, now_ms: int, *, ignored_acks: int = 0) -> None:
        """Keep a record and send it as soon as the link allows. The first `ignored_acks` acknowledgements get lost."""
        self._kept[trade_no] = KeptRecord(trade_no, message, now_ms, ignored_acks)

    def due(self, now_ms: int) -> list[KeptRecord]:
        """The records to send now, `BACKLOG_LIMIT` at most; each counts as sent."""
        due = [kept for kept in self._kept.values() if kept.next_ms <= now_ms][:BACKLOG_LIMIT]
        for kept in due:
            kept.tries += 1
            if kept.tries == 1:
                kept.first_ms = now_ms
            if kept.tries < QUICK_TRIES:
                kept.next_ms = now_ms + RETRY_MS
            elif kept.tries == QUICK_TRIES:
                kept.next_ms = max(kept.first_ms + LAST_RETRY_MS, now_ms + RETRY_MS)
            else:
                kept.next_ms = NEVER_MS
        return due

    def next_due_ms(self) -> int:
        """When `due` has something again, `NEVER_MS` when nothing waits."""
        return min((kept.next_ms for kept in self._kept.values()), default=NEVER_MS)

    def answered(self, trade_no: str, result: int) -> None:
        """0x40: 0 deletes the record; anything else ends the retries but keeps it."""
        kept = self._kept.get(trade_no)
        if result == ACK_STORED and trade_no not in self._known:
            self._known.add(trade_no)
            self.acknowledged.append(trade_no)
        if kept is None:
            return
        if kept.ignored_acks:
            kept.ignored_acks -= 1
        elif result == ACK_STORED:
            del self._kept[trade_no]
        else:
            kept.refused, kept.next_ms = True, NEVER_MS

    def logged_in(self, now_ms: int) -> None:
        """A new connection: what is kept is sent again, from the first try on."""
        for kept in self._kept.values():
            if not kept.refused:
                kept.tries, kept.next_ms = 0, now_ms

    @property
    def unacknowledged(self) -> list[str]:
        """Numbers of the records that the platform never acknowledged with 0."""
        return [trade_no for trade_no in self._kept if trade_no not in self._known]
