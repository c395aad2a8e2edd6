"""The biller as a process: what is stored into bills, and every session that is over held against its protocol."""

import logging
import time
from collections.abc import Callable

from clickhouse_driver.errors import Error as DriverError
from clickhouse_driver.errors import ServerException

from analytics.biller import Biller
from analytics.client import DatabaseUnreachable, connect
from analytics.conformance import ConformanceChecker
from core.directory import PileDirectory
from service.lifeline import say_ready, stop_event
from service.loaded import loaded_until
from service.role import MS_PER_S, RoleSettings, now_ms, refreshed_directory, run_role

_log = logging.getLogger(__name__)

CHECKS_PER_PASS = 200
"""Sessions held against their protocol after each pass: bills come first, and soon again."""

_AWAY = (OSError, EOFError, DatabaseUnreachable, DriverError)
RETRY_S = 60.0
"""After a pass of the checker that failed: it would most likely fail again, and reads much."""


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
    workers: tuple[Biller, Checks] | None = None
    while True:
        last_pass = stop.is_set()
        try:
            workers = workers or _new_workers(role, directory)
            biller, checks = workers
            biller.run_once()
            if not last_pass:
                checks.run_once()
        except _AWAY as error:
            _log.warning("the biller waits for ClickHouse: %s", error)
            workers = None
        if last_pass:
            return
        stop.wait(role.settings.biller_interval_ms / MS_PER_S)


def _new_workers(role: RoleSettings, directory: PileDirectory) -> tuple[Biller, Checks]:
    client = connect(role.clickhouse)
    biller = Biller(client, directory, clock=now_ms, loaded_until=loaded_until(role.spool))
    return biller, Checks(lambda: ConformanceChecker(client, directory))


if __name__ == "__main__":
    run_role(run_biller)
