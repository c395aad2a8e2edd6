"""The biller as a process: what is stored into bills, and every session that is over held against its protocol.

Once a day, before the bills of the sessions that it is for, it learns what nobody configured of the chargers' meters.
"""

import logging
import threading
import time
from collections.abc import Callable

from clickhouse_driver.errors import Error as DriverError
from clickhouse_driver.errors import ServerException

from analytics.biller import Biller
from analytics.client import DatabaseUnreachable, connect
from analytics.conformance import ConformanceChecker
from analytics.meter_learning import MeterLearner
from core.directory import PileDirectory
from service.biller_turns import BillerTurns, bytes_before_loader
from service.lifeline import say_ready, stop_event
from service.loaded import loaded_until, told_by_loader
from service.role import MS_PER_S, RoleSettings, now_ms, refreshed_directory, run_role

_log = logging.getLogger(__name__)

CHECKS_PER_PASS = 200
"""Sessions held against their protocol after each pass: bills come first, and soon again."""

_AWAY = (OSError, EOFError, DatabaseUnreachable, DriverError)
RETRY_S = 60.0
"""After a pass of the checker that failed: it would most likely fail again, and reads much."""


class Lessons:
    """Learns of the meters of each day that is over, as soon as all of it is loaded.

    What is learned holds for sessions that begin later, so it is done before the pass that may bill them. A failure
    does no harm but that older values go on; it is in the log, and tried again after a while.
    """

    def __init__(
        self, learner: MeterLearner, loaded_until: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._learner = learner
        self._loaded_until = loaded_until
        self._clock = clock
        self._due_ms = 0
        self._not_before_s = clock()

    def run_once(self) -> None:
        """Learn where a day was closed since the last time. Raises what says that ClickHouse is away."""
        until_ms = min(self._loaded_until(), now_ms())
        if until_ms < max(self._due_ms, 1) or self._clock() < self._not_before_s:
            return
        try:
            self._learner.learn_closed_days(until_ms)
        except Exception as error:
            if isinstance(error, _AWAY) and not isinstance(error, ServerException):
                raise
            self._not_before_s = self._clock() + RETRY_S
            _log.exception("nothing is learned of the meters; tried again in %.0f s", RETRY_S)
            return
        self._due_ms = self._learner.due_ms(until_ms)


class Checks:
    """The passes of a checker that may fail without harm to the bills: whoever ends the process ends them too.

    `failed`: passes that failed since the last good one. The first of them is in the log.
    """

    def __init__(self, make_checker: Callable[[], ConformanceChecker], clock: Callable[[], float] = time.monotonic):
        self.failed = 0
        self._make_checker = make_checker
        self._clock = clock
        self._checker: ConformanceChecker | None = None
        self._not_before_s = 0.0

    def run_once(self) -> None:
        """One pass, or none for a while after one that failed. Raises what says that ClickHouse is away."""
        if self.failed and self._clock() < self._not_before_s:
            return
        try:
            self._checker = self._checker or self._make_checker()
            self._checker.run_once(CHECKS_PER_PASS)
        except Exception as error:
            self._checker = None
            if isinstance(error, _AWAY) and not isinstance(error, ServerException):
                raise
            self.failed += 1
            self._not_before_s = self._clock() + RETRY_S
            if self.failed == 1:
                _log.exception("sessions are not held against their protocol; tried again every %.0f s", RETRY_S)
            return
        if self.failed:
            _log.warning("sessions are held against their protocol again, after %d failed passes", self.failed)
            self.failed = 0


def run_biller(role: RoleSettings) -> None:
    """Make bills of what is stored until told to stop, then have one more pass."""
    stop = stop_event()
    directory = refreshed_directory(role)
    say_ready()
    workers: tuple[Lessons, Biller, Checks] | None = None
    turns = _turns(role)
    while True:
        last_pass = not _turn_came(turns, stop)
        if last_pass:
            turns.begin()
        is_away = False
        try:
            workers = workers or _new_workers(role, directory)
            lessons, biller, checks = workers
            lessons.run_once()
            biller.run_once()
            if not last_pass:
                checks.run_once()
        except _AWAY as error:
            _log.warning("the biller waits for ClickHouse: %s", error)
            workers, is_away = None, True
        turns.ended(failed=is_away)
        if last_pass:
            return


def _turn_came(turns: BillerTurns, stop: threading.Event) -> bool:
    """Wait for the turn; False when told to stop before."""
    while not stop.is_set():
        wait_s = turns.wait_s()
        if not wait_s:
            return True
        stop.wait(wait_s)
    return False


def _turns(role: RoleSettings) -> BillerTurns:
    def before_loader() -> int:
        return bytes_before_loader(told_by_loader(role.spool), now_ms())

    settings = role.settings
    interval_s = settings.biller_interval_ms / MS_PER_S
    return BillerTurns(role.run, before_loader, patience_s=settings.biller_patience_s, interval_s=interval_s)


def _new_workers(role: RoleSettings, directory: PileDirectory) -> tuple[Lessons, Biller, Checks]:
    client = connect(role.clickhouse)
    loaded = loaded_until(role.spool)
    biller = Biller(client, directory, clock=now_ms, thresholds=role.settings.threshold_book, loaded_until=loaded)
    lessons = Lessons(MeterLearner(client, directory), loaded)
    return lessons, biller, Checks(lambda: ConformanceChecker(client, directory))


if __name__ == "__main__":
    run_role(run_biller)
