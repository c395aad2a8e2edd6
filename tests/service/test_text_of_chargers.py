"""What a charger calls itself and its charges steers no terminal, whichever command prints it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from clickhouse_driver import Client

import pilestream
from analytics.biller import Biller
from analytics.client import ClickHouseAddress
from analytics.conformance import ConformanceChecker, Score
from analytics.questions import PLATFORM_SCOPE
from service.command import outcome_text
from service.conformance import print_conformance, print_violations, render_scores
from service.meters import meter_lines, meter_text
from service.settings import Settings
from service.timeline import print_timeline
from tests.analytics.register_rows import RegisterFacts, register_pile
from tests.analytics.stored_facts import HOUR, T0, Clock

CLEARS = "\x1b[2J\x9b31m\u202e"
CODE, NUMBER = f"GZ{CLEARS}7001", f"SN{CLEARS}1"
STEERS = frozenset(CLEARS) - set("[2J31m")


@pytest.fixture
def settings(database: Client, database_address: ClickHouseAddress) -> Settings:
    """Settings of a database whose only charger sends control characters in its name and its number."""
    facts = RegisterFacts(database, register_pile(code=CODE))
    facts.insert("readings", facts.charge(T0, 30, number=NUMBER))
    facts.insert("pile_bill_uploads", [facts.record(T0, 30, number=NUMBER, vin=f"LSV{CLEARS}")])
    Biller(database, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    ConformanceChecker(database, facts.directory).run_once()
    return Settings(clickhouse=database_address.url())


@pytest.mark.server
def test_no_command_prints_what_would_move_or_colour_the_terminal(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILESTREAM_CLICKHOUSE", settings.clickhouse)
    prints: list[Callable[[], int]] = [
        lambda: pilestream.main(["bill", NUMBER]),
        lambda: print_timeline(settings, NUMBER),
        lambda: print_conformance(settings, by="pile"),
        lambda: print_violations(settings),
    ]
    for one in prints:
        assert one() == 0
        text = capsys.readouterr().out
        assert "GZ\ufffd[2J\ufffd31m\ufffd7001" in text or "SN\ufffd[2J\ufffd31m\ufffd1" in text
        assert not STEERS & set(text)


@pytest.mark.server
def test_meters_of_such_a_charger(database: Client) -> None:
    (line, _other) = meter_lines(database, PLATFORM_SCOPE, [register_pile(code=CODE)])
    assert not STEERS & set(meter_text(line))
    assert line["pile"] == CODE, "data stay as they are"


def test_a_firmware_that_clears_the_screen() -> None:
    """The columns stay in line: the width is that of what is shown."""
    table = render_scores([Score(f"2.6{CLEARS}", 1, 1, 12, 12), Score("3.0", 1, 1, 12, 12)], "firmware")
    assert not STEERS & set(table)
    assert len({line.index("100.0") for line in table.splitlines()[1:]}) == 1


@pytest.mark.parametrize("outcome", [{"ok": True}, {"ok": False, "error": "refused"}])
def test_what_a_charger_answers_to_an_order(outcome: dict[str, Any]) -> None:
    answer = {"trade_no": NUMBER, "detail": CLEARS, "values": {"versions": CLEARS}, **outcome}
    first, values = outcome_text(CODE, "reboot", answer).split("\n")
    assert not STEERS & {*first, *values}
    assert json.loads(values)
