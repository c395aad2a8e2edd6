"""The hub of several gateways as a process: who holds which charger, and where orders come in."""

import uvloop

from ingest.hub import Hub, HubSettings
from ingest.login_rules import LoginLimits
from service.lifeline import say_ready, stopped_in_loop
from service.role import RoleSettings, now_ms, run_role


def run_hub(role: RoleSettings) -> None:
    """Serve the workers until told to stop."""
    uvloop.run(_serve_workers(role))


async def _serve_workers(role: RoleSettings) -> None:
    settings = role.settings
    hub = Hub(
        HubSettings(
            workers=settings.workers,
            hub_path=role.hub_socket,
            node=settings.node,
            control_path=role.run / "gateway.sock",
            status_path=role.run / "gateway.json",
            login_limits=LoginLimits(per_pile=settings.logins_per_pile, per_address=settings.logins_per_address),
            max_connections=settings.max_connections,
            unidentified_per_address=settings.unidentified_per_address,
        ),
        now_ms,
    )
    stopped = stopped_in_loop()
    await hub.start()
    say_ready()
    await stopped.wait()
    await hub.stop()


if __name__ == "__main__":
    run_role(run_hub)
