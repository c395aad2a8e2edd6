"""Which answer of a charger belongs to which order, and what became of each order. No sockets, no clock."""

import heapq
import itertools
from typing import Any, Final

import msgspec

from ingest.events import CommandOutcome
from ingest.login_rules import same_place
from ingest.order import ANSWER_TIMEOUT_MS
from ingest.orders import may_still_accept, refusal_text, subject_of
from ingest.reactions import ChargerReply, CommandAnswer

__all__ = ["AMBIGUOUS", "ANSWER_TIMEOUT_MS", "CommandMatcher", "SentCommand"]

# After "not plugged" a second 0x33 may follow within 60 s of the 0x34 (ykc.md section 5). An order is known so long
# after its answer was due: an answer that comes late must not be taken for one to a newer order.
REMEMBERED_MS: Final = 80_000
AMBIGUOUS: Final = "ambiguous"
# What the detail of an outcome says beside the charger's own reason.
NOT_SEEN: Final = "order not seen"
WENT_ELSEWHERE: Final = "order went over another connection"
ANSWERED_BEFORE: Final = "answered before"
MAY_BE_ANOTHER_S: Final = "may be the answer to another order"

_Key = tuple[int, str, int, str]


class SentCommand(msgspec.Struct):
    """An order under way. `settled` once its sender was told, `answered` once the charger said its last word.

    `number` tells the orders of one gateway apart. `place` is the connector that the answer will name, None = that of
    the order; `subject` as in `Parcel`. `content` is what was asked for: of two orders with the same content it does
    not matter which one is answered. `session` is the one that a repeat is bound to. `note` says what the kept
    `request` leaves out. `connection_id` is where the last attempt went, `link_place` the gun that this connection
    speaks for, 0 = all; `seqs` are the sequence fields of all attempts, by connection, and whether each was answered.
    """

    command: str
    pile_id: int
    connector: int
    trade_no: str
    sent_ms: int
    request: bytes
    number: int = 0
    settled: bool = False
    answered: bool = False
    place: int | None = None
    subject: str = ""
    timeout_ms: int = ANSWER_TIMEOUT_MS
    max_attempts: int = 1
    attempts: int = 1
    last_sent_ms: int = 0
    content: bytes = b""
    session: str = ""
    note: str = ""
    connection_id: int = 0
    link_place: int = 0
    seqs: dict[tuple[int, bytes], bool] = msgspec.field(default_factory=dict)
    values: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def key(self) -> _Key:
        """What an answer must name to belong to this order."""
        place = self.connector if self.place is None else self.place
        return self.pile_id, self.command, place, self.subject

    @property
    def overdue_ms(self) -> int:
        """When the answer to the last attempt should have come."""
        return max(self.sent_ms, self.last_sent_ms) + self.timeout_ms


