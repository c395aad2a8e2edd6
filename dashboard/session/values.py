"""Values of facts with their units, as a page says them."""

from collections.abc import Mapping
from typing import Any

from analytics.three_facts import E4YUAN_PER_FEN
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.parts import badge


def said(unit: str, value: Any, words: Catalogue, zone: str) -> str:
    """One value in words, with its unit; what is not known is a dash.

    Units: e4kwh, e4yuan, fen, ms (a length), at (a moment), w, count, codes, flags, yes, text; any other names the
    group of the catalogue that has the word.
    """
    if value is None:
        return written.NOTHING
    match unit:
        case "e4kwh":
            return f"{written.energy(value, 4)} {words.text('unit.kwh')}"
        case "e4yuan":
            places = 4 if 0 < abs(value) < E4YUAN_PER_FEN else 2
            return f"{written.money_e4(value, places)} {words.text('unit.yuan')}"
        case "fen":
            return f"{written.money(value)} {words.text('unit.yuan')}"
        case "ms":
            return written.length(value, words)
        case "at":
            return written.full_time(value, zone)
        case "w":
            return f"{written.kilowatts(value)} {words.text('unit.kw')}"
        case "count":
            return f"{value:,}"
        case "codes":
            return written.codes(list(value)) or words.text("word.none")
        case "flags":
            return words.text("word.and").join(words.word("flag", name) for name in value) or words.text("word.none")
        case "causes":
            return words.text("word.and").join(words.word("cause", name) for name in value) or words.text("word.none")
        case "yes":
            return words.text("word.yes" if value else "word.no")
        case "text":
            return str(value) or written.NOTHING
        case "key":
            return words.text(value)
        case _:
            return words.word(unit, value)


def signed(unit: str, value: int | None, words: Catalogue, zone: str) -> str:
    """A difference with its sign always shown."""
    if value is None:
        return written.NOTHING
    return written.signed(said(unit, value, words, zone), value)


def source_badge(source: str, words: Catalogue) -> Any:
    """Where a value comes from, quiet where somebody stated it, plain to see where it is only assumed."""
    tone = {"configured": "plain", "learned": "info", "session": "info"}.get(source, "warn")
    return badge(words.word("source", source or "default"), tone)


def said_all(values: Mapping[str, tuple[str, Any]], words: Catalogue, zone: str) -> dict[str, str]:
    """What fills the places of a text; a value of unit word is itself a key of the catalogue."""
    return {name: said("key" if unit == "word" else unit, value, words, zone) for name, (unit, value) in values.items()}
