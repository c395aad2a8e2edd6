"""A checker that fails ends no biller."""

import logging

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from analytics.conformance import ConformanceChecker
from core.directory import Pile, PileDirectory
from service.biller_role import RETRY_S, Checks
from tests.analytics.stored_facts import HOUR, T0, Clock, Facts
from tests.analytics.stored_steps import store_session

pytestmark = pytest.mark.server


class BrokenDirectory(PileDirectory):
    """Master data that cannot be used until they are mended."""

    broken = True

    def by_id(self, pile_id: int) -> Pile | None:
        if self.broken:
            raise ValueError("no such zone")
        return super().by_id(pile_id)


@pytest.fixture
def facts(database: Client) -> Facts:
    """One session that is billed and waits to be checked."""
    facts = Facts(database)
    store_session(facts)
    Biller(database, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    return facts


def checked(database: Client) -> int:
    ((count,),) = database.execute("SELECT uniqExact(trade_no) FROM conformance_checks WHERE trade_no != ''")
    return int(count)


def test_an_error_of_the_checker_is_logged_once_counted_and_tried_again(
    database: Client, facts: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    directory = BrokenDirectory(facts.directory)
    clock = Clock(0)
    checks = Checks(lambda: ConformanceChecker(database, directory), clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            checks.run_once()
            checks.run_once()  # too soon
            clock.now_ms += int(RETRY_S)
        assert checks.failed == 3
        (record,) = caplog.records
        assert record.exc_info is not None
        assert checked(database) == 0
        directory.broken = False
        checks.run_once()
    assert (checks.failed, checked(database)) == (0, 1)
    assert caplog.messages[-1].endswith("after 3 failed passes")


def test_a_question_that_clickhouse_refuses_is_the_checkers_own_trouble(database: Client, facts: Facts) -> None:
    checks = Checks(lambda: ConformanceChecker(database, facts.directory))
    database.execute("RENAME TABLE conformance_checks TO away")
    checks.run_once()
    assert checks.failed == 1
    assert database.execute("SELECT 1") == [(1,)]


def test_a_clickhouse_that_is_away_is_not_the_checkers_trouble(facts: Facts) -> None:
    nowhere = ClickHouseAddress("127.0.0.1", 1)
    checks = Checks(lambda: ConformanceChecker(connect(nowhere), facts.directory))
    with pytest.raises(DatabaseUnreachable):
        checks.run_once()
    assert checks.failed == 0
