"""Several real gateways that share a real hub, each on ports of its own: a test chooses where a charger lands."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from ingest.control import ControlClient
from ingest.hub import Hub, HubSettings
from ingest.login_rules import LoginLimits
from ingest.pile_memory import PileMemory
from tests.ingest.running_gateway import Running, now_ms, running

NODE = "n"


class Workers:
    """The gateways, and the hub as long as it runs."""

    def __init__(self, folder: Path, settings: HubSettings) -> None:
        self.folder = folder
        self.here: list[Running] = []
        self.settings = settings
        self.hub: Hub | None = None

    def __getitem__(self, worker: int) -> Running:
        return self.here[worker]

    async def start_hub(self) -> None:
        self.hub = Hub(self.settings, now_ms)
        await self.hub.start()

    async def stop_hub(self) -> None:
        """As a kill: the lines break, the workers learn it by that alone."""
        assert self.hub is not None
        await self.hub.stop()
        self.hub = None

    def control(self) -> ControlClient:
        assert self.settings.control_path is not None
        return ControlClient(self.settings.control_path)

    def memory_of(self, pile_id: int) -> PileMemory | None:
        assert self.hub is not None
        return self.hub.memory_of(pile_id)

    async def until_connected(self, connected: bool = True) -> None:
        for here in self.here:
            await here.until(lambda here=here: here.gateway.shared.connected is connected)


@asynccontextmanager
async def running_workers(
    folder: Path,
    count: int = 2,
    *,
    limits: LoginLimits | None = None,
    unidentified_per_address: int = 200,
    max_connections: int = 50_000,
    **settings: Any,
) -> AsyncIterator[Workers]:
    """Start a hub and `count` gateways; at the end stop them and check that none left anything behind."""
    hub_path = folder / "hub.sock"
    shared = {
        "login_limits": limits or LoginLimits(),
        "unidentified_per_address": unidentified_per_address,
        "max_connections": max_connections,
        "unidentified_grace_ms": settings.pop("unidentified_grace_ms", 10_000),
    }
    workers = Workers(
        folder,
        HubSettings(
            workers=count,
            hub_path=hub_path,
            node=NODE,
            control_path=folder / "gateway.sock",
            status_path=folder / "gateway.json",
            **shared,
        ),
    )
    await workers.start_hub()
    async with AsyncExitStack() as stack:
        for number in range(count):
            own = {"node": NODE, "worker": number, "workers": count, "hub_path": hub_path, **shared, **settings}
            workers.here.append(await stack.enter_async_context(running(folder / str(number), **own)))
        try:
            yield workers
        finally:
            if workers.hub is not None:
                await workers.hub.stop()
