"""What goes on beside the bills ends no biller: a checker that fails, a learner that fails."""

import logging

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from analytics.conformance import ConformanceChecker
from analytics.meter_learning import MeterLearner
from core.directory import Pile, PileDirectory
from service.biller_role import RETRY_S, Checks, Lessons
from tests.analytics.stored_facts import DAY, HOUR, T0, Clock, Facts, pile
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


MIDNIGHT = T0 + 16 * HOUR


@pytest.fixture
def learning(database: Client) -> Facts:
    """Two days of a charger of which nobody said in what steps it counts."""
    facts = Facts(database, pile(learns=("quantum",)))
    facts.insert("readings", [row for day in (0, 1) for row in facts.charging(T0 + day * DAY, 10)])
    return facts


def days_looked_at(database: Client) -> int:
    ((count,),) = database.execute("SELECT uniqExact(day) FROM meter_days")
    return int(count)


def test_a_day_is_learned_of_once_when_all_of_it_is_loaded(database: Client, learning: Facts) -> None:
    loaded = Clock(0)
    lessons = Lessons(MeterLearner(database, learning.directory), loaded)
    seen = []
    for at_ms in (0, MIDNIGHT, MIDNIGHT + HOUR - 1, MIDNIGHT + HOUR, MIDNIGHT + DAY, MIDNIGHT + DAY + HOUR):
        loaded.now_ms = at_ms
        lessons.run_once()
        seen.append(days_looked_at(database))
    assert seen == [0, 0, 0, 1, 1, 2]
    queries = "SELECT value FROM system.events WHERE event = 'Query'"
    ((before,),) = database.execute(queries)
    lessons.run_once()
    ((after,),) = database.execute(queries)
    assert after - before == 1, "nothing is asked before the next day is closed"


def test_an_error_of_the_learner_is_logged_and_tried_again(
    database: Client, learning: Facts, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(0)
    lessons = Lessons(MeterLearner(database, learning.directory), Clock(MIDNIGHT + HOUR), clock)
    database.execute("RENAME TABLE meter_days TO away")
    lessons.run_once()
    lessons.run_once()  # too soon
    assert [record.exc_info is not None for record in caplog.records] == [True]
    database.execute("RENAME TABLE away TO meter_days")
    lessons.run_once()
    assert days_looked_at(database) == 0, "still too soon"
    clock.now_ms += int(RETRY_S)
    lessons.run_once()
    assert days_looked_at(database) == 1


def test_a_clickhouse_that_is_away_is_not_the_learners_trouble(learning: Facts) -> None:
    class Gone(MeterLearner):
        def learn_closed_days(self, until_ms: int, pile_ids: object = None) -> int:
            connect(ClickHouseAddress("127.0.0.1", 1))
            return 0

    lessons = Lessons(Gone(learning.client, learning.directory), Clock(MIDNIGHT + HOUR))
    with pytest.raises(DatabaseUnreachable):
        lessons.run_once()
