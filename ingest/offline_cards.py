"""Card numbers of YKC, and the orders about cards that a charger accepts without asking (ykc.md 0x44 to 0x48)."""

import re
from typing import Final

import msgspec

from core.ykc.messages import MESSAGES_BY_NAME
from ingest.order import OrderError, OrderSite, Parcel

MAX_LENGTH_BYTE: Final = 200  # ykc.md section 1: never send more
LENGTH_OVERHEAD: Final = 4


class OfflineCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card that the charger may accept without asking: its own number in hex and the one shown, 16 digits."""

    physical_card: str
    logical_card: str


class CardSync(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards to store, any number of them."""

    cards: tuple[OfflineCard, ...]


class CardList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Physical card numbers in hex, any number of them."""

    cards: tuple[str, ...]


def hex_card(number: str, name: str = "physical_card") -> str:
    """A physical card number as its 8 bytes in hex, filled up on the left. Raises `OrderError`."""
    if not re.fullmatch(r"[0-9A-Fa-f]{1,16}", number):
        raise OrderError(f"{name}: {number!r} must be 1 to 16 hex digits")
    return number.upper().rjust(16, "0")


def shown_card(number: str, name: str = "card") -> str:
    """A shown card number as its 16 digits, filled up on the left. Raises `OrderError`."""
    if not re.fullmatch(r"[0-9]{1,16}", number):
        raise OrderError(f"{name}: {number!r} must be 1 to 16 digits")
    return number.rjust(16, "0")


def _batches(message: str, reply: str, cards: list[dict[str, str]]) -> list[list[dict[str, str]]]:
    """Cards in as few messages as keep the length bytes of question and answer within the limit."""
    if not cards:
        raise OrderError("cards: at least one is needed")
    sizes = [MAX_LENGTH_BYTE]
    for name in (message, reply):
        described = MESSAGES_BY_NAME[name]
        if described.group_length:
            sizes.append((MAX_LENGTH_BYTE - LENGTH_OVERHEAD - described.length) // described.group_length)
    size = min(sizes)
    return [cards[at : at + size] for at in range(0, len(cards), size)]


def _card_parcels(site: OrderSite, message: str, reply: str, cards: list[dict[str, str]]) -> list[Parcel]:
    return [
        Parcel({"pile_code": site.pile.code, "count": len(batch), "cards": batch}, 0)
        for batch in _batches(message, reply, cards)
    ]


def card_sync_parcels(site: OrderSite, arguments: CardSync) -> list[Parcel]:
    """Store cards (0x44)."""
    cards = [
        {
            "logical_card": shown_card(card.logical_card, "logical_card"),
            "physical_card": hex_card(card.physical_card),
        }
        for card in arguments.cards
    ]
    return _card_parcels(site, "card_sync", "card_sync_reply", cards)


def card_clear_parcels(site: OrderSite, arguments: CardList) -> list[Parcel]:
    """Remove cards (0x46)."""
    cards = [{"physical_card": hex_card(card)} for card in arguments.cards]
    return _card_parcels(site, "card_clear", "card_clear_reply", cards)


def card_query_parcels(site: OrderSite, arguments: CardList) -> list[Parcel]:
    """Ask about cards (0x48)."""
    cards = [{"physical_card": hex_card(card)} for card in arguments.cards]
    return _card_parcels(site, "card_query", "card_query_reply", cards)
