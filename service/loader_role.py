"""The loader as a process: the spool into ClickHouse."""

from functools import partial

from analytics.client import connect
from ingest.loader import Loader
from service.lifeline import say_ready, stop_event
from service.role import RoleSettings, refreshed_directory, run_role


def run_loader(role: RoleSettings) -> None:
    """Bring the spool into ClickHouse until told to stop, then once more what is there."""
    loader = Loader(
        role.spool,
        partial(connect, role.clickhouse),
        refreshed_directory(role),
        keep_loaded=role.settings.keep_loaded_segments,
    )
    stop = stop_event()
    say_ready()
    loader.run(stop)


if __name__ == "__main__":
    run_role(run_loader)
