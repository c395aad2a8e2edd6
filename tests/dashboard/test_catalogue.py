"""Both languages say everything, and pages hold no text of their own."""

import re
from pathlib import Path

import pytest

from core.meter.flags import Flag, Quality
from dashboard.catalogue import Catalogue, CatalogueError, all_texts, language_of

ROOT = Path(__file__).parents[2]
CHINESE = re.compile(r"[\u2e80-\u9fff\uff00-\uffef]")
PLACE = re.compile(r"\{(\w+)\}|(%\{[^}]*\})")
SWITCH = "shell.language"  # names the other language in that language


def sources() -> list[Path]:
    folder = ROOT / "dashboard"
    return [*folder.rglob("*.py"), *folder.rglob("*.js"), *folder.rglob("*.css")]


@pytest.mark.parametrize("key", sorted(all_texts()))
def test_each_text_exists_in_both_languages_with_the_same_places(key: str) -> None:
    chinese, english = all_texts()[key]
    assert chinese.strip()
    assert english.strip()
    assert sorted(PLACE.findall(chinese)) == sorted(PLACE.findall(english))
    if key != SWITCH:
        assert not CHINESE.search(english), f"{key} is not English: {english}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_no_page_holds_chinese_of_its_own(path: Path) -> None:
    assert not CHINESE.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [p for p in sources() if p.suffix == ".py"], ids=lambda path: path.name)
def test_every_key_that_a_page_names_exists(path: Path) -> None:
    named = re.findall(r'words\.text\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))
    missing = [key for key in named if key not in all_texts()]
    assert not missing


def words_of_the_codes() -> set[str]:
    """Every word that the SQL of the codes can store: reasons and causes, and the flags and qualities it looks at."""
    files = sorted((ROOT / "analytics" / "sql").glob("codes*.sql"))
    return {word for file in files for word in re.findall(r"'([A-Z][A-Z0-9_]{3,})'", file.read_text(encoding="utf-8"))}


def test_everything_that_rules_can_say_has_a_text() -> None:
    reasons = words_of_the_codes()
    said = all_texts()
    groups = ("reason", "cause", "flag", "quality")
    assert {"NO_BILL", "PARTS_DIFFER", "OVER_PHYSICAL_LIMIT", "REGISTER_JUMP", "OFFLINE", "RESOLUTION"} <= reasons
    assert not [word for word in reasons if not any(f"{group}.{word}" in said for group in groups)]
    assert not [flag.name for flag in Flag if f"rule.{flag.name}" not in said]
    assert not [flag.name for flag in Flag if f"flag.{flag.name}" not in said]
    assert not [quality.name for quality in Quality if f"quality.{quality.name}" not in said]
    assert not [code for code in range(1, 12) if f"code.{code}.text" not in said]


def test_a_missing_text_is_an_error_but_a_word_from_data_is_shown_as_it_is() -> None:
    words = Catalogue("en")
    with pytest.raises(CatalogueError, match="no text has the key 'nowhere'"):
        words.text("nowhere")
    assert words.word("stop", "0xEE") == "0xEE"
    assert words.word("stop", "0x41") == "battery full"
    assert words.name("", "Only English") == Catalogue("zh").name("", "Only English") == "Only English"


@pytest.mark.parametrize(
    ("wanted", "remembered", "language"),
    [(None, None, "zh"), ("en", "zh", "en"), (None, "en", "en"), ("xx", "en", "en"), ("<script>", "xx", "zh")],
)
def test_the_address_goes_before_the_cookie_before_chinese(
    wanted: str | None, remembered: str | None, language: str
) -> None:
    assert language_of(wanted, remembered) == language
