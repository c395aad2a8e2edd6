"""Frames and readings of an evidence page are said in its language, with every word that the protocols' tables hold."""

import re

import pytest

from analytics.frame_words import TELLING, TWO_BITS, Saying, frame_words
from analytics.timeline_entries import Entry
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.wire.fields import Message
from core.ykc.messages import MESSAGES as YKC_MESSAGES
from dashboard.catalogue import Catalogue, all_texts
from dashboard.session.meanings import entry_words

MESSAGES = [*YKC_MESSAGES.values(), *AAF5_MESSAGES.values()]
BY_PLACE = re.compile(r"triple_\d+|u32_at_\d+|bytes_\d+_\d+|time_at_\d+")
"""Fields whose meaning is not published are named by where they stand."""


def words_of(message: Message) -> set[str]:
    """The keys that saying this message may need."""
    fields = {field.name: field for field in message.all_fields}
    identity = {"pile_code", "gun_no", "trade_no", "serial", "reserved", *(f"reserved{place}" for place in range(1, 5))}
    shown = [name for name in TELLING.get(message.name, [*fields]) if name in fields and name not in identity]
    labels = {f"field.{name}" for name in shown if not BY_PLACE.fullmatch(name)}
    meanings = {word for name in shown for word in fields[name].values.values()}
    return labels | {f"meaning.{part}" for word in meanings for part in word.split(": ")}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: f"{message.type:X}-{message.name}")
def test_every_field_and_every_meaning_that_is_shown_has_a_text(message: Message) -> None:
    assert not words_of(message) - all_texts().keys()


def test_the_items_of_two_bits_have_one_too() -> None:
    items = {f"meaning.{item}" for names in TWO_BITS.values() for item in names}
    assert not items - all_texts().keys()


@pytest.mark.parametrize(
    ("saying", "chinese"),
    [
        (Saying("", "3", meaning="charging"), "充电中"),
        (Saying("", "0.0000", "kWh", until="36.3600"), "0.0000 至 36.3600 度"),
        (Saying("register", "92.2700", "kWh"), "电表读数 92.2700 度"),
        (Saying("stop_reason", "108", meaning="aborted: breaker"), "停止原因 中止：断路器跳开"),
        (Saying("", meaning="current mismatch and voltage"), "电流不匹配、电压异常"),
        (Saying("not_taken", meaning="bad_crc"), f"未采用 {Catalogue('zh').word('verdict', 'bad_crc')}"),
        (Saying("triple_4", "7"), "triple_4 7"),
    ],
)
def test_one_part_in_chinese(saying: Saying, chinese: str) -> None:
    entry = Entry(at_ms=0, kind="frame", name="", text="as it is in English", says=(saying,))
    assert entry_words(entry, Catalogue("zh")) == chinese
    assert entry_words(entry, Catalogue("en")) == "as it is in English"


def test_what_the_text_says_the_parts_say() -> None:
    says = frame_words("ykc", 0x3B, bytes(6 + 158 + 2))
    assert says.text.count(", ") + 1 == len(says.says)
