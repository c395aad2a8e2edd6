"""A live charger, whatever its protocol: switched on, connected, playing its connectors, switched off."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from benchmarks.fleet.charge import Charge
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.line_faults import CLOCK_ERROR_MS, CLOCK_FAULTS, LineFault
from benchmarks.fleet.link import Counters, Link
from benchmarks.fleet.messages import Message
from benchmarks.fleet.orders import Orders
from benchmarks.fleet.plan import PilePlan
from core.tariff_version import TariffVersion

if TYPE_CHECKING:
    from benchmarks.fleet.player import ConnectorPlayer

CANCEL_AGAIN_S: Final = 0.2
BOOT_MS: Final = 15_000
LOOK_IF_IDLE_MS: Final = 1_000
STOPPED_FOR_REBOOT: Final = 0x90


class Timings(msgspec.Struct, frozen=True):
    """How long a charger waits, in milliseconds of its clock. AAF5 has its heartbeats among its parameters."""

    heartbeat: int = 10_000
    ask_again: int = 5_000
    reconnect: int = 3_000
    refused: int = 30_000
    missed_heartbeats: int = 3


class Device(ABC):
    """One charger on real sockets, playing `plan` by `clock`.

    Charges ordered before `live_ms` are continued; those ordered later are ordered again through `orders`, or start
    with the plan's trade number when it is None. `disabled`: the platform has put it out of service.
    `clock_error_ms`: how far its own clock is ahead.
    """

    def __init__(
        self,
        plan: PilePlan,
        host: str,
        port: int,
        clock: Clock,
        counters: Counters,
        *,
        live_ms: int,
        orders: Orders | None = None,
        timings: Timings | None = None,
    ) -> None:
        self.plan = plan
        self.address = (host, port)
        self.clock = clock
        self.counters = counters
        self.live_ms = live_ms
        self.orders = orders
        self.timings = timings or Timings()
        self.tariff: TariffVersion = plan.pile.tariff_at(clock.now_ms())
        self.disabled = False
        self.faults = plan.line_faults
        self.clock_error_ms = CLOCK_ERROR_MS if self.faults & CLOCK_FAULTS else 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._players: list[asyncio.Task[None]] = []

    @property
    @abstractmethod
    def players(self) -> "Mapping[int, ConnectorPlayer]":
        """Its connectors by their numbers."""

    @property
    @abstractmethod
    def online(self) -> bool:
        """Whether all its connections are logged in."""

    @property
    @abstractmethod
    def acknowledged(self) -> Sequence[str]:
        """Numbers of the sessions whose record the platform acknowledged."""

    @property
    @abstractmethod
    def unacknowledged(self) -> Sequence[str]:
        """Numbers of the sessions whose record it never acknowledged."""

    @abstractmethod
    def connect(self) -> None:
        """Begin with the connections and what is sent over them."""

    @abstractmethod
    def hang_up(self, pause_ms: int) -> None:
        """Close all connections; the next attempts come after the pause."""

    @abstractmethod
    def stranger_link(self) -> tuple[Link, Message]:
        """A connection that nobody plays on, and the login with this charger's id to send over it."""

    def start(self) -> None:
        """Switch it on."""
        self._players = [self.spawn(player.run()) for player in self.players.values()]
        self.connect()

    def stop_charging(self) -> None:
        """Let nothing new happen at the connectors; what was sent may still be answered."""
        for player in self._players:
            player.cancel()

    async def stop(self) -> None:
        """Hang up and end."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=CANCEL_AGAIN_S)
        self.hang_up(0)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run something beside; an error in it is told by the loop's handler and hides nowhere."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def is_live(self, charge: Charge) -> bool:
        """Whether it is ordered in the live part; else the history holds its beginning."""
        return charge.order_ms >= self.live_ms

    def told_ms(self) -> int:
        """The time by its own clock."""
        return self.clock.now_ms() + self.clock_error_ms

    def clock_set(self) -> None:
        """The platform has told the time: the clock is right from now on, unless it is stuck."""
        if LineFault.CLOCK_STUCK not in self.faults:
            self.clock_error_ms = 0

    async def reboot(self, *, when_idle: bool) -> None:
        """End what runs, or wait for its end; then be away for as long as the boot takes."""
        while when_idle and any(player.charge is not None for player in self.players.values()):
            await self.clock.sleep_until(self.clock.now_ms() + LOOK_IF_IDLE_MS)
        for player in self.players.values():
            player.stop(STOPPED_FOR_REBOOT)
        self.counters.reboots += 1
        self.hang_up(BOOT_MS)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"charger {self.plan.pile.code} failed", "exception": error, "task": task}
            )
