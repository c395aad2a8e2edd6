"""Which answer of a charger belongs to which order, and what became of each order. No sockets, no clock."""

from typing import Any, Final

import msgspec

from ingest.events import CommandOutcome
from ingest.order import ANSWER_TIMEOUT_MS
from ingest.orders import is_proof, may_still_accept, refusal_text, subject_of
from ingest.reactions import CommandAnswer

__all__ = ["ANSWER_TIMEOUT_MS", "CommandMatcher", "SentCommand"]

# After "not plugged" a second 0x33 may follow within 60 s of the 0x34 (ykc.md section 5); answers that come this long
# after the timeout are recorded as answers to nothing.
REMEMBERED_MS: Final = 80_000


class SentCommand(msgspec.Struct):
    """An order under way. `settled` once its sender was told; it stays remembered for a second or a late answer.

    `number` tells the orders of one gateway apart. `place` is the connector that the answer will name, None = that of
    the order; `subject` as in `Parcel`. `body` is the frame's content without its envelope: the same again is another
    attempt. `session` is the one that a repeat is bound to.
    """

    command: str
    pile_id: int
    connector: int
    trade_no: str
    sent_ms: int
    request: bytes
    number: int = 0
    settled: bool = False
    place: int | None = None
    subject: str = ""
    timeout_ms: int = ANSWER_TIMEOUT_MS
    max_attempts: int = 1
    attempts: int = 1
    last_sent_ms: int = 0
    body: bytes = b""
    session: str = ""
    values: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> tuple[int, str, int, str]:
        """What an answer must name to belong to this order."""
        place = self.connector if self.place is None else self.place
        return self.pile_id, self.command, place, self.subject

    @property
    def overdue_ms(self) -> int:
        """When the answer to the last attempt should have come."""
        return max(self.sent_ms, self.last_sent_ms) + self.timeout_ms


class CommandMatcher:
    """Orders sent and not yet forgotten, by charger, message, connector and subject."""

    def __init__(self) -> None:
        self._sent: dict[tuple[int, str, int, str], SentCommand] = {}

    def waiting(self, pile_id: int, command: str, place: int, subject: str = "") -> bool:
        """Whether such an order still waits for its first answer."""
        sent = self._sent.get((pile_id, command, place, subject))
        return sent is not None and not sent.settled

    def sent(self, command: SentCommand) -> tuple[SentCommand, CommandOutcome] | None:
        """An order is on its way. It takes the place of an older one of the same kind on the same connector.

        Gives the older one and its outcome when that one still waited: no answer can be told to be its own any more.
        The same content again is no new order but another attempt of the older one.
        """
        older = self._sent.get(command.key)
        if older is not None and not older.settled and older.body and older.body == command.body:
            older.attempts += 1
            older.last_sent_ms = command.sent_ms
            return None
        self._sent[command.key] = command
        if older is None or older.settled:
            return None
        older.settled = True
        return older, _unanswered(older, "replaced")

    def answer(
        self, pile_id: int, answer: CommandAnswer, reply: bytes, receive_ms: int
    ) -> tuple[SentCommand | None, CommandOutcome | None]:
        """What an answer settles. An answer to no known order gives an outcome when it proves a start or a stop."""
        sent = self._sent.get((pile_id, answer.command, answer.connector, subject_of(answer)))
        if sent is not None and sent.trade_no and answer.trade_no and sent.trade_no != answer.trade_no:
            sent = None
        if sent is None and not is_proof(answer.command):
            return None, None
        detail = refusal_text(answer, reply)
        outcome = CommandOutcome(
            pile_id=pile_id,
            connector=sent.connector if sent else answer.connector,
            command=answer.command,
            trade_no=sent.trade_no if sent else answer.trade_no,
            sent_ms=sent.sent_ms if sent else receive_ms,
            answered_ms=receive_ms,
            outcome="ok" if answer.accepted else "refused",
            detail=detail if sent else ", ".join(filter(None, ("order not seen", detail))),
            request=sent.request if sent else b"",
            reply=reply,
            attempts=sent.attempts if sent else 1,
        )
        if sent is not None:
            sent.settled = True
            sent.values = answer.values
            if not may_still_accept(answer, reply):
                del self._sent[sent.key]
        return sent, outcome

    def due(self, now_ms: int) -> list[SentCommand]:
        """The orders whose answer is overdue and that may be sent once more; the caller says so with `sent_again`."""
        return [
            sent
            for sent in self._sent.values()
            if not sent.settled and now_ms >= sent.overdue_ms and sent.attempts < sent.max_attempts
        ]

    @staticmethod
    def sent_again(sent: SentCommand, request: bytes, now_ms: int) -> None:
        """Another attempt of an order is on its way."""
        sent.attempts += 1
        sent.last_sent_ms = now_ms
        sent.request = request

    def expire(self, now_ms: int) -> list[tuple[SentCommand, CommandOutcome]]:
        """The orders whose last answer is overdue at `now_ms`; forgets those that are too old to be answered."""
        overdue = []
        for key, sent in list(self._sent.items()):
            if not sent.settled and now_ms >= sent.overdue_ms:
                sent.settled = True
                overdue.append((sent, _unanswered(sent, "timeout")))
            if now_ms >= sent.overdue_ms + REMEMBERED_MS:
                del self._sent[key]
        return overdue

    def connection_lost(self, pile_id: int, connector: int = 0) -> list[tuple[SentCommand, CommandOutcome]]:
        """The orders that wait for this charger, or for one gun of it, which cannot be reached any more.

        An answer may still come later, over the next connection.
        """
        lost = []
        for sent in self._sent.values():
            if sent.pile_id == pile_id and not sent.settled and connector in (0, sent.connector):
                sent.settled = True
                lost.append((sent, _unanswered(sent, "connection_lost")))
        return lost


def _unanswered(sent: SentCommand, outcome: str) -> CommandOutcome:
    return CommandOutcome(
        pile_id=sent.pile_id,
        connector=sent.connector,
        command=sent.command,
        trade_no=sent.trade_no,
        sent_ms=sent.sent_ms,
        answered_ms=0,
        outcome=outcome,
        detail="",
        request=sent.request,
        reply=b"",
        attempts=sent.attempts,
    )