class CommandMatcher:
    """Orders sent and not yet forgotten, by charger, message, connector and subject.

    An answer settles an order only when it comes over the connection that took the order, or over the next one of the
    same gun or charger. Among several it belongs to the one whose sequence number it carries, as it is or with its
    bytes swapped (ykc.md section 1). Chargers that do not echo the number exist (aaf5.md section 1): an answer whose
    number fits none belongs to the only order that is still without an answer. Where several are, it belongs to none:
    whoever waits is told `AMBIGUOUS`.
    """

    def __init__(self) -> None:
        self._sent: dict[int, dict[_Key, list[SentCommand]]] = {}
        # A heap of when something becomes of an order by time alone, and those that time has come to.
        self._looks: list[tuple[int, int, SentCommand]] = []
        self._overdue: list[SentCommand] = []
        self._numbers = itertools.count()

    def waiting(self, pile_id: int, command: str, place: int, subject: str = "") -> bool:
        """Whether such an order still waits for its first answer."""
        return any(not sent.settled for sent in self._known((pile_id, command, place, subject)))

    def waiting_as(self, command: SentCommand) -> SentCommand | None:
        """The order of the same kind that waits for its answer at the same place."""
        waiting = (sent for sent in self._known(command.key) if not sent.settled)
        return next((sent for sent in waiting if same_place(sent.link_place, command.link_place)), None)

    def sent(self, command: SentCommand) -> list[tuple[SentCommand, CommandOutcome]]:
        """An order is on its way. Gives those of the same kind at the same place that still waited, as replaced.

        They stay known: an answer to them may still come.
        """
        replaced = []
        while (older := self.waiting_as(command)) is not None:
            older.settled = True
            replaced.append((older, unanswered(older, "replaced")))
        self._sent.setdefault(command.pile_id, {}).setdefault(command.key, []).append(command)
        self._look_at(command, command.overdue_ms)
        return replaced

    def answer(
        self, pile_id: int, answer: CommandAnswer, reply: ChargerReply
    ) -> tuple[SentCommand | None, CommandOutcome]:
        """The order that an answer settles or belongs to, None when none does, and what is to be recorded of it."""
        known = [
            sent
            for sent in self._known((pile_id, answer.command, answer.connector, subject_of(answer)))
            if reply.receive_ms < sent.overdue_ms + REMEMBERED_MS
        ]
        near = [sent for sent in known if _came_back(sent, reply)]
        candidates = _candidates(near, answer, reply)
        said = refusal_text(answer, reply.protocol)
        if not candidates:
            detail = NOT_SEEN if near or not known else WENT_ELSEWHERE
            return None, _outcome(None, pile_id, answer, reply, _joined(detail, said))
        if len(candidates) > 1:
            return self._ambiguous(candidates, answer, reply, said)
        (sent,) = candidates
        detail = _joined(ANSWERED_BEFORE, said) if sent.answered else said
        outcome = _outcome(sent, pile_id, answer, reply, detail)
        sent.settled = True
        sent.answered = sent.answered or not may_still_accept(answer, reply.protocol)
        sent.values = answer.values
        for seq in _seqs_of(sent, reply):
            sent.seqs[seq] = True
        return sent, outcome

    @staticmethod
    def _ambiguous(
        candidates: list[SentCommand], answer: CommandAnswer, reply: ChargerReply, said: str
    ) -> tuple[SentCommand | None, CommandOutcome]:
        detail = _joined(MAY_BE_ANOTHER_S, said or "accepted")
        waiting = next((sent for sent in candidates if not sent.settled), None)
        outcome = _outcome(waiting, candidates[0].pile_id, answer, reply, detail)
        if waiting is not None:
            waiting.settled = True
        return waiting, msgspec.structs.replace(outcome, outcome=AMBIGUOUS)

    def due(self, now_ms: int) -> list[SentCommand]:
        """The orders whose answer is overdue and that may be sent once more; the caller says so with `sent_again`."""
        self._find_overdue(now_ms)
        return [
            sent
            for sent in self._overdue
            if not sent.settled and now_ms >= sent.overdue_ms and sent.attempts < sent.max_attempts
        ]

    @staticmethod
    def sent_again(sent: SentCommand, request: bytes, seq: tuple[int, bytes], now_ms: int) -> None:
        """Another attempt of an order is on its way; `seq` is its connection and its sequence field."""
        sent.attempts += 1
        sent.last_sent_ms = now_ms
        sent.request = request
        sent.connection_id = seq[0]
        sent.seqs[seq] = False

    def expire(self, now_ms: int) -> list[tuple[SentCommand, CommandOutcome]]:
        """The orders whose last answer is overdue at `now_ms`; forgets those that are too old to be answered."""
        self._find_overdue(now_ms)
        looked, self._overdue = self._overdue, []
        overdue = []
        for sent in looked:
            if not sent.settled and now_ms >= sent.overdue_ms:
                sent.settled = True
                overdue.append((sent, unanswered(sent, "timeout")))
            look_ms = sent.overdue_ms + (REMEMBERED_MS if sent.settled else 0)
            if sent.settled and now_ms >= look_ms:
                self._forget(sent)
            else:
                self._look_at(sent, look_ms)
        return overdue

    def connection_lost(self, pile_id: int, connector: int = 0) -> list[tuple[SentCommand, CommandOutcome]]:
        """The orders that wait for this charger, or for what went over the connection of one gun, which is gone.

        An answer may still come later, over the next connection.
        """
        lost = []
        for known in self._sent.get(pile_id, {}).values():
            for sent in known:
                if not sent.settled and connector in (0, sent.link_place):
                    sent.settled = True
                    lost.append((sent, unanswered(sent, "connection_lost")))
        return lost

    def _look_at(self, sent: SentCommand, look_ms: int) -> None:
        heapq.heappush(self._looks, (look_ms, next(self._numbers), sent))

    def _find_overdue(self, now_ms: int) -> None:
        while self._looks and self._looks[0][0] <= now_ms:
            self._overdue.append(heapq.heappop(self._looks)[2])

    def _forget(self, sent: SentCommand) -> None:
        of_pile = self._sent[sent.pile_id]
        kept = [other for other in of_pile[sent.key] if other is not sent]
        if kept:
            of_pile[sent.key] = kept
            return
        del of_pile[sent.key]
        if not of_pile:
            del self._sent[sent.pile_id]

    def _known(self, key: _Key) -> list[SentCommand]:
        return self._sent.get(key[0], {}).get(key, [])


