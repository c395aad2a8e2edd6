"""Answers to orders that nobody gave: anybody who knows a charger's id can send them, so they prove nothing."""

from typing import Final

import msgspec

from ingest.events import CommandOutcome, SessionStart, TariffAck

UNASKED: Final = "unasked"
_ORDER_NOT_SEEN: Final = "order not seen"


def as_claim(fact: CommandOutcome | SessionStart | TariffAck) -> CommandOutcome | SessionStart | TariffAck:
    """The fact itself where the platform gave the order, else what the charger claims by it.

    An honest charger answers so when the order was given by a gateway that has ended since. In a capture, which its
    owner hands over and which need not hold what was sent, such an answer is taken at its word instead.
    """
    match fact:
        case CommandOutcome(request=b"", outcome="ok" | "refused"):
            return msgspec.structs.replace(fact, outcome=UNASKED, detail=_claimed(fact))
        case SessionStart(source="order", frame=b"", granted=1):
            return msgspec.structs.replace(fact, granted=0, reason=_ORDER_NOT_SEEN)
    return fact


def _claimed(fact: CommandOutcome) -> str:
    """The detail, which says at least that the order was not seen; a yes needs no further word."""
    return fact.detail or _ORDER_NOT_SEEN
