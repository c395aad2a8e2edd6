"""The drivers with an app: their orders go through the gateway's control socket, as those of a back office would."""

import asyncio
from pathlib import Path
from typing import Final, Protocol

from ingest.control import ControlClient
from ingest.errors import IngestError

BALANCE_FEN: Final = 10_000
TRIES: Final = 2
PAUSE_S: Final = 4.0


class Orders(Protocol):
    """Where drivers order by app."""

    async def start(self, pile_code: str, connector: int) -> bool:
        """Ask for a start; gives whether the platform says that the charger accepted."""

    async def stop(self, pile_code: str, connector: int) -> bool:
        """Ask for the end; gives whether the platform says that the charger accepted."""


class ControlSocketOrders:
    """Orders over the Unix socket at `path`. A driver tries twice, then leaves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.refusals: dict[str, int] = {}

    async def start(self, pile_code: str, connector: int) -> bool:
        """As in `Orders`."""
        return await self._order("remote_start", pile_code, connector)

    async def stop(self, pile_code: str, connector: int) -> bool:
        """As in `Orders`."""
        return await self._order("remote_stop", pile_code, connector)

    async def _order(self, command: str, pile_code: str, connector: int) -> bool:
        request: dict[str, object] = {"command": command, "pile": pile_code, "connector": connector}
        if command == "remote_start":
            request |= {"balance_fen": BALANCE_FEN}
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                async with ControlClient(self._path) as client:
                    answer = await client.request(**request)
            except IngestError:
                answer = {"ok": False, "error": "no_gateway"}
            if answer.get("ok"):
                return True
            reason = f"{command}: {answer.get('error')} {answer.get('detail') or ''}".strip()
            self.refusals[reason] = self.refusals.get(reason, 0) + 1
        return False
