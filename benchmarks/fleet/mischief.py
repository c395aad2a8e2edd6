"""What a charger with a `LineFault` does on the line beside its good frames, and what strangers do in its name."""

import asyncio
from collections.abc import Callable
from typing import Final

from benchmarks.fleet.device import Device
from benchmarks.fleet.line_faults import LineFault
from benchmarks.fleet.link import Link
from benchmarks.fleet.messages import Message

SLOW_BYTE_MS: Final = 1_000
EARLY_FRAMES: Final = 3
FALLS_SILENT_AT: Final = 3
STRANGER_EVERY_MS: Final = 60_000
STRANGER_STAYS_MS: Final = 10_000
FLOOD_LOGINS: Final = 40
FLOOD_EVERY_MS: Final = 200


class Mischief:
    """One charger's misbehaviour. `encrypted` makes a frame of the protocol whose flag says that it is encrypted,
    `oversize` the header of a frame that is longer than the protocol allows.
    """

    def __init__(self, device: Device, encrypted: Callable[[], bytes], oversize: bytes) -> None:
        self._device = device
        self._encrypted = encrypted
        self._oversize = oversize

    def before_login(self, link: Link, message: Message) -> None:
        """Frames that come too early."""
        if LineFault.FRAMES_BEFORE_LOGIN in self._device.faults:
            for _ in range(EARLY_FRAMES):
                link.send(message)

    async def send_login(self, link: Link, login: Message) -> None:
        """The login, byte by byte on a slow sender."""
        if LineFault.SLOW_SENDER not in self._device.faults:
            link.send(login)
            return
        clock = self._device.clock
        for byte in link.encode(login, None):
            link.send_noise(bytes((byte,)))
            await clock.sleep_until(clock.now_ms() + SLOW_BYTE_MS)

    def beside_heartbeat(self, link: Link, number: int, heartbeat: Message) -> bool:
        """What comes before the heartbeat of that number, counted from 1; gives whether nothing comes ever after."""
        faults = self._device.faults
        if LineFault.ENCRYPTED_FRAME in faults:
            link.send_noise(self._encrypted())
        if LineFault.OVERSIZE_LENGTH in faults:
            link.send_noise(self._oversize)
        if number < FALLS_SILENT_AT:
            return False
        if LineFault.HALF_FRAME in faults:
            frame = link.encode(heartbeat, None)
            link.send_noise(frame[: len(frame) // 2])
        return bool(faults & {LineFault.HALF_FRAME, LineFault.SILENT})

    async def strangers(self) -> None:
        """Others that log in with this charger's id, again and again."""
        faults, clock = self._device.faults, self._device.clock
        while faults & {LineFault.SECOND_LOGIN_ALIVE, LineFault.LOGIN_FLOOD}:
            await clock.sleep_until(clock.now_ms() + STRANGER_EVERY_MS)
            if LineFault.SECOND_LOGIN_ALIVE in faults:
                await self._visit(STRANGER_STAYS_MS)
            if LineFault.LOGIN_FLOOD in faults:
                for _ in range(FLOOD_LOGINS):
                    await self._visit(FLOOD_EVERY_MS)

    async def _visit(self, stay_ms: int) -> None:
        """Connect, log in, wait for the door to close, and go."""
        device = self._device
        link, login = device.stranger_link()
        device.counters.strangers += 1
        try:
            await asyncio.get_running_loop().create_connection(lambda: link, *device.address)
        except OSError:
            device.counters.strangers_refused += 1
            return
        try:
            link.send(login)
            device.counters.strangers_refused += await device.clock.wait(link.closed, device.clock.now_ms() + stay_ms)
        finally:
            link.close()
