"""The gateway as a process, or one of several (`FILE WORKER`): chargers on its ports, their frames into its spool."""

import asyncio
import contextlib
import sys

import uvloop

from ingest.aaf5_values import Aaf5ValueTable
from ingest.disk import Disk
from ingest.gateway import Gateway, GatewaySettings, Ports
from ingest.group_commit import GroupCommit
from ingest.left_over import LeftOver
from ingest.login_rules import LoginLimits
from ingest.spool import Spool, SpoolBrokenError
from ingest.start_decision import StartTable
from ingest.tls import TlsFileError
from service.charger_access import tls_files
from service.full_collections import FullCollections
from service.lifeline import say_ready, stopped_in_loop
from service.role import MS_PER_S, RoleSettings, now_ms, refreshed_directory, run_role
from service.settings import Settings

LOOK_EVERY_S = 1.0


def run_gateway(role: RoleSettings) -> None:
    """Serve chargers until told to stop."""
    try:
        uvloop.run(_serve_chargers(role, int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    except TlsFileError as error:
        # The files were good when the platform started; its owner reads this line, not where it was raised.
        raise SystemExit(f"tls_certificate, tls_key or tls_client_ca: {error}") from error


async def _serve_chargers(role: RoleSettings, worker: int) -> None:
    settings = role.settings
    share = settings.spool_max_bytes // settings.workers
    left_over = LeftOver(role.spool, settings.workers, Disk())
    spool = Spool(role.spool / str(worker), clock=now_ms, node=settings.node, max_bytes=share, left_over=left_over)
    commit = GroupCommit(spool, interval_ms=settings.group_commit_ms, bill_interval_ms=settings.bill_commit_ms)
    commit.start()
    directory = refreshed_directory(role, welcoming=settings.accept_unknown_piles)
    gateway = Gateway(
        directory,
        spool,
        commit,
        now_ms,
        _gateway_settings(role, worker),
        decide_start=StartTable(settings.start_accounts),
        aaf5_values=Aaf5ValueTable(settings.aaf5_values),
    )
    stopped = stopped_in_loop()
    await gateway.start(settings.bind, _ports(settings))
    say_ready(ports=gateway.ports)
    await _until_stopped(stopped, spool)
    await gateway.stop()
    await commit.close()
    spool.close()


def _ports(settings: Settings) -> Ports:
    return Ports(ykc=settings.ykc_port, aaf5=settings.aaf5_port, detect=settings.detect_port, tls=settings.tls_port)


def _gateway_settings(role: RoleSettings, worker: int) -> GatewaySettings:
    settings = role.settings
    is_alone = settings.workers == 1
    return GatewaySettings(
        node=settings.node,
        worker=worker,
        workers=settings.workers,
        hub_path=None if is_alone else role.hub_socket,
        idle_timeout_ms=settings.idle_timeout_s * MS_PER_S,
        login_timeout_ms=settings.login_timeout_s * MS_PER_S,
        max_connections=settings.max_connections,
        unidentified_per_address=settings.unidentified_per_address,
        login_limits=LoginLimits(per_pile=settings.logins_per_pile, per_address=settings.logins_per_address),
        charger_networks=settings.charger_networks,
        tls=tls_files(settings),
        status_path=role.run / ("gateway.json" if is_alone else f"gateway-{worker}.json"),
        # The first one goes on with the beat of a gateway that served alone.
        beat_path=role.run / (f"beat-{worker}.json" if worker else "beat.json"),
        # The hub serves it where there are several.
        control_path=role.run / "gateway.sock" if is_alone else None,
    )


async def _until_stopped(stopped: asyncio.Event, spool: Spool) -> None:
    """Returns when told to stop; raises `SpoolBrokenError` when the disk has refused a sync.

    The parent starts a new gateway then: it finds out what the disk holds, and chargers send again what nobody
    acknowledged.
    """
    collections = FullCollections()
    while not stopped.is_set():
        collections.collect_if_due()
        if spool.broken:
            raise SpoolBrokenError(f"the disk below {spool.folder} refused a sync; starting anew")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), LOOK_EVERY_S)


if __name__ == "__main__":
    run_role(run_gateway)
