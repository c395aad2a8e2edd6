"""What `timeline` and `conformance` print, and their exit codes."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.client import ClickHouseAddress
from analytics.conformance import ConformanceChecker
from service.conformance import add_conformance_parser, print_conformance, print_violations, render_scores
from service.settings import Settings
from service.timeline import add_timeline_parser, print_timeline
from tests.analytics.stored_facts import HOUR, SECOND, T0, Clock, Facts, trade_no
from tests.analytics.stored_steps import store_session, ykc_frame


@pytest.fixture
def settings(database: Client, database_address: ClickHouseAddress) -> Settings:
    """Settings of a database with one session that skipped a step."""
    facts = Facts(database)
    store_session(facts, without=("bms_params",))
    Biller(database, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    ConformanceChecker(database, facts.directory).run_once()
    return Settings(clickhouse=database_address.url())


@pytest.mark.server
def test_the_commands_print_and_say_no_by_their_exit_code(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_timeline(settings, trade_no()) == 0
    assert "deviation bms_params" in capsys.readouterr().out
    assert print_timeline(settings, trade_no(), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["conformance"]["pattern"] == "SKIP(3)"
    assert told["meter"]["quantum_source"] == "configured"
    assert (told["times"]["observed_s"], told["times"]["unobserved_s"]) == (600, 0)
    assert told["growth"]["r_squared"] == "1.000000"
    assert told["rules"] == []
    assert print_timeline(settings, "0" * 32) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"pilestream: no session has the number {'0' * 32}\n")
    assert print_timeline(settings, trade_no(), pile="nobody") == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err.endswith(" at charger nobody\n")) == ("", True)

    assert print_conformance(settings, by="pile", as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["score"] == "91.6"
    assert print_conformance(settings, by="pile", at_least=91.7) == 1
    assert "bms_params missing (1)" in capsys.readouterr().out
    assert print_conformance(settings, by="pile", at_least=91.6) == 0
    capsys.readouterr()

    # requirement B12: the report lists violated steps with their frames
    assert print_violations(settings, as_json=True) == 0
    violation: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (violation["step"], violation["kind"]) == ("bms_params", "missing")
    assert [frame[10:12] for frame in violation["frames"]] == ["15", "23"]
    assert print_violations(settings) == 0
    assert f"  {violation['frames'][0]}\n" in capsys.readouterr().out
    assert print_violations(settings, pile="nobody") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.server
def test_the_frames_of_all_violations_come_by_one_query(
    settings: Settings, database: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = Facts(database)
    own = {"connection_id": 5, "segment_id": 2}
    login_ms = T0 + 5 * HOUR
    before = {**ykc_frame(facts, login_ms - SECOND, "bms_params"), **own, "pile_id": 0, "verdict": "not_logged_in"}
    login = {"operator_id": 2, "pile_id": 4, "event_ms": login_ms, "event": "login", **own}
    facts.insert("connection_events", [login])
    facts.insert("frames", [before, {**ykc_frame(facts, login_ms, "login"), **own}])
    ConformanceChecker(database, facts.directory).run_once()

    def shown(limit: int) -> tuple[int, list[dict[str, Any]]]:
        count = "SELECT value FROM system.events WHERE event = 'SelectQuery'"
        ((from_count,),) = database.execute(count)
        assert print_violations(settings, limit=limit, as_json=True) == 0
        ((to_count,),) = database.execute(count)
        return to_count - from_count, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    one_query_count, (_one,) = shown(1)
    query_count, violations = shown(50)
    assert query_count <= one_query_count + 1  # a reading among the evidence is asked for apart
    assert len(violations) >= 3
    (early,) = [one for one in violations if (one["step"], one["kind"]) == ("login", "out_of_order")]
    assert early["frames"] == [before["bytes"].hex().upper()]


def test_nothing_checked_yet_is_said() -> None:
    assert render_scores([], "vendor") == "no session has been checked yet"


def test_the_options_are_read_and_explained() -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    timeline = add_timeline_parser(commands, lambda options: 0)
    conformance = add_conformance_parser(commands, lambda options: 0)
    assert "example: pilestream timeline" in timeline.format_help()
    assert "example: pilestream conformance" in conformance.format_help()
    options = parser.parse_args(["timeline", "12", "--hex"])
    assert (options.trade_no, options.hex, options.all, options.json) == ("12", True, False, False)
    assert (options.export, options.lang) == (None, None)
    options = parser.parse_args(["timeline", "12", "--export", "e.zip", "--lang", "zh", "--pile", "P"])
    assert (options.export, options.lang, options.pile) == (Path("e.zip"), "zh", "P")
    options = parser.parse_args(["conformance", "--by", "model", "--at-least", "98"])
    assert (options.by, options.at_least, options.violations) == ("model", 98.0, False)
