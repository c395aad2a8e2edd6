"""The biller as a process: what is stored into bills, and every session that is over held against its protocol."""

import logging

from clickhouse_driver.errors import Error as DriverError

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


def run_biller(role: RoleSettings) -> None:
    """Make bills of what is stored until told to stop, then have one more pass."""
    stop = stop_event()
    directory = refreshed_directory(role)
    say_ready()
    workers: tuple[Biller, ConformanceChecker] | None = None
    while True:
        last_pass = stop.is_set()
        try:
            workers = workers or _new_workers(role, directory)
            biller, checker = workers
            biller.run_once()
            if not last_pass:
                checker.run_once(CHECKS_PER_PASS)
        except (OSError, EOFError, DatabaseUnreachable, DriverError) as error:
            _log.warning("the biller waits for ClickHouse: %s", error)
            workers = None
        if last_pass:
            return
        stop.wait(role.settings.biller_interval_ms / MS_PER_S)


def _new_workers(role: RoleSettings, directory: PileDirectory) -> tuple[Biller, ConformanceChecker]:
    client = connect(role.clickhouse)
    biller = Biller(client, directory, clock=now_ms, loaded_until=loaded_until(role.spool))
    return biller, ConformanceChecker(client, directory)


if __name__ == "__main__":
    run_role(run_biller)
