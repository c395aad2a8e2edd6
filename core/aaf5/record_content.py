"""What a record (202) says of its charge, apart from what may differ when the charger sends it again."""

from typing import Final

from core.aaf5.messages import MESSAGES

RECORD: Final = 202
_NOT_OF_THE_CHARGE: Final = frozenset(
    {"reserved1", "reserved2", "reserved3", "reserved4", "record_index", "record_total"},
)


def said_of_the_charge(body: bytes) -> bytes:
    """Equal for every upload of one record: its body without what may differ (aaf5.md sections 3 and 4).

    `record_total` grows with every charge, `record_index` is a place in a ring, and the reserved fields say nothing;
    firmware F writes a user id into the first of them. `balance_before` stays in: it is the card's balance before the
    charge, written once, so that another balance is another record.
    """
    return b"".join(body[said] for said in _SAID_OF_THE_CHARGE)


def _said_of_the_charge() -> tuple[slice, ...]:
    """Where a body speaks of the charge, up to its end whatever its length."""
    pieces: list[slice] = []
    start = at = 0
    for field in MESSAGES[RECORD].fields:
        if field.name in _NOT_OF_THE_CHARGE:
            pieces.append(slice(start, at))
            start = at + field.length
        at += field.length
    return (*pieces, slice(start, None))


_SAID_OF_THE_CHARGE: Final = _said_of_the_charge()
