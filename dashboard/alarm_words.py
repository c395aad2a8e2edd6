"""What an alarm says besides its kind, in the reader's language."""

import re
from typing import Final

from dashboard.catalogue import Catalogue

_FACTS: Final = {
    "duplicate_login": re.compile(r"login from (?P<newcomer>.+?); (?P<holder>.+) answered its probe and stays"),
    "takeover": re.compile(r"login from (?P<newcomer>.+?); (?P<holder>.+) did not answer its probe and is replaced"),
    "silent": re.compile(r"no good frame for (?P<seconds>\d+) s"),
    "clock_off": re.compile(r"(?P<offset>[+-]\d+) s, by its \w+"),
    "tariff_mismatch": re.compile(r"it holds (?:model )?(?P<held>.+), valid is (?P<valid>\S+) \(version \d+\)"),
    "too_many_connections": re.compile(r"(?P<most>\d+) connections are open; .+"),
    "too_many_unidentified": re.compile(
        r"(?P<count>\d+) connections of (?P<address>\S+) have not logged in; the oldest made room"
    ),
    "unknown_connector": re.compile(
        r"readings or records name the connectors (?P<named>[\d, ]+); the master data have (?P<known>\d+)"
    ),
}
"""The facts in the text of each kind, which is written for logs in English."""
_MORE: Final = re.compile(r"; (?P<count>\d+) more since the last alarm$")
_UNKNOWN_MODEL: Final = "no model that is known here"


def alarm_detail(kind: str, detail: str, words: Catalogue) -> str:
    """The detail of an alarm in words; a text of an unknown form is shown as it is."""
    more = _MORE.search(detail)
    said = detail[: more.start()] if more else detail
    pattern = _FACTS.get(kind)
    found = pattern.fullmatch(said) if pattern is not None else None
    if found is None:
        text = words.word("detail", said)
    else:
        facts = {
            name: words.text("word.unknown") if fact == _UNKNOWN_MODEL else fact
            for name, fact in found.groupdict().items()
        }
        text = words.text(f"alarm.{kind}.detail", **facts)
    return " · ".join([*([text] if text else []), *([words.text("alarm.more", **more.groupdict())] if more else [])])
