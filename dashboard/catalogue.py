"""Every text that a page shows, in Chinese and English, from the files in `dashboard/texts`.

A file maps a key to the pair [Chinese, English]; a text may hold `{name}` places. Pages never hold a text themselves.
"""

import json
from functools import cache
from pathlib import Path
from typing import Literal

from dashboard.errors import DashboardError

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
DEFAULT_LANGUAGE: Language = "zh"
HTML_LANGUAGES: dict[Language, str] = {"zh": "zh-CN", "en": "en"}
TEXTS_FOLDER = Path(__file__).parent / "texts"


class CatalogueError(DashboardError):
    """A text is missing, given twice, or not a pair."""


@cache
def all_texts() -> dict[str, tuple[str, str]]:
    """Every key with its Chinese and English text."""
    texts: dict[str, tuple[str, str]] = {}
    for path in sorted(TEXTS_FOLDER.glob("*.json")):
        for key, pair in json.loads(path.read_text(encoding="utf-8")).items():
            if key in texts:
                raise CatalogueError(f"{path.name}: {key!r} is given twice")
            if len(pair) != len(LANGUAGES) or not all(isinstance(text, str) for text in pair):
                raise CatalogueError(f"{path.name}: {key!r} must be [Chinese, English]")
            texts[key] = (pair[0], pair[1])
    return texts


class Catalogue:
    """The texts of one language."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._position = LANGUAGES.index(language)

    @property
    def is_chinese(self) -> bool:
        """Whether names are wanted in Chinese."""
        return self.language == "zh"

    def text(self, key: str, **values: object) -> str:
        """The text of `key` with its places filled; CatalogueError when there is no such key."""
        pair = all_texts().get(key)
        if pair is None:
            raise CatalogueError(f"no text has the key {key!r}")
        return pair[self._position].format(**values) if values else pair[self._position]

    def word(self, group: str, value: object, **values: object) -> str:
        """The word for a value that comes from data, or the value itself when it has none yet."""
        key = f"{group}.{value}"
        return self.text(key, **values) if key in all_texts() else str(value)

    def name(self, chinese: str | None, english: str | None) -> str:
        """The name in this language of something that has two, in the other one when this is empty."""
        first, second = (chinese, english) if self.is_chinese else (english, chinese)
        return first or second or self.text("word.unknown")


def language_of(wanted: str | None, remembered: str | None) -> Language:
    """The language that a request asks for: its `?lang=`, else its cookie, else Chinese."""
    for code in (wanted, remembered):
        for language in LANGUAGES:
            if code == language:
                return language
    return DEFAULT_LANGUAGE