def _came_back(sent: SentCommand, reply: ChargerReply) -> bool:
    """Whether the answer came over the order's connection, or over one that may be its successor.

    A gun has one connection at a time, so another one that speaks for the same place is a later one.
    """
    return sent.connection_id == reply.connection_id or same_place(sent.link_place, reply.place)


def _candidates(near: list[SentCommand], answer: CommandAnswer, reply: ChargerReply) -> list[SentCommand]:
    """The orders that the answer may be about: one is sure, several are not."""
    if answer.trade_no:
        near = [sent for sent in near if sent.trade_no in ("", answer.trade_no)]
        near = [sent for sent in near if sent.trade_no] or near
        if len(near) == 1:
            return near
    numbered = [sent for sent in near if _seqs_of(sent, reply)]
    here = [sent for sent in numbered if any(seq[0] == reply.connection_id for seq in _seqs_of(sent, reply))]
    # Numbers begin anew with each connection.
    numbered = here or numbered
    fresh = [sent for sent in numbered if not all(sent.seqs[seq] for seq in _seqs_of(sent, reply))]
    # A number that was answered already comes from a charger that repeats itself, or from one that does not count.
    found = fresh or [*numbered, *(sent for sent in near if not sent.answered and sent not in numbered)]
    if len({(sent.trade_no, sent.content) for sent in found}) == 1:
        return [next((sent for sent in found if not sent.settled), found[-1])]
    return found


def _seqs_of(sent: SentCommand, reply: ChargerReply) -> list[tuple[int, bytes]]:
    """The attempts of an order that carry the answer's sequence number."""
    return [seq for seq in sent.seqs if reply.seq in (seq[1], seq[1][::-1])]


def _outcome(
    sent: SentCommand | None, pile_id: int, answer: CommandAnswer, reply: ChargerReply, detail: str
) -> CommandOutcome:
    return CommandOutcome(
        pile_id=pile_id,
        connector=sent.connector if sent else answer.connector,
        command=answer.command,
        trade_no=sent.trade_no if sent else answer.trade_no,
        sent_ms=sent.sent_ms if sent else reply.receive_ms,
        answered_ms=reply.receive_ms,
        outcome="ok" if answer.accepted else "refused",
        detail=detail,
        request=sent.request if sent else b"",
        reply=reply.frame,
        attempts=sent.attempts if sent else 1,
    )


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def unanswered(sent: SentCommand, outcome: str) -> CommandOutcome:
    """What becomes of an order to which no answer came, or to which there is none."""
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
