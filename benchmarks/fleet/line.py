"""One connection of a charger through its life: dial, talk, fall silent with the radio, dial again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from benchmarks.fleet.device import Device
from benchmarks.fleet.line_faults import LineFault
from benchmarks.fleet.link import Link
from benchmarks.fleet.plan import FOREVER_MS

REFUSED: Final = "refused"
GO_DEAD_AFTER_MS: Final = 45_000
DEAD_KEPT: Final = 2

AnyLink = TypeVar("AnyLink", bound=Link)


class Line(Generic[AnyLink]):
    """A charger's line to the platform. `talk` logs in over a new link, sets `online`, and gives why it ended."""

    def __init__(
        self, device: Device, make_link: Callable[[], AnyLink], talk: Callable[[AnyLink], Awaitable[str]]
    ) -> None:
        self.online = False
        self.link: AnyLink | None = None
        self._device = device
        self._clock = device.clock
        self._make_link = make_link
        self._talk = talk
        self._pause_ms: int | None = None
        self._dead: list[AnyLink] = []

    async def keep(self) -> None:
        """Stay connected for as long as the plan lets the charger be heard."""
        clock, plan = self._clock, self._device.plan
        await clock.sleep_until(clock.now_ms() + plan.traits.phase_ms // 4)
        while (online_ms := plan.online_from(clock.now_ms())) != FOREVER_MS:
            await clock.sleep_until(online_ms)
            pause_ms = await self._one_connection()
            if self._pause_ms is not None:
                pause_ms, self._pause_ms = self._pause_ms, None
            await clock.sleep_until(clock.now_ms() + pause_ms)

    def hang_up(self, pause_ms: int) -> None:
        """Close it; the next attempt comes after the pause."""
        for link in (*self._dead, self.link):
            if link is not None:
                self._pause_ms = pause_ms
                link.close()
        self._dead.clear()

    async def _one_connection(self) -> int:
        """Connect and talk until the link or the radio goes; gives how long to wait before the next attempt."""
        device, counters = self._device, self._device.counters
        link = self._make_link()
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, *device.address)
        except OSError:
            counters.connections_lost += 1
            return device.timings.reconnect
        self.link = link
        now_ms = self._clock.now_ms()
        outage = next((outage for outage in device.plan.outages if outage.from_ms > now_ms), None)
        silent_ms = outage.from_ms if outage else FOREVER_MS
        dies_ms = now_ms + GO_DEAD_AFTER_MS if LineFault.SECOND_LOGIN_DEAD in device.faults else FOREVER_MS
        work = [
            asyncio.ensure_future(self._talk(link)),
            asyncio.ensure_future(link.closed.wait()),
            asyncio.ensure_future(self._clock.sleep_until(min(silent_ms, dies_ms))),
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.online = False
            for task in work:
                task.cancel()
            results = await asyncio.gather(*work, return_exceptions=True)
        self.link = None
        if outage is not None and self._clock.now_ms() >= silent_ms:
            link.go_silent()
            await self._clock.sleep_until(outage.to_ms)
            link.abort()
            return 0
        if self._clock.now_ms() >= dies_ms and not link.closed.is_set():
            self._leave_open(link)
            return 0
        link.close()
        counters.connections_lost += 1
        if isinstance(results[0], Exception):
            raise results[0]
        return device.timings.refused if results[0] == REFUSED else device.timings.reconnect

    def _leave_open(self, link: AnyLink) -> None:
        """Speak no more on this connection, but let the platform believe in it."""
        link.go_silent()
        self._dead.append(link)
        while len(self._dead) > DEAD_KEPT:
            self._dead.pop(0).abort()
