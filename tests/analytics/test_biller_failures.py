"""One session that cannot be decided stops nobody else, and is not forgotten."""

import logging
from typing import Any

import msgspec
import pytest
from clickhouse_driver import Client

from analytics import biller as biller_module
from analytics.biller import Biller
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, TARIFF, Clock, Facts, pile, trade_no

pytestmark = pytest.mark.server
END = T0 + 20 * MINUTE
ODD = trade_no(9)
IN_MICROSECONDS = T0 * 1000
TOO_LARGE_FOR_ITS_COLUMN_W = 2**33


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


@pytest.fixture
def clock() -> Clock:
    return Clock(T0 + HOUR)


def store_good(facts: Facts, number: int = 1, **changes: Any) -> None:
    trade = trade_no(number)
    facts.insert("readings", [*facts.charging(T0, 20, trade=trade, **changes), facts.idle(END + SECOND, 0, **changes)])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20, trade=trade, content_digest=number, vin="", **changes)])


def amounts(database: Client) -> dict[str, int | None]:
    return dict(database.execute("SELECT trade_no, amount_fen FROM bills"))


def test_odd_session_is_logged_and_the_others_go_on(
    database: Client, facts: Facts, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store_good(facts)
    start_ms = IN_MICROSECONDS
    odd = facts.charging(start_ms, 20, trade=ODD, connector=2)
    facts.insert("readings", [*odd, facts.idle(start_ms + HOUR, 0, connector=2)])
    biller = Biller(database, facts.directory, clock=clock)
    with caplog.at_level(logging.ERROR):
        report = biller.run_once()
    assert (report.failed_sessions, report.sessions_evaluated, report.bill_revisions) == (1, 1, 1)
    assert ODD in caplog.text
    assert amounts(database) == {trade_no(): 2_200}
    # nothing new: it is left alone; the next start and new facts try again
    clock.now_ms += HOUR
    assert biller.run_once().failed_sessions == 0
    again = Biller(database, facts.directory, clock=clock)
    assert again.run_once().failed_sessions == 1
    facts.insert("readings", [facts.reading(start_ms + 20 * MINUTE + 15_000, trade_no=ODD, connector=2)])
    assert again.run_once().failed_sessions == 1
    store_good(facts, 2, pile_id=4, connector=1)
    assert again.run_once().failed_sessions == 0
    assert database.execute("SELECT count(), sum(entered) FROM biller_waiting") == [(1, 1)]


def test_revision_that_cannot_be_stored_is_left_out(
    database: Client, facts: Facts, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    facts.directory.add(pile(5, rated_power_w=TOO_LARGE_FOR_ITS_COLUMN_W))
    store_good(facts)
    store_good(facts, 9, pile_id=5)
    store_good(facts, 2, connector=2)
    biller = Biller(database, facts.directory, clock=clock)
    report = biller.run_once()
    assert (report.failed_sessions, report.session_revisions, report.bill_revisions) == (1, 2, 2)
    assert ODD in caplog.text
    assert amounts(database) == {trade_no(): 2_200, trade_no(2): 2_200}
    assert biller.run_once().sessions_evaluated == 0


def test_session_that_failed_is_billed_once_it_can_be(
    database: Client, facts: Facts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_good(facts)
    with monkeypatch.context() as broken:
        broken.setattr(biller_module, "session_row", lambda *_arguments: 1 // 0)
        assert Biller(database, facts.directory, clock=clock).run_once().failed_sessions == 1
    # the facts are old by now: only what was kept leads the next process to them
    database.execute("INSERT INTO biller_progress (watermark_ms) VALUES", [(2**42,)])
    assert Biller(database, facts.directory, clock=clock).run_once().failed_sessions == 0
    assert amounts(database) == {trade_no(): 2_200}
    assert Biller(database, facts.directory, clock=clock).run_once().sessions_evaluated == 0


def test_charge_under_way_that_fails_does_not_stop_the_readings_after_it(
    database: Client, facts: Facts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = facts.charging(T0, 20)
    clock.now_ms = T0 + 10 * MINUTE
    biller = Biller(database, facts.directory, clock=clock)
    facts.insert("readings", readings[:40])
    assert biller.run_once().open_sessions == 1
    with monkeypatch.context() as broken:
        broken.setattr(biller_module, "session_row", lambda *_arguments: 1 // 0)
        facts.insert("readings", [facts.idle(END + SECOND)])
        assert biller.run_once().failed_sessions == 1
    facts.insert("readings", readings[40:])
    facts.insert("pile_bill_uploads", [facts.bill(T0, 20)])
    clock.now_ms = T0 + HOUR
    biller.run_once()
    assert amounts(database) == {trade_no(): 2_200}


def test_bill_waits_for_the_prices_of_its_tariff(database: Client, facts: Facts, clock: Clock) -> None:
    new = msgspec.structs.replace(TARIFF, tariff_version_id=70, model_no="0070")
    facts.directory.add(pile(5, tariffs=(new,)))
    store_good(facts)
    store_good(facts, 5, pile_id=5)
    biller = Biller(database, facts.directory, clock=clock)
    report = biller.run_once()
    assert (report.sessions_evaluated, report.session_revisions, report.failed_sessions) == (1, 1, 0)
    assert amounts(database) == {trade_no(): 2_200}
    # another process does not forget it either, though its facts are old by then
    database.execute("INSERT INTO biller_progress (watermark_ms) VALUES", [(2**42,)])
    biller = Biller(database, facts.directory, clock=clock)
    assert biller.run_once().session_revisions == 0
    row = (70, 1, "t", "0070", 0, new.slot_classes, new.electricity_price_e5yuan, new.service_price_e5yuan)
    database.execute("INSERT INTO dim_tariff_versions VALUES", [row])
    clock.now_ms += 2 * MINUTE
    assert biller.run_once().session_revisions == 1
    assert amounts(database) == {trade_no(): 2_200, trade_no(5): 2_200}
    assert database.execute("SELECT trade_no, held FROM bills WHERE held = 1") == []
    clock.now_ms += HOUR
    assert biller.run_once().sessions_evaluated == 0


def test_session_of_a_charger_unknown_at_the_end_of_a_process_is_billed_by_the_next(
    database: Client, facts: Facts, clock: Clock
) -> None:
    store_good(facts, 9, pile_id=9)
    assert Biller(database, facts.directory, clock=clock).run_once().session_revisions == 0
    database.execute("INSERT INTO biller_progress (watermark_ms) VALUES", [(2**42,)])
    facts.directory.add(pile(9))
    assert Biller(database, facts.directory, clock=clock).run_once().session_revisions == 1
