"""Orders to chargers of several workers: each goes to the worker that holds the charger, or the gun."""

import asyncio
import contextlib
from typing import Any, Final

from ingest.command_result import CommandResult
from ingest.hub_workers import WorkerLine
from ingest.login_judge import LoginJudge
from ingest.login_rules import same_place

# After a start the workers announce what they hold: an order waits for them before it is said that nobody can take it.
ASSEMBLY_S: Final = 3.0
NOBODY: Final = CommandResult(ok=False, error="offline", detail="no process that serves chargers runs")


class HubOrders:
    """An `OrderDesk` over all workers. `names`: the number of each charger that was ever held, by its code."""

    def __init__(self, judge: LoginJudge, workers: dict[str, WorkerLine], expected: int) -> None:
        self.names: dict[str, int] = {}
        self._judge = judge
        self._workers = workers
        self._expected = expected
        self._began = 0.0
        self._assembled = asyncio.Event()

    def began(self) -> None:
        """The hub listens from now on."""
        self._began = asyncio.get_running_loop().time()

    def assembled(self, workers: int) -> None:
        """So many workers are there, and what they hold was told with the same breath."""
        if workers >= self._expected:
            asyncio.get_running_loop().call_soon(self._assembled.set)

    async def give(self, name: str, pile: str, connector: int, arguments: dict[str, Any]) -> CommandResult:
        """Give an order and wait for its outcome. What cannot be sent is said by a worker, at once."""
        worker = self._holder(pile, connector)
        if worker is None and not self._assembled.is_set():
            left_s = self._began + ASSEMBLY_S - asyncio.get_running_loop().time()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._assembled.wait(), max(left_s, 0))
            worker = self._holder(pile, connector)
        # Any worker says what is wrong with an order for a charger that nobody holds.
        worker = worker or next(iter(self._workers.values()), None)
        return await worker.give(name, pile, connector, arguments) if worker is not None else NOBODY

    def _holder(self, pile: str, connector: int) -> WorkerLine | None:
        holders = self._judge.holders(self.names.get(pile, 0))
        fitting = [holder for holder in holders if connector and same_place(holder.claim.connector, connector)]
        for holder in fitting or holders:
            worker = self._workers.get(holder.key.worker)
            if worker is not None:
                return worker
        return None
