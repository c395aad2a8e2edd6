"""The biller as a process: what is stored, into bills."""

import logging

from clickhouse_driver.errors import Error as DriverError

from analytics.biller import Biller
from analytics.client import DatabaseUnreachable, connect
from core.directory import PileDirectory
from service.lifeline import say_ready, stop_event
from service.loaded import loaded_until
from service.role import MS_PER_S, RoleSettings, now_ms, refreshed_directory, run_role

_log = logging.getLogger(__name__)


def run_biller(role: RoleSettings) -> None:
    """Make bills of what is stored until told to stop, then have one more pass."""
    stop = stop_event()
    directory = refreshed_directory(role)
    say_ready()
    biller: Biller | None = None
    while True:
        last_pass = stop.is_set()
        try:
            biller = biller or _new_biller(role, directory)
            biller.run_once()
        except (OSError, EOFError, DatabaseUnreachable, DriverError) as error:
            _log.warning("the biller waits for ClickHouse: %s", error)
            biller = None
        if last_pass:
            return
        stop.wait(role.settings.biller_interval_ms / MS_PER_S)


def _new_biller(role: RoleSettings, directory: PileDirectory) -> Biller:
    return Biller(connect(role.clickhouse), directory, clock=now_ms, loaded_until=loaded_until(role.spool))


if __name__ == "__main__":
    run_role(run_biller)
