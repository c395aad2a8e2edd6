"""What a frame or a reading says, in the language of the page: the words of the protocols' tables by the catalogue."""

from analytics.frame_words import AND, Saying
from analytics.timeline_entries import Entry
from dashboard.catalogue import Catalogue

_OF = ": "


def entry_words(entry: Entry, words: Catalogue) -> str:
    """The text of an entry. In English it is that of the trail; what has no word yet stays as the tables have it."""
    if not words.is_chinese or not entry.says:
        return entry.text
    return words.text("word.and").join(_saying_words(saying, words) for saying in entry.says)


def _saying_words(saying: Saying, words: Catalogue) -> str:
    label = words.word("field", saying.label) if saying.label else ""
    group = "verdict" if saying.label == "not_taken" else "meaning"
    meaning = words.text("word.and").join(_meaning_words(group, one, words) for one in saying.meaning.split(AND))
    value = words.text("field.span", begin=saying.value, end=saying.until) if saying.until else saying.value
    return " ".join(filter(None, [label, meaning or value, words.word("field_unit", saying.unit)]))


def _meaning_words(group: str, meaning: str, words: Catalogue) -> str:
    """A word of the tables; "start failed: breaker" are two."""
    parts = [words.word(group, part) for part in meaning.split(_OF)]
    return _OF.join(parts) if len(parts) == 1 else words.text("meaning.of", what=parts[0], why=_OF.join(parts[1:]))
