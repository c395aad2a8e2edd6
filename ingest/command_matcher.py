"""Which answer of a charger belongs to which order, and what became of each order. No sockets, no clock."""

from typing import Final

import msgspec

from ingest.events import CommandOutcome
from ingest.reactions import CommandAnswer

REFUSALS: Final[dict[str, dict[int, str]]] = {
    "remote_start": {
        1: "wrong_pile",
        2: "already_charging",
        3: "device_fault",
        4: "device_offline",
        5: "not_plugged",
    },
    "remote_stop": {1: "wrong_pile", 2: "not_charging", 3: "other"},
}
NOT_PLUGGED: Final = 5
ANSWER_TIMEOUT_MS: Final = 10_000
# After "not plugged" a second 0x33 may follow within 60 s of the 0x34 (ykc.md section 5); later answers than this are
# recorded as answers to nothing.
REMEMBERED_MS: Final = 90_000


class SentCommand(msgspec.Struct):
    """An order under way. `settled` once its sender was told; it stays remembered for a second or a late answer.

    `number` tells the orders of one gateway apart.
    """

    command: str
    pile_id: int
    connector: int
    trade_no: str
    sent_ms: int
    request: bytes
    number: int = 0
    settled: bool = False


class CommandMatcher:
    """Orders sent and not yet forgotten, by charger, message and connector."""

    def __init__(self) -> None:
        self._sent: dict[tuple[int, str, int], SentCommand] = {}

    def waiting(self, pile_id: int, command: str, connector: int) -> bool:
        """Whether such an order still waits for its first answer."""
        sent = self._sent.get((pile_id, command, connector))
        return sent is not None and not sent.settled

    def sent(self, command: SentCommand) -> tuple[SentCommand, CommandOutcome] | None:
        """An order is on its way. It takes the place of an older one of the same kind on the same connector.

        Gives the older one and its outcome when that one still waited: no answer can be told to be its own any more.
        """
        key = (command.pile_id, command.command, command.connector)
        older = self._sent.get(key)
        self._sent[key] = command
        if older is None or older.settled:
            return None
        older.settled = True
        return older, _unanswered(older, "replaced")

    def answer(
        self, pile_id: int, answer: CommandAnswer, reply: bytes, receive_ms: int
    ) -> tuple[SentCommand | None, CommandOutcome | None]:
        """What an answer settles. An answer to no known order still gives an outcome: it is proof of a start or stop.

        The clock is also set by chargers that nobody asked in this process; that needs no outcome.
        """
        sent = self._sent.get((pile_id, answer.command, answer.connector))
        if sent is not None and sent.trade_no and answer.trade_no and sent.trade_no != answer.trade_no:
            sent = None
        if sent is None and answer.command == "time_sync":
            return None, None
        detail = "" if answer.accepted else REFUSALS.get(answer.command, {}).get(answer.reason, str(answer.reason))
        outcome = CommandOutcome(
            pile_id=pile_id,
            connector=answer.connector,
            command=answer.command,
            trade_no=sent.trade_no if sent else answer.trade_no,
            sent_ms=sent.sent_ms if sent else receive_ms,
            answered_ms=receive_ms,
            outcome="ok" if answer.accepted else "refused",
            detail=detail if sent else ", ".join(filter(None, ("order not seen", detail))),
            request=sent.request if sent else b"",
            reply=reply,
        )
        if sent is not None:
            sent.settled = True
            second_answer_follows = answer.command == "remote_start" and answer.reason == NOT_PLUGGED
            if answer.accepted or not second_answer_follows:
                del self._sent[pile_id, answer.command, answer.connector]
        return sent, outcome

    def expire(self, now_ms: int) -> list[tuple[SentCommand, CommandOutcome]]:
        """The orders whose first answer is overdue at `now_ms`; forgets those that are too old to be answered."""
        overdue = []
        for key, sent in list(self._sent.items()):
            if not sent.settled and now_ms - sent.sent_ms >= ANSWER_TIMEOUT_MS:
                sent.settled = True
                overdue.append((sent, _unanswered(sent, "timeout")))
            if now_ms - sent.sent_ms >= REMEMBERED_MS:
                del self._sent[key]
        return overdue

    def connection_lost(self, pile_id: int) -> list[tuple[SentCommand, CommandOutcome]]:
        """The orders that wait for this charger, which cannot be reached any more. An answer may still come later."""
        lost = []
        for sent in self._sent.values():
            if sent.pile_id == pile_id and not sent.settled:
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
    )
