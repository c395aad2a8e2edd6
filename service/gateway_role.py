"""The gateway as a process: chargers on one port, their frames into the spool."""

import asyncio
import contextlib

import uvloop

from ingest.gateway import Gateway, GatewaySettings
from ingest.group_commit import GroupCommit
from ingest.spool import Spool, SpoolBrokenError
from service.lifeline import on_stop, say_ready
from service.role import MS_PER_S, RoleSettings, now_ms, refreshed_directory, run_role

LOOK_EVERY_S = 1.0


def run_gateway(role: RoleSettings) -> None:
    """Serve chargers until told to stop."""
    uvloop.run(_serve_chargers(role))


async def _serve_chargers(role: RoleSettings) -> None:
    settings = role.settings
    spool = Spool(role.spool, clock=now_ms, node=settings.node, max_bytes=settings.spool_max_bytes)
    commit = GroupCommit(spool, interval_ms=settings.group_commit_ms, bill_interval_ms=settings.bill_commit_ms)
    commit.start()
    limits = GatewaySettings(
        node=settings.node,
        idle_timeout_ms=settings.idle_timeout_s * MS_PER_S,
        status_path=role.run / "gateway.json",
        beat_path=role.run / "beat.json",
        control_path=role.run / "gateway.sock",
    )
    directory = refreshed_directory(role, welcoming=settings.accept_unknown_piles)
    gateway = Gateway(directory, spool, commit, now_ms, limits)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(stopped.set)

    on_stop(stop)
    await gateway.start(settings.bind, settings.ykc_port)
    say_ready(port=gateway.port)
    await _until_stopped(stopped, spool)
    await gateway.stop()
    await commit.close()
    spool.close()


async def _until_stopped(stopped: asyncio.Event, spool: Spool) -> None:
    """Returns when told to stop; raises `SpoolBrokenError` when the disk has refused a sync.

    The parent starts a new gateway then: it finds out what the disk holds, and chargers send again what nobody
    acknowledged.
    """
    while not stopped.is_set():
        if spool.broken:
            raise SpoolBrokenError(f"the disk below {spool.folder} refused a sync; starting anew")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), LOOK_EVERY_S)


if __name__ == "__main__":
    run_role(run_gateway)
