"""What the simulator says that it plays is what its code names."""

from pathlib import Path

import pytest

import benchmarks.fleet
from benchmarks.fleet.simulated import UNDERSTOOD_AAF5, UNDERSTOOD_YKC, simulated
from core.aaf5 import messages as aaf5
from core.wire.fields import Message
from core.ykc import messages as ykc

FOLDER = Path(benchmarks.fleet.__path__[0])


@pytest.mark.parametrize(("protocol", "table"), [("ykc", ykc.MESSAGES), ("aaf5", aaf5.MESSAGES)])
def test_every_message_that_is_sent_stands_in_the_code(protocol: str, table: dict[int, Message]) -> None:
    files = [path for path in FOLDER.glob("*.py") if path.name.startswith("aaf5_") == (protocol == "aaf5")]
    source = "".join(path.read_text("utf-8") for path in files if path.name != "simulated.py")
    columns = {"realtime", "status"}  # written as columns, by their number
    for message in table.values():
        if message.direction == "up" and message.name not in columns:
            assert (message.type in simulated(protocol)) == (f'"{message.name}"' in source), message.name


def test_ykc_is_played_whole() -> None:
    assert simulated("ykc") == set(ykc.MESSAGES)
    assert {message.type for message in ykc.MESSAGES.values() if message.direction == "down"} == UNDERSTOOD_YKC


def test_what_is_understood_of_aaf5_comes_from_the_platform() -> None:
    assert {aaf5.MESSAGES[command].direction for command in UNDERSTOOD_AAF5} == {"down"}
    left = {message.type for message in aaf5.MESSAGES.values() if message.direction == "down"} - UNDERSTOOD_AAF5
    assert left == {12, 103, 107, 205, 301}
